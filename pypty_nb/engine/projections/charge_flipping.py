"""Charge flipping, slice by slice: phase (absorption) below δ times the slice's maximum is multiplied by β.

Oszlányi and Sütő, Acta Cryst. A 60, 134 (2004), for densities; here for phase arg o and absorption −ln |o|.

With `fancy_sigma` ((σ1, σ2), (σ1, σ2)) the flip acts on what is left when atoms of the shape exp(−r²/σ1²) are made points: the
slice less its minimum is deconvolved by that shape, flipped, and convolved with exp(−r²/σ2²). One number stands for both σ of
both; ``None`` leaves the phase, or the absorption, out. A frequency at which the shape has fallen below 1e-3 is set to zero:
division there would give noise alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.engine.projections import Projection
from pypty_nb.engine.setup import Setup
from pypty_nb.physics.grids import q_squared
from pypty_nb.records import Array

#: Of an atom's transform: below this there is nothing to deconvolve.
_FAINT = 1e-3


def flip(obj: Array, values: Mapping[str, Any], backend: Backend, setup: Setup) -> Array:
    """`obj` (y, x, slice, mode) flipped."""
    xp = backend.xp
    size = xp.abs(obj)
    absorption = -xp.log(xp.where(size > 0, size, 1))
    of_phase, of_absorption = _widths(values["fancy_sigma"])
    phase = _flipped(xp.angle(obj), of_phase, (values["cf_delta_phase"], values["cf_beta_phase"]), backend)
    absorption = _flipped(absorption, of_absorption, (values["cf_delta_abs"], values["cf_beta_abs"]), backend)
    return xp.exp(1j * phase - absorption).astype(obj.dtype)


def _widths(sigma: Any) -> tuple[Any, Any]:
    """(σ1, σ2) or ``None`` for phase and for absorption."""
    if sigma is None or isinstance(sigma, tuple):
        return sigma or (None, None)
    return (sigma, sigma), (sigma, sigma)


def _flipped(array: Array, widths: tuple[float, float] | None, rule: tuple[float, float], backend: Backend) -> Array:
    xp, (delta, beta) = backend.xp, rule
    if widths is not None:
        narrow = _atom(array.shape[:2], widths[0], backend)
        points = xp.where(narrow > _FAINT, 1 / xp.where(narrow > _FAINT, narrow, 1), 0)
        array = _filtered(array - array.min(axis=(0, 1), keepdims=True), points, xp)
    array = xp.where(array < delta * array.max(axis=(0, 1), keepdims=True), beta * array, array)
    return array if widths is None else _filtered(array, _atom(array.shape[:2], widths[1], backend), xp)


def _atom(shape: tuple[int, ...], sigma: float, backend: Backend) -> Array:
    """The transform of exp(−r²/σ²), normalised to a sum of 1, (y, x, 1, 1) real."""
    transform = np.exp(-((np.pi * sigma) ** 2) * q_squared((shape[0], shape[1])))
    return backend.asarray(transform, backend.real)[:, :, None, None]


def _filtered(array: Array, factor: Array, xp: Any) -> Array:
    return xp.fft.ifft2(xp.fft.fft2(array, axes=(0, 1)) * factor, axes=(0, 1)).real


PROJECTIONS = (
    Projection(
        "do_charge_flip", "obj", flip, ("cf_delta_phase", "cf_delta_abs", "cf_beta_phase", "cf_beta_abs", "fancy_sigma")
    ),
)
