"""Where the probe may be, in reciprocal and in real space.

Reciprocal: Σ |FFT(probe)| (1 − mask), unnormalised, mask centred; an L1 term. Gradient N² F⁻¹[(1 − mask) P/|P|], 0 where |P|
is below 1e-9 of its maximum; an infinite weight is a change of variable instead (`stages.variables.InMask`).

Real: Σ window |probe|², window 1 where penalised; gradient 2 window · probe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pypty_nb.engine.regularisers import Regulariser, Surroundings
from pypty_nb.params import ParameterError, Preset
from pypty_nb.physics.grids import disc
from pypty_nb.records import Array

_DARK = 1e-9


def reciprocal(probe: Array, values: Mapping[str, Any], around: Surroundings) -> tuple[float, Array]:
    """See the module; `probe` (y, x, mode[, scenario]) complex."""
    backend, xp = around.backend, around.backend.xp
    outside = backend.asarray(1 - mask(around.setup.geometry.window, around.preset), backend.real).reshape(
        *probe.shape[:2], *(1,) * (probe.ndim - 2)
    )
    spectrum = xp.fft.fft2(probe, axes=(0, 1))
    size = xp.abs(spectrum)
    lit = size > _DARK * size.max()
    direction = xp.where(lit, spectrum / xp.where(lit, size, 1), 0)
    value = float((outside * size).sum(dtype="float64"))
    count = probe.shape[0] * probe.shape[1]
    return value, (count * xp.fft.ifft2(outside * direction, axes=(0, 1))).astype(probe.dtype)


def real(probe: Array, values: Mapping[str, Any], around: Surroundings) -> tuple[float, Array]:
    """See the module; `probe` (y, x, mode[, scenario]) complex."""
    backend = around.backend
    window = backend.asarray(penalised(values["window"], probe.shape[:2]), backend.real)
    window = window.reshape(*probe.shape[:2], *(1,) * (probe.ndim - 2))
    return float((window * (probe.real**2 + probe.imag**2)).sum(dtype="float64")), 2 * window * probe


def penalised(window: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    """The window as an array, 1 where penalised; from [inner, outer] it is one minus a raised cosine in x times one in y.

    Inner and outer are fractions of half the width, measured from the centre (N − 1)/2.
    """
    if window is None:
        raise ParameterError("window: window_weight needs a window, an array or [inner, outer]")
    if window.ndim == 2:
        if window.shape != tuple(shape):
            raise ParameterError(
                f"window: is {window.shape[0]} × {window.shape[1]} px; the probe is {shape[0]} × {shape[1]} px"
            )
        return window
    inner, outer = (float(edge) for edge in window)
    if not 0 <= inner < outer:
        raise ParameterError(f"window: [inner, outer] must satisfy 0 ≤ inner < outer; got [{inner:g}, {outer:g}]")
    keeps = []
    for n in shape:
        place = np.abs(np.arange(n) - (n - 1) / 2) / ((n - 1) / 2)
        keeps.append(0.5 * (1 + np.cos(np.pi * np.clip((place - inner) / (outer - inner), 0, 1))))
    return 1 - keeps[0][:, None] * keeps[1][None, :]


def mask(window: tuple[int, int], preset: Preset) -> np.ndarray:
    """1 where the probe may be, unshifted FFT order, (y, x) float64."""
    kept = preset.probe_constraint_mask
    kept = preset.aperture_mask if kept is None else kept
    if kept is None:
        raise ParameterError("probe_constraint_mask: probe_reg_constraint_weight needs this mask, or aperture_mask")
    if not isinstance(kept, np.ndarray):
        return disc(window, 0.5 * float(kept))
    if kept.shape != window:
        raise ParameterError(
            f"probe_constraint_mask: is {kept.shape[0]} × {kept.shape[1]} px; the probe is {window[0]} × {window[1]} px"
        )
    return np.fft.ifftshift(np.asarray(kept, np.float64))


TERMS = (
    Regulariser("probe, reciprocal space", "probe_reg_constraint_weight", "probe", reciprocal),
    Regulariser("probe window", "window_weight", "probe", real, ("window",)),
)
