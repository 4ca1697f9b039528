"""Virtual detectors: what one pass over the patterns tells, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pypty_nb.data import DataError, Dataset

#: Patterns are taken in chunks of about this size, in double precision.
CHUNK_BYTES = 64 * 2**20

#: Called after every chunk with the patterns done and those there are.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ScanMaps:
    """What one pass over the patterns tells.

    Attributes
    ----------
    mean_pattern : float64 array, (ky, kx)
        Counts, bad pixels as they were measured.
    totals : float64 array, (pattern,)
        Sum of every pattern, counts.
    centre_of_mass : float64 array, (pattern, 2)
        [y, x], pixels from the pattern's first one; a pattern without counts has that of them all.
    images : float64 array, (mask, pattern)
        Counts under each virtual detector.
    """

    mean_pattern: np.ndarray
    totals: np.ndarray
    centre_of_mass: np.ndarray
    images: np.ndarray


def scan_maps(
    dataset: Dataset,
    masks: Sequence[np.ndarray] = (),
    *,
    weight: np.ndarray | None = None,
    bad: np.ndarray | None = None,
    progress: Progress | None = None,
) -> ScanMaps:
    """Mean pattern, totals, centres of mass and the images of `masks`, all in one pass.

    Counts that are NaN or infinite count as none.

    Parameters
    ----------
    dataset : Dataset
    masks : sequence of (ky, kx) arrays
        Weights of the virtual detectors.
    weight : (ky, kx) array, optional
        Weights for the centre of mass, such as the bright-field disc; 1 everywhere where not given.
    bad : bool array, (ky, kx), optional
        Hot and dead pixels: left out of totals, centres of mass and images.
    progress : callable, optional

    Raises
    ------
    DataError
        Where the data are signals of virtual detectors, a mask has another shape, or nothing was counted.
    """
    window = _window(dataset)
    good = np.ones(window) if bad is None else 1.0 - _checked(bad, window, dataset.name)
    chosen = good if weight is None else good * _checked(weight, window, dataset.name)
    y, x = np.indices(window)
    layers = [good, chosen, chosen * y, chosen * x, *(good * _checked(mask, window, dataset.name) for mask in masks)]
    weights = np.stack([layer.ravel() for layer in layers], axis=1)
    total, sums = np.zeros(window[0] * window[1]), np.empty((dataset.shape[0], len(layers)))
    for indices, patterns in _chunks(dataset):
        total += patterns.sum(axis=0)
        sums[indices] = patterns @ weights
        if progress is not None:
            progress(int(indices[-1]) + 1, dataset.shape[0])
    return ScanMaps((total / dataset.shape[0]).reshape(window), sums[:, 0], _centres(sums[:, 1:4], dataset.name), sums[:, 4:].T)


def mean_pattern(dataset: Dataset, *, progress: Progress | None = None) -> np.ndarray:
    """The mean of all patterns, (ky, kx) float64, counts."""
    window, total = _window(dataset), 0.0
    for indices, patterns in _chunks(dataset):
        total = total + patterns.sum(axis=0)
        if progress is not None:
            progress(int(indices[-1]) + 1, dataset.shape[0])
    return (np.asarray(total) / dataset.shape[0]).reshape(window)


def virtual_image(dataset: Dataset, mask: np.ndarray, *, progress: Progress | None = None) -> np.ndarray:
    """Counts under `mask`, (ky, kx) weights, for every pattern: (pattern,) float64."""
    return virtual_images(dataset, [mask], progress=progress)[0]


def virtual_images(dataset: Dataset, masks: Sequence[np.ndarray], *, progress: Progress | None = None) -> np.ndarray:
    """Counts under each of `masks`, (ky, kx) weights, for every pattern, in one pass: (mask, pattern) float64."""
    window = _window(dataset)
    weights = np.stack([_checked(mask, window, dataset.name).ravel() for mask in masks], axis=1)
    images = np.empty((len(masks), dataset.shape[0]))
    for indices, patterns in _chunks(dataset):
        images[:, indices] = (patterns @ weights).T
        if progress is not None:
            progress(int(indices[-1]) + 1, dataset.shape[0])
    return images


def centre_of_mass(dataset: Dataset, mask: np.ndarray | None = None, *, progress: Progress | None = None) -> np.ndarray:
    """Centre of mass of every pattern under `mask`, (ky, kx) weights: (pattern, 2) float64, [y, x] px from the first pixel.

    A pattern without counts has the centre of mass of them all.
    """
    return scan_maps(dataset, weight=mask, progress=progress).centre_of_mass


def annular_mask(
    window: tuple[int, int],
    inner: float,
    outer: float,
    *,
    centre: tuple[float, float] | None = None,
    pixel_size: float | tuple[float, float] = 1.0,
) -> np.ndarray:
    """A virtual detector from `inner` (inclusive) to `outer` (exclusive), (ky, kx) bool.

    Parameters
    ----------
    window : (ky, kx)
        Pixels of a pattern.
    inner, outer : float
        Radii in the unit of `pixel_size`; px where that is not given.
    centre : (y, x), optional
        px from the first pixel; the zero frequency, window // 2, where not given.
    pixel_size : float or (y, x)
        What a pixel measures, such as mrad.

    Raises
    ------
    DataError
        Where no pixel lies between the radii.
    """
    middle = (window[0] // 2, window[1] // 2) if centre is None else centre
    dy, dx = np.broadcast_to(pixel_size, 2)
    y, x = np.indices(window)
    radius = np.hypot((y - middle[0]) * dy, (x - middle[1]) * dx)
    mask = (radius >= inner) & (radius < outer)
    if not mask.any():
        raise DataError(
            f"virtual detector: no pixel of {window[0]} × {window[1]} lies between the radii {inner:g} and {outer:g}; "
            "raise the outer one"
        )
    return mask


def _window(dataset: Dataset) -> tuple[int, int]:
    if len(dataset.shape) != 3:
        raise DataError(f"{dataset.name}: holds signals of virtual detectors, shape {dataset.shape}; whole patterns are needed")
    return dataset.shape[1], dataset.shape[2]


def _checked(mask: np.ndarray, window: tuple[int, int], name: str) -> np.ndarray:
    mask = np.asarray(mask, np.float64)
    if mask.shape != window:
        raise DataError(f"{name}: a mask has shape {mask.shape}; the patterns are {window[0]} × {window[1]} px")
    return mask


def batches(dataset: Dataset) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices and patterns (n, ky, kx), a few at a time, in order."""
    size = max(1, CHUNK_BYTES // (8 * dataset.shape[1] * dataset.shape[2]))
    for start in range(0, dataset.shape[0], size):
        indices = np.arange(start, min(start + size, dataset.shape[0]))
        yield indices, dataset.read(indices)


def _chunks(dataset: Dataset) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices, and their patterns as (pattern, pixel) float64, in one array that the next chunk overwrites."""
    count, pixels = dataset.shape[0], dataset.shape[1] * dataset.shape[2]
    step = max(1, min(count, CHUNK_BYTES // (8 * pixels)))
    buffer = np.empty((step, pixels))
    for start in range(0, count, step):
        indices = np.arange(start, min(start + step, count))
        read = dataset.read(indices)
        patterns = buffer[: len(indices)]
        patterns[...] = read.reshape(len(indices), pixels)
        if read.dtype.kind == "f":
            patterns[~np.isfinite(patterns)] = 0
        yield indices, patterns


def _centres(sums: np.ndarray, name: str) -> np.ndarray:
    """From Σ w, Σ w y, Σ w x of every pattern to its centre of mass."""
    whole = sums.sum(axis=0)
    if whole[0] <= 0:
        raise DataError(f"{name}: nothing is counted under the mask, so that there is no centre of mass")
    counted = sums[:, :1] > 0
    return np.where(counted, sums[:, 1:], whole[1:]) / np.where(counted, sums[:, :1], whole[0])
