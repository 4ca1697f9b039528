"""Fourier ring correlation on pictures whose answer is known; planes, ramps and wraps of a phase."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypty_nb import Preset, run_ptychography
from pypty_nb.engine import Reconstruction, simulate
from pypty_nb.params import ParameterError
from pypty_nb.physics.frc import SEVENTH, aligned, half_bit, ring_correlation
from pypty_nb.physics.phases import fitted_plane, unwrapped, without_ramp
from pypty_nb.runs import open_run
from pypty_nb.runs.compare import frc_of_runs, halves, phases_of_runs
from tests.conftest import _tiny

N = 192


def moved(picture: np.ndarray, shift: tuple[float, float]) -> np.ndarray:
    """`picture`, periodic, with its content at larger index by `shift`."""
    qy, qx = np.fft.fftfreq(picture.shape[0])[:, None], np.fft.fftfreq(picture.shape[1])[None, :]
    return np.fft.ifft2(np.fft.fft2(picture) * np.exp(-2j * np.pi * (qy * shift[0] + qx * shift[1])))


def coloured(random: np.random.Generator, cut: float) -> np.ndarray:
    """White up to `cut` cycles/px, nothing beyond; of standard deviation 1."""
    q = np.hypot(np.fft.fftfreq(N)[:, None], np.fft.fftfreq(N)[None, :])
    found = np.fft.ifft2(np.fft.fft2(random.standard_normal((N, N))) * (q <= cut)).real
    return found / found.std()


def ramp(y: float, x: float) -> np.ndarray:
    return y * np.arange(N)[:, None] + x * np.arange(N)[None, :]


# ---- the curve
def test_a_picture_agrees_with_itself_everywhere() -> None:
    picture = np.random.default_rng(0).standard_normal((N, N + 10))
    for same in (picture, np.exp(1j * picture)):
        found = ring_correlation(same, same, (0.5, 0.4))
        np.testing.assert_allclose(found.correlation, 1, atol=1e-4)
        assert found.half_bit.resolution is None and found.half_bit.agrees
        assert "or better" in found.said(found.half_bit)


@pytest.mark.parametrize("level", [0.3, 1.0, 2.0])
def test_white_objects_with_white_noise_give_the_expected_curve(level: float) -> None:
    """S/(S + N) inside the object's band, 0 outside, within 4.5 standard errors of rings of independent samples."""
    random, cut = np.random.default_rng(1), 0.25
    picture = coloured(random, cut)
    a, b = (picture + level * random.standard_normal((N, N)) for _ in range(2))
    found = ring_correlation(a, b)
    signal = 1 / (np.pi * cut**2)  # all of its power, 1, lies in a disc of the unit square
    inside, outside = (found.frequency < 0.95 * cut) & (found.count > 30), found.frequency > 1.3 * cut
    spread = 1 / np.sqrt(2 * found.count)
    assert np.all(abs(found.correlation - signal / (signal + level**2))[inside] < 4.5 * spread[inside])
    assert np.all(abs(found.correlation)[outside] < 4.5 * spread[outside])
    # the edge of the band is found by either criterion, as sharply as the window shows it
    for crossing in (found.half_bit, found.seventh):
        assert crossing.frequency == pytest.approx(cut, abs=4 / N)


def test_crossings_lie_where_curve_and_threshold_meet() -> None:
    random = np.random.default_rng(2)
    q = np.hypot(np.fft.fftfreq(N)[:, None], np.fft.fftfreq(N)[None, :])
    soft = np.fft.ifft2(np.fft.fft2(random.standard_normal((N, N))) * np.exp(-((q / 0.12) ** 2))).real
    a, b = (soft / soft.std() + 0.5 * random.standard_normal((N, N)) for _ in range(2))
    found = ring_correlation(a, b, (0.5, 0.5))
    # signal and noise per sample, and from them where the expected curve is one seventh: S/N = 1/6
    signal = N**2 / np.sum(np.exp(-2 * (q / 0.12) ** 2))
    expected = 0.12 * np.sqrt(np.log(6 * signal / 0.25) / 2)
    assert found.seventh.frequency == pytest.approx(expected / 0.5, rel=0.06)
    for crossing in (found.seventh, found.half_bit):
        assert crossing.frequency is not None and crossing.resolution == pytest.approx(1 / crossing.frequency)
        curve = np.interp(crossing.frequency, found.frequency, found.correlation - crossing.threshold)
        assert curve == pytest.approx(0, abs=1e-12)
        before, after = found.frequency < crossing.frequency, found.frequency > crossing.frequency
        assert np.mean((found.correlation >= crossing.threshold)[before]) > 0.9
        assert np.all((found.correlation < crossing.threshold)[after][:3])
    # lengths scale with the pixel, the curve does not
    twice = ring_correlation(a, b, (1.0, 1.0))
    np.testing.assert_allclose(twice.correlation, found.correlation)
    assert twice.half_bit.resolution == pytest.approx(2 * (found.half_bit.resolution or 0))


def test_noise_alone_agrees_nowhere_for_long() -> None:
    random = np.random.default_rng(3)
    for _ in range(5):
        a, b = random.standard_normal((2, N, N))
        found = ring_correlation(a, b)
        wide = found.count > 50
        assert np.mean(found.correlation[wide] < found.half_bit.threshold[wide]) > 0.97


def test_the_thresholds_are_those_of_the_paper() -> None:
    # eq. 17 at its ends: 1 for a single sample, 0.2071/1.2071 for many; 1/2 bit of information, SNR = 0.4142/2 each
    assert half_bit(np.array([1.0])) == pytest.approx(1.0, abs=1e-4)
    assert half_bit(np.array([1e12])) == pytest.approx((np.sqrt(2) - 1) / 2 / ((np.sqrt(2) - 1) / 2 + 1), abs=1e-4)
    assert SEVENTH == 1 / 7


# ---- what must not matter
@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Two noisy complex pictures of one phase object."""
    random = np.random.default_rng(4)
    wave = np.exp(0.4j * coloured(random, 0.22))
    noisy = [wave + 0.1 * (random.standard_normal((N, N)) + 1j * random.standard_normal((N, N))) for _ in range(2)]
    return noisy[0], noisy[1]


@pytest.mark.parametrize("shift", [(0, 0), (3.3, -7.6), (-0.5, 0.25), (20.0, 15.5)])
@pytest.mark.parametrize("slopes", [(0, 0), (0.05, -0.31)])
def test_shifts_and_ramps_do_not_matter(
    pair: tuple[np.ndarray, np.ndarray], shift: tuple[float, float], slopes: tuple[float, float]
) -> None:
    a, b = pair
    found = ring_correlation(a * np.exp(1j * ramp(0.2, -0.1)), moved(b, shift) * np.exp(1j * (ramp(*slopes) + 2)))
    assert found.shift == pytest.approx(shift, abs=0.05)
    plain = ring_correlation(a, b)
    assert found.half_bit.frequency == pytest.approx(plain.half_bit.frequency, abs=2.5 / N)
    close = plain.frequency < 0.2
    same = np.interp(plain.frequency, found.frequency, found.correlation)
    assert np.abs(same - plain.correlation)[close][3:].mean() < 0.02


def test_planes_under_real_pictures_do_not_matter() -> None:
    random = np.random.default_rng(5)
    picture = coloured(random, 0.2)
    a, b = (picture + 0.5 * random.standard_normal((N, N)) for _ in range(2))
    plain, found = ring_correlation(a, b), ring_correlation(a + ramp(0.3, 0.1) + 5, b - ramp(0.02, 0.2))
    np.testing.assert_allclose(found.correlation, plain.correlation, atol=1e-6)


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (np.ones((20, 20)), np.ones((20, 21)), "of one shape"),
        (np.zeros((8, 30)), np.zeros((8, 30)), "8 × 30 px have too few rings"),
        (np.full((20, 20), np.nan), np.ones((20, 20)), "NaN"),
        (np.ones((20, 20)), np.random.default_rng(0).random((20, 20)), "even all over"),
    ],
)
def test_pictures_that_cannot_be_compared(a: np.ndarray, b: np.ndarray, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        ring_correlation(a, b)


# ---- planes, ramps, wraps
@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(-5, 5), st.integers(2, 9), st.integers(2, 12))
@settings(max_examples=40, deadline=None)
def test_a_plane_is_its_own_nearest_plane(down: float, across: float, offset: float, ny: int, nx: int) -> None:
    plane = offset + down * np.arange(ny)[:, None] + across * np.arange(nx)[None, :]
    np.testing.assert_allclose(fitted_plane(plane), plane, atol=1e-9)


def test_the_nearest_plane_leaves_nothing_that_a_plane_could_take() -> None:
    values = np.random.default_rng(6).standard_normal((17, 30))
    rest = values - fitted_plane(values)
    y, x = np.indices(values.shape)
    np.testing.assert_allclose([rest.sum(), (rest * y).sum(), (rest * x).sum()], 0, atol=1e-9)


def test_a_phase_is_unwrapped() -> None:
    y, x = np.indices((80, 90)) - 40
    true = 12 * np.exp(-(y**2 + x**2) / 400) + 0.1 * x
    found = unwrapped(np.angle(np.exp(1j * true)))
    np.testing.assert_allclose(found - found.mean(), true - true.mean(), atol=1e-9)
    assert abs(found.mean()) <= np.pi


@pytest.mark.parametrize("slopes", [(0.0, 0.0), (0.01, -0.02), (0.8, 1.9)])
def test_a_ramp_is_removed_through_its_wraps(slopes: tuple[float, float]) -> None:
    random = np.random.default_rng(7)
    phase = 0.3 * coloured(random, 0.1)
    phase -= fitted_plane(phase)
    wave = ((1 - 0.1 * phase) * np.exp(1j * phase)).astype(np.complex64)
    found = without_ramp((wave * np.exp(1j * (ramp(*slopes) + 1.3))).astype(np.complex64))
    assert found.dtype == np.complex64
    np.testing.assert_allclose(np.angle(found), phase, atol=2e-4)
    np.testing.assert_allclose(np.abs(found), np.abs(wave), atol=1e-5)


def test_a_ramp_is_that_of_the_part_that_was_scanned() -> None:
    phase = np.zeros((60, 60))
    phase[20:50, 10:40] = 0.02 * np.arange(30)[:, None]
    phase[:20] = np.random.default_rng(8).uniform(-3, 3, (20, 60))
    found = without_ramp(np.exp(1j * phase), (slice(20, 50), slice(10, 40)))
    np.testing.assert_allclose(np.angle(found[20:50, 10:40]), 0, atol=1e-9)


# ---- runs
def test_halves_share_no_pattern_and_lie_like_a_chessboard(tiny: Preset) -> None:
    tiny.output_folder = "out"
    first, second = halves(tiny)
    assert sorted([*first.sequence, *second.sequence]) == list(range(25))
    board = np.zeros((5, 5))
    board.ravel()[first.sequence] = 1
    np.testing.assert_array_equal(board, (np.indices((5, 5)).sum(axis=0) + 1) % 2)
    assert (first.output_folder, second.output_folder) == ("out-half-1", "out-half-2")
    assert tiny.sequence is None
    # what was left out stays out; without a grid every second one
    tiny.update(sequence=np.array([3, 4, 8, 9, 20]), scan_size=None)
    first, second = halves(tiny)
    assert (list(first.sequence), list(second.sequence)) == ([3, 8, 20], [4, 9])


def test_halves_that_cannot_be(tiny: Preset) -> None:
    tiny.sequence = lambda epoch: np.arange(epoch % 2, 25, 2)
    with pytest.raises(ParameterError, match="schedule"):
        halves(tiny)
    tiny.sequence = np.array([3])
    with pytest.raises(ParameterError, match="1 pattern cannot"):
        halves(tiny)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Both halves of a small scan on a larger grid than the tiny one, reconstructed."""
    root = tmp_path_factory.mktemp("halves")
    preset = _tiny().copy()
    grid = np.arange(9) * 3.0
    positions = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    random = np.random.default_rng(9)
    phase = np.exp(0.5j * coloured(random, 0.1)[:40, :40])
    truth = preset.copy()
    truth.update(dataset=None, obj=phase[..., None, None], positions=positions, scan_size=(9, 9))
    patterns = random.poisson(simulate(truth)).astype(np.uint16)
    preset.update(dataset=patterns, positions=positions, scan_size=(9, 9), epoch_max=20, output_folder=str(root / "run"))
    for half in halves(preset):
        run_ptychography(half)
    return root / "run-half-1", root / "run-half-2"


def test_two_halves_of_a_scan_agree_down_to_some_length(folders: tuple[Path, Path], tmp_path: Path) -> None:
    runs = open_run(folders[0]), open_run(folders[1])
    found = frc_of_runs(*runs)
    assert found.correlation[1:4].min() > 0.8
    assert abs(found.shift[0]) < 0.5 and abs(found.shift[1]) < 0.5
    # no finer than the pixels, no coarser than half the field
    for crossing in (found.half_bit, found.seventh):
        assert crossing.agrees and (crossing.resolution is None or 0.6 <= crossing.resolution < 25 * 0.3 / 2)
    np.testing.assert_allclose(frc_of_runs(runs[0], runs[0]).correlation, 1, atol=1e-9)

    command = [sys.executable, "-m", "pypty_nb.cli", "frc", *map(str, folders), "--out", "curve.csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert f"half-bit     {found.said(found.half_bit)}\n" in done.stdout
    assert f"one seventh  {found.said(found.seventh)}\n" in done.stdout
    with (tmp_path / "curve.csv").open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    assert header[:2] == ["frequency / (1/A)", "correlation"] and len(rows) == len(found.frequency)
    np.testing.assert_allclose([float(row[1]) for row in rows], found.correlation, rtol=1e-6)


def test_runs_with_other_pixels_are_not_compared(folders: tuple[Path, Path], tiny: Preset, tmp_path: Path) -> None:
    tiny.update(pixel_size_x_A=0.4, epoch_max=1, output_folder=str(tmp_path / "run"))
    run_ptychography(tiny)
    with pytest.raises(ParameterError, match=r"0\.3 × 0\.3 Å and 0\.3 × 0\.4 Å; only runs with equal pixels are compared"):
        frc_of_runs(open_run(folders[0]), open_run(tmp_path / "run"))
    with pytest.raises(ParameterError, match="1 object modes"):
        frc_of_runs(open_run(folders[0]), open_run(folders[1]), mode=1)


def test_phases_side_by_side(folders: tuple[Path, Path]) -> None:
    pair = phases_of_runs(open_run(folders[0]), open_run(folders[1]))
    assert pair.first.shape == pair.second.shape == pair.difference.shape and min(pair.first.shape) >= 20
    assert pair.pixel_size == (0.3, 0.3) and pair.limits[0] < pair.limits[1]
    assert np.corrcoef(pair.first.ravel(), pair.second.ravel())[0, 1] > 0.8
    np.testing.assert_allclose(np.exp(1j * pair.difference), np.exp(1j * (pair.first - pair.second)), atol=1e-12)
    same = phases_of_runs(open_run(folders[0]), open_run(folders[0]))
    np.testing.assert_allclose(same.difference, 0, atol=1e-9)


def test_pictures_are_laid_on_each_other() -> None:
    wave = np.exp(0.5j * coloured(np.random.default_rng(10), 0.1))
    a, b, shift = aligned(wave, moved(wave, (4.3, -2.6)) * np.exp(1j * ramp(0.1, 0.2)))
    assert shift == pytest.approx((4.3, -2.6), abs=0.02) and a.shape == (N - 4, N - 3)
    assert np.std(np.angle(b * a.conj())[5:-5, 5:-5]) < 0.02


def test_a_half_takes_part_with_its_own_patterns_only(tiny: Preset) -> None:
    first, _ = halves(tiny)
    report = next(iter(Reconstruction(first)))
    whole = next(iter(Reconstruction(tiny)))
    assert report.point.obj.shape == whole.point.obj.shape
    assert report.loss < whole.loss
