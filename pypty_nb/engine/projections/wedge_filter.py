"""Removes the missing wedge by hand: FFT3(o) × (1 − (2/π) arctan(β² q_z²/(q_x² + q_y²))), the denominator 1 where it is 0.

It acts where `beta_wedge` is above 0 and `wedge_mu` is 0; with `wedge_mu` the term of the same name joins the loss instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pypty_nb.backend import Backend
from pypty_nb.engine.projections import Projection
from pypty_nb.engine.regularisers.missing_wedge import wedge_weights
from pypty_nb.engine.setup import Setup
from pypty_nb.records import Array


def remove(obj: Array, values: Mapping[str, Any], backend: Backend, setup: Setup) -> Array:
    """`obj` (y, x, slice, mode) without its wedge."""
    xp = backend.xp
    keep = 1 - wedge_weights(obj.shape, values["beta_wedge"], backend, setup)
    return xp.fft.ifftn(xp.fft.fftn(obj, axes=(0, 1, 2)) * keep, axes=(0, 1, 2)).astype(obj.dtype)


PROJECTIONS = (Projection("beta_wedge", "obj", remove),)
