"""Constraints contributing to the loss."""

from __future__ import annotations

import math

from pypty_nb.params.fields import Array, Number
from pypty_nb.params.tables.base import Table


class LossConstraints(Table):
    """Terms that join the loss, each with its weight."""

    title = "Constraints in the loss"

    mixed_variance_weight = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        label="Mode variance weight",
        doc="Weight of the variance between the object's modes at low frequencies. A larger value makes the modes "
        "share their coarse features and differ in fine ones only.",
    )
    mixed_variance_sigma = Number(
        0.5,
        bounds=(0, None),
        inclusive_bounds=(False, True),
        schedulable=True,
        unit="px⁻¹",
        label="Mode variance width",
        doc="Width σ of the Gaussian low-pass exp(−q²/σ²) of that term, in cycles for each pixel. A larger value ties "
        "the modes together up to finer features.",
    )
    probe_constraint_mask = Array(
        None,
        number=True,
        shapes=("ky, kx",),
        label="Probe mask",
        doc="Where the probe may be in reciprocal space, 1 inside and 0 outside, centred; it replaces the aperture "
        "mask there. A number c keeps frequencies up to c/2 cycles for each pixel, so a larger one keeps more.",
    )
    probe_reg_constraint_weight = Number(
        0.0,
        bounds=(0, None),
        words=(math.inf,),
        schedulable=True,
        label="Probe mask weight",
        doc="Weight of the probe's modulus in reciprocal space outside its mask (an L1 norm). A larger value clears "
        "that region faster; inf sets it to zero after each step.",
    )
    window_weight = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        level="basic",
        label="Probe window",
        doc="Weight of the probe's intensity in real space where the window penalises it. A larger value holds the "
        "probe closer to the middle of its field.",
    )
    window = Array(
        None,
        shapes=("y, x", "2"),
        schedulable=True,
        level="basic",
        label="Window shape",
        doc="Where the probe is penalised in real space: an array, 1 penalised and 0 free, or [inner, outer] as "
        "fractions of half the field, free inside the inner and fully penalised beyond the outer. Larger radii "
        "leave more room.",
    )
    abs_norm_weight = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        label="Absorption",
        doc="Weight of the absorption's L1 norm, Σ|ln|o||. A larger value presses the object's modulus towards 1.",
    )
    phase_norm_weight = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        label="Phase norm weight",
        doc="Weight of the phase's L1 norm, Σ|arg o|. A larger value presses weak phases to zero and keeps strong ones.",
    )
    atv_weight = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        level="basic",
        label="ATV weight",
        doc="Weight of the adaptive total variation of the object, Σ(|∂x o|^p + |∂y o|^p)^(q/p). A larger value "
        "flattens areas and keeps edges; too large a value removes fine contrast, so start it once the probe has "
        "settled.",
    )
    atv_q = Number(
        1.0,
        bounds=(0, None),
        inclusive_bounds=(False, True),
        schedulable=True,
        label="ATV q",
        doc="Exponent of the gradient's length in the total variation. 1 keeps sharp edges; a larger value punishes "
        "steep edges more and smooths them.",
    )
    atv_p = Number(
        2.0,
        bounds=(0, None),
        inclusive_bounds=(False, True),
        schedulable=True,
        label="ATV p",
        doc="Norm that joins both directions in the total variation. 2 treats all directions alike; smaller values "
        "towards 1 favour edges along x and y.",
    )
    fast_axis_reg_weight_positions = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        level="basic",
        label="Fast-axis weight",
        doc="Weight of the positions' squared second differences along each scan line. A larger value makes the "
        "refined lines smoother; it needs the number of scan points.",
    )
    fast_axis_reg_weight_tilts = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        label="Fast axis, tilts",
        doc="Weight of the tilts' squared second differences along each scan line. A larger value makes the tilts "
        "vary more smoothly; it needs the number of scan points.",
    )
    slow_axis_reg_weight_positions = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        label="Slow-axis weight",
        doc="Weight of the squared second differences, from line to line, of the positions summed along each line. A "
        "larger value evens out jumps between lines; it needs the number of scan points.",
    )
    slow_axis_reg_coeff_positions = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        label="Slow-axis factor",
        doc="Factor on the slow-axis weight of the positions where it is not 0. A larger value strengthens that term; "
        "0 leaves the weight as it is.",
    )
    slow_axis_reg_weight_tilts = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        label="Slow axis, tilts",
        doc="Weight of the squared second differences, from line to line, of the tilts summed along each line. A "
        "larger value evens out jumps between lines; it needs the number of scan points.",
    )
    slow_axis_reg_coeff_tilts = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        label="Slow factor, tilts",
        doc="Factor on the slow-axis weight of the tilts where it is not 0. A larger value strengthens that term; 0 "
        "leaves the weight as it is.",
    )
    deformation_reg_weight_positions = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        label="Deformation",
        doc="Weight of the positions' squared distance to the best affine grid. A larger value allows the refined "
        "scan to stretch, shear and turn, and little else.",
    )
    deformation_reg_weight_tilts = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        label="Deformation, tilts",
        doc="Weight of the tilts' squared distance to the best affine function of the scan. A larger value leaves "
        "only tilts that change linearly over the field.",
    )
    wedge_mu = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        label="Missing wedge weight",
        doc="Weight of the object's power in the missing wedge: high frequencies along the beam at low ones across. A "
        "larger value smooths slices into each other. The wedge β sets how steep it is.",
    )
    probe_mod_reg_weight = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        label="Probe modulation",
        doc="Weight of the roughness of the probe's modulus in reciprocal space near the nodes of the lattice that "
        "the scan step makes. A larger value removes the grid that a regular scan prints into the probe.",
    )
    probe_mod_tol = Number(
        0.1,
        bounds=(0, None),
        label="Modulation radius",
        doc="Distance to a lattice node, in units of that lattice, within which the penalty on probe modulation acts. "
        "A larger value covers more of reciprocal space.",
    )
