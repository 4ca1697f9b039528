"""Virtual detectors: images of the scan from weighted sums of every pattern, read in chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from pypty_nb.data import DataError, Dataset

_CHUNK_BYTES = 32 * 2**20


def batches(dataset: Dataset) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices and patterns (n, ky, kx), a few at a time, in order."""
    size = max(1, _CHUNK_BYTES // (8 * dataset.shape[1] * dataset.shape[2]))
    for start in range(0, dataset.shape[0], size):
        indices = np.arange(start, min(start + size, dataset.shape[0]))
        yield indices, dataset.read(indices)


def mean_pattern(dataset: Dataset, *, progress: Callable[[int, int], None] | None = None) -> np.ndarray:
    """The mean of all patterns, (ky, kx) float64, counts.

    Raises
    ------
    DataError
        Where every pattern is zero, or one holds NaN or infinity.
    """
    total = np.zeros(dataset.shape[1:])
    for indices, patterns in batches(dataset):
        total += patterns.sum(axis=0, dtype=np.float64)
        if progress is not None:
            progress(int(indices[-1]) + 1, dataset.shape[0])
    if not np.isfinite(total).all():
        raise DataError(f"{dataset.name}: holds NaN or infinite counts; mask or replace them")
    if not total.any():
        raise DataError(f"{dataset.name}: every pattern is zero; nothing can be calibrated from it")
    return total / dataset.shape[0]


def virtual_image(dataset: Dataset, mask: np.ndarray) -> np.ndarray:
    """Counts of every pattern weighted with `mask` (ky, kx), (pattern,) float64."""
    return np.concatenate([np.tensordot(patterns, mask, axes=2) for _, patterns in batches(dataset)])


def centre_of_mass(dataset: Dataset, mask: np.ndarray | None = None) -> np.ndarray:
    """Centre of mass of every pattern, weighted with `mask` (ky, kx), (pattern, 2) float64, [y, x] px; NaN where it is dark."""
    weights = np.ones(dataset.shape[1:]) if mask is None else np.asarray(mask, np.float64)
    moments = [virtual_image(dataset, weights * index) for index in np.indices(weights.shape)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack(moments, axis=1) / virtual_image(dataset, weights)[:, None]
