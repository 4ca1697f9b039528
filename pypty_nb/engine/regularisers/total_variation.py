"""Adaptive total variation of the object.

Σ (|∂x o|^p + |∂y o|^p)^(q/p), with backward, periodic differences o[i] − o[i−1], over all slices and modes; no ε.
Gradient: with A the bracket, q A^(q/p − 1) |∂x o|^(p−2) ∂x o through the adjoint difference g[i] − g[i+1], likewise y; 0 where
both differences are. Rudin, Osher and Fatemi, Physica D 60, 259 (1992), for q = 1 and p = 2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pypty_nb.engine.regularisers import Regulariser, Surroundings
from pypty_nb.records import Array


def variation(obj: Array, values: Mapping[str, Any], around: Surroundings) -> tuple[float, Array]:
    """See the module; `obj` (y, x, slice, mode) complex."""
    xp, p, q = around.backend.xp, values["atv_p"], values["atv_q"]
    differences = [obj - xp.roll(obj, 1, axis=axis) for axis in (0, 1)]
    sizes = [xp.abs(difference) for difference in differences]
    bracket = sizes[0] ** p + sizes[1] ** p
    there = bracket > 0
    outer = xp.where(there, q * xp.where(there, bracket, 1) ** (q / p - 1), 0)
    gradient = xp.zeros_like(obj)
    for axis, difference, size in zip((0, 1), differences, sizes, strict=True):
        inner = xp.where(size > 0, xp.where(size > 0, size, 1) ** (p - 2), 0)
        part = outer * inner * difference
        gradient += part - xp.roll(part, -1, axis=axis)
    return float((bracket ** (q / p)).sum(dtype="float64")), gradient


TERMS = (Regulariser("ATV", "atv_weight", "obj", variation, ("atv_p", "atv_q")),)
