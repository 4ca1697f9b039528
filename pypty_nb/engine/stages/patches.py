"""The part of the object under every position, band-limited."""

from __future__ import annotations

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.records import Array


class Patches:
    """Cut windows out of the object; their adjoint adds them back.

    Notes
    -----
    forward: t_j = F⁻¹ B F (R_j o), R_j the cut at the rounded position; without a band the cut alone.
    adjoint: g_o = Σ_j R_jᵀ F⁻¹ B F g_j (B is real, so the filter is its own adjoint).
    """

    def __init__(self, backend: Backend, window: tuple[int, int], band: Array | None):
        self._backend, self._window, self._band = backend, window, band

    def forward(self, planes: Array, corners: np.ndarray) -> Array:
        """Cut (pattern, slice, mode, y, x) out of `planes`, (slice, mode, Y, X), at `corners`, (pattern, 2) int."""
        ny, nx = self._window
        out = self._backend.xp.empty((len(corners), *planes.shape[:2], ny, nx), planes.dtype)
        for patch, (y, x) in zip(out, corners.tolist(), strict=True):
            patch[...] = planes[:, :, y : y + ny, x : x + nx]
        return self._limited(out)

    def adjoint(self, corners: np.ndarray, cotangent: Array, into: Array) -> None:
        """Add the cotangents of the patches to `into`, (slice, mode, Y, X). `cotangent` is used up."""
        ny, nx = self._window
        for patch, (y, x) in zip(self._limited(cotangent), corners.tolist(), strict=True):
            into[:, :, y : y + ny, x : x + nx] += patch

    def _limited(self, patches: Array) -> Array:
        if self._band is None:
            return patches
        spectra = self._backend.fft2(patches)
        spectra *= self._band
        return self._backend.ifft2(spectra)
