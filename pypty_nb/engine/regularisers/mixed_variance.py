"""Object states must agree in their low frequencies.

1/M Σ |L o_m − mean_m L o|² over pixels, slices and the M modes, L the low-pass exp(−q²/σ²), q in cycles per pixel.
Gradient: 2/M · L(L o_m − mean_m L o), since L and the removal of the mean are their own adjoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pypty_nb.engine.regularisers import Regulariser, Surroundings
from pypty_nb.physics.grids import q_squared
from pypty_nb.records import Array


def variance(obj: Array, values: Mapping[str, Any], around: Surroundings) -> tuple[float, Array]:
    """See the module; `obj` (y, x, slice, mode) complex."""
    backend = around.backend
    modes = obj.shape[3]
    low = np.exp(-q_squared((obj.shape[0], obj.shape[1])) / values["mixed_variance_sigma"] ** 2)
    low = backend.asarray(low, backend.real)

    def filtered(planes: Array) -> Array:
        return backend.ifft2(backend.fft2(planes) * low)

    planes = filtered(backend.xp.array(backend.xp.moveaxis(obj, (2, 3), (0, 1)), order="C"))
    apart = planes - planes.mean(axis=1, keepdims=True)
    value = float((apart.real**2 + apart.imag**2).sum(dtype="float64")) / modes
    return value, backend.xp.moveaxis(filtered(apart * (2 / modes)), (0, 1), (2, 3))


TERMS = (Regulariser("mixed variance", "mixed_variance_weight", "obj", variance, ("mixed_variance_sigma",)),)
