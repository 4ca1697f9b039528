"""Modes of a partially coherent beam."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial.hermite import hermval

#: Share of the power that each Hermite mode beside the first one starts with.
HERMITE_SHARE = 0.02


def hermite_modes(probe: np.ndarray, orders: tuple[int, int]) -> np.ndarray:
    """Modes of `probe` times Hermite polynomials in x and y.

    Parameters
    ----------
    probe : complex array, (y, x)
    orders : (int, int)
        Highest order along x and along y.

    Returns
    -------
    complex array, (y, x, (nx + 1)(ny + 1))
        Orthogonal; the probe first with most of the power, each other with a share of 0.02. Coordinates run from the beam's
        centre of mass in units of its standard deviation. What modes stand for: Thibault and Menzel, Nature 494, 68 (2013).
    """
    weight = np.abs(probe) ** 2
    y, x = (_standardised(weight, axis) for axis in (0, 1))
    modes = [
        probe * np.multiply.outer(hermval(y, [0] * ny + [1]), hermval(x, [0] * nx + [1]))
        for ny in range(orders[1] + 1)
        for nx in range(orders[0] + 1)
    ]
    stack = np.linalg.qr(np.stack([mode.ravel() for mode in modes], axis=1))[0].reshape(*probe.shape, len(modes))
    shares = np.full(len(modes), min(HERMITE_SHARE, 0.5 / max(len(modes) - 1, 1)))
    shares[0] = 1 - shares[1:].sum()
    # the first of a QR is the probe up to a phase; give it its own back
    stack[..., 0] = probe / np.linalg.norm(probe)
    return stack * np.sqrt(shares) * np.linalg.norm(probe)


def defocused_modes(probe: np.ndarray, c10: np.ndarray, q2: np.ndarray, wavelength: float) -> np.ndarray:
    """One mode a value of `c10` (Å, positive overfocus): the modes of `probe`, (y, x, mode), each defocused by each.

    Returns (y, x, mode · value); `q2` is q² on the unshifted grid, Å⁻².
    """
    factors = np.exp(-1j * np.pi * wavelength * q2[..., None] * c10)
    spectra = np.fft.fft2(probe, axes=(0, 1))[..., :, None] * factors[..., None, :]
    return np.fft.ifft2(spectra.reshape(*q2.shape, -1), axes=(0, 1))


@dataclass(frozen=True)
class Coherence:
    """Spread of the source: standard deviations of focus (Å) and of place (x, y, Å; `xy` their correlation)."""

    focal_spread: float
    x: float
    y: float
    xy: float


def coherence_modes(probe: np.ndarray, spread: Coherence, wavelength: float, grid: tuple[np.ndarray, np.ndarray], *, count: int,
                    samples: int, seed: int = 0) -> np.ndarray:  # fmt: skip
    """The strongest modes of a beam whose focus and place vary.

    `samples` beams are drawn, seeded, and their density matrix's strongest `count` eigenvectors kept, times the square roots of
    their shares. `probe` (y, x); `grid` is (q_y, q_x) in Å⁻¹ on the unshifted grid, each broadcastable to (y, x).

    Returns
    -------
    complex array, (y, x, count), orthogonal, strongest first
    """
    random = np.random.default_rng(seed)
    qy, qx = grid
    focus = spread.focal_spread * random.standard_normal(samples)
    first, second = random.standard_normal((2, samples))
    dx = spread.x * first
    dy = spread.y * (spread.xy * first + np.sqrt(1 - spread.xy**2) * second)
    spectrum = np.fft.fft2(probe)
    drawn = np.empty((samples, probe.size), complex)
    for index in range(samples):
        phase = np.pi * wavelength * (qy**2 + qx**2) * focus[index] + 2 * np.pi * (qy * dy[index] + qx * dx[index])
        drawn[index] = np.fft.ifft2(spectrum * np.exp(-1j * phase)).ravel()
    values, vectors = np.linalg.eigh(drawn.conj() @ drawn.T)
    strongest = np.argsort(values)[::-1][:count]
    modes = (vectors[:, strongest].T @ drawn) / np.sqrt(samples)
    return np.moveaxis(modes.reshape(-1, *probe.shape), 0, 2)


def _standardised(weight: np.ndarray, axis: int) -> np.ndarray:
    along = weight.sum(axis=1 - axis)
    place = np.arange(len(along))
    centre = (along * place).sum() / along.sum()
    deviation = np.sqrt((along * (place - centre) ** 2).sum() / along.sum())
    return (place - centre) / max(deviation, 1e-12)
