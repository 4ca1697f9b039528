"""What users and files state of an experiment: believed in turn, held against each other and against the patterns."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pypty_nb import Reconstruction, create_pypty_data
from pypty_nb.cli import main
from pypty_nb.data import DataError, open_dataset
from pypty_nb.initialize import Calibration, append_exp_params, calibrate_experiment
from pypty_nb.initialize.scan_grid import READINGS, grid_positions_A, lattice_of, positions_px, scan_matrix
from pypty_nb.initialize.survey import ScanMaps
from pypty_nb.params import ParameterError
from pypty_nb.physics.units import electron_kilovolts, electron_wavelength
from tests.scans import KILOVOLTS, PIXEL_A, PIXEL_MRAD, SCAN, STEP_A, WINDOW, Setting, scanned

SETTING = Setting("flip x", 12.0, -40_000.0)
AXES = [[1, 0], [0, -1]]
STATED = {"acc_voltage": KILOVOLTS, "scan_step_A": STEP_A, "rez_pixel_size_mrad": PIXEL_MRAD}
FAST = STATED | {"PLRotation_deg": 12.0, "transform_axis_matrix": AXES, "defocus": -40_000.0}
COUNT = SCAN[0] * SCAN[1]
NION = {
    "spatial_calibrations": [{"scale": STEP_A / 10, "units": "nm"}] * 2 + [{"scale": PIXEL_MRAD * 1e-3, "units": "rad"}] * 2,
    "metadata": {
        "instrument": {"high_tension": 1e3 * KILOVOLTS, "ImageScanned": {"C10": -4e-6}},
        "scan": {"rotation_deg": 0.0, "fov_nm": STEP_A * (SCAN[1] - 1) / 10, "scan_size": list(SCAN)},
    },
}


def saved(path: Path, flat: bool = False, arrays: dict[str, Any] | None = None, **attributes: float) -> Path:
    """The simulated scan as a file that states what is given."""
    patterns = scanned(SETTING)
    with h5py.File(path, "w") as file:
        file["data"] = patterns.reshape(COUNT, WINDOW, WINDOW) if flat else patterns
        file.attrs.update(attributes)
        for name, array in (arrays or {}).items():
            file[name] = array
    return path


def found(path: Path | None = None, leave: str = "", **stated: Any) -> Calibration:
    """Calibrated to what is stated, but for the keys named in `leave`."""
    experiment = {"dataset": scanned(SETTING)} if path is None else {"data_path": path}
    return calibrate_experiment(experiment | {key: value for key, value in FAST.items() if key not in leave.split()} | stated)


def warned(calibration: Calibration, *words: str) -> bool:
    return any(all(word in text for word in words) for text in calibration.warnings)


def command(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    """Run `words` as from a shell; it must succeed."""
    monkeypatch.setattr(sys, "argv", list(words))
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code


# ---- positions of the file
def test_positions_of_the_file_are_taken(tmp_path: Path) -> None:
    """Not a raster in their stead, whatever step and scan size are stated."""
    points = grid_positions_A(SCAN, 1.0) * (10.0, 17.0) + 5.0
    path = saved(tmp_path / "scan.h5", flat=True, arrays={"positions": points})
    expected = (points - points.min(axis=0)) @ scan_matrix(12.0, np.array(AXES)).T
    for more in ({"leave": "scan_step_A"}, {"scan_size": SCAN}):
        calibration = found(path, **more)
        preset = calibration.preset
        sizes = np.array([preset.pixel_size_y_A, preset.pixel_size_x_A])
        np.testing.assert_allclose(preset.positions * sizes, expected - expected.min(axis=0), atol=1e-6)
        assert calibration.values["positions"].tag == "file" and preset.scan_size == SCAN
        assert warned(calibration, "scan_step_A: 14 Å (as you state)", "10 Å from row", "17 Å") == ("scan_size" in more)
    own = grid_positions_A(SCAN, 3.0)
    assert np.ptp(found(path, special_positions_A=own).preset.positions, axis=0).max() < np.ptp(points, axis=0).max() / 5
    with pytest.raises(ParameterError, match=r"C10 is measured on a raster only, and dataset positions is none"):
        found(path, leave="defocus")


def test_positions_in_pixels_are_those_of_the_unpadded_object(tmp_path: Path) -> None:
    points = grid_positions_A(SCAN, STEP_A) / PIXEL_A + 3.0
    path = saved(tmp_path / "scan.h5", flat=True, arrays={"positions_px": points})
    calibration = found(path, leave="scan_step_A PLRotation_deg transform_axis_matrix defocus")
    assert calibration.values["scan_step_A"].value == pytest.approx(STEP_A, rel=1e-3)
    assert calibration.preset.scan_size == SCAN and calibration.values["scan_size"].tag == "file"
    expected = positions_px(grid_positions_A(SCAN, STEP_A), calibration.orientation.matrix, (1.0, 1.0))  # pyright: ignore
    np.testing.assert_allclose(calibration.preset.positions * calibration.preset.pixel_size_x_A, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("reading", ["flip y", "transpose", "rotate 90°"])
def test_orientation_is_measured_as_the_positions_of_the_file_lie(tmp_path: Path, reading: str) -> None:
    """However the patterns follow each other, they come to lie as they were simulated."""
    points = grid_positions_A(SCAN, STEP_A) @ READINGS[reading].T
    path = saved(tmp_path / "scan.h5", flat=True, arrays={"positions": points})
    calibration = found(path, leave="scan_step_A PLRotation_deg transform_axis_matrix defocus")
    sizes = np.array([calibration.preset.pixel_size_y_A, calibration.preset.pixel_size_x_A])
    turn = calibration.orientation
    assert turn is not None and not any("step" in text for text in calibration.warnings)
    expected = positions_px(grid_positions_A(SCAN, STEP_A), turn.matrix @ READINGS[reading], (1.0, 1.0))
    np.testing.assert_allclose(calibration.preset.positions * sizes, expected, atol=1e-6)
    apart = turn.matrix @ READINGS[reading] @ scan_matrix(12.0, "flip x").T
    assert np.rad2deg(np.arccos(np.clip(np.trace(apart) / 2, -1, 1))) < 2
    assert calibration.values["defocus"].value == pytest.approx(-40_000, rel=0.05)


def test_positions_that_do_not_fit_the_patterns_are_pointed_out(tmp_path: Path) -> None:
    for wrong in (np.ones((COUNT, 2)), np.zeros((5, 2)), np.full((COUNT, 2), np.nan)):
        calibration = found(saved(tmp_path / "scan.h5", arrays={"positions": wrong}))
        assert warned(calibration, "positions: those of the file (dataset positions) are left aside")
        assert "positions" not in calibration.values and calibration.preset.scan_size == SCAN


def test_a_lattice_is_told_from_what_is_none() -> None:
    points, random = grid_positions_A(SCAN, 3.0), np.random.default_rng(0)
    assert lattice_of(points, (24, 22)) is None and lattice_of(points[:-1], SCAN) is None
    assert lattice_of(points + random.uniform(-3, 3, points.shape), SCAN) is None
    jittered = lattice_of(points + random.uniform(-0.3, 0.3, points.shape), SCAN)
    assert jittered is not None and jittered.reading == "as read" and jittered.step == pytest.approx(3, rel=0.01)
    turned = lattice_of(points @ scan_matrix(20.0).T, SCAN)
    assert turned is not None and turned.reading is None and turned.steps == pytest.approx((3, 3))
    for name, matrix in READINGS.items():
        lattice = lattice_of(points @ matrix.T, SCAN)
        assert lattice is not None and lattice.reading == name
        # an image that counts its own points is read where they lie
        count = np.arange(COUNT).reshape(SCAN)
        maps = ScanMaps(SCAN, np.stack([count, count], -1), count, count, np.zeros((1, 2)), count[None], 1.0).read_as(name)
        places = points @ matrix.T / 3.0
        places = (places - places.min(axis=0)).astype(int)
        for image in (maps.bright, maps.dark, maps.com[..., 0], maps.blocks[0]):
            np.testing.assert_array_equal(image[tuple(places.T)], count.ravel())


# ---- photons
def test_the_voltage_of_a_wavelength_is_the_inverse() -> None:
    for kilovolts in (1e-4, 0.1, 30.0, 300.0, 3000.0):
        assert electron_kilovolts(electron_wavelength(kilovolts)) == pytest.approx(kilovolts, rel=1e-12)


def test_the_wavelength_of_photons_is_taken(tmp_path: Path) -> None:
    wavelength = electron_wavelength(KILOVOLTS)
    # h·c in eV·Å
    energy = 12398.419843320026 / wavelength
    for attributes in ({"wavelength_A": wavelength}, {"energy_eV": energy}):
        calibration = found(saved(tmp_path / "scan.h5", **attributes), leave="acc_voltage")
        voltage = calibration.values["acc_voltage"]
        assert voltage.tag == "file" and voltage.value == pytest.approx(KILOVOLTS)
        assert f"electrons of this voltage have the wavelength {wavelength:.5g} Å" in voltage.source
        assert not warned(calibration, "acc_voltage")
    assert warned(found(saved(tmp_path / "scan.h5", energy_eV=9000.0)), "acc_voltage: 300 kV (as you state)", "energy_eV")
    with pytest.raises(ParameterError, match=r"acc_voltage.*photons"):
        found(leave="acc_voltage")


# ---- Nion Swift
def test_the_json_named_is_read_as_the_one_beside(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", scanned(SETTING))
    for name in ("scan.json", "other.json"):
        (tmp_path / name).write_text(json.dumps(NION), encoding="utf-8")
    beside = {key: fact.value for key, fact in open_dataset(tmp_path / "scan.npy").metadata.items() if key != "scan_size"}
    assert beside == pytest.approx(
        {
            "acc_voltage": 300,
            "defocus": -40_000,
            "scan_rotation_deg": 0,
            "scan_step_A": STEP_A,
            "rez_pixel_size_mrad": PIXEL_MRAD,
        }
    )
    left = "acc_voltage scan_step_A rez_pixel_size_mrad defocus"
    flat = scanned(SETTING).reshape(COUNT, WINDOW, WINDOW)
    for calibration in (
        found(tmp_path / "scan.npy", leave=left),
        found(leave=left, path_json=tmp_path / "other.json"),
        found(leave=left, path_json=tmp_path / "other.json", dataset=flat),
    ):
        assert not calibration.warnings and calibration.preset.scan_size == SCAN
        for key in (*left.split(), "scan_size"):
            assert calibration.values[key].tag == "file"
        assert calibration.values["defocus"].value == pytest.approx(-40_000)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("hardware_source", {"high_tension_v": "abc"}, "high_tension_v is 'abc'; a number above 0"),
        ("hardware_source", {"autostem": {"high_tension_v": -3e5}}, "autostem.high_tension_v is '-300000.0'"),
        ("instrument", {"ImageScanned": {"C10": [1, 2]}}, "C10 is .*; a number is needed"),
        ("scan", {"fov_nm": "x"}, "fov_nm is 'x'"),
        ("scan", {"fov_nm": -4}, "fov_nm is '-4'; a number above 0"),
        ("scan", {"scan_size": 7}, r"scan_size is '7'; \[rows, columns\]"),
        ("scan", {"scan_size": ["a", 3]}, "scan_size is"),
        ("scan", {"scan_size": [22, 24, 3]}, "scan_size is"),
    ],
)
def test_what_cannot_be_used_in_the_json_is_named(tmp_path: Path, name: str, value: object, said: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(json.dumps({"metadata": {name: value}}), encoding="utf-8")
    with pytest.raises(ParameterError, match=f"path_json: b.json: {name}.*{said}"):
        found(path_json=path)


@pytest.mark.parametrize("said", ["", "[1]", "{", '{"metadata": 3}'])
def test_what_is_no_json_of_nion_is_named(tmp_path: Path, said: str) -> None:
    (tmp_path / "b.json").write_text(said, encoding="utf-8")
    with pytest.raises(ParameterError, match=r"path_json: .*b\.json: holds no metadata of Nion Swift"):
        found(path_json=tmp_path / "b.json")
    with pytest.raises(ParameterError, match=r"path_json: .*nowhere\.json: cannot be read"):
        found(path_json=tmp_path / "nowhere.json")


# ---- contradictions
def test_a_scan_size_against_the_axes_is_refused(tmp_path: Path) -> None:
    path, swapped = saved(tmp_path / "scan.h5"), SCAN[::-1]
    said = r"scan_size: 24 × 22 is stated, but the axes of the data are 22 × 24; .*data_axes"
    with pytest.raises(DataError, match=said):
        found(path, scan_size=swapped)
    with pytest.raises(DataError, match=said):
        open_dataset(path, scan_size=swapped)
    with pytest.raises(DataError, match=said):
        create_pypty_data(path, tmp_path / "new.h5", scan_size=swapped, drop_columns=2)
    with pytest.raises(DataError, match=r"23 × 23 is stated, but the axes of the data are 22 × 24; leave"):
        create_pypty_data(path, tmp_path / "new.h5", scan_size=(23, 23))
    assert not (tmp_path / "new.h5").exists()
    assert open_dataset(path, scan_size=SCAN).scan_shape == SCAN
    # one axis of length 1 says nothing of how its patterns are divided
    one_row = scanned(SETTING).reshape(1, COUNT, WINDOW, WINDOW)
    assert found(dataset=one_row, scan_size=SCAN).preset.scan_size == SCAN


def test_two_that_say_it_differently_are_both_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "scan.h5", voltage_kV=200.0)
    (tmp_path / "kv.json").write_text(json.dumps({"metadata": {"hardware_source": {"high_tension_v": 80e3}}}))
    files = found(path, leave="acc_voltage", path_json=tmp_path / "kv.json")
    assert files.values["acc_voltage"].value == 200
    assert warned(
        files, "200 kV (attribute voltage_kV of the file) is taken", "80 kV (hardware_source.high_tension_v of kv.json)"
    )
    user = found(path)
    assert user.values["acc_voltage"].value == 300 and warned(user, "300 kV (as you state) is taken", "200 kV (attribute")
    assert not found(saved(tmp_path / "scan.h5", voltage_kV=300.5)).warnings
    sizes = found(saved(tmp_path / "flat.h5", flat=True), scan_size=(11, 48))
    assert sizes.preset.scan_size == (11, 48)
    with h5py.File(tmp_path / "flat.h5", "a") as file:
        file.attrs["scan_size"] = SCAN
    assert warned(found(tmp_path / "flat.h5", scan_size=(11, 48)), "11 × 48 (as you state)", "22 × 24 (attribute scan_size")


def test_what_is_stated_is_held_against_the_patterns() -> None:
    assert not found().warnings
    focus = found(leave="PLRotation_deg", defocus=-20_000.0)
    assert warned(focus, "C10 -20000 Å (as you state)", "the shadow images tell -40") and len(focus.warnings) == 1
    assert warned(found(leave="defocus", aberrations=[-20_000.0]), "C10 -20000 Å", "tell -40")
    assert warned(found(defocus=40_000.0), "C10 40000 Å", "tell -40")
    turned = found(PLRotation_deg=60.0)
    assert warned(turned, "PLRotation_deg: 60° (as you state)", "shadow images tell 1") and len(turned.warnings) == 1
    assert warned(found(leave="defocus", PLRotation_deg=60.0), "60° (as you state)")
    assert warned(found(leave="transform_axis_matrix"), "12° (as you state)", "mirrored", "flip x")
    # by 180°, C10 has the other sign
    assert warned(found(PLRotation_deg=192.0), "C10 -40000 Å") and not warned(found(PLRotation_deg=192.0), "PLRotation")


def test_rotation_and_c10_of_the_file_are_taken(tmp_path: Path) -> None:
    """Also those that were put there when the file was made."""
    create_pypty_data(
        scanned(SETTING),
        tmp_path / "scan.h5",
        experiment={"PLRotation_deg": 99.0, "defocus": -12_345.0},
        comx=0,
        comy=0,
    )
    left = "PLRotation_deg defocus"
    calibration = found(tmp_path / "scan.h5", leave=left)
    for key, value in (("PLRotation_deg", 99), ("defocus", -12_345)):
        assert (calibration.values[key].value, calibration.values[key].tag) == (value, "file")
    assert calibration.preset.extra_probe_defocus == -12_345
    assert warned(calibration, "PLRotation_deg: 99°") and warned(calibration, "C10 -12345 Å")
    measured = found(tmp_path / "scan.h5", leave=left, PLRotation_deg="auto")
    assert measured.values["PLRotation_deg"].tag == "measured" and warned(measured, "PLRotation_deg: 99°")
    right = found(saved(tmp_path / "right.h5", PLRotation_deg=12.0, C10_A=-40_000.0), leave=left)
    assert not right.warnings and right.values["defocus"].tag == right.values["PLRotation_deg"].tag == "file"
    points = grid_positions_A(SCAN, STEP_A)
    assert found(tmp_path / "right.h5", leave=left, special_positions_A=points).values["defocus"].tag == "file"


def test_near_focus_the_file_knows_better(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "near.h5", "w") as file:
        file["data"] = scanned(Setting(c10=-30.0, rotation_deg=5.0))
        file.attrs["C10_A"] = -30.0
    calibration = calibrate_experiment({"data_path": tmp_path / "near.h5", **STATED})
    assert (calibration.values["defocus"].value, calibration.values["defocus"].tag) == (-30, "file")


# ---- what cannot be
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bright_threshold": 1.0}, "bright_threshold: must be above 0 and below 1, got 1.0"),
        ({"bright_threshold": 2.0}, "bright_threshold: must be above 0 and below 1"),
        ({"bright_threshold": 0.0}, "bright_threshold: must be above 0 and below 1"),
        ({"conv_semiangle_mrad": 3000.0}, "conv_semiangle_mrad: must be at most 1000"),
        ({"rez_pixel_size_mrad": 3000.0}, "rez_pixel_size_mrad: must be at most 1000"),
    ],
)
def test_thresholds_and_angles_have_bounds(change: dict[str, float], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        append_exp_params({"dataset": scanned(SETTING), **FAST, **change})


def test_a_field_tells_no_step_of_one_column() -> None:
    with pytest.raises(ParameterError, match=r"one point wide, along which fov_nm 3 tells no step; give it in Å"):
        found(leave="scan_step_A", dataset=scanned(SETTING)[:, :1], fov_nm=3.0)


def test_missing_frames_and_how_they_are_done_without(tmp_path: Path) -> None:
    flat = scanned(SETTING).reshape(COUNT, WINDOW, WINDOW)[:-1]
    with pytest.raises(ParameterError, match=r"`create_pypty_data\(dataset, .*scan_size=\(22, 24\)\)` leaves the incomplete"):
        found(dataset=flat, scan_size=SCAN)
    np.save(tmp_path / "scan.npy", flat)
    with pytest.raises(ParameterError, match=r"`pypty-nb import \S*scan.npy new.h5 --scan-size 22,24` leaves the incomplete"):
        found(tmp_path / "scan.npy", scan_size=SCAN)
    done = create_pypty_data(tmp_path / "scan.npy", tmp_path / "new.h5", scan_size=SCAN)
    assert done.scan_size == (21, 24)
    assert found(tmp_path / "new.h5").preset.scan_size == (21, 24)


def test_patterns_that_a_run_refuses_are_named(tmp_path: Path) -> None:
    spoilt = scanned(SETTING).copy()
    spoilt[0, 3, 2, :4] = -5
    spoilt[2, 0, 5, 5] = np.nan
    spoilt[3, 1] = np.inf
    spoilt[4, 2] = 0
    calibration = found(dataset=spoilt)
    assert warned(calibration, "4 counts below zero in 1 pattern: 3,", 'create_pypty_data(dataset, "new.h5", negative="clip")')
    assert warned(calibration, "NaN or infinity in 2 patterns: 48, 73,", "sequence")
    assert warned(calibration, "no counts in 1 pattern: 98;")
    assert calibration.disc.radius == pytest.approx(found().disc.radius, abs=0.05)
    np.save(tmp_path / "scan.npy", spoilt)
    assert warned(found(tmp_path / "scan.npy"), "scan.npy new.h5 --negative clip`")
    # what is said to be of help is
    done = create_pypty_data(np.nan_to_num(spoilt, posinf=0), tmp_path / "new.h5", negative="clip")
    helped = found(done.path)
    assert done.negative == 4 and not warned(helped, "below zero") and warned(helped, "no counts in 2 patterns: 73, 98;")
    sequence = [index for index in range(COUNT) if index not in (73, 98)]
    assert next(iter(Reconstruction({**dict(helped.preset.items()), "sequence": sequence, "epoch_max": 1}))).loss > 0


def test_messages_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with h5py.File("two.h5", "w") as file:
        file["a/counts"], file["b"] = np.ones((4, 8, 8)), np.ones((9, 8, 8))
    with pytest.raises(DataError, match=r"dataset, for instance `(pypty-nb import two.h5 new.h5 --dataset /a/counts)`") as said:
        open_dataset("two.h5")
    command(monkeypatch, *str(said.value).split("`")[1].split())
    assert open_dataset("new.h5").shape == (4, 8, 8)
    Path("plain.raw").write_bytes(np.ones((4, 4, 8, 8), "u2").tobytes())
    with pytest.raises(
        DataError, match=r"for instance `pypty-nb import plain.raw new.h5 --shape 64,64,128,128 --dtype uint16`"
    ):
        open_dataset("plain.raw")
    command(monkeypatch, *["pypty-nb", "import", "plain.raw", "plain.h5", "--shape", "4,4,8,8", "--dtype", "uint16"])
    assert open_dataset("plain.h5").scan_shape == (4, 4)


@pytest.mark.parametrize(
    ("options", "scale"),
    [({"pad_k": 8}, (2, 2)), ({"crop_left": 4, "crop_right": 4}, (1, 0.5)), ({"bin": 2}, (1, 1)), ({"bin": 3}, (15 / 16,) * 2)],
)
def test_positions_in_pixels_follow_the_pixel(tmp_path: Path, options: dict[str, int], scale: tuple[float, float]) -> None:
    """Padding, cropping and binning keep where the points lie, in Å."""
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file["data"] = np.random.default_rng(0).poisson(50, (9, 16, 16))
        file["data"].attrs["rez_pixel_size_A"] = 0.01
        file["positions_px"] = np.arange(18.0).reshape(9, 2)
    done = create_pypty_data(tmp_path / "raw.h5", tmp_path / "new.h5", comx=0, comy=0, **options)
    written = open_dataset(done.path).metadata
    np.testing.assert_allclose(written["positions_px"].value, np.arange(18.0).reshape(9, 2) * scale)
    size = 1 / (written["rez_pixel_size_A"].value * np.array(done.shape[1:]))
    np.testing.assert_allclose(written["positions_px"].value * size, np.arange(18.0).reshape(9, 2) / 0.16)


def test_the_step_of_a_field_outlives_columns_left_out(tmp_path: Path) -> None:
    metadata = {"scan": {"fov_nm": 0.6}}
    np.save(tmp_path / "scan.npy", np.ones((28, 8, 8)))
    (tmp_path / "scan.json").write_text(json.dumps({"metadata": metadata}), encoding="utf-8")
    done = create_pypty_data(tmp_path / "scan.npy", tmp_path / "new.h5", scan_size=(4, 7), drop_columns=2)
    assert done.metadata["scan_step_A"].value == pytest.approx(1.0) and "fov_nm" not in done.metadata
