"""Charge flipping, slice by slice: phase (absorption) below δ times the slice's maximum is multiplied by β.

Oszlányi and Sütő, Acta Cryst. A 60, 134 (2004), for densities; here for phase arg o and absorption −ln |o|.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pypty_nb.backend import Backend
from pypty_nb.engine.projections import Projection
from pypty_nb.engine.setup import Setup
from pypty_nb.records import Array


def flip(obj: Array, values: Mapping[str, Any], backend: Backend, setup: Setup) -> Array:
    """`obj` (y, x, slice, mode) flipped."""
    xp = backend.xp
    size = xp.abs(obj)
    absorption = -xp.log(xp.where(size > 0, size, 1))
    phase = _flipped(xp.angle(obj), values["cf_delta_phase"], values["cf_beta_phase"], xp)
    absorption = _flipped(absorption, values["cf_delta_abs"], values["cf_beta_abs"], xp)
    return xp.exp(1j * phase - absorption).astype(obj.dtype)


def _flipped(array: Array, delta: float, beta: float, xp: Any) -> Array:
    return xp.where(array < delta * array.max(axis=(0, 1), keepdims=True), beta * array, array)


PROJECTIONS = (Projection("do_charge_flip", "obj", flip, ("cf_delta_phase", "cf_delta_abs", "cf_beta_phase", "cf_beta_abs")),)
