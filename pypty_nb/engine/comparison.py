"""A model's pixels against the measured ones: those that the loss sees, those held out of it, and bad ones.

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
    """A loss of pixels, summed over the right ones.

    Parameters
    ----------
    backend : Backend
    loss : Loss
    holds_out : bool
        Whether data come with sign bits.
    left_out : bool array, (y, x), optional
        Bad pixels, in the data's order, which count nowhere; the data hold zero there.
    """

    def __init__(self, backend: Backend, loss: Loss, *, holds_out: bool, left_out: np.ndarray | None = None):
        self._backend, self._loss, self._holds_out = backend, loss, holds_out
        self._believed = None if left_out is None else backend.asarray(~left_out)

    def sums(self, signal: Array, data: Array) -> PatternSums:
        """Sums over the pixels of every pattern; `signal` and `data` (pattern, y, x)."""
        held, counts = self._split(data)
        losses, difference = self._loss.values(self._backend, signal, counts), signal - counts
        if self._believed is not None:
            losses, difference = losses * self._believed, difference * self._believed
        if held is None:
            return PatternSums(_total(losses), _total(difference * difference), np.zeros(len(signal)))
        seen = ~held
        return PatternSums(_total(losses * seen), _total(difference * difference * seen), _total(losses * held))

    def slope(self, signal: Array, data: Array) -> Array:
        """dL/dI, (pattern, y, x): 0 where a pixel is held out or bad."""
        held, counts = self._split(data)
        slope = self._loss.slope(self._backend, signal, counts)
        if self._believed is not None:
            slope = slope * self._believed
        return slope if held is None else slope * ~held

    def _split(self, data: Array) -> tuple[Array | None, Array]:
        """Which pixels are held out, ``None`` where none may be, and the counts."""
        if not self._holds_out:
            return None, data
        xp = self._backend.xp
        return xp.signbit(data), xp.abs(data)


def _total(values: Array) -> Array:
    return values.sum(axis=(-2, -1), dtype="float64")
