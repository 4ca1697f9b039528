"""What is done to each pattern on its way into a file: bad pixels, flips, centring, cutoff, scale, crop, binning, padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pypty_nb.data.preprocess import repair
from pypty_nb.params import ParameterError


@dataclass(frozen=True)
class Recipe:
    """What is done to each pattern, in the order of the attributes.

    Attributes
    ----------
    bad : bool array, (ky, kx), or None
        Pixels not to be believed.
    interpolate : bool
        Take their neighbours' mean instead; else zero.
    flips : (bool, bool)
        Reverse ky, kx.
    swap : bool
        Transpose.
    shift : (int, int)
        [y, x] px by which the beam is off the middle.
    cutoff : float or None
        Zero beyond this fraction of half the width.
    divisor : float
    crop : (int, int, int, int)
        Pixels cut at top, bottom, left, right.
    binning : int
    pad : int
        Zeros on each side.
    """

    bad: np.ndarray | None
    interpolate: bool
    flips: tuple[bool, bool]
    swap: bool
    shift: tuple[int, int]
    cutoff: float | None
    divisor: float
    crop: tuple[int, int, int, int]
    binning: int
    pad: int

    def apply(self, patterns: np.ndarray) -> np.ndarray:
        """Patterns (n, ky, kx), float64, as they are written."""
        out = patterns
        if self.bad is not None:
            out = repair(out, self.bad) if self.interpolate else np.where(self.bad, 0, out)
        out = out[:, :: -1 if self.flips[0] else 1, :: -1 if self.flips[1] else 1]
        out = out.transpose(0, 2, 1) if self.swap else out
        out = _moved(out, self.shift) if any(self.shift) else out
        if self.cutoff is not None:
            out = np.where(_radius(out.shape[1:]) > self.cutoff * out.shape[2] / 2, 0, out)
        if self.divisor != 1:
            out = out / self.divisor
        top, bottom, left, right = self.crop
        out = out[:, top : out.shape[1] - bottom, left : out.shape[2] - right]
        out = _binned(out, self.binning) if self.binning > 1 else out
        return np.pad(out, ((0, 0), (self.pad, self.pad), (self.pad, self.pad))) if self.pad else out


def check_window(recipe: Recipe, shape: tuple[int, ...], name: str) -> None:
    """Raise a `ParameterError` where nothing remains of patterns of `shape`."""
    ky, kx = (shape[1], shape[0]) if recipe.swap else shape
    top, bottom, left, right = recipe.crop
    left_over = ((ky - top - bottom) // recipe.binning, (kx - left - right) // recipe.binning)
    if min(ky - top - bottom, kx - left - right, *left_over) < 1:
        raise ParameterError(
            f"{name}: patterns of {ky} × {kx} px: nothing remains after cropping {top} + {bottom} and {left} + {right} px "
            f"and binning by {recipe.binning}"
        )


def _moved(patterns: np.ndarray, off: tuple[int, int]) -> np.ndarray:
    """Patterns moved back by `off` [y, x]; what comes in is zero."""
    out = np.zeros_like(patterns)
    target, source = [], []
    for length, by in zip(patterns.shape[1:], off, strict=True):
        by = int(np.clip(by, -length, length))
        target.append(slice(max(-by, 0), length - max(by, 0)))
        source.append(slice(max(by, 0), length - max(-by, 0)))
    out[:, target[0], target[1]] = patterns[:, source[0], source[1]]
    return out


def _binned(patterns: np.ndarray, binning: int) -> np.ndarray:
    """Sums of binning × binning pixels, the remainder cut so that the middle's pixel begins the middle's sum."""
    ky, kx = (length // binning for length in patterns.shape[1:])
    cuts = []
    for length, count in zip(patterns.shape[1:], (ky, kx), strict=True):
        start = min(max(length // 2 - binning * (count // 2), 0), length - binning * count)
        cuts.append(slice(start, start + binning * count))
    return patterns[:, cuts[0], cuts[1]].reshape(-1, ky, binning, kx, binning).sum(axis=(2, 4))


def _radius(shape: tuple[int, ...]) -> np.ndarray:
    y, x = (np.arange(length) - length // 2 for length in shape)
    return np.hypot(y[:, None], x)
