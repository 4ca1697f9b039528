"""Bandwidth limitation."""

from __future__ import annotations

from pypty_nb.params.fields import Boolean, Number
from pypty_nb.params.tables.base import Table


class Bandwidth(Table):
    """Which spatial frequencies take part."""

    title = "Bandwidth limitation"

    damping_cutoff_multislice = Number(
        2 / 3,
        bounds=(0, 1),
        inclusive_bounds=(False, True),
        label="Cutoff",
        doc="Highest frequency that waves and patches keep, as a fraction of the largest one the grid holds. A larger "
        "value keeps finer detail; above 2/3 products of waves and slices alias.",
    )
    smooth_rolloff = Number(
        0.0,
        bounds=(0, 1),
        label="Roll-off",
        doc="Width over which the cutoff falls from 1 to 0, as a fraction of the largest frequency. A larger value "
        "softens the edge and damps frequencies below the cutoff; 0 is a sharp edge.",
        differs="The original applies the soft mask twice in its gradient.",
    )
    update_extra_cut = Number(
        0.005,
        bounds=(0, 1),
        label="Extra cut",
        doc="How far below the cutoff the whole object and probe are limited, as a fraction of the largest frequency. "
        "A larger value removes more at the edge of the band.",
    )
    lazy_clean = Boolean(
        False,
        label="Limit patches only",
        doc="True leaves the object as a whole without a band limit, so that only its patches are limited. False "
        "limits object, probe and their gradients, which is the safer choice.",
    )
    patch_band_limit = Boolean(
        True,
        label="Limit patches",
        doc="Limits every patch of the object to the cutoff before a wave meets it. False saves two Fourier "
        "transforms for every patch and relies on the limit of the whole object.",
        differs="The original has no such choice.",
    )
