"""Constraints that modify the object and probe 'by hand'."""

from __future__ import annotations

from pypty_nb.params.fields import Boolean, Number, Pairs
from pypty_nb.params.tables.base import Table


class HandConstraints(Table):
    """Changes made to object and probe after a step. Each resets the optimiser's history when it acts."""

    title = "Constraints by hand"

    apply_gaussian_filter = Number(
        False,
        bounds=(0, None),
        words=(True, False),
        schedulable=True,
        unit="px",
        label="Smooth phase",
        doc="Width σ of a Gaussian that smooths the object's phase; true counts as 1, false (0) does nothing. A "
        "larger value smooths more.",
    )
    apply_gaussian_filter_amplitude = Number(
        False,
        bounds=(0, None),
        words=(True, False),
        schedulable=True,
        unit="px",
        label="Smooth modulus",
        doc="Width σ of a Gaussian that smooths the object's modulus; true counts as 1, false (0) does nothing. A "
        "larger value smooths more.",
    )
    beta_wedge = Number(
        0.0,
        bounds=(0, None),
        schedulable=True,
        label="Wedge β",
        doc="Steepness of the missing wedge, high frequencies along the beam at low ones across. A larger value damps "
        "more of them. Without a missing-wedge weight it acts as a filter by hand, with one it shapes that term.",
    )
    keep_probe_states_orthogonal = Boolean(
        False,
        schedulable=True,
        label="Orthogonal modes",
        doc="Makes the probe's modes orthogonal and sorts them by power, strongest first; their total intensity stays.",
    )
    do_charge_flip = Boolean(
        False,
        schedulable=True,
        label="Charge flipping",
        doc="Multiplies weak phases and absorptions of each slice by a negative factor, which drives the object "
        "towards few, strong atoms.",
    )
    cf_delta_phase = Number(
        0.1,
        bounds=(0, 1),
        schedulable=True,
        label="Flip below, phase",
        doc="Charge flipping acts on phases below this fraction of the slice's maximum. A larger value flips more pixels.",
    )
    cf_delta_abs = Number(
        0.01,
        bounds=(0, 1),
        schedulable=True,
        label="Flip below, abs.",
        doc="Charge flipping acts on absorptions below this fraction of the slice's maximum. A larger value flips more pixels.",
    )
    cf_beta_phase = Number(
        -0.95,
        bounds=(-1, 1),
        schedulable=True,
        label="Flip factor, phase",
        doc="Factor on the phases that charge flipping acts on. −1 flips them whole, 0 removes them, 1 leaves them.",
    )
    cf_beta_abs = Number(
        -0.95,
        bounds=(-1, 1),
        schedulable=True,
        label="Flip factor, abs.",
        doc="Factor on the absorptions that charge flipping acts on. −1 flips them whole, 0 removes them, 1 leaves them.",
    )
    fancy_sigma = Pairs(
        None,
        words=(None,),
        schedulable=True,
        unit="px",
        label="Atom widths",
        doc="Widths that make the object look like atoms in charge flipping: a pair (σ1, σ2) or None for the phase "
        "and another for the absorption, or one number for both. Larger widths make larger atoms; None alone "
        "leaves it out.",
    )
    restart_from_vacuum = Boolean(
        None,
        words=(None,),
        schedulable=True,
        label="Restart from vacuum",
        doc="Sets the object to 1 in the epochs where it is true; probe, positions and all else stay. None and false "
        "do nothing.",
    )
