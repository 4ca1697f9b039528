"""Differential phase contrast: a simulated specimen's phase, as its probe averages it, in any orientation of the scan."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.signal import fftconvolve

from pypty_nb import Preset
from pypty_nb.engine import simulate
from pypty_nb.initialize import fft_based_dpc, iterative_dpc, scan_gradient
from pypty_nb.params import ParameterError

SCAN = (24, 30)


def turned(degrees: float, steps: tuple[float, float] = (2.0, 2.0)) -> np.ndarray:
    """Positions of a rotated grid, px, all above 0."""
    angle = np.deg2rad(degrees)
    grid = np.indices(SCAN).reshape(2, -1).T * steps
    positions = grid @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return positions - positions.min(axis=0)


@cache
def phase_and_probe() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    q2 = np.add.outer(*[np.fft.fftfreq(140) ** 2] * 2)
    phase = np.fft.ifft2(np.fft.fft2(random.standard_normal((140, 140))) * np.exp(-300 * q2)).real
    spectrum = np.exp(-np.add.outer(*[np.fft.fftfreq(32) ** 2] * 2) / 0.02)
    probe = np.fft.fftshift(np.fft.ifft2(spectrum))
    return 0.1 * phase / phase.std(), probe * np.sqrt(1e5 / (np.abs(np.fft.fft2(probe)) ** 2).sum())


def measured(positions: np.ndarray, **settings: Any) -> tuple[Preset, np.ndarray]:
    """A simulated scan, and the phase as the probe averages it, at every scan point."""
    phase, probe = phase_and_probe()
    truth = Preset(
        acc_voltage=200,
        pixel_size_x_A=0.4,
        pixel_size_y_A=0.4,
        scan_size=SCAN,
        positions=positions,
        obj=np.exp(1j * phase)[..., None, None],
        probe=probe[..., None],
        damping_cutoff_multislice=1.0,
        compute_batch="auto",
        **settings,
    )
    weight = np.abs(probe) ** 2 / (np.abs(probe) ** 2).sum()
    seen = map_coordinates(fftconvolve(phase, weight[::-1, ::-1], mode="valid"), positions.T, order=5)
    return Preset.from_dict({**truth.to_dict(), "dataset": simulate(truth)}), flattened(seen.reshape(SCAN))


def flattened(image: np.ndarray) -> np.ndarray:
    """`image` less its plane, which the mean centre of mass takes away."""
    design = np.column_stack([np.indices(SCAN).reshape(2, -1).T, np.ones(image.size)])
    return image - (design @ np.linalg.lstsq(design, image.ravel(), rcond=None)[0]).reshape(SCAN)


def deviation(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sqrt(((flattened(found) - expected) ** 2).mean()) / expected.std())


@pytest.mark.parametrize(
    "positions",
    [turned(0), turned(23), turned(200), turned(-40) * (1, -1) + (0, 90), turned(90)[:, ::-1], turned(10, (1.5, 2.5))],
    ids=["straight", "turned", "turned by more than 180°", "flipped", "transposed", "unequal steps"],
)
def test_a_weak_phase_comes_back(positions: np.ndarray) -> None:
    preset, expected = measured(positions)
    assert deviation(fft_based_dpc(preset), expected) < 0.05
    assert deviation(iterative_dpc(preset), expected) < 0.03
    # what the borders do to a periodic continuation
    assert deviation(fft_based_dpc(preset, mirror=False), expected) > 0.1


def test_what_is_done_to_patterns_on_reading_does_not_matter() -> None:
    preset, expected = measured(turned(23))
    flipped = Preset.from_dict({**preset.to_dict(), "dataset": preset.dataset[:, ::-1], "flip_ky": True})
    # turned about an axis between two pixels, which shifts all patterns alike
    assert deviation(fft_based_dpc(flipped), expected) < 0.05
    fine = preset.dataset.repeat(2, axis=1).repeat(2, axis=2) / 4
    binned = Preset.from_dict({**preset.to_dict(), "dataset": fine, "data_bin": 2})
    assert np.allclose(fft_based_dpc(binned), fft_based_dpc(preset))
    inner = preset.dataset[:, 4:-4, 4:-4]
    padded = Preset.from_dict({**preset.to_dict(), "dataset": inner, "data_pad": 4})
    assert deviation(fft_based_dpc(padded), expected) < 0.1


def test_given_centres_of_mass_and_filters() -> None:
    preset, expected = measured(turned(0))
    random = np.random.default_rng(1)
    comy, comx = random.standard_normal((2, *SCAN))
    assert not np.allclose(fft_based_dpc(preset, comx=comx, comy=comy), fft_based_dpc(preset))
    smooth, sharp = fft_based_dpc(preset, lpass=100.0), fft_based_dpc(preset, hpass=0.01)
    roughness = [np.diff(flattened(image), axis=0).std() / flattened(image).std() for image in (smooth, expected, sharp)]
    assert roughness == sorted(roughness)
    gradient = scan_gradient(preset)
    assert gradient.steps == pytest.approx((0.8, 0.8))
    assert np.corrcoef(gradient.x[:, 1:-1].ravel(), ((expected[:, 2:] - expected[:, :-2]) / 2).ravel())[0, 1] > 0.98


def test_points_left_out_are_bridged() -> None:
    preset, expected = measured(turned(0))
    y, x = np.indices((32, 32))
    totals = preset.dataset.sum(axis=(1, 2))
    comx, comy = ((preset.dataset * axis).sum(axis=(1, 2)).reshape(SCAN) / totals.reshape(SCAN) for axis in (x, y))
    comx[8:11, 9:13] += 50
    select = np.ones(SCAN, bool)
    select[8:11, 9:13] = False
    assert deviation(iterative_dpc(preset, com=(comx, comy)), expected) > 1
    assert deviation(iterative_dpc(preset, com=(comx, comy), select=select), expected) < 0.06


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scan_size": None}, "scan_size: is not set"),
        ({"scan_size": (720, 1)}, "720 × 1 points have no gradient"),
        ({"positions": np.zeros((1, 2))}, "positions: has 1 rows"),
        ({"positions": np.zeros((720, 2))}, "all lie on one line"),
    ],
)
def test_what_has_no_gradient_is_named(change: dict[str, Any], words: str) -> None:
    preset, _ = measured(turned(0))
    with pytest.raises(ParameterError, match=words):
        fft_based_dpc({**preset.to_dict(), **change})


def test_maps_of_another_size_are_refused() -> None:
    preset, _ = measured(turned(0))
    with pytest.raises(ParameterError, match="comx: holds 9 centres"):
        fft_based_dpc(preset, comx=np.zeros(9), comy=np.zeros(9))
    with pytest.raises(ParameterError, match=r"select: has shape \(3, 3\)"):
        iterative_dpc(preset, select=np.ones((3, 3)))
