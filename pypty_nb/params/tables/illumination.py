"""Multiple illumination functions."""

from __future__ import annotations

import numpy as np

from pypty_nb.params.fields import Array, Path
from pypty_nb.params.tables.base import Table


class Illumination(Table):
    """Beams that differ between patterns."""

    title = "Multiple illuminations"

    aberrations_array = Array(
        np.array([[0.0]]),
        instantiate=True,
        shapes=("scan, coefficient",),
        unit="Å",
        label="Aberration sets",
        doc="Krivanek coefficients (C10, C12a, C12b, …) of several beams, one row a beam, that act on top of the "
        "probe. Larger values bend the wave front further. The aberration marker says which row a pattern has.",
        differs="The original ignores them once sub-pixel shifts are on.",
    )
    phase_plate_in_h5 = Path(
        None,
        words=(None,),
        label="Phase plates",
        doc="HDF5 file whose dataset `configs` holds a complex factor on the probe's Fourier transform for every "
        "pattern, (pattern, ky, kx) with zero frequency in the corner. None has no plates.",
    )
    aberration_marker = Array(
        None,
        shapes=("pattern",),
        kind="integer",
        label="Aberration marker",
        doc="Row of the aberration sets that each pattern has, counted from 0. None leaves the sets out.",
    )
    probe_marker = Array(
        None,
        shapes=("pattern",),
        kind="integer",
        label="Probe marker",
        doc="Scenario of the probe, along its fourth axis, that each pattern has, counted from 0. None gives all "
        "patterns the same probe.",
    )
