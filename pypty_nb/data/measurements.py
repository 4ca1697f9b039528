"""The patterns as the engine takes them: checked, processed, in the transform's own order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.fft

from pypty_nb.data.dataset import DataError, Dataset
from pypty_nb.data.preprocess import Preprocessing, repair

#: Data up to this size stay in memory whatever `load_one_by_one` says: reading them again costs more than it saves.
SMALL_BYTES = 2**30
_CHUNK_BYTES = 8 * 2**20
#: Held-out pixels are drawn from (this, number of the pattern), so that every run and every resumption holds out the same.
_SEED = 20061
#: Kinds of number that take less memory than those computed with, the smallest first.
_NARROW = ("uint8", "uint16", "uint32", "float32")


@dataclass(frozen=True)
class Summary:
    """What one pass over the data tells.

    Attributes
    ----------
    mean_pattern : float64 array, (ky, kx)
        Centred, counts, bad pixels their neighbours' mean; (1, detector) where data are compressed.
    totals : float64 array, (pattern,)
        Sum of every pattern without its bad pixels, counts.
    """

    mean_pattern: np.ndarray
    totals: np.ndarray

    @property
    def mean_total(self) -> float:
        """Mean counts of a pattern."""
        return float(self.totals.mean())


class Measurements:
    """Processed patterns of a data set.

    Parameters
    ----------
    dataset : Dataset
        Patterns, or signals of virtual detectors, (pattern, detector), of which only the multiplier is applied.
    preprocessing : Preprocessing
    dtype : float32 or float64
    keep : bool
        Hold all patterns in memory.
    centred : bool
        Leave the zero frequency in the middle; else it comes first, as in the transforms.
    held_out : float
        Share of the measured pixels whose sign bit is set in what `batch` gives: they are kept out of the loss.
    held_as : str, optional
        Kind of number of the patterns that are held in memory. That of `dtype` where it is not given, or cannot hold the sign
        of held-out pixels.

    Raises
    ------
    DataError
        Where a pattern holds NaN, infinite or negative values, or all are zero, or `held_as` would cut or round counts.
    """

    def __init__(
        self,
        dataset: Dataset,
        preprocessing: Preprocessing,
        dtype: type,
        *,
        keep: bool,
        centred: bool = False,
        held_out: float = 0.0,
        held_as: str | None = None,
    ):
        self.dataset, self.preprocessing, self.dtype = dataset, preprocessing, dtype
        self._centred, self._share = centred, held_out
        self.compressed = len(dataset.shape) == 2
        if self.compressed:
            ky, kx = 1, dataset.shape[1]
        else:
            ky, kx = preprocessing.window((dataset.shape[1], dataset.shape[2]))
            if min(ky, kx) < 2:
                raise DataError(f"{dataset.name}: patterns of {ky} × {kx} px remain after binning by {preprocessing.binning}")
        self.count, self.window = dataset.shape[0], (ky, kx)
        held = np.dtype(dtype if held_as is None else held_as)
        held = np.dtype(dtype) if held.kind in "iu" and held_out else held
        size = self.count * ky * kx * held.itemsize
        self._kept = np.empty((self.count, ky, kx), held) if keep or size <= SMALL_BYTES else None
        self.summary = self._first_pass()

    def batch(self, indices: np.ndarray) -> np.ndarray:
        """Patterns `indices` (increasing), (len(indices), ky, kx), or (len(indices), 1, detector); not to be changed."""
        if self._kept is not None:
            first, last = int(indices[0]), int(indices[-1])
            kept = self._kept[first : last + 1] if last - first + 1 == len(indices) else self._kept[indices]
            return kept.astype(self.dtype, copy=False)
        return self._ordered(self._marked(self._processed(indices), indices))

    @property
    def holds_out(self) -> bool:
        """Whether pixels are held out."""
        return self._share > 0

    def _processed(self, indices: np.ndarray) -> np.ndarray:
        if self.compressed:
            signals = self.dataset.read(indices).astype(self.dtype)[:, None]
            return signals * self.preprocessing.multiplier
        return self.preprocessing.apply(self.dataset.read(indices), self.dtype)

    def _marked(self, patterns: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """`patterns` with the sign bit of the held-out pixels set; padding is no measurement, and stays in the loss."""
        if not self.holds_out:
            return patterns
        pad = 0 if self.compressed else self.preprocessing.pad
        inside = patterns[:, pad : patterns.shape[1] - pad, pad : patterns.shape[2] - pad]
        for pattern, index in zip(inside, indices.tolist(), strict=True):
            held = np.random.default_rng((_SEED, index)).random(pattern.shape) < self._share
            pattern[held] = -pattern[held]
        return patterns

    def _ordered(self, patterns: np.ndarray) -> np.ndarray:
        """Zero frequency where it is wanted."""
        return patterns if self._centred or self.compressed else scipy.fft.ifftshift(patterns, axes=(1, 2))

    def _first_pass(self) -> Summary:
        total = np.zeros(self.window)
        totals = np.empty(self.count)
        for indices in self._chunks():
            patterns = self._processed(indices)
            self._check(patterns, int(indices[0]))
            total += patterns.sum(axis=0, dtype=np.float64)
            totals[indices] = patterns.sum(axis=(1, 2), dtype=np.float64)
            if self._kept is not None:
                ordered = self._ordered(self._marked(patterns, indices))
                self._kept[indices] = _fitted(ordered, self._kept.dtype)
                if self._kept.dtype != ordered.dtype and not np.array_equal(self._kept[indices], ordered):
                    raise self._cannot_hold(self._kept.dtype)
        if not total.any():
            raise DataError(f"{self.dataset.name}: every pattern is zero; nothing can be reconstructed from it")
        mean, left_out = total / self.count, self.preprocessing.left_out()
        return Summary(mean if left_out is None else repair(mean[None], left_out)[0], totals)

    def _chunks(self) -> Iterator[np.ndarray]:
        """All patterns, as many at once as are read well together."""
        chunk = max(1, _CHUNK_BYTES // (8 * self.window[0] * self.window[1]))
        return (np.arange(start, min(start + chunk, self.count)) for start in range(0, self.count, chunk))

    def _cannot_hold(self, held: np.dtype) -> DataError:
        """What is wrong with holding the counts as `held`; finds by another pass what can hold them."""
        largest, fitting = 0.0, [np.dtype(name) for name in _NARROW] + [np.dtype(self.dtype)]
        for indices in self._chunks():
            patterns = self._processed(indices)
            largest = max(largest, float(patterns.max()))
            fitting = [kind for kind in fitting if np.array_equal(_fitted(patterns, kind).astype(kind), patterns)]
        return DataError(
            f"{self.dataset.name}: force_dataset_dtype {held} would cut or round its counts, of which the largest is "
            f"{largest:.10g}; {fitting[0]} holds them as they are"
        )

    def _check(self, patterns: np.ndarray, start: int) -> None:
        # one reduction finds NaN, infinity and negative counts alike in the usual case of none
        low = patterns.min()
        if low >= 0 and np.isfinite(patterns.max()):
            return
        bad = ~np.isfinite(patterns)
        word, what = (
            ("NaN or infinite", "mask or replace them") if bad.any() else ("negative", "subtract the detector's offset first")
        )
        bad = bad if bad.any() else patterns < 0
        pattern, y, x = (int(i[0]) for i in np.nonzero(bad))
        raise DataError(
            f"{self.dataset.name}: {word} counts in {int(bad.sum())} pixels, the first in pattern {start + pattern} at ky {y}, "
            f"kx {x}; {what}"
        )


def _fitted(patterns: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """`patterns` rounded and cut to what `dtype` can hold."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return np.clip(np.rint(patterns), limits.min, limits.max)
    return np.clip(patterns, np.finfo(dtype).min, np.finfo(dtype).max) if dtype != patterns.dtype else patterns
