"""Two synthetic problems of fixed size.

S: one slice, 32 × 32 scan points, 64 × 64 px, one probe mode. M: four slices 20 Å apart, 16 × 16 scan points, 128 × 128 px, two
probe modes. Both 80 kV, 20 mrad, 75 % overlap, half a pixel of jitter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pypty_nb import Preset
from pypty_nb.engine import simulate
from pypty_nb.physics.aberrations import chi
from pypty_nb.physics.units import electron_wavelength


@dataclass(frozen=True)
class Size:
    window: int
    pixel: float
    scan: int
    slices: int
    modes: int


SIZES = {"S": Size(64, 0.30, 32, 1, 1), "M": Size(128, 0.20, 16, 4, 2)}
_STEP_A, _CONVERGENCE, _KILOVOLTS, _COUNTS = 2.0, 0.020, 80.0, 1e4
_C10_A, _WRONG_C10_A = 200.0, 220.0


def truth(size: Size) -> Preset:
    """Object, probe and positions; no data."""
    random = np.random.default_rng(7)
    grid = np.arange(size.scan) * _STEP_A / size.pixel
    positions = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2) + 3
    positions += random.uniform(-0.5, 0.5, positions.shape)
    extent = int(np.ceil(positions.max())) + size.window + 4
    return Preset(
        acc_voltage=_KILOVOLTS,
        pixel_size_x_A=size.pixel,
        pixel_size_y_A=size.pixel,
        slice_distances=[20.0],
        positions=positions,
        obj=np.stack([_slice(extent, size, random) for _ in range(size.slices)], axis=-1)[..., None],
        probe=_probe(size, _C10_A),
        compute_batch="auto",
    )


def start(size: Size) -> dict[str, np.ndarray]:
    """An empty object, and the probe with C10 20 Å off."""
    return {"obj": np.ones((1, 1, size.slices, 1)), "probe": _probe(size, _WRONG_C10_A)}


def problem(name: str, precision: str, *, patch_band_limit: bool = True) -> Preset:
    """Simulated data and a start."""
    size = SIZES[name]
    made = truth(size)
    given = {**start(size), "dataset": simulate(made), "default_dtype": precision, "patch_band_limit": patch_band_limit}
    return Preset.from_dict({**made.to_dict(), **given})


def _slice(extent: int, size: Size, random: np.random.Generator) -> np.ndarray:
    frequency = np.fft.fftfreq(extent, size.pixel)
    q2 = frequency[:, None] ** 2 + frequency[None, :] ** 2
    noise = random.standard_normal((extent, extent))
    phase = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-2 * (np.pi * 0.45) ** 2 * q2)).real
    phase *= 0.2 / size.slices / phase.std()
    return np.exp(1j * phase - 0.1 * (phase - phase.min()))


def _probe(size: Size, c10: float) -> np.ndarray:
    wavelength = electron_wavelength(_KILOVOLTS)
    q = np.fft.fftfreq(size.window, size.pixel)
    angle = wavelength * np.hypot(q[:, None], q[None, :])
    phase = chi(None, c10, (size.window,) * 2, (size.pixel,) * 2, wavelength)
    first = (angle <= _CONVERGENCE) * np.exp(-1j * phase)
    second = first * (q[None, :] * wavelength / _CONVERGENCE)
    modes = np.stack([first, second][: size.modes], axis=-1)
    modes *= np.sqrt(_COUNTS * size.modes / (np.abs(modes) ** 2).sum())
    return np.fft.fftshift(np.fft.ifft2(modes, axes=(0, 1)), axes=(0, 1))
