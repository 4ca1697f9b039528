"""From the exit wave to the intensity on the detector, far or near."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.records import Array


class FarField:
    """Propagate to infinity, within the band limit.

    Notes
    -----
    forward: w = B · F(ψ), unnormalised, unshifted. adjoint: g_ψ = N² F⁻¹(B g_w).
    """

    def __init__(self, backend: Backend, band: Array):
        self._backend, self._band = backend, band
        self._scaled = band * float(band.shape[0] * band.shape[1])

    def forward(self, exit_waves: Array) -> Array:
        """(…, y, x) complex in and out; the input is used up."""
        waves = self._backend.fft2(exit_waves)
        waves *= self._band
        return waves

    def adjoint(self, cotangent: Array) -> Array:
        """Cotangent of the exit wave; the input is used up."""
        cotangent *= self._scaled
        return self._backend.ifft2(cotangent)


class NearFieldResidual(NamedTuple):
    """What the adjoint of `NearField` needs of its forward."""

    kernel: Array
    spectra: Array
    defocus: Array


class NearField:
    """Propagate by the defocus, with spherical aberration.

    Notes
    -----
    forward: w = F⁻¹[ F(ψ) · exp(−iπ((λq² + 2(q_x t_x + q_y t_y))Δf + ½ C_s λ³ q⁴)) · B ].
    adjoint: the conjugate kernel; for the tilts g_t_y = (2πΔf/N²) Σ q_y Im(conj(ĝ) Ŵ), ĝ and Ŵ the transforms of g and w.
    """

    def __init__(self, backend: Backend, band: Array, pixel_size: tuple[float, float], wavelength: float, cs: float):
        self._backend, self._band = backend, band
        qy, qx = np.fft.fftfreq(band.shape[0], pixel_size[0]), np.fft.fftfreq(band.shape[1], pixel_size[1])
        q2 = qy[:, None] ** 2 + qx[None, :] ** 2
        self._qy, self._qx = backend.asarray(qy, backend.real), backend.asarray(qx, backend.real)
        self._of_defocus = backend.asarray(-np.pi * wavelength * q2, backend.real)
        self._of_cs = backend.asarray(-np.pi * 0.5 * cs * wavelength**3 * q2**2, backend.real)
        self._size = band.shape[0] * band.shape[1]

    def forward(self, exit_waves: Array, defocus: Array, tilts: Array | None) -> tuple[Array, NearFieldResidual]:
        """Propagate `exit_waves` (pattern, probe mode, object mode, y, x), which are used up.

        `defocus` (pattern,) Å; `tilts` (pattern, 2) or ``None``.
        """
        xp = self._backend.xp
        phase = defocus[:, None, None] * self._of_defocus + self._of_cs
        if tilts is not None:
            bend = tilts[:, :1, None] * self._qy[:, None] + tilts[:, 1:, None] * self._qx
            phase = phase - 2 * np.pi * defocus[:, None, None] * bend
        kernel = (xp.exp(1j * phase).astype(self._backend.complex) * self._band)[:, None, None]
        spectra = self._backend.fft2(exit_waves)
        spectra *= kernel
        return self._backend.ifft2(spectra.copy()), NearFieldResidual(kernel, spectra, defocus)

    def adjoint(self, residual: NearFieldResidual, cotangent: Array, *, tilted: bool) -> tuple[Array, Array | None]:
        """Cotangents of the exit waves and, where they are `tilted`, of the tilts, (pattern, 2). `cotangent` is used up."""
        xp = self._backend.xp
        g = self._backend.fft2(cotangent)
        of_tilts = None
        if tilted:
            density = (xp.conj(g) * residual.spectra).imag.sum(axis=(1, 2))
            along = [(density.sum(axis=2) * self._qy).sum(axis=1), (density.sum(axis=1) * self._qx).sum(axis=1)]
            of_tilts = xp.stack(along, axis=1) * (2 * np.pi / self._size * residual.defocus[:, None])
        g *= xp.conj(residual.kernel)
        return self._backend.ifft2(g), of_tilts


class Intensity:
    """Mean over probe and object modes of |w|².

    Notes
    -----
    forward: I_j = 1/M Σ_m |w_jm|². adjoint: g_w = 2/M · w · g_I.
    """

    def __init__(self, backend: Backend):
        self._backend = backend

    def forward(self, waves: Array) -> Array:
        """(pattern, probe mode, object mode, y, x) complex to (pattern, y, x) real."""
        intensity = waves.real**2
        intensity += waves.imag**2
        return intensity.mean(axis=(1, 2))

    def adjoint(self, waves: Array, cotangent: Array) -> Array:
        """Cotangent of the waves, in their place."""
        waves *= (cotangent * (2.0 / (waves.shape[1] * waves.shape[2])))[:, None, None]
        return waves


class Blur:
    """Angular spread in the near field: a flux-preserving convolution of the intensity.

    Notes
    -----
    forward: I ← F⁻¹[ F(I) exp(−q²(παΔf)²) ]. The factor is real and even, so the stage is its own adjoint.
    """

    def __init__(self, backend: Backend, window: tuple[int, int], pixel_size: tuple[float, float], alpha: float):
        self._backend = backend
        qy, qx = np.fft.fftfreq(window[0], pixel_size[0]), np.fft.fftfreq(window[1], pixel_size[1])
        self._exponent = backend.asarray(-(qy[:, None] ** 2 + qx[None, :] ** 2) * (np.pi * alpha) ** 2, backend.real)

    def forward(self, intensity: Array, defocus: Array) -> Array:
        """(pattern, y, x) real in and out; `defocus` (pattern,) Å."""
        factor = self._backend.xp.exp(defocus[:, None, None] ** 2 * self._exponent)
        spectrum = self._backend.fft2(intensity.astype(self._backend.complex))
        spectrum *= factor
        return self._backend.ifft2(spectrum).real

    adjoint = forward
