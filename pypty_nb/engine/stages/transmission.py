"""The wave behind a thin object."""

from __future__ import annotations

from typing import NamedTuple

from pypty_nb.backend import Backend
from pypty_nb.records import Array


class TransmissionResidual(NamedTuple):
    waves: Array
    patches: Array


class Transmission:
    """Multiply every probe mode with every object mode.

    Notes
    -----
    forward: ψ_jmo = p_jm t_jo. adjoint: g_p = Σ_o conj(t_jo) g_jmo, g_t = Σ_m conj(p_jm) g_jmo.
    """

    def __init__(self, backend: Backend):
        self._backend = backend

    def forward(self, waves: Array, patches: Array) -> tuple[Array, TransmissionResidual]:
        """`waves` (pattern, mode, y, x) and `patches` (pattern, 1, mode, y, x) to (pattern, probe mode, object mode, y, x)."""
        return waves[:, :, None] * patches, TransmissionResidual(waves, patches)

    def adjoint(self, residual: TransmissionResidual, cotangent: Array) -> tuple[Array, Array]:
        """Cotangents of the waves and of the patches, in their shapes."""
        conj = self._backend.xp.conj
        of_waves = (conj(residual.patches) * cotangent).sum(axis=2)
        of_patches = (conj(residual.waves)[:, :, None] * cotangent).sum(axis=1, keepdims=True)
        return of_waves, of_patches
