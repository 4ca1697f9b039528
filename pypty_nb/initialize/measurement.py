"""The data set that an experiment names."""

from __future__ import annotations

import numpy as np

from pypty_nb.data import Dataset, open_dataset
from pypty_nb.data.dataset import ArrayDataset, SourceDataset
from pypty_nb.data.preprocess import repair
from pypty_nb.initialize.experiment import Experiment
from pypty_nb.params import ParameterError


def open_measurement(given: Experiment, axes: str = "") -> SourceDataset:
    """The data set that an experiment names, before flipping; a file's axes are `axes`, where any are named.

    Raises
    ------
    ParameterError, DataError
    """
    signals = given.masks is not None
    if given.dataset is not None:
        return ArrayDataset(given.dataset, signals=signals)
    if not given.data_path:
        raise ParameterError("data_path: no measurements are given; name a file, or give an array as dataset")
    return open_dataset(given.data_path, axes=axes or None, signals=signals)


class Repaired:
    """A data set whose bad pixels are their neighbours' mean; `bad` (ky, kx) bool."""

    def __init__(self, dataset: Dataset, bad: np.ndarray):
        self.name, self.shape, self.scan_shape = dataset.name, dataset.shape, dataset.scan_shape
        self.metadata = dataset.metadata
        self._dataset, self._bad = dataset, bad

    def read(self, indices: np.ndarray) -> np.ndarray:
        return repair(self._dataset.read(indices), self._bad)


class Flipped:
    """A data set whose patterns are reversed along ky."""

    def __init__(self, dataset: Dataset):
        self.name, self.shape, self.scan_shape = dataset.name, dataset.shape, dataset.scan_shape
        self.metadata = dataset.metadata
        self._dataset = dataset

    def read(self, indices: np.ndarray) -> np.ndarray:
        return self._dataset.read(indices)[:, ::-1]
