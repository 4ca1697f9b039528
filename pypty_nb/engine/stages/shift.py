"""The probe's spectrum, and the probe at every position."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.records import Array


class Spectra:
    """The probe's spectra, once for all patterns.

    Notes
    -----
    forward: P̂ = B · F(p), for every scenario and mode. adjoint: with the cotangent of P̂ given times N²,  g_p = F⁻¹(B · N²ĝ).
    Where something acts on the probe in real space before it is shifted, B comes with the shift instead and is left out here.
    """

    def __init__(self, backend: Backend, band: Array | None):
        self._backend, self._band = backend, band

    def forward(self, probe: Array) -> Array:
        """(scenario, mode, y, x) complex in and out; `probe` is left as it is."""
        spectra = self._backend.fft2(probe.copy())
        return spectra if self._band is None else spectra * self._band

    def adjoint(self, cotangent: Array) -> Array:
        """Cotangent of the probe, (scenario, mode, y, x)."""
        return self._backend.ifft2(cotangent.copy() if self._band is None else cotangent * self._band)


class ShiftResidual(NamedTuple):
    """What the adjoint needs: the ramps along y and x, and the shifted spectra."""

    ramp_y: Array
    ramp_x: Array
    spectra: Array


class Shift:
    """Shift spectra by the remainder of every position.

    Notes
    -----
    forward: w_j = F⁻¹[ B P̂_j · e_y(k_y) e_x(k_x) ] with e(k) = exp(−2πi k d_j), k in cycles per pixel.

    adjoint, with ĝ_j = F(g_j)/N²: cotangent of P̂_j = B conj(e_y e_x) ĝ_j; of d_y = 2π Σ k_y Im(conj(ĝ_j) Ŵ_j), Ŵ the
    shifted spectrum. The ramps are outer products of two vectors, a hundredth of the cost of a two-dimensional exponential.
    """

    def __init__(self, backend: Backend, window: tuple[int, int], band: Array | None = None):
        self._backend, self._band = backend, band
        self._ky = backend.asarray(np.fft.fftfreq(window[0]), backend.real)
        self._kx = backend.asarray(np.fft.fftfreq(window[1]), backend.real)
        self._size = window[0] * window[1]

    def forward(self, spectra: Array, remainder: Array, *, keep: bool) -> tuple[Array, ShiftResidual]:
        """Shift `spectra`, (pattern or 1, mode, y, x) complex, by `remainder`, (pattern, 2) px.

        Returns (pattern, mode, y, x) real-space waves; the spectra are kept only where positions are refined (`keep`).
        """
        xp = self._backend.xp
        ramp_y = xp.exp(-2j * np.pi * remainder[:, :1] * self._ky).astype(self._backend.complex)
        ramp_x = xp.exp(-2j * np.pi * remainder[:, 1:] * self._kx).astype(self._backend.complex)
        shifted = spectra * ramp_y[:, None, :, None]
        shifted *= ramp_x[:, None, None, :]
        if self._band is not None:
            shifted *= self._band
        kept = shifted.copy() if keep else None
        return self._backend.ifft2(shifted), ShiftResidual(ramp_y, ramp_x, kept)

    def adjoint(self, residual: ShiftResidual, cotangent: Array) -> tuple[Array, Array | None]:
        """Cotangents of the spectra, (pattern, mode, y, x), and of the remainder, (pattern, 2) or ``None``.

        The spectra's is given times N², which the inverse transform of the next adjoint takes back. `cotangent` is used up.
        """
        xp = self._backend.xp
        waves = self._backend.fft2(cotangent)
        moved = None
        if residual.spectra is not None:
            density = (xp.conj(waves) * residual.spectra).imag.sum(axis=1)
            along_y = (density.sum(axis=2) * self._ky).sum(axis=1)
            along_x = (density.sum(axis=1) * self._kx).sum(axis=1)
            moved = xp.stack([along_y, along_x], axis=1) * (2 * np.pi / self._size)
        waves *= xp.conj(residual.ramp_y)[:, None, :, None]
        waves *= xp.conj(residual.ramp_x)[:, None, None, :]
        if self._band is not None:
            waves *= self._band
        return waves, moved
