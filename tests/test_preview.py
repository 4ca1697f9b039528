"""What step 1 reads of a file, and what steps 2 and 3 make of it, without a page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pypty_nb.data import DataError
from pypty_nb.data.dataset import ArrayDataset
from pypty_nb.params import ParameterError, Preset
from pypty_nb.physics.units import electron_wavelength
from pypty_nb.workspace import Workspace
from pypty_nb.workspace.calibration import Geometry, changes, experiment_of, measured, orientations, pixel_found, reading_stated
from pypty_nb.workspace.preview import Detector, StoppedError, image_under, look_into
from tests.real_data import measured as real_file


def patterns() -> np.ndarray:
    """30 patterns of 24 × 26 px with a disc of 5 px about (10, 12), brighter from one to the next."""
    y, x = np.indices((24, 26))
    disc = np.hypot(y - 10, x - 12) < 5
    return (np.arange(1, 31)[:, None, None] * (10 * disc + 1)).astype(np.uint16)


def never() -> bool:
    return False


def test_one_pass_gives_all_that_is_shown() -> None:
    told: list[tuple[int, int]] = []
    data = patterns()
    found = look_into(ArrayDataset(data), lambda done, of: told.append((done, of)), never)
    np.testing.assert_allclose(found.mean_pattern, data.mean(axis=0))
    np.testing.assert_array_equal(found.totals, data.sum(axis=(1, 2)))
    disc = found.detectors["disc"]
    assert disc.centre == pytest.approx((10, 12), abs=1e-9)
    assert np.pi * disc.outer**2 == pytest.approx(disc.mask((24, 26)).sum(), rel=0.05)
    np.testing.assert_array_equal(found.images["disc"], data[:, disc.mask((24, 26))].sum(axis=1))
    np.testing.assert_array_equal(found.images["ring"], data[:, found.detectors["ring"].mask((24, 26))].sum(axis=1))
    assert told[-1] == (30, 30)
    np.testing.assert_array_equal(found.pattern(7), data[7])
    counts, many = found.histogram()
    assert many.sum() == 30
    assert counts.min() > found.totals.min()


def test_reading_can_be_called_off() -> None:
    with pytest.raises(StoppedError):
        look_into(ArrayDataset(patterns()), lambda done, of: None, lambda: True)
    found = look_into(ArrayDataset(patterns()), lambda done, of: None, never)
    with pytest.raises(StoppedError):
        image_under(found, found.detectors["ring"], lambda done, of: None, lambda: True)


def test_signals_have_nothing_to_look_at() -> None:
    with pytest.raises(DataError, match="holds signals of virtual detectors"):
        look_into(ArrayDataset(np.ones((6, 3)), signals=True), lambda done, of: None, never)


def test_hot_pixels_do_not_make_the_disc() -> None:
    data = patterns()
    data[:, 20, 3] = 60000
    assert look_into(ArrayDataset(data), lambda done, of: None, never).detectors["disc"].outer == pytest.approx(4.7, abs=0.1)


def test_a_click_moves_the_nearest_edge() -> None:
    ring = Detector("ring", (10.0, 12.0), 6.0, 10.0)
    assert ring.reaching(10, 12 + 6.8).edges == pytest.approx((6.8, 10))
    assert ring.reaching(10, 12 + 9).edges == pytest.approx((6, 9))
    assert ring.reaching(10, 12 + 30).edges == pytest.approx((6, 30))
    assert Detector("disc", (10.0, 12.0), 0.0, 5.0).reaching(13, 16).edges == pytest.approx((5,))
    assert Detector("disc", (10.0, 12.0), 0.0, 5.0).reaching(10, 12).outer == 0.5
    with pytest.raises(DataError, match="no pixel"):
        Detector("ring", (10.0, 12.0), 100.0, 101.0).mask((24, 26))


def test_a_file_is_confirmed_once(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", np.ones((6, 16, 16), np.uint8))
    workspace = Workspace(tmp_path, lambda state: None, lambda report: None)
    assert workspace.opened.confirmed
    workspace.use_file(Path("scan.npy"))
    assert not workspace.opened.confirmed
    workspace.confirm({"scan_size": (2, 3)})
    assert workspace.opened.confirmed
    assert workspace.preset.scan_size == (2, 3)
    with pytest.raises(ParameterError):
        workspace.confirm({"acc_voltage": -1})
    workspace.history.undo()
    assert not workspace.opened.confirmed
    dataset = workspace.dataset()
    assert dataset is not None
    assert dataset.shape == (6, 16, 16)


# ---- pixel sizes
def test_a_pixel_in_every_unit() -> None:
    """The same pixel, there and back, against the definitions λ k = θ and Δx = 1/(N Δk)."""
    geometry = Geometry(192, 300.0, 1.03)
    told = geometry.told({"rez_pixel_size_mrad": 0.033077})
    assert told["Å⁻¹"] == pytest.approx(0.033077e-3 / electron_wavelength(300.0))
    assert told["Å, object"] == pytest.approx(1 / (192 * told["Å⁻¹"]))
    assert told["px, disc radius"] == pytest.approx(1.03 / 0.033077)
    for unit, value in told.items():
        assert geometry.told(geometry.stated(value, unit)) == pytest.approx(told)
    # a statement that needs no voltage is taken without one
    bare = Geometry(192)
    assert bare.stated(0.1, "Å⁻¹") == {"rez_pixel_size_A": 0.1}
    assert bare.told(bare.stated(0.05, "Å, object")) == pytest.approx({"Å⁻¹": 1 / (192 * 0.05), "Å, object": 0.05})
    assert bare.told(bare.stated(31.0, "mrad")) == {"mrad": 31.0}
    with pytest.raises(ParameterError, match="needs the semi-angle"):
        bare.stated(31.0, "px, disc radius")


@pytest.mark.parametrize(("binning", "up"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_the_object_pixel_that_is_typed_is_the_one_of_the_preset(binning: int, up: int) -> None:
    """Before anything is measured: padding, binning and upsampling are those that the calibration comes to."""
    y, x = np.indices((36, 36)) - 18
    data = np.random.default_rng(5).poisson(np.where(np.hypot(y, x) < 9, 40.0, 1.0), (20, 36, 36)).astype(np.float64)
    positions = np.random.default_rng(6).uniform(0, 40, (20, 2))
    preset = Preset(dataset=data, data_bin=binning, upsample_pattern=up)
    geometry = Geometry.of(preset, ArrayDataset(data), {"acc_voltage": 80.0})
    assert geometry.voltage == 80
    stated = {"acc_voltage": 80.0, "defocus": -100.0, "special_positions_A": positions, **geometry.stated(0.4, "Å, object")}
    found = measured(preset, ArrayDataset(data), stated)
    assert found.preset.pixel_size_x_A == pytest.approx(0.4)
    assert pixel_found(found) == pytest.approx(
        replace(geometry, semiangle=found.values["conv_semiangle_mrad"].value).told(stated)
    )


def test_what_is_typed_wins_over_the_file() -> None:
    dataset = ArrayDataset(patterns())
    preset = Preset(acc_voltage=80, scan_size=(5, 6), dataset=patterns())
    known = experiment_of(preset, dataset, {"conv_semiangle_mrad": 1.0})
    assert set(known) == {"acc_voltage", "scan_size", "dataset", "conv_semiangle_mrad"}
    assert known["acc_voltage"] == 80


@pytest.mark.real_data
@pytest.mark.timeout(300)
def test_the_rotavirus_file_step_by_step(tmp_path: Path) -> None:
    """From the file alone to a calibrated preset, and the same with a reading that a person states."""
    path = real_file("rotavirus_4dstem/dev_44x52_bin2_128.h5")
    (tmp_path / path.name).write_bytes(path.read_bytes())
    workspace = Workspace(tmp_path, lambda state: None, lambda report: None)
    workspace.use_file(Path(path.name))
    dataset = workspace.dataset()
    assert dataset is not None
    found = measured(workspace.confined().copy(), dataset, {})
    assert found.disc.radius == pytest.approx(31, abs=1)
    assert found.values["acc_voltage"].tag == "file"
    assert found.maps is not None
    assert found.orientation is not None
    eight = orientations(found.maps, found.orientation.rotation_deg, found.orientation.reading)
    scores = {candidate.reading: candidate.score for candidate in eight.candidates}
    assert len(scores) == 8
    assert scores[found.orientation.reading] == pytest.approx(min(scores.values()))
    least = eight.angles[int(np.argmin(eight.curl))] % 180
    # the centre of mass tells the rotation less sharply than the shadow images do
    assert abs((least - found.orientation.rotation_deg + 90) % 180 - 90) < 10
    values = changes(workspace.preset, found)
    workspace.history.change(values, "calibrate")
    assert changes(workspace.preset, found) == {}
    assert workspace.preset.positions.shape == (44 * 52, 2)
    stated = measured(workspace.confined().copy(), dataset, reading_stated("flip y", -30.0))
    assert stated.values["PLRotation_deg"].tag == "user"
    workspace.history.undo()
    assert not workspace.preset.is_changed("positions")
