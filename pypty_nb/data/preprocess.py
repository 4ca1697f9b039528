"""What is done to patterns on the fly: flip, shift, bin, multiply."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
    """

    flip_ky: bool = False
    shift: tuple[int, int] = (0, 0)
    binning: int = 1
    multiplier: float = 1.0
    pad: int = 0

    def window(self, shape: tuple[int, int]) -> tuple[int, int]:
        """The pattern's (ky, kx) afterwards."""
        return shape[0] // self.binning + 2 * self.pad, shape[1] // self.binning + 2 * self.pad

    def apply(self, patterns: np.ndarray, dtype: type) -> np.ndarray:
        """Patterns (n, ky, kx) as `dtype`, processed."""
        out = patterns[:, ::-1] if self.flip_ky else patterns
        # counts past the precision become infinite, which is found and said where the patterns are checked
        with np.errstate(over="ignore"):
            out = out.astype(dtype)
        if any(self.shift):
            out = _shifted(out, self.shift)
        if self.binning > 1:
            b = self.binning
            ky, kx = (length // b for length in out.shape[1:])
            out = out[:, : ky * b, : kx * b].reshape(-1, ky, b, kx, b).sum(axis=(2, 4))
        if self.multiplier != 1:
            out *= self.multiplier
        return np.pad(out, ((0, 0), (self.pad, self.pad), (self.pad, self.pad))) if self.pad else out


def _shifted(patterns: np.ndarray, shift: tuple[int, int]) -> np.ndarray:
    out = np.zeros_like(patterns)
    target, source = zip(*(_overlap(n, d) for n, d in zip(patterns.shape[1:], shift, strict=True)), strict=True)
    out[:, target[0], target[1]] = patterns[:, source[0], source[1]]
    return out


def _overlap(length: int, shift: int) -> tuple[slice, slice]:
    if abs(shift) >= length:
        return slice(0, 0), slice(0, 0)
    return (slice(shift, length), slice(0, length - shift)) if shift >= 0 else (slice(0, length + shift), slice(-shift, length))
