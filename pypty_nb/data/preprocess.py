"""What is done to patterns on the fly: bad pixels, flip, shift, bin, multiply, pad."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pypty_nb.data.dataset import DataError, Dataset


@dataclass(frozen=True)
class Preprocessing:
    """Settings of the table *Dataset*, applied in the order of the attributes.

    Attributes
    ----------
    flip_ky : bool
        Reverse the ky axis.
    shift : (int, int)
        [y, x] px; +2 moves a pattern two pixels towards larger index; what wraps in is zero.
    binning : int
        Sum binning × binning pixels; a remainder is cut.
    multiplier : float
    pad : int
        Zeros per side, measured pixels.
    bad : bool array, (ky, kx), or None
        Pixels of the source not to be believed, whatever they hold: zero, and so is a binned pixel with one of them in it.
    """

    flip_ky: bool = False
    shift: tuple[int, int] = (0, 0)
    binning: int = 1
    multiplier: float = 1.0
    pad: int = 0
    bad: np.ndarray | None = None

    def window(self, shape: tuple[int, int]) -> tuple[int, int]:
        """The pattern's (ky, kx) afterwards."""
        return shape[0] // self.binning + 2 * self.pad, shape[1] // self.binning + 2 * self.pad

    def left_out(self) -> np.ndarray | None:
        """Where the pattern afterwards is not to be believed, (ky, kx) bool; ``None`` where it is everywhere."""
        if self.bad is None:
            return None
        return replace(self, multiplier=1.0, bad=None).apply(self.bad[None], np.float32)[0] > 0

    def apply(self, patterns: np.ndarray, dtype: type) -> np.ndarray:
        """Patterns (n, ky, kx) as `dtype`, processed."""
        out = patterns[:, ::-1] if self.flip_ky else patterns
        # counts past the precision become infinite, which is found and said where the patterns are checked
        with np.errstate(over="ignore"):
            out = out.astype(dtype)
        if self.bad is not None:
            out[:, self.bad[::-1] if self.flip_ky else self.bad] = 0
        if any(self.shift):
            out = _shifted(out, self.shift)
        if self.binning > 1:
            b = self.binning
            ky, kx = (length // b for length in out.shape[1:])
            out = out[:, : ky * b, : kx * b].reshape(-1, ky, b, kx, b).sum(axis=(2, 4))
        if self.multiplier != 1:
            out *= self.multiplier
        out = np.pad(out, ((0, 0), (self.pad, self.pad), (self.pad, self.pad))) if self.pad else out
        left_out = self.left_out() if self.binning > 1 else None
        if left_out is not None:
            out[:, left_out] = 0
        return out


def bad_mask(pixels: np.ndarray, dataset: Dataset) -> np.ndarray:
    """True at `pixels`, (pixel, 2) [y, x], of the patterns of `dataset` as they are read, (ky, kx).

    Raises
    ------
    DataError
        Where one lies outside, or they are all there are.
    """
    bad = np.zeros(dataset.shape[1:], bool)
    outside = (pixels >= bad.shape).any(axis=1)
    if outside.any():
        y, x = pixels[outside][0]
        raise DataError(f"bad_pixels: [{y}, {x}] lies outside patterns of {bad.shape[0]} × {bad.shape[1]} px")
    bad[tuple(pixels.T)] = True
    if bad.all():
        raise DataError("bad_pixels: names every pixel of the detector; nothing is left to compare")
    return bad


def repair(patterns: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """A copy of patterns (n, ky, kx) with each `bad` pixel the mean of the good ones of its 8, else 24, neighbours, else 0.

    Whole numbers become floats: a mean cut to one would be too small wherever counts are few.
    """
    out = np.where(bad, 0, patterns)
    if out.dtype.kind not in "fc":
        out = out.astype(np.float32 if out.dtype.itemsize < 4 else np.float64)
    left = np.transpose(np.nonzero(bad))
    for reach in (1, 2):
        total, count = np.zeros((len(patterns), len(left))), np.zeros(len(left))
        # bad pixels are zero here, so that what they hold, NaN too, adds nothing
        for step in np.ndindex(2 * reach + 1, 2 * reach + 1):
            places = left + step - reach
            inside = np.all((places >= 0) & (places < bad.shape), axis=1, keepdims=True)[:, 0]
            y, x = (places * inside[:, None]).T
            good = inside & ~bad[y, x]
            total += out[:, y, x] * good
            count += good
        some = count > 0
        y, x = left[some].T
        out[:, y, x] = total[:, some] / count[some]
        left = left[~some]
    return out


def _shifted(patterns: np.ndarray, shift: tuple[int, int]) -> np.ndarray:
    out = np.zeros_like(patterns)
    target, source = zip(*(_overlap(n, d) for n, d in zip(patterns.shape[1:], shift, strict=True)), strict=True)
    out[:, target[0], target[1]] = patterns[:, source[0], source[1]]
    return out


def _overlap(length: int, shift: int) -> tuple[slice, slice]:
    if abs(shift) >= length:
        return slice(0, 0), slice(0, 0)
    return (slice(shift, length), slice(0, length - shift)) if shift >= 0 else (slice(0, length + shift), slice(-shift, length))
