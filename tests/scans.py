"""Simulated scans whose orientation, C10 and disc are known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import scipy.ndimage as ndi

from pypty_nb import Preset
from pypty_nb.engine import simulate
from pypty_nb.initialize.scan_grid import grid_positions_A, positions_px, scan_matrix
from pypty_nb.physics.aberrations import chi
from pypty_nb.physics.units import electron_wavelength

WINDOW = 48
PIXEL_A = 4.0
KILOVOLTS = 300.0
RADIUS_PX = 10.3
STEP_A = 14.0
SCAN = (22, 24)
PIXEL_MRAD = 1e3 * electron_wavelength(KILOVOLTS) / (WINDOW * PIXEL_A)


@dataclass(frozen=True)
class Setting:
    """What a simulated scan is made with."""

    reading: str = "as read"
    rotation_deg: float = 0.0
    c10: float = 0.0
    contrast: float = 1.0
    counts: float | None = 2e4
    seed: int = 0


@cache
def scanned(setting: Setting) -> np.ndarray:
    """Patterns of the setting, (scan_y, scan_x, ky, kx) float64 counts; a disc in the middle of the detector."""
    random = np.random.default_rng(setting.seed)
    positions = positions_px(
        grid_positions_A(SCAN, STEP_A), scan_matrix(setting.rotation_deg, setting.reading), (PIXEL_A, PIXEL_A)
    )
    size = tuple(int(n) for n in np.ceil(positions.max(axis=0)) + WINDOW + 1)
    wavelength = electron_wavelength(KILOVOLTS)
    q = np.fft.fftfreq(WINDOW) * WINDOW
    aperture = np.clip(RADIUS_PX - np.hypot(q[:, None], q[None, :]) + 0.5, 0, 1)
    spectrum = aperture * np.exp(-1j * chi(None, setting.c10, (WINDOW, WINDOW), (PIXEL_A, PIXEL_A), wavelength))
    spectrum *= np.sqrt((setting.counts or 2e4) / (np.abs(spectrum) ** 2).sum())
    preset = Preset(
        acc_voltage=KILOVOLTS,
        pixel_size_x_A=PIXEL_A,
        pixel_size_y_A=PIXEL_A,
        positions=positions,
        obj=specimen(size, random, setting.contrast)[..., None, None],
        probe=np.fft.fftshift(np.fft.ifft2(spectrum))[..., None],
        damping_cutoff_multislice=1.0,
        compute_batch="auto",
    )
    patterns = simulate(preset)
    patterns = random.poisson(patterns).astype(np.float64) if setting.counts else patterns
    return patterns.reshape(*SCAN, WINDOW, WINDOW)


def specimen(size: tuple[int, ...], random: np.random.Generator, contrast: float) -> np.ndarray:
    """Dense blobs on a film: they advance the phase and absorb a little, (y, x) complex128."""
    dense = np.zeros(size)
    for _ in range(int(np.prod(size)) // 160):
        y, x = (random.uniform(0, n) for n in size)
        dense[int(y), int(x)] += random.uniform(0.5, 1.5)
    dense = ndi.gaussian_filter(dense, 1.6)
    dense *= contrast / dense.max()
    return np.exp(1j * dense - 0.1 * dense)
