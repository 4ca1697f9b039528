"""Gaussian smoothing of the object's phase or modulus, σ in pixels: convolution with exp(−r²/2σ²)/2πσ², periodic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.engine.projections import Projection
from pypty_nb.engine.setup import Setup
from pypty_nb.physics.grids import q_squared
from pypty_nb.records import Array


def phase(obj: Array, values: Mapping[str, Any], backend: Backend, setup: Setup) -> Array:
    """`obj` (y, x, slice, mode) with a smooth phase."""
    xp = backend.xp
    smooth = _smoothed(xp.angle(obj), float(values["apply_gaussian_filter"]), backend)
    return (xp.abs(obj) * xp.exp(1j * smooth)).astype(obj.dtype)


def modulus(obj: Array, values: Mapping[str, Any], backend: Backend, setup: Setup) -> Array:
    """`obj` (y, x, slice, mode) with a smooth modulus."""
    xp = backend.xp
    size = xp.abs(obj)
    smooth = _smoothed(size, float(values["apply_gaussian_filter_amplitude"]), backend)
    return (smooth * xp.where(size > 0, obj / xp.where(size > 0, size, 1), 1)).astype(obj.dtype)


def _smoothed(array: Array, sigma: float, backend: Backend) -> Array:
    low = np.exp(-2 * (np.pi * sigma) ** 2 * q_squared((array.shape[0], array.shape[1])))
    low = backend.asarray(low, backend.real)[:, :, None, None]
    return backend.xp.fft.ifft2(backend.xp.fft.fft2(array, axes=(0, 1)) * low, axes=(0, 1)).real


PROJECTIONS = (
    Projection("apply_gaussian_filter", "obj", phase),
    Projection("apply_gaussian_filter_amplitude", "obj", modulus),
)
