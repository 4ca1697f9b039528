"""High frequencies along z without lateral ones are weakly measured; this term keeps them small.

Σ |FFT3(o)|² · (2/π) arctan(β² q_z²/(q_x² + q_y²)), unnormalised, the denominator 1 where it is 0; q in Å⁻¹, z by the mean
slice distance. Gradient: 2 N F⁻¹(W F o), N the number of points.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pypty_nb.engine.regularisers import Regulariser, Surroundings
from pypty_nb.physics.grids import q_squared
from pypty_nb.records import Array


def wedge(obj: Array, values: Mapping[str, Any], around: Surroundings) -> tuple[float, Array]:
    """See the module; `obj` (y, x, slice, mode) complex."""
    xp, setup = around.backend.xp, around.setup
    lateral = q_squared((obj.shape[0], obj.shape[1]), setup.geometry.pixel_size)
    spacing = float(np.mean(setup.optics.distances)) if setup.optics.distances else 1.0
    along = np.fft.fftfreq(obj.shape[2], spacing) ** 2
    ratio = values["beta_wedge"] ** 2 * along[None, None] / np.where(lateral > 0, lateral, 1)[:, :, None]
    weights = xp.asarray(2 / np.pi * np.arctan(ratio), around.backend.real)[..., None]
    spectrum = xp.fft.fftn(obj, axes=(0, 1, 2))
    value = float((weights * (spectrum.real**2 + spectrum.imag**2)).sum(dtype="float64"))
    count = obj.shape[0] * obj.shape[1] * obj.shape[2]
    return value, (2 * count * xp.fft.ifftn(weights * spectrum, axes=(0, 1, 2))).astype(obj.dtype)


TERMS = (Regulariser("missing wedge", "wedge_mu", "obj", wedge, ("beta_wedge",)),)
