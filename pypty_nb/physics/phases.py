"""What a phase is seen through: planes, ramps, wraps."""

from __future__ import annotations

import numpy as np
from skimage.restoration import unwrap_phase


def fitted_plane(values: np.ndarray) -> np.ndarray:
    """The plane a + b·y + c·x nearest to real `values` (y, x) by least squares, on the same pixels; float64."""
    plane = _ramp(_fitted(values), values.shape)
    return plane + (values.mean() - plane.mean())


def phase_plane(wave: np.ndarray) -> np.ndarray:
    """The linear phase of complex `wave` (y, x): its mean gradient along y and x, float64, rad, 0 at the first pixel.

    Each gradient is arg Σ w[r+1]·conj(w[r]), weighted by intensity and blind to wraps as long as the ramp itself stays below
    π a pixel.
    """
    return _ramp(_slopes(wave), wave.shape)


def without_ramp(wave: np.ndarray, inside: tuple[slice, slice] = (slice(None), slice(None))) -> np.ndarray:
    """Complex `wave` (y, x) times the linear phase that leaves the part `inside` level, its mean phase 0.

    A reconstruction leaves a ramp on the object open: the probe's spectrum shifts against it. First the mean gradient goes,
    whatever wraps it has; then, where what is left is unwrapped, the plane of its phase by least squares.
    """
    level = wave * np.exp(-1j * _ramp(_slopes(wave[inside]), wave.shape))
    level = level * np.exp(-1j * np.angle(level[inside].sum()))
    left = unwrapped(np.angle(level[inside]))
    level = level * np.exp(-1j * _ramp(_fitted(left), wave.shape))
    # the mean of the phase, not the phase of the mean, is what is looked at
    offset = unwrapped(np.angle(level[inside])).mean()
    return (level * np.exp(-1j * offset)).astype(wave.dtype)


def unwrapped(phase: np.ndarray) -> np.ndarray:
    """`phase` (y, x), rad, with its jumps by 2π taken out as far as it hangs together; float64, its mean nearest to 0.

    Herráez et al., Appl. Opt. 41, 7437 (2002), by scikit-image: from the most reliable pixels outwards.
    """
    smooth = np.asarray(unwrap_phase(np.asarray(phase, np.float64)))
    # whole turns are free
    return smooth - 2 * np.pi * np.rint(smooth.mean() / (2 * np.pi))


def _slopes(wave: np.ndarray) -> tuple[float, float]:
    down, across = (wave[1:] * wave[:-1].conj()).sum(), (wave[:, 1:] * wave[:, :-1].conj()).sum()
    return float(np.angle(down)), float(np.angle(across))


def _fitted(values: np.ndarray) -> tuple[float, float]:
    """Slopes along y and x by least squares; centred coordinates are orthogonal on a full grid, so each is a projection."""
    y, x = (np.arange(n) - (n - 1) / 2 for n in values.shape)
    ny, nx = values.shape
    return float((values * y[:, None]).sum() / (nx * (y**2).sum())), float((values * x).sum() / (ny * (x**2).sum()))


def _ramp(slopes: tuple[float, float], shape: tuple[int, ...]) -> np.ndarray:
    return slopes[0] * np.arange(shape[0])[:, None] + slopes[1] * np.arange(shape[1])[None, :]
