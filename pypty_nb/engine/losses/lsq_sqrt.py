"""Gaussian amplitude loss: Σ (√I − √D)².

dL/dI = 1 − √(D/I), taken as 0 where I = 0, where the wave's gradient is 0 too; D stays in the loss there.
It is the variance-stabilised approximation of Poisson noise: Thibault and Guizar-Sicairos, New J. Phys. 14,
063004 (2012).
"""

from __future__ import annotations

from pypty_nb.backend import Backend
from pypty_nb.records import Array

NAME = "lsq_sqrt"


def values(backend: Backend, intensity: Array, data: Array) -> Array:
    """See the module; (pattern, y, x)."""
    difference = backend.xp.sqrt(intensity) - backend.xp.sqrt(data)
    return difference * difference


def slope(backend: Backend, intensity: Array, data: Array) -> Array:
    """See the module; (pattern, y, x)."""
    xp = backend.xp
    lit = intensity > 0
    ratio = xp.sqrt(data / xp.where(lit, intensity, 1))
    return xp.where(lit, 1 - ratio, 0)
