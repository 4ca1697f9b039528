"""From the exit wave to the intensity on a far detector."""

from __future__ import annotations

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
