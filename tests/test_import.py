"""From raw files to centred patterns: each step by hand, the distortions of real data, memory, and the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pypty_nb import create_pypty_data
from pypty_nb.cli import main
from pypty_nb.data import DataError, open_dataset
from pypty_nb.data.preprocess import repair
from pypty_nb.initialize import Imported
from pypty_nb.initialize.bad_pixels import PixelStatistics, find_bad_pixels
from pypty_nb.params import ParameterError
from tests.real_data import measured

#: The module, whose name the function of the same name has taken.
MODULE = sys.modules["pypty_nb.initialize.create_pypty_data"]
RNG = np.random.default_rng(11)


def disc(ky: int = 20, kx: int = 24, centre: tuple[float, float] = (10, 12), radius: float = 5.0) -> np.ndarray:
    y, x = np.indices((ky, kx))
    return (np.hypot(y - centre[0], x - centre[1]) <= radius).astype(float)


def scan(rows: int = 6, columns: int = 7, counts: float = 40.0, **of_disc: Any) -> np.ndarray:
    """Poisson counts of a bright disc on a weak background."""
    mean = counts * disc(**of_disc) + 0.5
    return RNG.poisson(mean, (rows, columns, *mean.shape)).astype(np.uint16)


def written(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        return file["data"][()]  # pyright: ignore[reportIndexIssue]


def made(tmp_path: Path, data: Any, **options: Any) -> tuple[Imported, np.ndarray]:
    done = create_pypty_data(data, tmp_path / "out.h5", **{"exist_ok": False, "comx": 0, "comy": 0, **options})
    return done, written(tmp_path / "out.h5")


# ---- each step
def test_as_it_is(tmp_path: Path) -> None:
    data = scan()
    done, out = made(tmp_path, data, bad_pixels="keep")
    assert out.dtype == np.float32 and done.shape == out.shape == (42, 20, 24)
    assert done.scan_size == (6, 7) and done.written and not done.notes
    np.testing.assert_array_equal(out, data.reshape(42, 20, 24))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"flip_ky": True}, lambda d: d[:, :, ::-1]),
        ({"flip_kx": True}, lambda d: d[..., ::-1]),
        ({"flip_y": True}, lambda d: d[::-1]),
        ({"flip_x": True}, lambda d: d[:, ::-1]),
        ({"flip_y": True, "flip_x": True}, lambda d: d[::-1, ::-1]),
        ({"swap_axes": True}, lambda d: d.swapaxes(2, 3)),
        ({"swap_axes": True, "flip_ky": True}, lambda d: d[:, :, ::-1].swapaxes(2, 3)),
        ({"crop_top": 2, "crop_bottom": 2}, lambda d: d[:, :, 2:-2]),
        ({"crop_left": 3, "crop_right": 3}, lambda d: d[..., 3:-3]),
        ({"crop_left": 1}, lambda d: d[..., 1:]),
        ({"pad_k": 3}, lambda d: np.pad(d, ((0, 0), (0, 0), (3, 3), (3, 3)))),
        ({"rescale": 4.0}, lambda d: d / 4),
        ({"bin": 2}, lambda d: d.reshape(6, 7, 10, 2, 12, 2).sum(axis=(3, 5))),
        ({"bin": 6, "crop_top": 1, "crop_bottom": 1}, lambda d: d[:, :, 1:-1].reshape(6, 7, 3, 6, 4, 6).sum(axis=(3, 5))),
        ({"comx": 3}, lambda d: np.pad(d[..., 3:], ((0, 0), (0, 0), (0, 0), (0, 3)))),
        ({"comx": -2}, lambda d: np.pad(d[..., :-2], ((0, 0), (0, 0), (0, 0), (2, 0)))),
        ({"comy": 4}, lambda d: np.pad(d[:, :, 4:], ((0, 0), (0, 0), (0, 4), (0, 0)))),
        ({"drop_columns": 2}, lambda d: d[:, :-2]),
        ({"drop_columns": (1, 3)}, lambda d: d[:, 1:-3]),
        ({"drop_columns": 2, "flip_x": True}, lambda d: d[:, :-2][:, ::-1]),
        ({"data_dtype": "uint8"}, lambda d: d),
        ({"data_dtype": None}, lambda d: d),
        ({"data_dtype": np.float64, "rescale": 3}, lambda d: d / 3),
    ],
)
@pytest.mark.parametrize("block", [1, 8 * 2**20])
def test_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], expected: Any, block: int) -> None:
    monkeypatch.setattr(MODULE, "BLOCK_BYTES", block)
    data = scan()
    done, out = made(tmp_path, data, bad_pixels="keep", **options)
    wanted = expected(data.astype(float))
    assert done.scan_size == wanted.shape[:2] and out.dtype == np.dtype(options.get("data_dtype", "f4") or "u2")
    np.testing.assert_allclose(out, wanted.reshape(-1, *wanted.shape[2:]), rtol=1e-6)


@pytest.mark.parametrize("window", [(20, 24), (21, 25)])
@pytest.mark.parametrize("off", [(0, 0), (3, -2), (-4, 5)])
def test_the_beam_is_put_where_a_transform_has_its_zero(tmp_path: Path, window: tuple[int, int], off: tuple[int, int]) -> None:
    ky, kx = window
    centre = (ky // 2 + off[0], kx // 2 + off[1])
    data = RNG.poisson(30 * disc(ky, kx, centre, 3.0), (4, 4, ky, kx))
    done, out = made(tmp_path, data, comx=None, comy=None)
    assert done.shift == off
    mean = out.mean(axis=0)
    found = [np.average(np.arange(n), weights=mean.sum(axis=1 - axis)) for axis, n in enumerate(window)]
    np.testing.assert_allclose(found, [ky // 2, kx // 2], atol=0.3)


@pytest.mark.parametrize("options", [{}, {"swap_axes": True, "flip_kx": True}, {"bad_pixels": "keep"}, {"comcalc_len": 5}])
def test_the_beam_is_where_its_disc_is(tmp_path: Path, options: dict[str, Any]) -> None:
    """What is scattered to one side and what a hot pixel makes up pull the centre of mass by pixels, and the disc by none."""
    mean = 60 * disc(40, 48, (21.5, 22.0), 8.0) + 0.5
    mean[30:, 38:] += 12
    data = np.random.default_rng(3).poisson(mean, (4, 5, 40, 48)).astype(np.uint16)
    data[:, :, 3, 44] = 9000
    turned = "swap_axes" in options
    found, _ = made(tmp_path, data, comx=None, comy=None, **options)
    assert found.centre is not None and "the bright-field disc of radius " in found.centre.how and not found.centre.no_disc
    expected = (47 - 22.0, 21.5) if turned else (21.5, 22.0)
    assert found.centre.place == pytest.approx(expected, abs=0.15)
    assert all(0 < off < 0.15 for off in found.centre.uncertainty)
    np.testing.assert_allclose(found.shift, np.subtract(expected, (24, 20) if turned else (20, 24)), atol=0.6)
    assert not any("bright-field disc" in note for note in found.notes)
    assert made(tmp_path, data)[0].centre is None


@pytest.mark.parametrize("how", ["interpolate", "keep"])
def test_without_a_disc_the_centre_of_mass_is_taken_and_said(tmp_path: Path, how: str) -> None:
    """Patterns that fill the detector, brighter to one side: neither has a disc, and no hot pixel pulls the centre."""
    mean = np.full((32, 32), 40.0)
    mean[:, 24:] = 60
    data = np.random.default_rng(4).poisson(mean, (6, 6, 32, 32)).astype(np.uint16)
    data[:, :, 2, 2] = 60_000
    found, _ = made(tmp_path, data, comx=None, comy=None, bad_pixels=how)
    expected = float((mean * np.arange(32)).sum() / mean.sum())
    assert found.centre is not None and found.centre.how == "the centre of mass"
    assert found.centre.place == pytest.approx((15.5, expected), abs=0.1) and found.shift == (0, 1)
    # of 36 patterns, so that counting statistics are about σ = width/√12/√counts
    assert found.centre.uncertainty == pytest.approx([32 / np.sqrt(12 * data[..., 3:, :].sum())] * 2, rel=0.3)
    said = "the centre of mass is taken for the beam's, where it is not give comx and comy: the counts hardly fall"
    assert sum(note.startswith(said) for note in found.notes) == 1


@pytest.mark.parametrize("length", [24, 25, 26, 27])
@pytest.mark.parametrize("binning", [2, 3, 4, 5])
def test_binning_keeps_the_middle(tmp_path: Path, length: int, binning: int) -> None:
    data = np.zeros((2, 2, length, length))
    data[..., length // 2, length // 2] = 1
    _, out = made(tmp_path, data, bin=binning, bad_pixels="keep")
    middle = (length // binning) // 2
    assert out[0, middle, middle] == 1


def test_the_cutoff_is_a_circle_about_the_middle(tmp_path: Path) -> None:
    _, out = made(tmp_path, np.ones((2, 2, 20, 24)), cutoff_ratio=0.5, bad_pixels="keep")
    y, x = np.indices((20, 24))
    np.testing.assert_array_equal(out[1] > 0, np.hypot(y - 10, x - 12) <= 6)


@pytest.mark.parametrize("options", [{}, {"bin": 2}, {"crop_left": 1, "crop_right": 1}, {"rescale": 2.0}])
def test_normalised_patterns_sum_to_one_on_average(tmp_path: Path, options: dict[str, Any]) -> None:
    data = scan(centre=(12, 9))
    _, out = made(tmp_path, data, normalize=True, comx=None, comy=None, data_dtype="f8", **options)
    total = out.sum(axis=(1, 2)).mean() * options.get("rescale", 1)
    assert total == pytest.approx(1, rel=0.05 if "crop_left" in options else 1e-9)


def test_three_axes_and_open_data_sets(tmp_path: Path) -> None:
    data = scan().reshape(42, 20, 24)
    np.save(tmp_path / "scan.npy", data)
    for source in (data, tmp_path / "scan.npy", str(tmp_path / "scan.npy"), open_dataset(tmp_path / "scan.npy")):
        done, out = made(tmp_path, source)
        assert done.scan_size is None and out.shape == data.shape
    assert made(tmp_path, tmp_path / "scan.npy", scan_size=(6, 7))[0].scan_size == (6, 7)


def test_axes_in_another_order(tmp_path: Path) -> None:
    data = scan()
    np.save(tmp_path / "scan.npy", data.transpose(2, 3, 0, 1))
    _, out = made(tmp_path, tmp_path / "scan.npy", axes="ky,kx,scan_y,scan_x", bad_pixels="keep")
    np.testing.assert_array_equal(out, data.reshape(42, 20, 24))


# ---- what real data are like
def test_hot_and_dead_pixels_are_found_and_filled(tmp_path: Path) -> None:
    clean = scan(rows=10, columns=10)
    data = clean.copy()
    data[:, :, 2, 3] = 3000
    data[:, :, 17, 20] = 800
    data[:, :, 9, 11] = 0
    done, out = made(tmp_path, data)
    assert set(done.bad_pixels.hot) == {(2, 3), (17, 20)} and done.bad_pixels.dead == ((9, 11),)
    assert any(
        "2 hot pixels replaced by the mean of the pixels around: (y 2, x 3), (y 17, x 20)" in note for note in done.notes
    )
    around = [clean[..., y, x] for y in (8, 9, 10) for x in (10, 11, 12) if (y, x) != (9, 11)]
    np.testing.assert_allclose(out[:, 9, 11], np.mean(around, axis=0).ravel(), rtol=1e-6)
    done, out = made(tmp_path, data, bad_pixels="zero")
    assert not out[:, 2, 3].any() and len(done.bad_pixels.hot) == 2
    done, out = made(tmp_path, data, bad_pixels="keep")
    assert (out[:, 2, 3] == 3000).all() and not done.bad_pixels.hot


def test_bad_pixels_are_marked_for_the_reconstruction(tmp_path: Path) -> None:
    """What is marked on the way in is what a calibrated preset leaves out, through flips, shifts, crops and bins."""
    data = scan(rows=10, columns=10).astype("f4")
    data[:, :, 2, 3], data[:, :, 9, 11] = 3000, np.nan
    done, out = made(tmp_path, data, bad_pixels="mask", flip_ky=True, comx=1, comy=-2, crop_left=2, pad_k=4)
    assert "1 hot pixel marked, for reconstructions to leave out: (y 2, x 3)" in done.notes
    assert "1 masked pixel marked, for reconstructions to leave out: (y 9, x 11)" in done.notes
    expected = np.ones((28, 30), bool)
    for y, x in ((19 - 2 + 2, 3 - 1 - 2), (19 - 9 + 2, 11 - 1 - 2)):
        expected[y + 4, x + 4] = False
    written = open_dataset(done.path)
    np.testing.assert_array_equal(written.metadata["mask"].value, expected)
    assert not out[:, ~expected].any() and np.isfinite(out).all()
    binned, _ = made(tmp_path, data, bad_pixels="mask", bin=2, comx=0, comy=0, exist_ok=False)
    assert sorted(map(tuple, np.argwhere(~open_dataset(binned.path).metadata["mask"].value))) == [(1, 1), (4, 5)]


@pytest.mark.parametrize("counts", [0.02, 0.5, 5.0, 1000.0])
@pytest.mark.parametrize("radius", [0.5, 1.5, 6.0])
def test_what_is_measured_well_is_not_called_bad(counts: float, radius: float) -> None:
    """Discs, spots two pixels wide behind a lens, beam stops, and next to no counts."""
    from scipy.ndimage import gaussian_filter

    mean = gaussian_filter(counts * disc(32, 32, (15, 17), radius), 0.6) + 0.002 * counts
    mean[18:, 16:18] = 0
    statistics = PixelStatistics((32, 32))
    statistics.add(RNG.poisson(mean, (400, 32, 32)))
    found = find_bad_pixels(statistics)
    assert not found.hot and not found.dead


def test_statistics_in_parts_are_those_of_the_whole() -> None:
    data = scan().reshape(42, 20, 24)
    whole, parts = PixelStatistics((20, 24)), PixelStatistics((20, 24))
    whole.add(data)
    for start in range(0, 42, 5):
        parts.add(data[start : start + 5])
    np.testing.assert_allclose(parts.mean, data.mean(axis=0))
    np.testing.assert_allclose(parts.error, data.std(axis=0) / np.sqrt(42), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(whole.error, parts.error)


def test_bad_pixels_at_corners_and_in_clusters() -> None:
    bad = np.zeros((6, 6), bool)
    bad[0, 0] = bad[5, 5] = True
    bad[2:5, 1:4] = True
    out = repair(np.full((2, 6, 6), 4.0), bad)
    np.testing.assert_array_equal(out, 4)
    assert not repair(np.full((1, 3, 3), 4.0), np.ones((3, 3), bool)).any()


@pytest.mark.parametrize("kind", ["largest", "nan", "mask"])
def test_pixels_that_the_detector_or_the_file_masks(tmp_path: Path, kind: str) -> None:
    data = scan().astype("f4" if kind == "nan" else "u4")
    if kind != "mask":
        data[:, :, 10:12, 5] = np.nan if kind == "nan" else np.iinfo("u4").max
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["data"] = data
        if kind == "mask":
            mask = np.ones((20, 24), bool)
            mask[10:12, 5] = False
            file["mask"] = mask
    done, out = made(tmp_path, tmp_path / "scan.h5")
    assert done.bad_pixels.masked == ((10, 5), (11, 5)) and not done.bad_pixels.hot
    assert np.isfinite(out).all() and out[:, 10, 5].max() < 200
    assert "mask" not in done.metadata


def test_negative_counts(tmp_path: Path) -> None:
    data = scan().astype(float)
    data[1, 2, 3, :5] = -2
    done, out = made(tmp_path, data)
    assert done.negative == 5 and "5 negative counts set to zero" in done.notes and out.min() == 0
    with pytest.raises(DataError, match="holds negative counts in 5 pixels, the first in pattern 9 at ky 3, kx 0; subtract"):
        made(tmp_path, data, negative="refuse")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_pattern_with_no_number_is_named(tmp_path: Path, value: float) -> None:
    data = scan().astype(float)
    data[4, 1, 7, 9] = value
    with pytest.raises(DataError, match=r"holds no number .* in 1 pixels, the first in pattern 29 at ky 7, kx 9"):
        made(tmp_path, data)
    assert not list(tmp_path.glob("*.h5")) and not list(tmp_path.glob(".*"))


def test_patterns_without_counts_are_named(tmp_path: Path) -> None:
    data = scan()
    data[2, 3] = data[5, 6] = 0
    done, _ = made(tmp_path, data)
    assert done.empty == (17, 41) and "no counts in 2 patterns: 17, 41" in done.notes
    with pytest.raises(DataError, match="are all zero"):
        made(tmp_path, np.zeros((3, 3, 8, 8)))
    with pytest.raises(DataError, match="every pattern is zero after cropping"):
        made(tmp_path, np.pad(np.ones((3, 3, 2, 8)), ((0, 0), (0, 0), (0, 6), (0, 0))), crop_top=4, bad_pixels="keep")


@pytest.mark.parametrize("missing", [1, 3, 6])
def test_a_last_row_that_is_not_complete_is_left_out(tmp_path: Path, missing: int) -> None:
    data = scan().reshape(42, 20, 24)[: 42 - missing]
    done, out = made(tmp_path, data, scan_size=(6, 7), bad_pixels="keep")
    assert done.scan_size == (5, 7) and len(out) == 35
    assert done.notes[0].startswith(
        f"the scan 6 × 7 lacks {missing} of its 42 patterns; its last, incomplete row of {7 - missing}"
    )
    np.testing.assert_array_equal(out, data[:35])


@pytest.mark.parametrize("size", [(4, 9), (7, 7), (6, 6), (8, 7)])
def test_a_scan_size_that_does_not_fit(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=r"scan_size: .* positions, but 42 patterns; .*(would fit|neither number)"):
        made(tmp_path, scan().reshape(42, 20, 24), scan_size=size)


# ---- facts go along
def source_file(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", data=scan())
        data.attrs.update({"voltage_kV": 300.0, "detector_pixel_mrad": 0.25, "PLRotation_deg": 12.0})
        file.attrs["scan_step_A"] = 0.4
        file["positions"] = np.arange(84.0).reshape(42, 2)
    return path


def test_what_the_file_says_goes_along_with_its_source(tmp_path: Path) -> None:
    options = {"bin": 2, "drop_columns": 2, "flip_y": True, "experiment": {"conv_semiangle_mrad": 21.0}}
    done, _ = made(tmp_path, source_file(tmp_path / "scan.h5"), **options)
    again = open_dataset(tmp_path / "out.h5")
    for metadata in (done.metadata, again.metadata):
        said = {key: (found.value, found.source) for key, found in metadata.items() if key != "positions"}
        assert said == {
            "acc_voltage": (300, "attribute voltage_kV of the data"),
            "rez_pixel_size_mrad": (0.5, "attribute detector_pixel_mrad of the data, binned by 2"),
            "scan_step_A": (0.4, "attribute scan_step_A of the file"),
            "scan_size": ((6, 5), "the axes of the data"),
            "conv_semiangle_mrad": (21.0, "user"),
        }
        grid = np.arange(84.0).reshape(6, 7, 2)[::-1, :5]
        np.testing.assert_array_equal(metadata["positions"].value, grid.reshape(30, 2))
    assert again.scan_shape == (6, 5)
    kept, _ = made(tmp_path, tmp_path / "scan.h5")
    assert kept.metadata["PLRotation_deg"].value == 12


# ---- files
def test_a_file_that_is_there_is_left_or_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.h5"
    create_pypty_data(scan(), path)
    before = path.read_bytes()
    again = create_pypty_data(scan() + 5, path)
    assert not again.written and "is there and was left" in again.notes[0] and again.shape == (42, 20, 24)
    assert path.read_bytes() == before
    assert create_pypty_data(scan() + 5, path, exist_ok=False).written and path.read_bytes() != before
    with pytest.raises(ParameterError, match="is the file to be read"):
        create_pypty_data(path, path, exist_ok=False)


def test_nothing_is_left_behind_where_it_is_stopped(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        create_pypty_data(scan(), tmp_path / "out.h5", progress=stop)
    assert not list(tmp_path.iterdir())


def test_progress(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODULE, "BLOCK_BYTES", 8 * 20 * 24 * 10)
    seen: list[tuple[int, int]] = []
    create_pypty_data(scan(), tmp_path / "out.h5", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(10, 42), (20, 42), (30, 42), (40, 42), (42, 42)]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"bin": 0}, "bin: 0"),
        ({"bin": 1.5}, "bin: 1.5"),
        ({"bin": 21}, "nothing remains"),
        ({"crop_top": -1}, "crop_top: -1"),
        ({"crop_top": 10, "crop_bottom": 10}, "nothing remains"),
        ({"pad_k": -1}, "pad_k"),
        ({"comcalc_len": 0}, "comcalc_len"),
        ({"rescale": 0}, "rescale"),
        ({"rescale": float("nan")}, "rescale"),
        ({"cutoff_ratio": -1}, "cutoff_ratio"),
        ({"bad_pixels": "mend"}, "bad_pixels: 'mend' is none of"),
        ({"negative": "drop"}, "negative: 'drop' is none of"),
        ({"drop_columns": 7}, "leave none"),
        ({"drop_columns": -1}, "negative"),
        ({"drop_columns": (1, 2, 3)}, "no pair"),
        ({"scan_size": (6,)}, "no pair"),
        ({"data_dtype": "complex64"}, "no type of real numbers"),
        ({"experiment": {"voltage": 3}}, "'voltage' is none of acc_voltage"),
    ],
)
def test_arguments_that_cannot_be_used(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        made(tmp_path, scan(), **options)
    assert not list(tmp_path.iterdir())


def test_numbers_that_the_type_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"counts up to .* do not fit data_dtype uint8; take a larger one"):
        made(tmp_path, scan(counts=400), data_dtype="uint8")
    with pytest.raises(DataError, match="do not fit data_dtype float16"):
        made(tmp_path, scan(counts=400) * 400.0, data_dtype="float16")


@pytest.mark.parametrize("name", ["out.npy", "out", "nowhere/out.h5"])
def test_where_it_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(ParameterError, match="path_output"):
        create_pypty_data(scan(), tmp_path / name)


def test_flips_of_the_scan_need_its_size(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="need a scan_size; the file states none"):
        made(tmp_path, scan().reshape(42, 20, 24), flip_y=True)


# ---- real files
@pytest.mark.real_data
def test_a_measured_scan(tmp_path: Path) -> None:
    path = measured("rotavirus_4dstem/dev_44x52_bin2_128.h5")
    done, out = made(tmp_path, path, comx=None, comy=None, data_dtype=None)
    assert done.shape == (2288, 128, 128) and done.scan_size == (44, 52) and out.dtype == np.uint8
    # off-centre by a pixel or so, as its notes say; no pixel of this detector is bad
    assert max(map(abs, done.shift)) <= 2 and not done.bad_pixels.mask((128, 128)).any()
    with h5py.File(path) as file:
        counts = file["data"][()].reshape(2288, 128, 128)  # pyright: ignore[reportIndexIssue]
    y, x = done.shift
    np.testing.assert_array_equal(out[:, 4:-4, 4:-4], counts[:, 4 + y : 124 + y, 4 + x : 124 + x])


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "hot", "dead"),
    [
        ("vendor_formats/merlin_mib/002_merlin_test_roi_sig256x128_nav4x2_hot_pixel_52x_39y.mib", {(39, 52)}, set()),
        ("vendor_formats/fpd/fpd_file_test.hdf5", set(), {(44, 129), (64, 26), (119, 133), (142, 145), (172, 156)}),
        ("vendor_formats/topspin/topspin_test_B.app5", set(), set()),
        ("siemens_star_xray/siemens_star_516.h5", set(), set()),
    ],
)
def test_bad_pixels_of_real_detectors(tmp_path: Path, name: str, hot: set[Any], dead: set[Any]) -> None:
    done, _ = made(tmp_path, measured(name))
    assert set(done.bad_pixels.hot) == hot and set(done.bad_pixels.dead) == dead


# ---- memory
IMPORT = """
import sys
from pypty_nb import create_pypty_data
done = create_pypty_data(sys.argv[1], sys.argv[2], data_dtype="uint16", bin=8)
# not rusage, whose peak begins with that of the process that started this one
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(done.shape[0], int(peak.split()[1]) // 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="peak memory is read the way of Linux")
def test_a_large_file_in_little_memory(tmp_path: Path) -> None:
    # 20 GB in less than 1; else 400 MB in less than 300, of which the modules take a third
    count, limit = (305_200, 1000) if os.environ.get("PYPTY_NB_SLOW") == "1" else (6_000, 300)
    array = np.lib.format.open_memmap(tmp_path / "scan.npy", mode="w+", dtype=np.uint8, shape=(count // 200, 200, 256, 256))
    array[::20, ::50, 120:136, 120:136] = 9
    del array
    command = [sys.executable, "-c", IMPORT, str(tmp_path / "scan.npy"), str(tmp_path / "out.h5")]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert int(found[0]) == count
    assert int(found[1]) < limit, f"{found[1]} MB for a file of {count * 65536 / 1e9:.1f} GB"


# ---- the command line
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: Any) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["pypty-nb", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_import_and_info(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_file(tmp_path / "scan.h5")
    code, out, _ = run(capsys, monkeypatch, "info", source)
    assert code == 0 and "42 patterns of 20 × 24, uint16" in out and "scan_y 6, scan_x 7, ky 20, kx 24" in out
    assert "300 kV" in out and "attribute voltage_kV of the" in out
    target = tmp_path / "out.h5"
    words = ["--bin", 2, "--drop-columns", "1,1", "--set", "conv_semiangle_mrad=21", "--comx", 0, "--comy", 0]
    code, out, err = run(capsys, monkeypatch, "import", source, target, *words)
    assert code == 0 and "30 × 10 × 12 (pattern, ky, kx)" in out and "21 mrad" in out and "user" in out
    assert "fly-back left out: 2 of 7 columns" in err
    assert open_dataset(target).scan_shape == (6, 5)
    code, out, err = run(capsys, monkeypatch, "import", source, target)
    assert code == 0 and "is there and was left as it is" in err and "written" not in out
    code, out, err = run(capsys, monkeypatch, "import", source, target, "--overwrite")
    assert code == 0 and "the beam's centre is at (y " in out and "px, by the bright-field disc of radius " in out
    assert open_dataset(target).scan_shape == (6, 7)


def test_import_of_plain_numbers(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    data = scan()
    data.transpose(2, 3, 0, 1).astype(">u2").tofile(tmp_path / "scan.raw")
    layout = ["--shape", "20,24,6,7", "--dtype", ">u2", "--axes", "ky,kx,scan_y,scan_x"]
    plain = ["--comx", 0, "--comy", 0, "--bad-pixels", "keep"]
    code, _, _ = run(capsys, monkeypatch, "import", tmp_path / "scan.raw", tmp_path / "out.h5", *layout, *plain)
    assert code == 0
    np.testing.assert_array_equal(written(tmp_path / "out.h5"), data.reshape(42, 20, 24))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["info", "nowhere.h5"], "✕ there is no file nowhere.h5"),
        (["info", "."], "✕ . is a folder, not a file of patterns"),
        (["info", "scan.dat"], "✕ no reader for 'scan.dat'; files may end in"),
        (["import", "nowhere.h5", "out.h5"], "✕ there is no file nowhere.h5"),
        (
            ["setup", "gone.npy", "scan.json"],
            "✕ scan.json: its arrays go to scan.h5 beside it, which is there with something else",
        ),
        (["setup", "scan.dat", "out.json"], "✕ no reader for 'scan.dat'; files may end in"),
        (["info", "scan.h5", "--scan-size", "a,b"], "'a,b' is no list of whole numbers"),
        (["import", "scan.h5", "out.png"], "does not end in .h5"),
        (["import", "scan.h5", "out.h5", "--set", "acc_voltage"], "takes name=value"),
        (["import", "scan.h5", "out.h5", "--set", "volts=3"], "'volts' is none of"),
        (["import", "scan.h5", "out.h5", "--scan-size", "9,9"], "9 × 9 = 81 positions, but 42 patterns"),
        (["import", "scan.h5", "out.h5", "--bad-pixels", "mend"], "bad_pixels: 'mend'"),
    ],
)
def test_faults_are_one_sentence(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch, words: list[str], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    source_file(tmp_path / "scan.h5")
    (tmp_path / "scan.dat").touch()
    code, _, err = run(capsys, monkeypatch, *words)
    # nobody has typed the name of a preset's parameter here
    assert code == 2 and reason in err and "data_path" not in err
