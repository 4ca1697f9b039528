"""Squared error of the intensities: Σ (I − D)². dL/dI = 2(I − D)."""

from __future__ import annotations

from pypty_nb.backend import Backend
from pypty_nb.records import Array

NAME = "lsq"


def values(backend: Backend, intensity: Array, data: Array) -> Array:
    """See the module; (pattern, y, x)."""
    difference = intensity - data
    return difference * difference


def slope(backend: Backend, intensity: Array, data: Array) -> Array:
    """See the module; (pattern, y, x)."""
    return 2 * (intensity - data)
