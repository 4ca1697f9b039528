"""Refinable arrays."""

from __future__ import annotations

import numpy as np

from pypty_nb.params.fields import Array, Boolean, Integer
from pypty_nb.params.tables.base import Table


class Refinable(Table):
    """What a reconstruction starts from, and may refine."""

    title = "Refinable arrays"

    obj = Array(
        np.ones((1, 1, 1, 1), dtype=complex),
        instantiate=True,
        shapes=("y, x, slice, mode",),
        kind="complex",
        label="Initial object",
        doc="Transmission function to start from. It is padded with ones where the scanned field asks for more, so a "
        "single pixel starts from vacuum; the number of modes is taken from it.",
    )
    probe = Array(
        None,
        shapes=("y, x, mode", "y, x, mode, scenario"),
        kind="complex",
        words=("aperture",),
        label="Initial probe",
        doc="Real-space illumination to start from, centred, with one or several modes; a fourth axis holds one "
        "illumination for every scenario. None makes it from the mean pattern, the word aperture from the "
        "aperture mask.",
    )
    positions = Array(
        np.array([[0.0, 0.0]]),
        instantiate=True,
        shapes=("pattern, 2",),
        unit="px",
        label="Scan positions",
        doc="Top-left corner of every pattern's patch of the object as [y, x], in pixels of the reconstruction. One "
        "row serves all patterns of a measurement without a scan.",
        differs="The original stops with an error where one position serves several patterns.",
    )
    tilts = Array(
        np.zeros((1, 6)),
        instantiate=True,
        shapes=("pattern, 6",),
        unit="rad",
        label="Beam tilts",
        doc="Tilts of every pattern as [y, x] before, [y, x] inside and [y, x] after the specimen, stored as "
        "tangents; one row serves all. Larger tilts before or after shift the aperture or the pattern; those "
        "inside shear the specimen.",
    )
    tilt_mode = Integer(
        0,
        bounds=(0, 4),
        label="Tilt mode",
        doc="Which of the tilts act: before the specimen in modes 2 and 4, inside it in modes 0, 3 and 4, after it in "
        "modes 1, 3 and 4. The others neither act nor change.",
        differs="In modes without a tilt inside, the original still propagates with that of the first pattern.",
    )
    static_background = Array(
        0.0,
        number=True,
        shapes=("ky, kx",),
        label="Background",
        doc="Intensity that every pattern shares. An array holds the square root of the offset in each pixel of the "
        "padded pattern; a number starts flat with that many counts in a pattern; 0 has none.",
        differs="The original starts from random numbers where a number is given.",
    )
    beam_current = Array(
        None,
        shapes=("pattern",),
        label="Beam current",
        doc="Factor on the probe's amplitude for every pattern, where current or exposure changed. A larger value "
        "brightens that pattern by its square. None counts as 1 for all.",
    )
    reset_positions = Boolean(
        False,
        schedulable=True,
        label="Reset positions",
        doc="Sets the positions back to those the run started from, and rounds them anew, in the epochs where it is "
        "true. The optimiser's history is reset with them.",
    )
