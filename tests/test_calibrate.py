"""Disc, detector pixel, scan: found from patterns and statements, and refused where they contradict each other."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from pypty_nb.data import DataError
from pypty_nb.data.dataset import ArrayDataset
from pypty_nb.initialize import calibrate_experiment
from pypty_nb.initialize.aperture import disc_of_mask, fit_disc
from pypty_nb.initialize.orientation import OrientationError
from pypty_nb.initialize.survey import survey
from pypty_nb.initialize.virtual import centre_of_mass, mean_pattern, virtual_image
from pypty_nb.params import ParameterError
from tests.scans import KILOVOLTS, PIXEL_MRAD, RADIUS_PX, SCAN, STEP_A, WINDOW, Setting, scanned

SETTING = Setting("flip x", 12.0, -40_000.0)
STATED = {"acc_voltage": KILOVOLTS, "scan_step_A": STEP_A, "rez_pixel_size_mrad": PIXEL_MRAD}
#: With orientation and focus stated nothing has to be found but the disc, which is fast.
FAST = STATED | {"PLRotation_deg": 12.0, "transform_axis_matrix": [[1, 0], [0, -1]], "defocus": -40_000.0}


def disc(shape: tuple[int, int], centre: tuple[float, float], radius: float, blur: float = 0.5) -> np.ndarray:
    y, x = np.indices(shape)
    clean = 1000 / (1 + np.exp((np.hypot(y - centre[0], x - centre[1]) - radius) / blur)) + 20
    return np.random.default_rng(1).poisson(clean).astype(float)


@pytest.mark.parametrize(("shape", "centre", "radius"), [((96, 128), (47.3, 66.2), 22.4), ((64, 64), (31.0, 32.7), 9.6)])
def test_a_disc_is_fitted_to_a_tenth_of_a_pixel(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> None:
    found = fit_disc(disc(shape, centre, radius))
    assert found.centre == pytest.approx(centre, abs=0.05)
    assert found.radius == pytest.approx(radius, abs=0.1)
    assert found.ellipticity < 0.02
    assert found.images["aperture"].sum() == pytest.approx(np.pi * radius**2, rel=0.05)


def test_a_beam_stop_and_hot_pixels_do_not_move_it() -> None:
    pattern = disc((96, 128), (47.3, 66.2), 22.4)
    pattern[:50, 58:66] = 1
    pattern[40:55, 56:72] = 1
    pattern[10, 10], pattern[40, 60], pattern[80, 5] = 1e7, 1e6, 9e4
    found = fit_disc(pattern)
    assert found.centre == pytest.approx((47.3, 66.2), abs=0.1)
    assert found.radius == pytest.approx(22.4, abs=0.15)
    assert len(found.edges) < 350


def test_an_ellipse_is_told() -> None:
    y, x = np.indices((96, 96))
    pattern = (np.hypot((y - 47) / 22, (x - 49) / 20) < 1).astype(float) * 100
    found = fit_disc(pattern)
    assert found.ellipticity == pytest.approx(2 / 21, abs=0.02)
    assert found.radius == pytest.approx(21, abs=0.4)


def test_a_threshold_moves_the_edge() -> None:
    pattern = disc((96, 96), (47, 49), 20, blur=2.0)
    assert fit_disc(pattern, 0.2).radius > fit_disc(pattern, 0.5).radius + 2


def test_a_mask_stands_for_its_disc() -> None:
    y, x = np.indices((64, 64))
    found = disc_of_mask(np.hypot(y - 30, x - 34) <= 12, np.ones((64, 64)))
    assert found.centre == (30, 34)
    assert found.radius == pytest.approx(12, abs=0.2)


@pytest.mark.parametrize("radius", [40.0, 60.0])
def test_a_disc_larger_than_the_detector_is_refused(radius: float) -> None:
    with pytest.raises(DataError, match=r"disc.*shorter camera length"):
        fit_disc(disc((64, 64), (31.5, 31.5), radius))


def test_an_empty_pattern_is_refused() -> None:
    with pytest.raises(DataError, match="no counts"):
        fit_disc(np.zeros((16, 16)))
    alone = np.zeros((16, 16))
    alone[3, 4] = 7
    with pytest.raises(DataError, match="single pixels apart it holds no counts"):
        fit_disc(alone)
    with pytest.raises(DataError, match="no counts"):
        calibrate_experiment(STATED | {"dataset": np.zeros((2, 3, 8, 8))})


def test_maps_of_the_scan_are_those_of_the_virtual_detectors() -> None:
    dataset = ArrayDataset(scanned(SETTING))
    found = fit_disc(mean_pattern(dataset))
    maps = survey(dataset, found, SCAN)
    y, x = np.indices((WINDOW, WINDOW))
    near = np.hypot(y - found.centre[0], x - found.centre[1]) <= 1.15 * found.radius
    com = centre_of_mass(dataset, near) - np.array(found.centre)
    np.testing.assert_allclose(maps.com.reshape(-1, 2), com, atol=1e-9)
    np.testing.assert_allclose(maps.dark.ravel(), virtual_image(dataset, ~near), rtol=1e-6)
    # blocks lie within the disc, and no pixel is counted twice
    assert np.hypot(*maps.offsets.T).max() < 0.66 * found.radius
    assert (maps.blocks.sum(axis=0) <= maps.bright).all()


def test_every_value_says_where_it_comes_from(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["data"] = scanned(SETTING)
        file.attrs.update(voltage_kV=KILOVOLTS, detector_pixel_mrad=PIXEL_MRAD, scan_step_A=99.0)
    found = calibrate_experiment({"data_path": tmp_path / "scan.h5", "scan_step_A": STEP_A, "sample_name": "blobs"})
    tags = {name: value.tag for name, value in found.values.items()}
    assert tags["acc_voltage"] == tags["rez_pixel_size_mrad"] == tags["scan_size"] == "file"
    assert tags["scan_step_A"] == tags["sample_name"] == "user"
    assert tags["centre"] == tags["radius"] == tags["conv_semiangle_mrad"] == tags["defocus"] == "measured"
    assert tags["data_pad"] == "default"
    assert "voltage_kV" in found.values["acc_voltage"].source
    assert found.values["conv_semiangle_mrad"].value == pytest.approx(RADIUS_PX * PIXEL_MRAD, rel=0.03)
    assert found.values["PLRotation_deg"].value == pytest.approx(12.0, abs=2)
    assert {"mean pattern", "aperture", "bright field", "tilt-corrected", "phase"} <= set(found.images)
    assert found.images["tilt-corrected"].std() > 1.5 * found.images["bright field"].std()
    path = found.preset.to_json(tmp_path / "preset.json", about=found.about)
    assert "C10" in json.loads(path.read_text(encoding="utf-8"))["about"]


def test_the_pixel_follows_from_the_semi_angle() -> None:
    given = FAST | {"dataset": scanned(SETTING), "rez_pixel_size_mrad": None, "conv_semiangle_mrad": RADIUS_PX * PIXEL_MRAD}
    found = calibrate_experiment(given).values["rez_pixel_size_mrad"]
    assert found.tag == "measured"
    assert found.value == pytest.approx(PIXEL_MRAD, rel=0.03)
    assert found.uncertainty is not None and 0 < found.uncertainty < 0.05 * PIXEL_MRAD


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"conv_semiangle_mrad": 1.06 * RADIUS_PX * PIXEL_MRAD}, "contradictory.*semi-angle"),
        ({"rez_pixel_size_A": 0.006}, "contradictory.*and"),
        ({"fov_nm": 40.0}, "contradictory.*scan_step_A.*fov_nm"),
        ({"scan_size": (20, 24)}, "480, but .* 528 patterns.*22 × 24"),
        ({"acc_voltage": None}, "acc_voltage"),
        ({"scan_step_A": None}, "scan_step_A.*fov_nm"),
        ({"rez_pixel_size_mrad": None}, "conv_semiangle_mrad"),
        ({"acc_voltage": 3e5}, r"acc_voltage: 3e\+05 kV \(as you state\) is more than any microscope has; give it in kV"),
    ],
)
def test_what_contradicts_itself_or_is_missing_is_named(change: dict[str, object], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        calibrate_experiment(FAST | {"dataset": scanned(SETTING)} | change)


def test_a_scan_of_a_few_rows_tells_neither_rotation_nor_c10() -> None:
    line = STATED | {"dataset": scanned(SETTING)[:3]}
    with pytest.raises(OrientationError, match=r"a scan of 3 × 24 points, which would have to be 4 each way.*PLRotation_deg"):
        calibrate_experiment(line)
    with pytest.raises(ParameterError, match=r"defocus: C10 cannot be measured in a scan of 3 × 24 points.*0 for a focused"):
        calibrate_experiment(FAST | line | {"defocus": None})
    assert calibrate_experiment(FAST | line).preset.extra_probe_defocus == -40_000


def test_a_pixel_of_another_unit_is_pointed_out() -> None:
    said = calibrate_experiment(FAST | {"dataset": scanned(SETTING), "rez_pixel_size_mrad": 1e3 * PIXEL_MRAD}).warnings
    assert any("wider than beams are; check which unit" in warning for warning in said)


def test_what_lies_behind_a_beam_stop_is_pointed_out() -> None:
    patterns = scanned(SETTING).copy()
    assert not calibrate_experiment(FAST | {"dataset": patterns}).warnings
    patterns[..., 22:27, :25] = 0
    (said,) = [text for text in calibrate_experiment(FAST | {"dataset": patterns}).warnings if "beam stop" in text]
    # five rows, from the middle to 0.8 of the radius
    count = int(said.split()[1])
    assert said.startswith("bad_pixels: ") and 40 <= count <= 50


def test_patterns_in_one_row_need_a_scan_size() -> None:
    patterns = scanned(SETTING).reshape(-1, WINDOW, WINDOW)
    with pytest.raises(ParameterError, match=r"scan_size.*22 × 24"):
        calibrate_experiment(FAST | {"dataset": patterns})
    square = calibrate_experiment(FAST | {"dataset": patterns[:400]})
    assert square.values["scan_size"].value == (20, 20)
    assert square.values["scan_size"].tag == "guessed"
    assert any("scan_size" in warning for warning in square.warnings)


def test_a_file_that_contradicts_itself_is_pointed_out(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["data"] = scanned(SETTING)
        file.attrs.update(detector_pixel_mrad=PIXEL_MRAD, semiconvergence_mrad=1.2 * RADIUS_PX * PIXEL_MRAD)
    given = FAST | {"data_path": tmp_path / "scan.h5", "rez_pixel_size_mrad": None}
    found = calibrate_experiment(given)
    assert any("semi-angle" in warning for warning in found.warnings)
    assert found.values["rez_pixel_size_mrad"].value == PIXEL_MRAD


def test_vacuum_does_not_tell_the_rotation() -> None:
    flat = scanned(Setting(contrast=0.0))
    with pytest.raises(OrientationError, match=r"PLRotation_deg.*cannot be told.*Give"):
        calibrate_experiment(STATED | {"dataset": flat})
