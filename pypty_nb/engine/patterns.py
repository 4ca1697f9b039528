"""Single patterns of a run, measured and modelled, without reading all the others."""

from __future__ import annotations

import numpy as np

from pypty_nb.data import DataError
from pypty_nb.engine.build import centred, outline
from pypty_nb.engine.comparison import Comparison
from pypty_nb.engine.losses import available
from pypty_nb.engine.model import Model
from pypty_nb.engine.objective import batch_size
from pypty_nb.engine.refinables import pack, unpack
from pypty_nb.engine.subpixel import acting, between_pixels, refined
from pypty_nb.params import Preset
from pypty_nb.records import Refinables


class PatternModel:
    """The model of a run's preset, ready for the patterns one asks for; what it allocates is kept.

    Parameters
    ----------
    preset : Preset

    Raises
    ------
    ParameterError, DataError, BackendError
        `ValueError` each: what is wrong with the preset, the measurements or the machine.
    """

    def __init__(self, preset: Preset):
        self._preset = preset
        plan = outline(preset, exact=preset.skip_preprocessing)
        self._backend, self._dataset, self._preprocessing, self._setup = (
            plan.backend,
            plan.dataset,
            plan.preprocessing,
            plan.setup,
        )
        self._first = self._backend.asarray(plan.arrays.positions, self._backend.real)
        self._models: dict[str, Model] = {}

    @property
    def count(self) -> int:
        """How many patterns were measured."""
        return self._dataset.shape[0]

    @property
    def compressed(self) -> bool:
        """Whether the data are signals of virtual detectors, not patterns."""
        return self._setup.masks is not None

    @property
    def left_out(self) -> np.ndarray | None:
        """Bad pixels of the patterns that `measured` gives, (ky, kx) bool; ``None`` where there are none."""
        left_out = self._setup.left_out
        return None if left_out is None else centred(self._setup, left_out[None])[0]

    def measured(self, indices: np.ndarray) -> np.ndarray:
        """Patterns `indices` as the run takes them: (pattern, ky, kx) float64, centred, bad pixels 0.

        (pattern, detector) with `masks`.
        """
        data = self._dataset.read(self._inside(indices))
        if self.compressed:
            return np.asarray(data, np.float64) * self._preprocessing.multiplier
        return np.asarray(self._preprocessing.apply(data, np.float64))

    def modelled(self, point: Refinables, indices: np.ndarray, epoch: int = 0) -> np.ndarray:
        """What the model gives at `point` (NumPy on the host) for patterns `indices`, as `measured` gives them.

        `epoch` chooses the method of propagation, where that is scheduled.

        Raises
        ------
        ParameterError
            Where the object does not hold their patches.
        """
        indices = self._inside(indices)
        self._setup.geometry.require(indices, point.obj.shape[:2])
        model, prepared = self._prepared(point, epoch)
        signals = self._backend.to_host(model.signals(prepared, indices))
        return centred(self._setup, signals).astype(np.float64)

    def residual(self, point: Refinables, epoch: int = 0) -> np.ndarray:
        """The data term of every pattern at `point`, unweighted: (pattern,) float64. Reads the patterns batch by batch.

        0 where the object does not hold the pattern's patch, as for every pattern that takes no part.
        """
        model, prepared = self._prepared(point, epoch)
        loss = available()[self._preset.value_at("algorithm", epoch)]
        comparison = Comparison(self._backend, loss, holds_out=False, left_out=self.left_out)
        size = batch_size(self._preset, self._backend, self._setup.geometry.window)
        found = np.zeros(self.count)
        held = np.flatnonzero(self._setup.geometry.held(point.obj.shape[:2]))
        for first in range(0, len(held), size):
            indices = held[first : first + size]
            data = self._backend.asarray(self.measured(indices), self._backend.real)
            signals = self._backend.asarray(centred(self._setup, self._backend.to_host(model.signals(prepared, indices))))
            found[indices] = self._backend.to_host(comparison.sums(_planes(signals), _planes(data)).losses)
        return found

    def _prepared(self, point: Refinables, epoch: int):
        method = self._preset.value_at("propmethod", epoch)
        if method not in self._models:
            self._models[method] = Model(self._backend, self._setup, method)
        model, found = self._models[method], unpack(pack(point, ""), "", self._backend)
        between = between_pixels(self._preset, epoch) or refined(found.positions, self._first)
        return model, model.prepare(acting(self._backend, found, self._setup.geometry, between_pixels=between))

    def _inside(self, indices: np.ndarray) -> np.ndarray:
        indices = np.atleast_1d(np.asarray(indices))
        if indices.size and not (indices.min() >= 0 and indices.max() < self.count):
            raise DataError(f"there is no pattern {int(indices.max())}: {self.count} were measured, numbered from 0")
        return indices


def _planes(signals):
    """(pattern, detector) as the losses take it, (pattern, 1, detector)."""
    return signals if signals.ndim == 3 else signals[:, None]
