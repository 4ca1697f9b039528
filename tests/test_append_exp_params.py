"""`append_exp_params`: every key does what it says, and what cannot be is refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction
from pypty_nb.initialize import append_exp_params, calibrate_experiment
from pypty_nb.initialize.experiment import KEYS, Experiment
from pypty_nb.initialize.scan_grid import grid_positions_A, positions_px, scan_matrix
from pypty_nb.params import ParameterError, UnknownParameterError
from pypty_nb.physics.units import electron_wavelength
from tests.scans import KILOVOLTS, PIXEL_A, PIXEL_MRAD, RADIUS_PX, SCAN, STEP_A, WINDOW, Setting, scanned

SETTING = Setting("flip x", 12.0, -40_000.0)
AXES = [[1, 0], [0, -1]]
COUNT = SCAN[0] * SCAN[1]


def given(**more: object) -> dict[str, object]:
    """An experiment in which nothing but the disc has to be found."""
    stated = {
        "dataset": scanned(SETTING),
        "acc_voltage": KILOVOLTS,
        "scan_step_A": STEP_A,
        "rez_pixel_size_mrad": PIXEL_MRAD,
        "PLRotation_deg": 12.0,
        "transform_axis_matrix": AXES,
        "defocus": -40_000.0,
    }
    return {name: value for name, value in (stated | more).items() if value is not None}


def test_the_keys_are_those_of_the_original() -> None:
    words = """
        data_path dataset masks output_folder path_json acc_voltage rez_pixel_size_A rez_pixel_size_mrad conv_semiangle_mrad
        aperture bright_threshold defocus aberrations scan_size scan_step_A fov_nm special_positions_A transform_axis_matrix
        PLRotation_deg flip_ky data_pad upsample_pattern total_thickness num_slices num_obj_modes obj_phase_sigma plot
        print_flag save_preprocessing_files chemical_formula sample_name
    """
    assert set(KEYS) == {*words.split(), "bad_pixels", "data_axes"}


def test_a_preset_is_calibrated() -> None:
    preset = append_exp_params(given(chemical_formula="C", sample_name="blobs", plot=False, print_flag=1, output_folder="out"))
    pad = WINDOW // 4
    size = PIXEL_A * WINDOW / (WINDOW + 2 * pad)
    assert preset.data_pad == pad
    assert preset.acc_voltage == KILOVOLTS
    assert preset.pixel_size_x_A == pytest.approx(size)
    assert preset.pixel_size_y_A == pytest.approx(size)
    assert preset.scan_size == SCAN
    assert preset.scan_step_A == STEP_A
    assert preset.extra_probe_defocus == -40_000
    assert preset.print_flag == 1
    assert preset.output_folder == "out"
    assert preset.data_shift_vector == (0, 0)
    expected = positions_px(grid_positions_A(SCAN, STEP_A), scan_matrix(12.0, np.array(AXES)), (size, size))
    np.testing.assert_allclose(preset.positions, expected)
    assert preset.aperture_mask.shape == (WINDOW + 2 * pad,) * 2
    assert preset.aperture_mask.sum() == pytest.approx(np.pi * RADIUS_PX**2, rel=0.1)
    assert preset.aperture_mask[WINDOW // 2 + pad, WINDOW // 2 + pad] == 1


def test_bad_pixels_are_left_out() -> None:
    """Found, counted and shown; nothing else is calibrated by them, whatever they hold."""
    data, middle = np.array(scanned(SETTING), np.float64), WINDOW // 2
    clean = calibrate_experiment(given())
    spoilt = data.copy()
    spoilt[..., 1, 2], spoilt[..., middle + 1, middle - 2] = 30 * data.max(), np.nan
    places = [[1, 2], [middle + 1, middle - 2]]
    found = calibrate_experiment(given(dataset=spoilt))
    assert clean.preset.bad_pixels is None and clean.values["bad_pixels"].value is None
    assert found.preset.bad_pixels.tolist() == places
    assert any(text.startswith("bad_pixels: 1 hot pixel left out: (y 1, x 2)") for text in found.warnings)
    assert ("Bad pixels", "2 left out", "measured") in [row[:3] for row in found.rows()]
    assert found.disc.radius == pytest.approx(clean.disc.radius, abs=0.05)
    assert np.isfinite(found.disc.images["mean pattern"]).all()
    reports = [list(Reconstruction({**dict(run.preset.items()), "epoch_max": 3})) for run in (clean, found)]
    # the same but for two pixels of WINDOW²
    assert reports[1][-1].terms["data"] == pytest.approx(reports[0][-1].terms["data"], rel=0.05)
    assert append_exp_params(given(bad_pixels=[[3, 4]])).bad_pixels.tolist() == [[3, 4]]
    assert append_exp_params(given(dataset=data, bad_pixels="keep"), {"bad_pixels": [[3, 4]]}).bad_pixels is None
    assert append_exp_params(given(), {"bad_pixels": [[3, 4]]}).bad_pixels.tolist() == [[3, 4]]
    for wrong in ("some", [[0.5, 1]], [[-1, 2]], [1, 2]):
        with pytest.raises(ParameterError, match=r"bad_pixels: .* needed"):
            Experiment.of({"bad_pixels": wrong})


def test_progress_is_told() -> None:
    """From the first pattern to the last step, never backwards, in the calling thread."""
    seen: list[tuple[int, int]] = []
    append_exp_params(given(PLRotation_deg="auto", defocus=None), progress=lambda done, of: seen.append((done, of)))
    done = [first for first, _ in seen]
    assert len({of for _, of in seen}) == 1 and done == sorted(done)
    assert done[0] < seen[0][1] / 2 and seen[-1][0] == seen[-1][1]

    class Enough(Exception):
        pass

    def stop(_done: int, _of: int) -> None:
        raise Enough

    with pytest.raises(Enough):
        append_exp_params(given(), progress=stop)


def test_it_reconstructs_better_than_a_wrong_orientation() -> None:
    start = {"epoch_max": 5, "default_dtype": "single", "compute_batch": "auto"}
    right, wrong = (
        min(report.terms["data"] for report in Reconstruction(append_exp_params(given(PLRotation_deg=angle), start)))
        for angle in (12.0, 102.0)
    )
    assert right < 0.8 * wrong


def test_the_preset_given_is_kept_and_not_changed() -> None:
    start = Preset(epoch_max=7, num_slices=3, atv_weight=0.5)
    found = append_exp_params(given(total_thickness=90.0), start)
    assert start.data_pad == 0 and start.dataset is None
    assert (found.epoch_max, found.num_slices, found.atv_weight) == (7, 3, 0.5)
    np.testing.assert_allclose(found.slice_distances, [30.0])
    assert found.obj.shape == (1, 1, 3, 1)
    assert append_exp_params(given(num_slices=5), start).num_slices == 5


def test_a_probe_of_another_size_is_made_anew() -> None:
    start = Preset(probe=np.ones((8, 8, 1), complex))
    found = calibrate_experiment(given(), start)
    assert found.preset.probe is None
    assert any("probe" in warning for warning in found.warnings)


def test_an_off_centre_disc_is_moved_to_the_middle() -> None:
    patterns = np.roll(scanned(SETTING), (3, -2), axis=(2, 3))
    assert append_exp_params(given(dataset=patterns)).data_shift_vector == (-3, 2)


def test_flipping_is_done_before_anything_is_measured() -> None:
    patterns = np.roll(scanned(SETTING), (3, -2), axis=(2, 3))[:, :, ::-1]
    found = calibrate_experiment(given(dataset=patterns, data_is_numpy_and_flip_ky=True, PLRotation_deg="auto"))
    assert found.preset.flip_ky
    assert found.preset.data_shift_vector == (-3, 2)
    assert found.values["PLRotation_deg"].value == pytest.approx(12.0, abs=2)


@pytest.mark.parametrize(("up", "pad"), [(1, None), (2, None), (2, 4), (3, None)])
def test_padding_and_upsampling_set_the_pixel(up: int, pad: int | None) -> None:
    preset = append_exp_params(given(upsample_pattern=up, data_pad=pad))
    assert preset.data_pad == (pad if pad is not None else up * -(-WINDOW // 4))
    side = up * WINDOW + 2 * preset.data_pad
    assert preset.pixel_size_x_A == pytest.approx(PIXEL_A * WINDOW * up / side)
    assert preset.aperture_mask.shape == (side, side)
    assert preset.aperture_mask.sum() == pytest.approx(np.pi * (up * RADIUS_PX) ** 2, rel=0.1)
    Reconstruction(preset.copy())


def test_binning_in_the_preset_is_reckoned_with() -> None:
    preset = append_exp_params(given(), {"data_bin": 2})
    side = WINDOW // 2 + 2 * preset.data_pad
    assert preset.pixel_size_x_A == pytest.approx(PIXEL_A * WINDOW / 2 / side)
    assert preset.aperture_mask.sum() == pytest.approx(np.pi * (RADIUS_PX / 2) ** 2, rel=0.15)


def test_a_detector_that_is_not_square_has_two_pixel_sizes() -> None:
    preset = append_exp_params(given(dataset=scanned(SETTING)[:, :, 4:-4]))
    assert preset.pixel_size_y_A == pytest.approx(PIXEL_A * WINDOW / (WINDOW - 8 + 2 * preset.data_pad))
    assert preset.pixel_size_x_A == pytest.approx(PIXEL_A * WINDOW / (WINDOW + 2 * preset.data_pad))
    Reconstruction(preset)


def test_the_pixel_may_be_given_per_angstrom() -> None:
    inverse = 1e-3 * PIXEL_MRAD / electron_wavelength(KILOVOLTS)
    found = append_exp_params(given(rez_pixel_size_mrad=None, rez_pixel_size_A=inverse))
    assert found.pixel_size_x_A == pytest.approx(append_exp_params(given()).pixel_size_x_A)


def test_the_step_may_be_given_as_a_field() -> None:
    field = STEP_A * (SCAN[1] - 1) / 10
    assert append_exp_params(given(scan_step_A=None, fov_nm=field)).scan_step_A == pytest.approx(STEP_A)


def test_positions_may_be_given_point_by_point() -> None:
    points = grid_positions_A(SCAN, STEP_A) + np.random.default_rng(0).uniform(-2, 2, (COUNT, 2))
    found = append_exp_params(
        given(special_postions_A=points, PLRotation_deg=None, transform_axis_matrix=None, scan_step_A=None)
    )
    np.testing.assert_allclose(found.positions * found.pixel_size_x_A, points - points.min(axis=0))
    turned = append_exp_params(given(special_positions_A=points))
    np.testing.assert_allclose(
        turned.positions, positions_px(points, scan_matrix(12.0, np.array(AXES)), (found.pixel_size_y_A, found.pixel_size_x_A))
    )
    with pytest.raises(ParameterError, match=r"defocus.*raster"):
        append_exp_params(given(special_positions_A=points, defocus=None))
    with pytest.raises(ParameterError, match=r"special_positions_A.*528"):
        append_exp_params(given(special_positions_A=points[:-1]))


def test_c10_among_the_aberrations_is_not_added_twice() -> None:
    found = calibrate_experiment(given(defocus=None, aberrations=[-40_000.0, 300.0, 0.0]))
    assert found.preset.extra_probe_defocus == 0
    np.testing.assert_array_equal(found.preset.aberrations, [-40_000, 300, 0])
    assert found.values["defocus"].tag == "default"


def test_an_object_may_start_from_random_phases() -> None:
    found = append_exp_params(given(num_obj_modes=2, obj_phase_sigma=0.1))
    again = append_exp_params(given(num_obj_modes=2, obj_phase_sigma=0.1))
    assert found.obj.shape[2:] == (1, 2)
    np.testing.assert_array_equal(found.obj, again.obj)
    np.testing.assert_allclose(np.abs(found.obj), 1)
    assert np.angle(found.obj).std() == pytest.approx(0.1, rel=0.05)
    Reconstruction(found)
    alike = calibrate_experiment(given(num_obj_modes=2))
    assert any("num_obj_modes" in warning for warning in alike.warnings)


def test_signals_of_virtual_detectors() -> None:
    patterns = scanned(SETTING).reshape(COUNT, WINDOW, WINDOW)
    y, x = np.indices((WINDOW, WINDOW)) - WINDOW / 2
    sectors = ((np.arctan2(y, x) + np.pi) // (np.pi / 2)).astype(int)
    inside = np.hypot(y, x) < RADIUS_PX
    masks = np.stack([(sectors == n) & inside for n in range(4)]).astype(float)
    signals = np.einsum("nyx,dyx->nd", patterns, masks)
    found = append_exp_params(given(dataset=signals, masks=masks, scan_size=SCAN))
    assert found.algorithm == "lsq_compressed"
    Reconstruction(found)
    with pytest.raises(ParameterError, match="PLRotation_deg"):
        append_exp_params(given(dataset=signals, masks=masks, scan_size=SCAN, PLRotation_deg="auto"))


def test_metadata_of_nion_swift(tmp_path: Path) -> None:
    path = tmp_path / "scan.json"
    field = STEP_A * (SCAN[1] - 1) / 10
    metadata = {"hardware_source": {"high_tension_v": 1e3 * KILOVOLTS}, "scan": {"fov_nm": field, "scan_size": list(SCAN)}}
    path.write_text(json.dumps({"metadata": metadata}), encoding="utf-8")
    patterns = scanned(SETTING).reshape(COUNT, WINDOW, WINDOW)
    found = calibrate_experiment(given(dataset=patterns, acc_voltage=None, scan_step_A=None, path_json=path))
    assert found.values["acc_voltage"].value == KILOVOLTS
    assert found.values["acc_voltage"].tag == found.values["scan_size"].tag == found.values["scan_step_A"].tag == "file"
    assert found.values["scan_step_A"].value == pytest.approx(STEP_A)
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(ParameterError, match="path_json"):
        append_exp_params(given(path_json=path))


def test_what_was_found_can_be_written_beside_the_run(tmp_path: Path) -> None:
    append_exp_params(given(output_folder=tmp_path / "run", save_preprocessing_files=True))
    written = json.loads((tmp_path / "run" / "calibration.json").read_text(encoding="utf-8"))
    assert written["values"]["radius"]["tag"] == "measured"
    assert written["values"]["defocus"] == {"value": -40_000, "uncertainty": None, "tag": "user", "source": ""}


def test_an_unknown_key_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownParameterError, match="did you mean 'scan_step_A'"):
        append_exp_params({"scan_stepA": 3})
    with pytest.raises(ParameterError, match="twice"):
        Experiment.of({"special_postions_A": [[0, 0]], "special_positions_A": [[0, 0]]})


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("acc_voltage", -3, "above 0"),
        ("acc_voltage", "300", "a number"),
        ("scan_size", (3.5, 2), "whole"),
        ("transform_axis_matrix", [[1, 1], [1, 1]], "inverted"),
        ("PLRotation_deg", "north", "a number"),
        ("aberrations", [np.nan], "finite"),
        ("special_positions_A", [1, 2, 3], "n × 2"),
        ("num_slices", 0, "at least 1"),
        ("flip_ky", "yes", "true or false"),
    ],
)
def test_a_wrong_value_is_refused_by_name(key: str, value: object, said: str) -> None:
    with pytest.raises(ParameterError, match=f"{key}.*{said}.*got"):
        append_exp_params(given(**{key: value}))


def test_near_field_has_no_disc() -> None:
    with pytest.raises(ParameterError, match="recon_type"):
        append_exp_params(given(), {"recon_type": "near_field"})


def test_no_data_is_said() -> None:
    with pytest.raises(ParameterError, match="data_path"):
        append_exp_params(given(dataset=None))
