"""A model's pixels against the measured ones: those that the loss sees, and those held out of it.

A held-out pixel comes with its sign bit set (−D, −0 for no counts), so that data and choice are one array and no count loses a
digit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.engine.losses import Loss
from pypty_nb.records import Array


class PatternSums(NamedTuple):
    """Per pattern, (pattern,) float64 each.

    Attributes
    ----------
    losses, errors : array
        Loss and squared error of the pixels the loss sees.
    held_out : array
        The loss of those it does not.
    """

    losses: Array
    errors: Array
    held_out: Array


class Comparison:
    """A loss of pixels, summed over the right ones."""

    def __init__(self, backend: Backend, loss: Loss, *, holds_out: bool):
        self._backend, self._loss, self._holds_out = backend, loss, holds_out

    def sums(self, signal: Array, data: Array) -> PatternSums:
        """Sums over the pixels of every pattern; `signal` and `data` (pattern, y, x)."""
        if not self._holds_out:
            losses, difference = self._loss.values(self._backend, signal, data), signal - data
            return PatternSums(_total(losses), _total(difference * difference), np.zeros(len(signal)))
        held, counts = self._split(data)
        losses, difference = self._loss.values(self._backend, signal, counts), signal - counts
        seen = ~held
        return PatternSums(_total(losses * seen), _total(difference * difference * seen), _total(losses * held))

    def slope(self, signal: Array, data: Array) -> Array:
        """dL/dI, (pattern, y, x): 0 where a pixel is held out."""
        if not self._holds_out:
            return self._loss.slope(self._backend, signal, data)
        held, counts = self._split(data)
        return self._loss.slope(self._backend, signal, counts) * ~held

    def _split(self, data: Array) -> tuple[Array, Array]:
        xp = self._backend.xp
        return xp.signbit(data), xp.abs(data)


def _total(values: Array) -> Array:
    return values.sum(axis=(-2, -1), dtype="float64")
