"""One batch after the other, in this thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pypty_nb.data import Measurements
from pypty_nb.engine.comparison import Comparison
from pypty_nb.engine.losses import Loss
from pypty_nb.engine.model import Model
from pypty_nb.records import Refinables


@dataclass(frozen=True)
class Sums:
    """The unweighted data term.

    Attributes
    ----------
    losses, errors : float64 array, (pattern,)
        Loss and squared error of every pattern, on the host.
    gradient : Refinables
    held_out : float64 array, (pattern,), or None
        The loss of the pixels held out of `losses`; ``None`` where there are none.
    """

    losses: np.ndarray
    errors: np.ndarray
    gradient: Refinables
    held_out: np.ndarray | None = None


class Serial:
    """Sums over patterns in batches of fixed size and order, so that the same point always gives the same numbers."""

    def __init__(self, model: Model, measurements: Measurements, loss: Loss, batch: int):
        self._model, self._measurements, self._batch = model, measurements, batch
        left_out = model.setup.left_out
        self._comparison = Comparison(model.backend, loss, holds_out=measurements.holds_out, left_out=left_out)

    def run(
        self, point: Refinables, wanted: frozenset[str], weight: float = 1.0, sequence: Sequence[int] | None = None
    ) -> Sums:
        """Loss of every pattern at `point`, and `weight` times the gradient of the arrays `wanted`.

        Patterns that are not in `sequence`, increasing, count nothing; all count where it is ``None``.
        """
        model, backend = self._model, self._model.backend
        prepared = model.prepare(point)
        cotangents = model.zeros(prepared, wanted)
        losses, errors, held_out = np.zeros((3, self._measurements.count))
        chosen = np.arange(self._measurements.count) if sequence is None else np.asarray(sequence)
        for start in range(0, len(chosen), self._batch):
            indices = chosen[start : start + self._batch]
            data = backend.asarray(self._measurements.batch(indices), backend.real)
            if wanted:
                values = model.losses_and_cotangents(prepared, indices, data, self._comparison, cotangents)
            else:
                values = model.losses(prepared, indices, data, self._comparison)
            losses[indices], errors[indices], held_out[indices] = map(backend.to_host, values)
        gradient = model.gradient(cotangents, point, weight)
        return Sums(losses, errors, gradient, held_out if self._measurements.holds_out else None)
