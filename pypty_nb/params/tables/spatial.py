"""Spatial calibration."""

from __future__ import annotations

import numpy as np

from pypty_nb.params.fields import Array, Integer, Number, Numbers
from pypty_nb.params.tables.base import Table


class Spatial(Table):
    """Lengths: pixels, slices, and the scan."""

    title = "Spatial calibration"

    slice_distances = Array(
        np.array([10.0]),
        instantiate=True,
        shapes=("gap",),
        unit="Å",
        level="basic",
        label="Slice distances",
        doc="Distance from each slice to the next; one value serves all gaps, of which there is one fewer than "
        "slices. A larger value makes a thicker object with coarser resolution along the beam.",
    )
    edge_slice_thickness = Number(
        None,
        bounds=(0, None),
        words=(None,),
        unit="Å",
        label="Edge slice thickness",
        doc="Lengthens the first and the last gap to this thickness, so that empty space above and below the specimen "
        "needs no slices of its own. None (0) leaves them as the slice distances say.",
        differs="The original lengthens the first gap only.",
    )
    pixel_size_x_A = Number(
        1.0,
        bounds=(0, None),
        inclusive_bounds=(False, True),
        unit="Å",
        level="basic",
        label="Pixel size x",
        doc="Size of a pixel of object and probe along x. A larger value stretches the object and stands for a "
        "smaller field in reciprocal space.",
    )
    pixel_size_y_A = Number(
        1.0,
        bounds=(0, None),
        inclusive_bounds=(False, True),
        unit="Å",
        level="basic",
        label="Pixel size y",
        doc="Size of a pixel of object and probe along y. A larger value stretches the object and stands for a "
        "smaller field in reciprocal space.",
    )
    scan_size = Numbers(
        None,
        integer=True,
        bounds=(1, None),
        level="basic",
        label="Scan points",
        doc="Number of scan points as [y, x]. The constraints on positions and tilts need it, and the maps of the "
        "scan; None where the points form no grid.",
    )
    num_slices = Integer(
        1,
        bounds=(1, None),
        level="basic",
        label="Slices",
        doc="Number of slices of the object along the beam. More slices describe a thicker specimen and cost time and "
        "memory in proportion. An object given as an array brings its own number.",
    )
