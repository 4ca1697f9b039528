"""Optimization settings."""

from __future__ import annotations

import math

from pypty_nb.params.fields import Boolean, Choice, Integer, Number
from pypty_nb.params.tables.base import Table


class Optimisation(Table):
    """The loss, and how it is lowered."""

    title = "Optimisation"

    algorithm = Choice(
        "lsq_sqrt",
        choices=(
            "lsq_sqrt",
            "ml",
            "lsq",
            "lsq_sqrt_2",
            "lsq_compressed",
            "gauss_compressed",
            "poisson_compressed",
        ),
        schedulable=True,
        level="basic",
        label="Loss",
        doc="How model and data are compared: lsq_sqrt on amplitudes (Gaussian), ml for Poisson counts, lsq on "
        "intensities, lsq_sqrt_2 on intensities weighted by the counts; those named compressed compare virtual "
        "detectors. Few counts are best fitted by ml once lsq_sqrt has found the object.",
        differs="The original takes no schedule here.",
    )
    epoch_max = Integer(
        200,
        bounds=(0, None),
        live=True,
        unit="epochs",
        level="basic",
        label="Epochs",
        doc="Epoch at which the run ends; the last one computed is the one before. A larger value runs longer.",
    )
    wolfe_c1_constant = Number(
        0.5,
        bounds=(0, 1),
        inclusive_bounds=(False, False),
        schedulable=True,
        level="basic",
        label="Wolfe c1",
        doc="Share of the decrease promised by the slope that a step must deliver; it must lie below Wolfe c2. A "
        "larger value enforces shorter steps.",
    )
    wolfe_c2_constant = Number(
        0.999999,
        bounds=(0, 1),
        inclusive_bounds=(False, False),
        schedulable=True,
        label="Wolfe c2",
        doc="Share of the slope that may be left after a step; it must lie above Wolfe c1. A larger value accepts "
        "shorter steps and saves evaluations; a smaller one asks for longer, more exact steps.",
    )
    loss_weight = Number(
        1.0,
        bounds=(0, None),
        words=("mean", "mean_full"),
        schedulable=True,
        label="Loss weight",
        doc="Factor on the data term. A larger value weakens every constraint against the data. The word mean divides "
        "by the number of patterns, mean_full by the number of measured values.",
    )
    max_count = Integer(
        None,
        bounds=(1, None),
        words=(None, math.inf),
        live=True,
        label="Evaluations at most",
        doc="Evaluations of loss and gradient that one line search may take; past it the step is rejected and the "
        "history reset. A larger value is more patient; None or inf sets no limit.",
    )
    reduce_factor = Number(
        0.5,
        bounds=(0, 1),
        inclusive_bounds=(False, False),
        live=True,
        label="Step reduction",
        doc="Factor on a step that lowered the loss too little. A smaller value shortens the step faster.",
    )
    optimism = Number(
        2.0,
        bounds=(1, None),
        inclusive_bounds=(False, True),
        live=True,
        label="Step growth",
        doc="Factor on a step that was too short. A larger value lengthens the step faster.",
    )
    min_step = Number(
        1e-20,
        bounds=(0, None),
        live=True,
        label="Smallest step",
        doc="Step below which the line search gives up, rejects the update and resets the history. A larger value "
        "gives up sooner; 0 never does.",
    )
    hist_length = Integer(
        10,
        bounds=(0, None),
        words=(math.inf,),
        schedulable=True,
        level="basic",
        label="History length",
        doc="Pairs of step and gradient change that shape the next direction: 0 is gradient descent, 1 conjugate "
        "gradient, more is L-BFGS, inf keeps all. A longer history converges in fewer epochs and takes memory.",
    )
    update_step_bfgs = Number(
        1.0,
        bounds=(0, None),
        inclusive_bounds=(False, True),
        schedulable=True,
        label="First trial step",
        doc="Factor on the step that every line search tries first. A larger value starts more boldly; 1 suits all "
        "but the very first epoch, where the search finds its own.",
    )
    phase_only_obj = Boolean(
        False,
        schedulable=True,
        level="basic",
        label="Phase only object",
        doc="Refines the object's phase only and leaves its modulus as it is, for specimens that absorb nothing.",
    )
    tune_only_probe_phase = Boolean(
        False,
        schedulable=True,
        label="Probe phase only",
        doc="Refines only the phase of the probe in reciprocal space, that is its aberrations; the aperture stays as it is.",
    )
    tune_only_probe_abs = Boolean(
        False,
        schedulable=True,
        label="Probe modulus only",
        doc="Refines only the modulus of the probe in reciprocal space, that is its aperture; the aberrations stay as "
        "they are.",
    )
    reset_history_flag = Boolean(
        None,
        words=(None,),
        schedulable=True,
        label="Reset history",
        doc="Forgets the optimiser's history in the epochs where it is true, so that the next step follows the "
        "gradient alone. None and false keep it.",
    )
    preconditioner = Choice(
        "illumination",
        choices=("none", "illumination"),
        label="Preconditioner",
        doc="Seeds the inverse Hessian. Illumination divides the object's part by the intensity each pixel received and the "
        "probe's by the object's, so that the dim edge of the scan keeps up with its middle; none takes all pixels alike.",
        differs="The original has no such setting.",
    )
    validation_fraction = Number(
        0.0,
        bounds=(0, 1),
        inclusive_bounds=(True, False),
        label="Held-out share",
        doc="Share of the measured pixels, drawn at random once and for all, that is kept out of the loss and only compared, "
        "to tell fitted noise from signal. A larger value judges better and leaves less to refine with; 0 holds none out.",
        differs="The original has no such setting.",
    )
    stop_on_validation = Integer(
        0,
        bounds=(0, None),
        live=True,
        unit="epochs",
        label="Stop on held-out",
        doc="Ends the run, with the best state, once the held-out pixels' loss has not fallen for this many epochs; what is "
        "minimised being changed, the count begins anew. A larger value waits longer; 0 never ends it.",
        differs="The original has no such setting.",
    )
