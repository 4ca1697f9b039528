"""High frequencies along z without lateral ones are weakly measured; this term keeps them small.

Σ |FFT3(o)|² · (2/π) arctan(β² q_z²/(q_x² + q_y²)), unnormalised, the denominator 1 where it is 0; q in Å⁻¹, z by the mean
slice distance. Gradient: 2 N F⁻¹(W F o), N the number of points.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.engine.regularisers import Regulariser, Surroundings
from pypty_nb.engine.setup import Setup
from pypty_nb.physics.grids import q_squared
from pypty_nb.records import Array


def wedge(obj: Array, values: Mapping[str, Any], around: Surroundings) -> tuple[float, Array]:
    """See the module; `obj` (y, x, slice, mode) complex."""
    xp = around.backend.xp
    weights = wedge_weights(obj.shape, values["beta_wedge"], around.backend, around.setup)
    spectrum = xp.fft.fftn(obj, axes=(0, 1, 2))
    value = float((weights * (spectrum.real**2 + spectrum.imag**2)).sum(dtype="float64"))
    count = obj.shape[0] * obj.shape[1] * obj.shape[2]
    return value, (2 * count * xp.fft.ifftn(weights * spectrum, axes=(0, 1, 2))).astype(obj.dtype)


def wedge_weights(shape: tuple[int, ...], beta: float, backend: Backend, setup: Setup) -> Array:
    """(2/π) arctan(β² q_z²/(q_x² + q_y²)) for an object of `shape`, (y, x, slice, 1) real, unshifted."""
    lateral = q_squared((shape[0], shape[1]), setup.geometry.pixel_size)
    spacing = float(np.mean(setup.optics.distances)) if setup.optics.distances else 1.0
    along = np.fft.fftfreq(shape[2], spacing) ** 2
    ratio = beta**2 * along[None, None] / np.where(lateral > 0, lateral, 1)[:, :, None]
    return backend.asarray(2 / np.pi * np.arctan(ratio), backend.real)[..., None]


TERMS = (Regulariser("missing wedge", "wedge_mu", "obj", wedge, ("beta_wedge",)),)
