"""Squared error of the intensities: Σ (I − D)². dL/dI = 2(I − D)."""

from __future__ import annotations

from pypty_nb.backend import Backend
from pypty_nb.records import Array

NAME = "lsq"


def value(backend: Backend, intensity: Array, data: Array) -> Array:
    """See the module; (pattern,) float64."""
    difference = intensity - data
    return (difference * difference).sum(axis=(-2, -1), dtype="float64")


def slope(backend: Backend, intensity: Array, data: Array) -> Array:
    """See the module; (pattern, y, x)."""
    return 2 * (intensity - data)
