"""Poisson likelihood: Σ I − D ln I.

dL/dI = 1 − D/I. Where I = 0 the logarithm's term and the gradient are 0.
Thibault and Guizar-Sicairos, New J. Phys. 14, 063004 (2012).
"""

from __future__ import annotations

from pypty_nb.backend import Backend
from pypty_nb.records import Array

NAME = "ml"


def values(backend: Backend, intensity: Array, data: Array) -> Array:
    """See the module; (pattern, y, x)."""
    xp = backend.xp
    logarithm = xp.log(xp.where(intensity > 0, intensity, 1))
    return intensity - data * logarithm


def slope(backend: Backend, intensity: Array, data: Array) -> Array:
    """See the module; (pattern, y, x)."""
    xp = backend.xp
    lit = intensity > 0
    return xp.where(lit, 1 - data / xp.where(lit, intensity, 1), 0)
