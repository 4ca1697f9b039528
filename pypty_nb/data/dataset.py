"""What a data set is: a count of patterns, and a way to read some of them."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from pypty_nb.data.metadata import Metadata


class DataError(ValueError):
    """Measurements that cannot be used: which file or array, what is wrong with it, what to do."""


class Dataset(Protocol):
    """Patterns, read when asked for.

    Attributes
    ----------
    name : str
        What messages call it: a path, or "dataset".
    shape : tuple of int
        (pattern, ky, kx), scan axes merged; (pattern, detector) for signals of virtual detectors.
    scan_shape : tuple of int, or None
        (scan_y, scan_x) where the source has two scan axes.
    metadata : mapping of str to Found
        What the source says of the experiment.
    """

    name: str
    shape: tuple[int, ...]
    scan_shape: tuple[int, int] | None
    metadata: Metadata

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Patterns `indices` (increasing), (len(indices), ky, kx) in the source's own dtype, zero frequency centred."""
        ...


class ArrayDataset:
    """An array in memory, or mapped from a file.

    Parameters
    ----------
    array : (pattern, ky, kx) or (scan_y, scan_x, ky, kx), integer or float
    name : str
    signals : bool
        Whether it holds signals of virtual detectors, (pattern, detector), instead.

    Raises
    ------
    DataError
        Where the array has another count of axes, or holds no real numbers.
    """

    def __init__(self, array: np.ndarray, name: str = "dataset", *, signals: bool = False):
        check_layout(array.shape, array.dtype, name, signals=signals)
        self.name = name
        self.metadata: Metadata = {}
        self.scan_shape = (array.shape[0], array.shape[1]) if array.ndim == 4 else None
        self._array = array if signals else array.reshape(-1, *array.shape[-2:])
        self.shape = self._array.shape

    def read(self, indices: np.ndarray) -> np.ndarray:
        return np.asarray(self._array[_as_slice(indices)])


def check_layout(shape: tuple[int, ...], dtype: np.dtype, name: str, *, signals: bool = False) -> None:
    """Raise a `DataError` where `shape` or `dtype` is not that of patterns, or of `signals` of virtual detectors."""
    axes = "1 axis" if len(shape) == 1 else f"{len(shape)} axes"
    if signals and len(shape) != 2:
        raise DataError(f"{name}: has {axes}, shape {shape}; signals of virtual detectors are (pattern, detector)")
    if not signals and len(shape) not in (3, 4):
        raise DataError(f"{name}: has {axes}, shape {shape}; patterns are (pattern, ky, kx) or (scan_y, scan_x, ky, kx)")
    if 0 in shape:
        raise DataError(f"{name}: is empty, shape {shape}")
    if dtype.kind not in "iufb":
        raise DataError(f"{name}: holds {dtype}; patterns are real numbers")


def _as_slice(indices: np.ndarray) -> slice | np.ndarray:
    """A slice where the indices are consecutive, so that a mapped file is not read at random."""
    first, last = int(indices[0]), int(indices[-1])
    return slice(first, last + 1) if last - first + 1 == len(indices) else indices
