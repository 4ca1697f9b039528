"""Pixels of the detector that lie: found from what they measure over a scan, and replaced by their neighbours."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from pypty_nb.data import Dataset
from pypty_nb.data.preprocess import repair
from pypty_nb.initialize.virtual import Progress

_RING = np.ones((5, 5), bool)
_RING[2, 2] = False
_NEIGHBOURS = np.ones((3, 3), bool)
_NEIGHBOURS[1, 1] = False
#: A hot pixel is this many times its surroundings, by this many standard errors, and leaves six of its neighbours within this
#: share of its own excess (and three errors) of the surroundings: a true spot, however sharp, spreads over more.
_TIMES, _ERRORS, _SHARE = 10.0, 10.0, 0.01
#: A dead pixel is always zero where its surroundings are sure to count: √counts of them over the scan.
_SURE = 7.0
#: Patterns, spread over the scan, that bad pixels are found in, and the bytes of the blocks they are read in, as doubles.
SAMPLE, BLOCK_BYTES = 1000, 8 * 2**20


@dataclass(frozen=True)
class BadPixels:
    """Pixels not to be believed, each as (y, x) of the detector as the file has it.

    Attributes
    ----------
    hot, dead : tuple of (int, int)
        Found here.
    masked : tuple of (int, int)
        Marked by the file, or by the detector with its largest number or NaN.
    """

    hot: tuple[tuple[int, int], ...] = ()
    dead: tuple[tuple[int, int], ...] = ()
    masked: tuple[tuple[int, int], ...] = ()

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """True where a pixel is bad, (ky, kx)."""
        bad = np.zeros(shape, bool)
        for y, x in (*self.hot, *self.dead, *self.masked):
            bad[y, x] = True
        return bad

    @property
    def places(self) -> np.ndarray | None:
        """All of them as the parameter `bad_pixels` takes them, (pixel, 2) [y, x]; ``None`` where there are none."""
        found = sorted({*self.hot, *self.dead, *self.masked})
        return np.array(found, np.int64) if found else None

    def sentences(self, done: str) -> list[str]:
        """How many there are of each kind, where, and what was `done` with them."""
        kinds = (("hot", self.hot), ("dead", self.dead), ("masked", self.masked))
        return [
            f"{len(found)} {word} pixel{'s' * (len(found) > 1)} {done}: {listed([f'(y {y}, x {x})' for y, x in found])}"
            for word, found in kinds
            if found
        ]


def listed(items: list[str]) -> str:
    """The first eight, and how many more."""
    return ", ".join(items[:8]) + (f" and {len(items) - 8} more" if len(items) > 8 else "")


@dataclass
class PixelStatistics:
    """Sums over patterns of what each pixel measured; `add` may be called for one part of a scan after the other.

    Attributes
    ----------
    count : int
        Patterns.
    total, squares : float64 arrays, (ky, kx)
        Counts, negative ones taken as none, and their squares.
    never : bool array, (ky, kx)
        Where no pattern has a number: NaN, infinity, or the largest of an integer type of 16 bits or more.
    """

    shape: tuple[int, int]
    count: int = 0
    total: np.ndarray = field(init=False)
    squares: np.ndarray = field(init=False)
    never: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.total, self.squares, self.never = np.zeros(self.shape), np.zeros(self.shape), np.ones(self.shape, bool)

    def add(self, patterns: np.ndarray) -> None:
        """Take in patterns (n, ky, kx), as they were measured."""
        bad = no_number(patterns)
        counts = np.where(bad, 0.0, np.maximum(patterns, 0, dtype=np.float64))
        self.count += len(patterns)
        self.total += counts.sum(axis=0)
        self.squares += np.square(counts).sum(axis=0)
        self.never &= bad.all(axis=0)

    @property
    def mean(self) -> np.ndarray:
        """Mean pattern, (ky, kx), counts."""
        return self.total / self.count

    @property
    def error(self) -> np.ndarray:
        """Standard error of the mean, (ky, kx), counts."""
        return np.sqrt(np.maximum(self.squares / self.count - self.mean**2, 0) / self.count)


def no_number(patterns: np.ndarray) -> np.ndarray:
    """True where a detector says that it has no count: NaN, infinity, or the largest integer of 16 bits or more."""
    if patterns.dtype.kind == "f":
        return ~np.isfinite(patterns)
    if patterns.dtype.kind in "iu" and patterns.dtype.itemsize > 1:
        return patterns == np.iinfo(patterns.dtype).max
    return np.zeros(patterns.shape, bool)


def find_bad_pixels(statistics: PixelStatistics, good: np.ndarray | None = None) -> BadPixels:
    """The pixels that measure what no pattern of light or electrons can.

    Hot: ten times the median of the 24 around it and ten standard errors above, while six of its eight neighbours show nothing
    of it. Dead: zero in every pattern, while its surroundings count beyond doubt.

    Parameters
    ----------
    statistics : PixelStatistics
    good : bool array, (ky, kx), optional
        Pixels that count, as the file says.
    """
    masked = statistics.never if good is None else statistics.never | ~good
    mean = repair(statistics.mean[None], masked)[0] if masked.any() else statistics.mean
    error = statistics.error
    around = ndimage.median_filter(mean, footprint=_RING, mode="mirror")
    third = ndimage.rank_filter(mean, -3, footprint=_NEIGHBOURS, mode="mirror")
    doubt = ndimage.median_filter(error, footprint=_RING, mode="mirror")
    alone = third - around <= _SHARE * (mean - around) + 3 * doubt
    hot = (mean > _TIMES * around + _ERRORS * error) & alone & ~masked
    lit = ndimage.rank_filter(mean, 2, footprint=_NEIGHBOURS, mode="mirror")
    dead = (mean == 0) & (around > _SURE * doubt) & (lit > 0.1 * around) & (lit > 0) & ~masked
    return BadPixels(_places(hot), _places(dead), _places(masked))


def pixel_statistics(dataset: Dataset, indices: np.ndarray, *, progress: Progress | None = None) -> PixelStatistics:
    """Statistics of patterns `indices` (increasing), read in blocks."""
    statistics = PixelStatistics((dataset.shape[1], dataset.shape[2]))
    step = max(1, BLOCK_BYTES // (8 * int(np.prod(dataset.shape[1:]))))
    for start in range(0, len(indices), step):
        statistics.add(dataset.read(indices[start : start + step]))
        if progress is not None:
            progress(min(start + step, len(indices)), len(indices))
    return statistics


def spread(indices: np.ndarray, most: int | None = SAMPLE) -> np.ndarray:
    """At most so many of `indices`, in order, evenly over them."""
    indices = np.unique(indices)
    count = len(indices) if most is None else min(most, len(indices))
    return indices[np.linspace(0, len(indices) - 1, count).round().astype(int)]


def bad_pixels_of(dataset: Dataset, *, progress: Progress | None = None) -> BadPixels:
    """The bad pixels that the file marks, and those found in patterns spread over the scan."""
    statistics = pixel_statistics(dataset, spread(np.arange(dataset.shape[0])), progress=progress)
    good = dataset.metadata.get("mask")
    return find_bad_pixels(statistics, None if good is None else good.value)


def _places(where: np.ndarray) -> tuple[tuple[int, int], ...]:
    return tuple((int(y), int(x)) for y, x in zip(*np.nonzero(where), strict=True))
