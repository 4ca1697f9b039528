"""L1 norms of the object's phase and absorption.

Phase: Σ |arg o|, gradient sign(arg o) · i o/|o|². Absorption: Σ |ln |o||, gradient sign(ln |o|) · o/|o|².
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pypty_nb.engine.regularisers import Regulariser, Surroundings
from pypty_nb.records import Array


def phase(obj: Array, values: Mapping[str, Any], around: Surroundings) -> tuple[float, Array]:
    """See the module; `obj` (y, x, slice, mode) complex."""
    xp = around.backend.xp
    angle = xp.angle(obj)
    return float(xp.abs(angle).sum(dtype="float64")), 1j * xp.sign(angle) * _inverse(obj, xp)


def absorption(obj: Array, values: Mapping[str, Any], around: Surroundings) -> tuple[float, Array]:
    """See the module; `obj` (y, x, slice, mode) complex."""
    xp = around.backend.xp
    modulus = xp.abs(obj)
    logarithm = xp.log(xp.where(modulus > 0, modulus, 1))
    return float(xp.abs(logarithm).sum(dtype="float64")), xp.sign(logarithm) * _inverse(obj, xp)


def _inverse(obj: Array, xp: Any) -> Array:
    """o/|o|² = 1/conj(o); 0 where the object is."""
    square = obj.real**2 + obj.imag**2
    return obj / xp.where(square > 0, square, 1)


TERMS = (
    Regulariser("L1, phase", "phase_norm_weight", "obj", phase),
    Regulariser("L1, absorption", "abs_norm_weight", "obj", absorption),
)
