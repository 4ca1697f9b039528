"""Results in other formats, each read back with the libraries other people read it with."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from nexusformat.nexus import NXdata, nxload
from PIL import Image

from pypty_nb import Preset, open_run, run_ptychography
from pypty_nb.params.legacy import carry_over
from pypty_nb.physics.phases import fitted_plane
from pypty_nb.physics.units import electron_wavelength
from pypty_nb.runs import RecordedRun, RunFolder, RunFolderError
from pypty_nb.runs.export import about, export, formats, nexus
from pypty_nb.runs.export.png import round_length
from pypty_nb.runs.result import Result
from tests.conftest import EPOCHS, _tiny


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Two slices, two object modes, two probe modes, pixels that are not square, two constraints, schedules."""
    preset = _tiny().copy()
    random = np.random.default_rng(3)
    side = 32
    obj = np.exp(0.1j * random.standard_normal((side, side, 2, 2)))
    preset.update(
        obj=obj,
        probe=np.concatenate([preset.probe, 0.3j * preset.probe], axis=2),
        num_slices=2,
        slice_distances=np.array([7.5]),
        pixel_size_x_A=0.4,
        save_loss_log=2,
        abs_norm_weight=1e-3,
        phase_norm_weight={"steps": [[0, 0], [2, 1e-3]]},
        update_probe="lambda x: x >= 2",
        output_folder=str(tmp_path_factory.mktemp("runs") / "007"),
    )
    run_ptychography(preset)
    return open_run(preset.output_folder)


def result(run: RunFolder) -> Result:
    return Result.of(run)


def test_every_format_is_found_and_says_what_it_is_for(run: RunFolder, tmp_path: Path) -> None:
    assert formats() == ["cxi", "npy", "nxs", "png", "tiff"]
    for form in formats():
        assert len(about(form)) > 20
        paths = export(run, form, tmp_path / form)
        # all of them, and no temporary file beside them
        assert set(paths) == set((tmp_path / form).iterdir()) and paths


# ---- NeXus
@pytest.fixture
def nxs(run: RunFolder, tmp_path: Path) -> Path:
    (path,) = export(run, "nxs", tmp_path)
    assert path.name == "007.nxs"
    return path


def test_a_nexus_reader_shows_the_phase_at_once(run: RunFolder, nxs: Path) -> None:
    root = nxload(str(nxs))
    shown = root.plottable_data
    assert isinstance(shown, NXdata) and shown.nxsignal.nxname == "phase"
    assert [axis.nxname for axis in shown.nxaxes] == ["mode", "z", "y", "x"]
    assert shown.nxsignal.attrs["units"] == "rad" and shown["x"].attrs["units"] == "angstrom"
    assert tuple(len(np.atleast_1d(axis.nxvalue)) for axis in shown.nxaxes) == shown.nxsignal.shape
    obj = result(run).point.obj
    np.testing.assert_allclose(np.diff(shown["x"].nxvalue), 0.4)
    np.testing.assert_allclose(np.diff(shown["y"].nxvalue), 0.3)
    np.testing.assert_allclose(shown["z"].nxvalue, [0, 7.5])
    # one orientation: mode, z, y, x
    np.testing.assert_array_equal(shown["transmission"].nxvalue[1, 0], obj[:, :, 0, 1])
    means = shown["mean_phase"].nxvalue[..., None, None]
    whole = shown["modulus"].nxvalue * np.exp(1j * (shown["phase"].nxvalue + means))
    np.testing.assert_allclose(whole, shown["transmission"].nxvalue, atol=1e-12)


def test_every_group_has_its_class_and_every_length_its_unit(nxs: Path) -> None:
    expected = {
        "entry": "NXentry", "entry/object": "NXdata", "entry/instrument": "NXinstrument", "entry/instrument/probe": "NXdata",
        "entry/instrument/scan": "NXdata", "entry/instrument/beam": "NXbeam", "entry/instrument/detector": "NXdetector",
        "entry/reconstruction": "NXprocess", "entry/reconstruction/loss": "NXdata",
    }  # fmt: skip
    with h5py.File(nxs) as file:
        for name, kind in expected.items():
            assert file[name].attrs["NX_class"] == kind

        def classed(_name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                assert item.attrs["NX_class"].startswith("NX")
                for default in ("default", "signal"):
                    assert default not in item.attrs or item.attrs[default] in item
            elif "parameters" not in item.name and item.name.split("/")[-1] in {
                "x",
                "y",
                "z",
                "positions",
                "pixel_size",
                "incident_wavelength",
            }:
                assert item.attrs["units"] == "angstrom"

        file.visititems(classed)
        beam = file["entry/instrument/beam"]
        assert beam["incident_energy"][()] == 80 and beam["incident_energy"].attrs["units"] == "keV"
        assert beam["incident_wavelength"][()] == electron_wavelength(80)


def test_the_scan_lies_on_the_object_s_axes(run: RunFolder, nxs: Path) -> None:
    point = result(run).point
    with h5py.File(nxs) as file:
        scan, obj, probe = file["entry/instrument/scan"], file["entry/object"], file["entry/instrument/probe"]
        np.testing.assert_allclose(scan["positions"][:, 0], (point.positions[:, 0] + 8) * 0.3)
        np.testing.assert_allclose(scan["positions"][:, 1], (point.positions[:, 1] + 8) * 0.4)
        np.testing.assert_array_equal(scan["y"][()], scan["positions"][:, 0])
        for axis in "yx":
            assert obj[axis][0] < scan[axis][()].min() and scan[axis][()].max() < obj[axis][-1]
        np.testing.assert_array_equal(probe["wave"][1], point.probe[:, :, 1])
        assert probe["x"][8] == probe["y"][8] == 0


def test_the_losses_and_their_terms(run: RunFolder, nxs: Path) -> None:
    rows = run.losses()
    with h5py.File(nxs) as file:
        log = file["entry/reconstruction/loss"]
        np.testing.assert_array_equal(log["epoch"], np.arange(EPOCHS + 1))
        np.testing.assert_array_equal(log["loss"], [float(row["loss"]) for row in rows])
        shares = [name for name in log.attrs["auxiliary_signals"] if name != "data"]
        assert len(shares) == 2 and all(np.any(log[name]) for name in shares)
        np.testing.assert_allclose(log["data"][()] + sum(log[name][()] for name in shares), log["loss"][()], rtol=1e-12)
        assert file["entry/reconstruction/program"][()] == b"pypty_nb"
        assert file["entry/reconstruction/version"][()] != b""


def test_a_nexus_file_brings_its_preset_back(run: RunFolder, nxs: Path) -> None:
    carried = carry_over(nxs)
    assert carried.left_out == ()
    expected = run.preset()
    expected.dataset = None
    assert carried.preset.diff(expected) == {}
    with h5py.File(nxs) as file:
        text = file["entry/reconstruction/preset"][()].decode()
        assert json.loads(text) == json.loads((run.path / "params.json").read_text(encoding="utf-8"))


def test_patterns_given_as_an_array_are_in_the_file_where_that_is_asked(tmp_path: Path) -> None:
    preset = _tiny().copy()
    for strip in (True, False):
        preset.update(epoch_max=1, strip_dataset_from_params=strip, output_folder=str(tmp_path / f"run{strip}"))
        run_ptychography(preset)
        run = open_run(preset.output_folder)
        (nxs,) = export(run, "nxs", tmp_path / "out")
        found = carry_over(nxs).preset.dataset
        assert found is None if strip else np.array_equal(found, preset.dataset)
        # the folder can be resumed either way
        assert np.array_equal(run.preset().dataset, preset.dataset)


def test_what_was_changed_in_mid_run_is_in_the_exports(tmp_path: Path) -> None:
    """The preset is the one in force at the end; beside it stands what was changed when."""
    preset = _tiny().copy()
    preset.update(num_slices=3, slice_distances=np.array([5.0]), epoch_max=4, obj=np.ones((32, 32, 3, 1), complex))
    run = RecordedRun.start(preset, tmp_path / "run")
    next(run)
    run.change({"propmethod": "better_multislice"})
    next(run)
    window = np.add.outer(np.arange(16.0), np.arange(16.0))
    run.change({"window": window, "window_weight": 1e-3})
    next(run), next(run)
    # made after the last epoch that is kept, and so no part of what it found
    run.change({"loss_weight": 3.0})
    run.close()
    expected = preset.copy()
    expected.update(propmethod="better_multislice", window=window, window_weight=1e-3, dataset=None)
    found = result(run.folder)
    np.testing.assert_allclose(found.depths, [0, 5, 10])
    assert (found.preset.propmethod, found.preset.loss_weight, found.epoch) == ("better_multislice", 1.0, 4)
    told = [[1, {"propmethod": ["multislice", "better_multislice"]}], [2, {"window_weight": ["0.0", "0.001"]}]]
    (nxs,), (cxi,) = (export(run.folder, form, tmp_path / "out") for form in ("nxs", "cxi"))
    assert carry_over(nxs).preset.diff(expected) == {}
    for path, where in ((nxs, "entry/reconstruction"), (cxi, "entry_1/image_1/process_1")):
        with h5py.File(path) as file:
            plain, changes = (json.loads(file[where][name][()]) for name in ("preset", "changes"))
        assert plain["propmethod"] == "better_multislice" and plain["window"]["array"]["shape"] == [16, 16]
        for change in changes:
            change["values"].pop("window", None)
        assert [[change["epoch"], change["values"]] for change in changes] == told


def test_a_method_that_was_never_reached_tells_nothing_of_the_slices(tmp_path: Path) -> None:
    preset = _tiny().copy()
    steps = {"steps": [[0, "multislice"], [5, "yoshida"]]}
    preset.update(
        num_slices=3, slice_distances=np.array([4.0, 8.0, 2.0]), propmethod=steps, obj=np.ones((32, 32, 3, 1), complex)
    )
    run = RecordedRun.start(preset, tmp_path / "run")
    next(run), next(run)
    run.stop()
    np.testing.assert_allclose(result(run.folder).depths, [0, 4, 12])


def test_nested_values_come_back_from_a_nexus_file(run: RunFolder, tmp_path: Path) -> None:
    found = result(run)
    preset = found.preset.copy()
    preset.update(fancy_sigma=((1.0, 2.0), None), hist_length="inf", atv_weight={"steps": [[0, 0.5], [3, 0]]})
    (path,) = nexus.write(replace(found, preset=preset), tmp_path)
    carried = carry_over(path)
    preset.dataset = None
    assert carried.left_out == () and carried.preset.diff(preset) == {}


# ---- CXI
def test_cxi_in_si_units(run: RunFolder, tmp_path: Path) -> None:
    (path,) = export(run, "cxi", tmp_path)
    found = result(run)
    with h5py.File(path) as file:
        assert file["cxi_version"][()] == 160
        entry = file["entry_1"]
        assert entry["instrument_1/source_1/energy"][()] == pytest.approx(80e3 * 1.602176634e-19)
        for mode in (0, 1):
            image = entry[f"image_{mode + 1}"]
            np.testing.assert_array_equal(image["data"][1], found.point.obj[:, :, 1, mode])
            assert image["dimensionality"][()] == 3 and image["data_space"][()] == b"real"
        ny, nx = found.point.obj.shape[:2]
        np.testing.assert_allclose(entry["image_1/image_size"], [nx * 0.4e-10, ny * 0.3e-10, 7.5e-10])
        assert (entry["object/x_pixel_size"][()], entry["probe/y_pixel_size"][()]) == pytest.approx((0.4e-10, 0.3e-10))
        np.testing.assert_array_equal(entry["probe/data"][1], found.point.probe[:, :, 1])
        places = entry["sample_1/geometry_1/translation"]
        assert places.shape == (25, 3) and places.attrs["units"] == "m"
        np.testing.assert_allclose(places[:, 0], (found.point.positions[:, 1] + 8) * 0.4e-10)


def test_one_slice_is_a_plain_image(tiny: Preset, tmp_path: Path) -> None:
    tiny.update(epoch_max=1, output_folder=str(tmp_path / "run"))
    point = run_ptychography(tiny).point
    (path,) = export(open_run(tmp_path / "run"), "cxi", tmp_path)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["entry_1/image_1/data"], point.obj[:, :, 0, 0])


# ---- TIFF
def test_tiff_values_and_the_pixel_size_as_imagej_reads_it(run: RunFolder, tmp_path: Path) -> None:
    paths = export(run, "tiff", tmp_path)
    found = result(run)
    planes = [f"s{s}_m{m}" for s in (0, 1) for m in (0, 1)]
    assert {path.stem for path in paths} == {
        *(f"object_{what}_{plane}" for what in ("phase", "modulus") for plane in planes),
        *(f"probe_modulus_m{m}" for m in (0, 1)),
    }
    for path in paths:
        with tifffile.TiffFile(path) as file:
            page, described = file.pages[0], file.imagej_metadata
            assert page.dtype == np.float32 and described is not None
            # ImageJ: pixels for each unit of the description, where the tag itself names neither inch nor centimetre
            assert described["unit"] == "nm" and page.tags["ResolutionUnit"].value == 1
            across, down = (np.divide(*page.tags[f"{axis}Resolution"].value) for axis in "XY")
            assert (1 / across, 1 / down) == pytest.approx((0.04, 0.03), rel=1e-6)
            if path.stem == "object_modulus_s1_m0":
                np.testing.assert_array_equal(page.asarray(), np.abs(found.point.obj[:, :, 1, 0]).astype(np.float32))
            if path.stem == "object_phase_s0_m1":
                turned = page.asarray() - np.angle(found.point.obj[:, :, 0, 1])
                assert np.ptp(np.exp(1j * turned)).round(5) == 0


# ---- PNG
def test_pictures_show_what_was_scanned(run: RunFolder, tmp_path: Path) -> None:
    found = result(run)
    rows, columns = (part.stop - part.start for part in found.scanned)
    for path in export(run, "png", tmp_path):
        with Image.open(path) as image:
            assert (image.format, image.mode) == ("PNG", "L") and max(image.size) >= 800
            assert image.getextrema() == (0, 255)
            assert image.info["Title"].startswith("007: ") and "black" in image.info["Description"]
            ny, nx = (rows, columns) if path.name.startswith("object") else (16, 16)
            # square on the picture what is square on the object
            assert image.width / image.height == pytest.approx(nx * 0.4 / (ny * 0.3), rel=5e-3)


def test_the_brightest_place_is_where_it_is(run: RunFolder, tmp_path: Path) -> None:
    export(run, "png", tmp_path)
    modulus = np.abs(result(run).point.probe[:, :, 0])
    with Image.open(tmp_path / "probe_modulus_m0.png") as image:
        small = np.asarray(image.resize((16, 16), Image.Resampling.BOX), float)
    assert np.corrcoef(small[:12].ravel(), modulus[:12].ravel())[0, 1] > 0.99


def bar_of(path: Path) -> tuple[int, Image.Image]:
    """Length in pixels of the longest run of white in the lower left, and the picture."""
    with Image.open(path) as image:
        image.load()
    corner = np.asarray(image)[-image.height // 6 :, : image.width // 2] == 255
    lengths = [max(map(len, "".join("x" if white else " " for white in row).split()), default=0) for row in corner]
    return max(lengths), image


@pytest.mark.parametrize(("pixel", "width"), [(0.05, 0.8), (0.3, 4.8), (12.5, 200.0)])
def test_the_scale_bar_is_as_long_as_it_says(tiny: Preset, tmp_path: Path, pixel: float, width: float) -> None:
    tiny.update(pixel_size_x_A=pixel, pixel_size_y_A=pixel, epoch_max=1, output_folder=str(tmp_path / "run"))
    run_ptychography(tiny)
    export(open_run(tmp_path / "run"), "png", tmp_path)
    length, image = bar_of(tmp_path / "probe_modulus_m0.png")
    shown = width / 10 * length / image.width
    assert shown == pytest.approx(round_length(width / 50), rel=0.01)
    assert 0.12 < length / image.width < 0.33


def test_lengths_nobody_gave_are_pixels(tiny: Preset, tmp_path: Path) -> None:
    tiny.reset("pixel_size_x_A", "pixel_size_y_A")
    tiny.update(epoch_max=1, output_folder=str(tmp_path / "run"))
    run_ptychography(tiny)
    run = open_run(tmp_path / "run")
    assert not Result.of(run).is_calibrated
    export(run, "png", tmp_path)
    # 16 pixels across: a bar of 2 or 5
    length, image = bar_of(tmp_path / "probe_modulus_m0.png")
    assert length / image.width == pytest.approx(round_length(16 / 5) / 16, rel=0.02)
    (path, *_) = export(run, "tiff", tmp_path)
    with tifffile.TiffFile(path) as file:
        assert "unit" not in (file.imagej_metadata or {})


@pytest.mark.parametrize(
    ("wished", "length"), [(1.0, 1), (1.4, 1), (1.5, 2), (3.1, 2), (3.3, 5), (7.2, 10), (0.032, 0.05), (480, 500)]
)
def test_round_lengths(wished: float, length: float) -> None:
    assert round_length(wished) == pytest.approx(length)


# ---- looking at the phase
def test_a_phase_without_ramp_and_wraps_inside_the_scan(run: RunFolder) -> None:
    found = result(run)
    ny, nx, *_ = found.point.obj.shape
    y, x = np.arange(ny)[:, None] - 15.5, np.arange(nx)[None, :] - 15.5
    hill = 9 * np.exp(-(y**2 + x**2) / 60)
    wave = np.exp(1j * (hill + 0.4 * y - 0.3 * x))[:, :, None, None]
    found = replace(found, point=replace(found.point, obj=wave))
    expected = hill[found.scanned]
    phase = found.levelled()
    assert phase.shape == expected.shape
    rest = phase - expected
    np.testing.assert_allclose(rest - fitted_plane(rest), 0, atol=1e-9)
    # what is left has no plane of its own
    np.testing.assert_allclose(np.gradient(fitted_plane(phase)), 0, atol=1e-9)
    assert found.levelled(crop=False).shape == (ny, nx)
    wrapped = found.levelled(ramp=False, unwrap=False)
    assert np.abs(wrapped).max() <= np.pi
    turned = np.exp(1j * (wrapped - np.angle(wave[:, :, 0, 0])[found.scanned]))
    np.testing.assert_allclose(turned, turned[0, 0], atol=1e-9)


# ---- what goes wrong
@pytest.mark.parametrize("form", formats())
def test_a_kill_or_a_full_disk_leaves_the_old_file(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    before = {path: path.read_bytes() for path in export(run, form, tmp_path)}

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFolderError, match="cannot be written: No space left"):
        export(run, form, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("method", "distances", "edge", "depths"),
    [
        ("multislice", [10.0], None, [0, 10, 20]),
        ("multislice", [10.0, 5.0], None, [0, 10, 15]),
        ("multislice", [10.0], 30.0, [0, 30, 60]),
        ("yoshida", [4.0, 8.0, 2.0], None, [0, 6, 11]),
    ],
)
def test_where_the_slices_lie(
    run: RunFolder, method: str, distances: list[float], edge: float | None, depths: list[float]
) -> None:
    found = result(run)
    preset = found.preset.copy()
    preset.update(propmethod=method, slice_distances=np.array(distances), edge_slice_thickness=edge)
    point = replace(found.point, obj=np.ones((32, 32, 3, 1), complex))
    np.testing.assert_allclose(replace(found, preset=preset, point=point).depths, depths)
