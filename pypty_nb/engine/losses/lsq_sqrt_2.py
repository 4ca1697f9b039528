"""Gaussian loss with the counts' own variance: ½ Σ (I − D)²/D where D > 0.5, else Σ I.

dL/dI = (I − D)/D where D > 0.5, else 1. The second form is what the Poisson likelihood becomes without counts.
"""

from __future__ import annotations

from pypty_nb.backend import Backend
from pypty_nb.records import Array

NAME = "lsq_sqrt_2"
_COUNTED = 0.5


def values(backend: Backend, intensity: Array, data: Array) -> Array:
    """See the module; (pattern, y, x)."""
    xp = backend.xp
    counted = data > _COUNTED
    weighted = 0.5 * (intensity - data) ** 2 / xp.where(counted, data, 1)
    return xp.where(counted, weighted, intensity)


def slope(backend: Backend, intensity: Array, data: Array) -> Array:
    """See the module; (pattern, y, x)."""
    xp = backend.xp
    counted = data > _COUNTED
    return xp.where(counted, (intensity - data) / xp.where(counted, data, 1), 1)
