"""Against the scan grid's imprint in the probe's spectrum.

Σ (Δ|P|)² over the pixels within `probe_mod_tol` of a node of the lattice 1/`scan_step_A` (in units of that lattice) and inside
the cutoff, Δ the five-point periodic Laplacian, P = FFT(probe) unnormalised. Gradient: N² F⁻¹[Δ(2 m Δ|P|) P/|P|], m the mask of
those pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pypty_nb.engine.regularisers import Regulariser, Surroundings
from pypty_nb.params import ParameterError
from pypty_nb.physics.grids import band_limit
from pypty_nb.records import Array


def modulation(probe: Array, values: Mapping[str, Any], around: Surroundings) -> tuple[float, Array]:
    """See the module; `probe` (y, x, mode[, scenario]) complex."""
    backend, xp = around.backend, around.backend.xp
    nodes = backend.asarray(_nodes(around), backend.real).reshape(*probe.shape[:2], *(1,) * (probe.ndim - 2))
    spectrum = xp.fft.fft2(probe, axes=(0, 1))
    size = xp.abs(spectrum)
    curved = _laplacian(size, xp)
    of_size = _laplacian(2 * nodes * curved, xp)
    direction = xp.where(size > 0, spectrum / xp.where(size > 0, size, 1), 0)
    count = probe.shape[0] * probe.shape[1]
    gradient = count * xp.fft.ifft2(of_size * direction, axes=(0, 1))
    return float((nodes * curved * curved).sum(dtype="float64")), gradient.astype(probe.dtype)


def _laplacian(array: Array, xp: Any) -> Array:
    return sum(xp.roll(array, step, axis=axis) for axis in (0, 1) for step in (-1, 1)) - 4 * array


def _nodes(around: Surroundings) -> np.ndarray:
    geometry, step = around.setup.geometry, around.preset.scan_step_A
    if step is None:
        raise ParameterError("scan_step_A: probe_mod_reg_weight needs the scan step, Å")
    far = [
        np.fft.fftfreq(n, size) * step - np.round(np.fft.fftfreq(n, size) * step)
        for n, size in zip(geometry.window, geometry.pixel_size, strict=True)
    ]
    near = np.hypot(far[0][:, None], far[1][None, :]) <= around.preset.probe_mod_tol
    return near * (band_limit(geometry.window, geometry.pixel_size, geometry.cutoff) > 0)


TERMS = (Regulariser("probe modulation", "probe_mod_reg_weight", "probe", modulation),)
