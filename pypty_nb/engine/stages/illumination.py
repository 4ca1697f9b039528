"""What makes the probe of one pattern differ from that of another, in Fourier space.

Cotangents of spectra come times N², as the shift gives them; `scale` = 1/N² turns the inner products with them back.
"""

from __future__ import annotations

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.records import Array


class BeamCurrent:
    """An amplitude factor for every pattern.

    Notes
    -----
    forward: P̂_j ← |c_j| P̂_j. adjoint: g_P̂ = |c_j| ĝ_j, g_c = sign(c_j) Σ Re(conj(ĝ_j) P̂_j).
    """

    def __init__(self, backend: Backend, scale: float):
        self._backend, self._scale = backend, scale

    def forward(self, spectra: Array, current: Array) -> Array:
        """`spectra` (pattern or 1, mode, y, x), `current` (pattern,); (pattern, mode, y, x)."""
        return spectra * self._backend.xp.abs(current)[:, None, None, None]

    def adjoint(self, spectra: Array, current: Array, cotangent: Array) -> tuple[Array, Array]:
        """Cotangents of the spectra and of the current, (pattern,)."""
        xp = self._backend.xp
        of_current = (xp.conj(cotangent) * spectra).real.sum(axis=(1, 2, 3)) * xp.sign(current) * self._scale
        return cotangent * xp.abs(current)[:, None, None, None], of_current


class PhasePlates:
    """A complex factor for every pattern and frequency, from a file.

    Notes
    -----
    forward: P̂_j ← c_j(k) P̂_j. adjoint: g_P̂ = conj(c_j) ĝ_j.
    """

    def __init__(self, backend: Backend):
        self._backend = backend

    def forward(self, spectra: Array, plates: Array) -> Array:
        """`spectra` (pattern or 1, mode, y, x), `plates` (pattern, y, x) unshifted; (pattern, mode, y, x)."""
        return spectra * plates[:, None]

    def adjoint(self, plates: Array, cotangent: Array) -> Array:
        """Cotangent of the spectra."""
        return cotangent * self._backend.xp.conj(plates)[:, None]


class Aberrations:
    """An aberration phase for every scan.

    Notes
    -----
    forward: P̂_j ← exp(−iχ) P̂_j with χ = Σ_k a_k X_k for the coefficients of the pattern's scan and X_k of
    `physics.aberrations.basis`.
    adjoint: g_P̂ = exp(iχ) ĝ_j, g_a_k = Σ X_k Im(conj(ĝ_j) exp(−iχ) P̂_j).
    """

    def __init__(self, backend: Backend, basis: Array, scale: float):
        self._backend, self._basis, self._scale = backend, basis, scale

    def forward(self, spectra: Array, coefficients: Array) -> tuple[Array, tuple[Array, Array]]:
        """`spectra` (pattern or 1, mode, y, x), `coefficients` (pattern, k) Å; (pattern, mode, y, x)."""
        xp = self._backend.xp
        factor = xp.exp(-1j * xp.tensordot(coefficients, self._basis, axes=1)).astype(self._backend.complex)
        out = spectra * factor[:, None]
        return out, (factor, out)

    def adjoint(self, residual: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
        """Cotangents of the spectra and of the coefficients, (pattern, k)."""
        xp = self._backend.xp
        factor, out = residual
        of_chi = (xp.conj(cotangent) * out).imag.sum(axis=1) * self._scale
        of_coefficients = xp.tensordot(of_chi, self._basis, axes=((1, 2), (1, 2)))
        return cotangent * xp.conj(factor)[:, None], of_coefficients


class Tilt:
    """A phase ramp over the window, before or after the specimen.

    Notes
    -----
    forward: w_j ← w_j · exp(2πi(y t_y + x t_x)/λ), y and x in Å from the window's centre (index N//2), t tangents.
    adjoint: g_w = conj(ramp) g_j, g_t_y = −(2π/λ) Σ y Im(conj(g_j) w_j·ramp), likewise x.
    """

    def __init__(self, backend: Backend, window: tuple[int, int], pixel_size: tuple[float, float], wavelength: float):
        self._backend = backend
        self._y, self._x = (
            backend.asarray((np.arange(n) - n // 2) * size * 2 * np.pi / wavelength, backend.real)
            for n, size in zip(window, pixel_size, strict=True)
        )

    def forward(self, waves: Array, tilts: Array) -> tuple[Array, tuple[Array, Array, Array]]:
        """`waves` (pattern, …, y, x), `tilts` (pattern, 2) as [y, x]; the tilted waves."""
        xp, inner = self._backend.xp, (1,) * (waves.ndim - 3)
        ramp_y = xp.exp(1j * tilts[:, :1] * self._y).astype(self._backend.complex).reshape(len(tilts), *inner, -1, 1)
        ramp_x = xp.exp(1j * tilts[:, 1:] * self._x).astype(self._backend.complex).reshape(len(tilts), *inner, 1, -1)
        out = waves * ramp_y * ramp_x
        return out, (ramp_y, ramp_x, out)

    def adjoint(self, residual: tuple[Array, Array, Array], cotangent: Array) -> tuple[Array, Array]:
        """Cotangents of the waves and of the tilts, (pattern, 2)."""
        xp = self._backend.xp
        ramp_y, ramp_x, out = residual
        density = (xp.conj(cotangent) * out).imag
        density = density.reshape(len(density), -1, *density.shape[-2:]).sum(axis=1)
        of_tilts = xp.stack(
            [-(density.sum(axis=2) * self._y).sum(axis=1), -(density.sum(axis=1) * self._x).sum(axis=1)], axis=1
        )
        return cotangent * xp.conj(ramp_y) * xp.conj(ramp_x), of_tilts
