"""The methods of propagation against a much finer multislice, and what physics asks of them.

The atoms are weak enough for their spectrum to stay well inside the cutoff: the band limit leaves a first-order remainder else.
"""

from __future__ import annotations

import numpy as np
import pytest

from pypty_nb.backend import Backend
from pypty_nb.engine.stages.propagation import METHODS, Propagation, gaps
from pypty_nb.physics.grids import band_limit
from pypty_nb.physics.units import electron_wavelength

NUMPY = Backend(np, "double")
N, PIXEL, THICKNESS = 64, 0.2, 64.0
WAVELENGTH = electron_wavelength(80)
BAND = band_limit((N, N), (PIXEL, PIXEL), 2 / 3)
FINE = 1600


def incoming() -> np.ndarray:
    """A 22 mrad probe."""
    q = np.fft.fftfreq(N, PIXEL)
    aperture = np.hypot(q[:, None], q[None, :]) * WAVELENGTH <= 0.022
    return np.fft.fftshift(np.fft.ifft2(aperture.astype(complex)))[None, None]


def projected() -> np.ndarray:
    """Phase of the whole thickness: Gaussian atoms of 0.8 Å, the same at every depth, (y, x) rad."""
    y, x = np.mgrid[:N, :N] * PIXEL
    phase = np.zeros((N, N))
    for cy, cx in ((4.0, 5.0), (7.5, 6.0), (6.0, 9.0)):
        phase += np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * 0.8**2))
    return 0.2 * phase


def exit_wave(method: str, slices: int) -> np.ndarray:
    """Through the specimen cut into `slices`; multislice from face to face, half a slab before and after."""
    thickness = THICKNESS / slices
    stage = Propagation(NUMPY, METHODS[method]((thickness,) * gaps(method, slices), slices), BAND, (PIXEL, PIXEL), WAVELENGTH)
    planes = np.broadcast_to(np.exp(1j * projected() / slices), (1, slices, 1, N, N)).copy()
    wave = incoming()
    if method == "multislice":
        wave = half_slab(wave, thickness)
    out = stage.forward(wave, planes, None)[0]
    return half_slab(out, thickness) if method == "multislice" else out


def half_slab(wave: np.ndarray, thickness: float) -> np.ndarray:
    q = np.fft.fftfreq(N, PIXEL)
    kernel = np.exp(-0.5j * np.pi * WAVELENGTH * thickness * (q[:, None] ** 2 + q[None, :] ** 2)) * BAND
    return np.fft.ifft2(np.fft.fft2(wave) * kernel)


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return exit_wave("multislice", FINE)


@pytest.mark.parametrize(("method", "order"), [("multislice", 1.9), ("better_multislice", 3.8), ("yoshida", 3.8)])
def test_error_falls_at_the_methods_order(method: str, order: float, truth: np.ndarray) -> None:
    thicknesses = np.array([16.0, 8.0, 4.0])
    errors = [float(np.linalg.norm(exit_wave(method, round(THICKNESS / d)) - truth)) for d in thicknesses]
    found = np.polyfit(np.log(thicknesses), np.log(errors), 1)[0]
    print(f"{method}: errors {errors}, order {found:.2f}")
    assert found >= order


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_gained_or_lost_in_vacuum(method: str) -> None:
    stage = Propagation(NUMPY, METHODS[method]((10.0,) * gaps(method, 4), 4), BAND, (PIXEL, PIXEL), WAVELENGTH)
    wave = np.fft.ifft2(np.fft.fft2(incoming()) * BAND)
    out = stage.forward(wave, np.ones((1, 4, 1, N, N), complex), None)[0]
    assert np.linalg.norm(out) == pytest.approx(np.linalg.norm(wave), rel=1e-12)


def test_a_tilt_inside_moves_the_beam_towards_it() -> None:
    stage = Propagation(NUMPY, METHODS["multislice"]((100.0,), 2), BAND, (PIXEL, PIXEL), WAVELENGTH)
    out = stage.forward(incoming(), np.ones((1, 2, 1, N, N), complex), np.array([[0.01, -0.02]]))[0]
    moved = np.array(np.unravel_index(np.abs(out[0, 0, 0]).argmax(), (N, N))) - N // 2
    assert moved.tolist() == [round(100 * 0.01 / PIXEL), round(-100 * 0.02 / PIXEL)]
