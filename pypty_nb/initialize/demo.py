"""A small specimen of the program's own, measured by its own model: something to see with no data at hand."""

from __future__ import annotations

import numpy as np

from pypty_nb.engine import simulate
from pypty_nb.params import Preset
from pypty_nb.physics.aberrations import chi
from pypty_nb.physics.units import electron_wavelength

_WINDOW = 64
_PIXEL_A = 0.25
_SCAN = 24
_STEP_PX = 6.0
_KILOVOLTS = 80.0
_CONVERGENCE_RAD = 0.022
_C10_A = 180.0
_COUNTS = 2e5


def demo_preset(seed: int = 1) -> Preset:
    """A preset with simulated data: nanoparticles on a thin carbon film, 24 × 24 scan points, counting noise.

    The starting probe has a C10 15 Å off and the object is empty, so that there is something to refine.
    """
    random = np.random.default_rng(seed)
    grid = np.arange(_SCAN) * _STEP_PX
    positions = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2) + 4
    positions += random.uniform(-1.0, 1.0, positions.shape)
    size = int(np.ceil(positions.max())) + _WINDOW + 4
    truth = Preset(
        acc_voltage=_KILOVOLTS,
        pixel_size_x_A=_PIXEL_A,
        pixel_size_y_A=_PIXEL_A,
        scan_size=(_SCAN, _SCAN),
        positions=positions,
        obj=_specimen(size, random)[..., None, None],
        probe=_probe(_C10_A)[..., None],
        compute_batch="auto",
    )
    patterns = random.poisson(simulate(truth)).astype(np.uint16)
    start = truth.to_dict() | {
        "dataset": patterns,
        "obj": np.ones((1, 1, 1, 1), complex),
        "probe": _probe(_C10_A + 15)[..., None],
        "default_dtype": "single",
        "epoch_max": 60,
    }
    return Preset.from_dict(start)


def _specimen(size: int, random: np.random.Generator) -> np.ndarray:
    """exp(iφ − a): a rough film, and particles whose lattice planes show as fringes, (size, size) complex128."""
    y, x = np.mgrid[:size, :size] * _PIXEL_A
    phase = 0.12 * _smooth(random.standard_normal((size, size)), 1.2) + 0.08 * _smooth(
        random.standard_normal((size, size)), 6.0
    )
    extent = size * _PIXEL_A
    for _ in range(9):
        centre, radius = random.uniform(0.22, 0.78, 2) * extent, random.uniform(2.5, 6.0)
        distance = np.hypot(y - centre[0], x - centre[1])
        thickness = np.sqrt(np.clip(1 - (distance / radius) ** 2, 0, None))
        angle, spacing = random.uniform(0, np.pi), random.uniform(2.0, 2.6)
        planes = np.zeros_like(phase)
        for turn in (0, np.pi / 2):
            along = y * np.sin(angle + turn) + x * np.cos(angle + turn)
            planes += 0.25 * np.cos(2 * np.pi * along / spacing)
        phase += 0.7 * thickness * (0.6 + planes)
    return np.exp(1j * phase - 0.05 * (phase - phase.min()))


def _smooth(noise: np.ndarray, sigma_a: float) -> np.ndarray:
    """`noise` low-passed to features of about `sigma_a`, at unit standard deviation."""
    frequency = np.fft.fftfreq(len(noise), _PIXEL_A)
    q2 = frequency[:, None] ** 2 + frequency[None, :] ** 2
    smooth = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-2 * (np.pi * sigma_a) ** 2 * q2)).real
    return smooth / smooth.std()


def _probe(c10: float) -> np.ndarray:
    """A round aperture with overfocus `c10`, (y, x) complex128, of `_COUNTS` counts a pattern."""
    wavelength = electron_wavelength(_KILOVOLTS)
    q = np.fft.fftfreq(_WINDOW, _PIXEL_A)
    angle = wavelength * np.hypot(q[:, None], q[None, :])
    edge = wavelength / (_WINDOW * _PIXEL_A)
    aperture = np.clip((_CONVERGENCE_RAD - angle) / edge + 0.5, 0, 1)
    spectrum = aperture * np.exp(-1j * chi(None, c10, (_WINDOW, _WINDOW), (_PIXEL_A, _PIXEL_A), wavelength))
    spectrum *= np.sqrt(_COUNTS / (np.abs(spectrum) ** 2).sum())
    return np.fft.fftshift(np.fft.ifft2(spectrum))
