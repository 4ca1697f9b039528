"""Orientation and C10 found from simulated scans of every reading, rotation and focus."""

from __future__ import annotations

import numpy as np
import pytest

from pypty_nb.data.dataset import ArrayDataset
from pypty_nb.initialize import calibrate_experiment
from pypty_nb.initialize.aperture import fit_disc
from pypty_nb.initialize.defocus import estimate_focus
from pypty_nb.initialize.orientation import (
    c10_sign_of,
    common_score,
    curl_against_rotation,
    find_orientation,
    orientation_candidates,
)
from pypty_nb.initialize.scan_grid import READINGS, positions_px, rotation_of, scan_matrix, split
from pypty_nb.initialize.shadow import Shadows, shadow_shifts
from pypty_nb.initialize.survey import ScanMaps, survey
from pypty_nb.initialize.virtual import mean_pattern
from tests.scans import KILOVOLTS, PIXEL_MRAD, SCAN, STEP_A, Setting, scanned

STATED = {"acc_voltage": KILOVOLTS, "scan_step_A": STEP_A, "rez_pixel_size_mrad": PIXEL_MRAD}


def looked_at(setting: Setting) -> tuple[ScanMaps, Shadows]:
    dataset = ArrayDataset(scanned(setting))
    maps = survey(dataset, fit_disc(mean_pattern(dataset)), SCAN)
    return maps, shadow_shifts(maps)


def turn_between(found: np.ndarray, true: np.ndarray) -> float:
    """Degrees between two orientations; they must not be mirror images."""
    turn = found @ true.T
    assert np.linalg.det(turn) > 0
    return float(np.rad2deg(np.arctan2(turn[1, 0] - turn[0, 1], turn[0, 0] + turn[1, 1])))


def test_positions_are_turned_as_specified() -> None:
    turn = np.deg2rad(-30.0)
    y, x = 2.0, 5.0
    expected = (-x * np.sin(turn) + y * np.cos(turn), x * np.cos(turn) + y * np.sin(turn))
    np.testing.assert_allclose(scan_matrix(30.0) @ [y, x], expected)
    # the axes are exchanged first, then turned
    np.testing.assert_allclose(scan_matrix(30.0, "transpose") @ [x, y], expected)
    found = positions_px(np.array([[0.0, 0.0], [y, x]]), scan_matrix(30.0), (0.5, 0.25))
    moved = np.array([[0.0, 0.0], expected])
    np.testing.assert_allclose(found, (moved - moved.min(axis=0)) / [0.5, 0.25])


@pytest.mark.parametrize("name", READINGS)
@pytest.mark.parametrize("rotation", [-44.0, 0.0, 31.0])
def test_an_orientation_is_one_reading_and_one_rotation(name: str, rotation: float) -> None:
    assert split(scan_matrix(rotation, name)) == (name, pytest.approx(rotation, abs=1e-9))
    assert rotation_of(scan_matrix(rotation, name), READINGS[name]) == pytest.approx(rotation, abs=1e-9)


@pytest.mark.parametrize("c10", [-40_000.0, 40_000.0])
@pytest.mark.parametrize("rotation", [0.0, 17.0, -40.0])
@pytest.mark.parametrize("name", READINGS)
def test_out_of_focus(name: str, rotation: float, c10: float) -> None:
    """Rotation and C10 for every reading; the sign of C10 is stated, since here the dark field is too blurred to tell."""
    maps, shadows = looked_at(Setting(name, rotation, c10))
    found = find_orientation(maps, shadows, c10_sign=int(np.sign(c10)))
    assert found.reading == name
    assert turn_between(found.matrix, scan_matrix(rotation, name)) == pytest.approx(0, abs=2)
    assert found.uncertainty_deg < 2
    focus = estimate_focus(shadows, found.matrix, STEP_A, 1e-3 * PIXEL_MRAD)
    assert focus.c10 == pytest.approx(c10, rel=0.06)
    assert abs(focus.c10 - c10) < 4 * focus.uncertainty
    assert np.hypot(focus.c12a, focus.c12b) < 0.06 * abs(c10)


@pytest.mark.parametrize("c10", [0.0, 15_000.0])
@pytest.mark.parametrize(
    ("name", "rotation"), [("as read", 17.0), ("flip y", -40.0), ("rotate 90°", 0.0), ("anti-transpose", 30.0)]
)
def test_near_focus(name: str, rotation: float, c10: float) -> None:
    """Centre of mass for the rotation, dark field for the 180°: nothing is stated."""
    maps, shadows = looked_at(Setting(name, rotation, c10))
    found = find_orientation(maps, shadows)
    assert found.reading == name
    assert found.sign_settled
    assert turn_between(found.matrix, scan_matrix(rotation, name)) == pytest.approx(0, abs=5)
    focus = estimate_focus(shadows, found.matrix, STEP_A, 1e-3 * PIXEL_MRAD)
    assert abs(focus.c10 - c10) < 5000 if shadows.clear else True


def test_a_trial_tells_which_way_round() -> None:
    """A beam so blurred that the dark field tells nothing."""
    true = Setting("flip x", 20.0, 80_000.0, seed=1)
    found = calibrate_experiment(STATED | {"dataset": scanned(true)})
    assert found.orientation is not None
    assert found.trial is not None and abs(found.trial.score) > 4
    assert found.orientation.reading == "flip x"
    assert found.values["defocus"].value == pytest.approx(80_000, rel=0.05)
    assert found.values["transform_axis_matrix"].tag == "measured"
    assert "trial" in found.values["PLRotation_deg"].source
    assert "trial phase" in found.images


def test_the_twin_turned_by_180_degrees_has_the_other_sign_of_c10() -> None:
    maps, shadows = looked_at(Setting("transpose", 10.0, -40_000.0))
    for sign in (1, -1):
        found = find_orientation(maps, shadows, c10_sign=sign)
        assert c10_sign_of(shadows, found.matrix) == sign
        focus = estimate_focus(shadows, found.matrix, STEP_A, 1e-3 * PIXEL_MRAD)
        assert focus.c10 == pytest.approx(sign * 40_000, rel=0.06)


def test_stated_axes_are_kept() -> None:
    maps, shadows = looked_at(Setting("rotate 180°", 17.0, -40_000.0))
    axes = READINGS["as read"]
    found = find_orientation(maps, shadows, axes=axes, c10_sign=-1)
    assert rotation_of(found.matrix, axes) == pytest.approx(17 - 180, abs=2)


def test_a_stated_rotation_that_the_shadows_deny_is_pointed_out() -> None:
    given = STATED | {"dataset": scanned(Setting("as read", 17.0, -40_000.0)), "PLRotation_deg": 37.0}
    found = calibrate_experiment(given)
    assert found.values["PLRotation_deg"].tag == "user"
    assert any("PLRotation_deg: 37° (as you state), but shadow images tell 1" in warning for warning in found.warnings)


def test_stated_axes_that_mirror_the_scan_are_pointed_out() -> None:
    given = STATED | {"dataset": scanned(Setting("flip x", 17.0, -40_000.0)), "defocus": -40_000.0}
    said = "transform_axis_matrix: as you state, but shadow images tell that the scan is mirrored: flip x at 1"
    assert any(said in warning for warning in calibrate_experiment(given | {"transform_axis_matrix": np.eye(2)}).warnings)
    assert not calibrate_experiment(given | {"transform_axis_matrix": READINGS["flip y"]}).warnings


def test_a_sign_of_c10_that_the_dark_field_denies_is_pointed_out() -> None:
    given = STATED | {"dataset": scanned(Setting("flip x", 17.0, -20_000.0))}
    (said,) = calibrate_experiment(given | {"defocus": 20_000.0}).warnings
    assert said.startswith("defocus: with C10 20000 Å (as you state)") and said.endswith("check the sign")
    assert not calibrate_experiment(given | {"defocus": -20_000.0}).warnings


def test_candidates_for_the_page() -> None:
    maps, _ = looked_at(Setting("flip y", 17.0, 0.0))
    candidates = orientation_candidates(maps, 17.0)
    assert [candidate.reading for candidate in candidates] == list(READINGS)
    scores = {candidate.reading: candidate.score for candidate in candidates}
    # the same turned by 180° scores the same: its phase is the negative
    assert min(scores, key=lambda name: scores[name]) in {"flip y", "flip x"}
    assert scores["flip y"] == pytest.approx(scores["flip x"])
    phases = {candidate.reading: candidate.phase for candidate in candidates}
    np.testing.assert_allclose(phases["flip y"], -phases["flip x"], atol=1e-12)
    assert phases["as read"].shape == SCAN
    angles, curl = curl_against_rotation(maps, "flip y")
    assert angles[np.argmin(curl)] % 180 == pytest.approx(17, abs=6)
    index = int(np.argmin(np.abs(angles - 17)))
    chosen = next(candidate for candidate in candidates if candidate.reading == "flip y")
    assert curl[index] == pytest.approx(chosen.curl, rel=0.05)


def test_the_score_of_unrelated_images_is_normal() -> None:
    random = np.random.default_rng(3)
    scores = [common_score(*random.standard_normal((2, 40, 40))) for _ in range(300)]
    assert np.mean(scores) == pytest.approx(0, abs=0.25)
    assert np.std(scores) == pytest.approx(1, abs=0.15)
    image = random.standard_normal((40, 40))
    assert common_score(image, image) > 10
