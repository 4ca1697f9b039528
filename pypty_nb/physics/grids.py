"""Frequency grids and band limits."""

from __future__ import annotations

import numpy as np

#: Grids of 32, 128 and 512 pixels have points exactly on the circle of the usual cutoff; they count as inside.
SLACK = 1e-9


def q_squared(shape: tuple[int, int], pixel_size: tuple[float, float] = (1.0, 1.0)) -> np.ndarray:
    """q² on the unshifted grid of `shape`, (y, x) float64, in Å⁻² where `pixel_size` is (y, x) in Å."""
    qy = np.fft.fftfreq(shape[0], pixel_size[0])[:, None]
    qx = np.fft.fftfreq(shape[1], pixel_size[1])[None, :]
    return qy**2 + qx**2


def largest_frequency(shape: tuple[int, int], pixel_size: tuple[float, float]) -> float:
    """The largest positive FFT frequency of x, (N/2 − 1)/(N·pixel) for even N: not Nyquist's. In Å⁻¹."""
    return float(np.fft.fftfreq(shape[1], pixel_size[1]).max())


def band_limit(shape: tuple[int, int], pixel_size: tuple[float, float], cutoff: float, rolloff: float = 0.0) -> np.ndarray:
    """The factor B of propagation and detection on the unshifted grid, (y, x) float64 in [0, 1].

    1 where q ≤ cutoff·q_max, else 0, with q_max from `largest_frequency`. With a `rolloff` r it falls as
    ½(1 + cos π(q² − q0²)/(q1² − q0²)) from q0 = (cutoff − r)·q_max to q1 = cutoff·q_max.
    """
    q2, q_max = q_squared(shape, pixel_size), largest_frequency(shape, pixel_size)
    outer = (cutoff * q_max) ** 2
    inside = q2 <= outer * (1 + SLACK)
    if rolloff <= 0:
        return inside.astype(np.float64)
    inner = (max(cutoff - rolloff, 0.0) * q_max) ** 2
    fall = 0.5 * (1 + np.cos(np.pi * np.clip((q2 - inner) / (outer - inner), 0, 1)))
    return np.where(inside, fall, 0.0)


def disc(shape: tuple[int, int], radius: float) -> np.ndarray:
    """1 where q ≤ `radius` cycles per pixel, else 0, on the unshifted grid, (y, x) float64."""
    return (q_squared(shape) <= radius**2 * (1 + SLACK)).astype(np.float64)
