"""One batch after the other, in this thread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pypty_nb.data import Measurements
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
    """

    losses: np.ndarray
    errors: np.ndarray
    gradient: Refinables


class Serial:
    """Sums over patterns in batches of fixed size and order, so that the same point always gives the same numbers."""

    def __init__(self, model: Model, measurements: Measurements, loss: Loss, batch: int):
        self._model, self._measurements, self._loss = model, measurements, loss
        count = measurements.count
        self._batches = [np.arange(start, min(start + batch, count)) for start in range(0, count, batch)]

    def run(self, point: Refinables, wanted: frozenset[str], weight: float = 1.0) -> Sums:
        """Loss of every pattern at `point`, and `weight` times the gradient of the arrays `wanted`."""
        model, backend = self._model, self._model.backend
        prepared = model.prepare(point)
        cotangents = model.zeros(prepared, wanted)
        losses = np.empty(self._measurements.count)
        errors = np.empty_like(losses)
        for indices in self._batches:
            data = backend.asarray(self._measurements.batch(indices), backend.real)
            if wanted:
                values = model.losses_and_cotangents(prepared, indices, data, self._loss, cotangents)
            else:
                values = model.losses(prepared, indices, data, self._loss)
            losses[indices], errors[indices] = map(backend.to_host, values)
        return Sums(losses, errors, model.gradient(cotangents, weight))
