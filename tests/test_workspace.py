"""Opening files: what other data leave behind, presets of the original program, arrays, named starts."""

from __future__ import annotations

import asyncio
import pickle
import shutil
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pypty_nb.data import DataError
from pypty_nb.params import ParameterError, Preset, same, starts
from pypty_nb.records import EpochReport
from pypty_nb.workspace import Workspace
from pypty_nb.workspace.arrays import split
from pypty_nb.workspace.opening import defaults_for_other_data
from tests.real_data import measured


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, lambda state: None, lambda report: None)


def counts(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 9, shape, np.uint8)


#: What describes one measurement, and settings that another one keeps.
MEASURED: dict[str, Any] = {
    "dataset": counts(6, 8, 8),
    "scan_size": (2, 3),
    "probe": np.ones((12, 12, 2), complex),
    "obj": np.ones((20, 20, 1, 1), complex),
    "positions": np.zeros((6, 2)),
    "tilts": np.zeros((6, 6)),
    "beam_current": np.ones(6),
    "static_background": np.ones((8, 8)),
    "aperture_mask": np.ones((8, 8)),
    "mean_pattern": np.ones((8, 8)),
    "beam_ctf": np.ones((8, 8)),
    "probe_marker": np.zeros(6, int),
    "window": np.ones((8, 8)),
    "sequence": [0, 1],
    "phase_plate_in_h5": "plates.h5",
}
KEPT: dict[str, Any] = {
    "acc_voltage": 200.0,
    "pixel_size_x_A": 0.2,
    "slice_distances": [10.0, 12.0],
    "aberrations": [100.0, 3.0],
    "defocus_array": [500.0],
    "data_pad": 2,
    "flip_ky": True,
    "epoch_max": 7,
    "update_probe": "lambda x: x >= 2",
}


def test_other_data_replace_what_belonged_to_the_first(workspace: Workspace, tmp_path: Path) -> None:
    np.save(tmp_path / "other.npy", counts(4, 5, 16, 16))
    workspace.preset.update({**MEASURED, **KEPT})
    assert workspace.use_file(Path("other.npy")) == "other.npy: 4 × 5 × 16 × 16"
    preset = workspace.preset
    assert preset == Preset(**KEPT, data_path=str(tmp_path / "other.npy"), scan_size=(4, 5))
    workspace.history.undo()
    assert preset.scan_size == (2, 3)
    assert preset.probe.shape == (12, 12, 2)
    assert workspace.name == "untitled"


def test_small_things_stay() -> None:
    preset = Preset(window=[0.3, 0.5], static_background=12.0, tilts=np.full((1, 6), 0.1), defocus_array=[3.0])
    assert set(defaults_for_other_data(preset)) == {"dataset", "sequence", "scan_size", "phase_plate_in_h5"}


def test_virtual_detectors_go_with_their_loss(workspace: Workspace, tmp_path: Path) -> None:
    np.save(tmp_path / "other.npy", counts(6, 8, 8))
    workspace.preset.update(masks=np.ones((2, 8, 8)), dataset=np.ones((6, 2)), algorithm="lsq_compressed")
    workspace.use_file(Path("other.npy"))
    assert (workspace.preset.masks, workspace.preset.algorithm) == (None, "lsq_sqrt")


def test_the_same_file_again_keeps_its_arrays(workspace: Workspace, tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", counts(6, 8, 8))
    workspace.use_file(Path("scan.npy"))
    workspace.preset.update(positions=np.ones((6, 2)), scan_size=(2, 3))
    workspace.use_file(Path("scan.npy"))
    assert len(workspace.preset.positions) == 6
    assert workspace.preset.scan_size == (2, 3)


def test_modified_and_taken_home(workspace: Workspace, tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", counts(6, 8, 8))
    assert not workspace.modified
    workspace.use_file(Path("scan.npy"))
    assert not workspace.modified
    workspace.preset.epoch_max = 3
    assert workspace.modified
    workspace.mark_saved()
    assert not workspace.modified
    workspace.history.undo()
    assert workspace.modified


ORIGINAL = {
    "acc_voltage": 200, "update_probe": "lambda x: x >= 10", "data_path": "scan.npy", "epoch_max": -4, "puzzle": 3,
}  # fmt: skip


def test_a_pickle_of_the_original(workspace: Workspace, tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", counts(6, 8, 8))
    (tmp_path / "params.pkl").write_bytes(pickle.dumps(ORIGINAL))
    found = workspace.use_file(Path("params.pkl"))
    assert found == "Preset params.pkl of the original program, 3 values changed"
    assert workspace.preset.acc_voltage == 200
    assert workspace.preset.data_path == str(tmp_path / "scan.npy")
    left = workspace.opened.left_out
    assert len(left) == 2
    assert any("puzzle" in sentence for sentence in left)


@pytest.mark.parametrize("name", ["run.nxs", "run.h5"])
def test_the_originals_group_in_hdf5(workspace: Workspace, tmp_path: Path, name: str) -> None:
    with h5py.File(tmp_path / name, "w") as file:
        file.create_group("entry/reconstruction/reconstruction parameters")["acc_voltage"] = 300.0
    workspace.use_file(Path(name))
    assert workspace.preset.acc_voltage == 300
    assert workspace.opened.left_out == ()


@pytest.mark.real_data
def test_patterns_in_a_nexus_file(workspace: Workspace, tmp_path: Path) -> None:
    """The ending is that of the original program's presets as well."""
    name = "nx_example_nxptycho_cxi_compatible_raster.nxs"
    shutil.copyfile(measured(f"vendor_formats/nexus_ptycho/{name}"), tmp_path / name)
    words = workspace.use_file(Path(name))
    dataset = workspace.dataset()
    assert dataset is not None and words == f"{name}: 10 × 10 × 32 × 32"
    assert not workspace.opened.confirmed and "positions" in dataset.metadata
    (tmp_path / "cut.nxs").write_bytes((tmp_path / name).read_bytes()[:3000])
    with pytest.raises(DataError, match=r"cut\.nxs: cannot be read as HDF5: .*cut off"):
        workspace.use_file(Path("cut.nxs"))


def test_an_hdf5_file_with_neither_says_what_patterns_need(workspace: Workspace, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "no.h5", "w") as file:
        file["image"] = np.ones((4, 4))
    before = workspace.preset.copy()
    with pytest.raises(DataError, match=r"no dataset 'data' and no other array of patterns; it holds /image") as caught:
        workspace.use_file(Path("no.h5"))
    assert str(tmp_path) not in workspace.shortened(str(caught.value))
    assert workspace.preset == before
    assert workspace.history.undoable == ""


def test_an_exported_preset_is_opened_again(workspace: Workspace, tmp_path: Path) -> None:
    workspace.preset.update({**MEASURED, **KEPT, "strip_dataset_from_params": False})
    before = workspace.preset.copy()
    name, content = workspace.exported()
    assert name == "untitled.zip"
    (tmp_path / name).write_bytes(content)
    workspace.preset.reset()
    assert workspace.use_file(Path(name)) == "Preset untitled.zip"
    assert workspace.preset == before


@pytest.mark.parametrize(
    "members",
    [{}, {"a.json": "{}", "b.json": "{}"}, {"../a.json": "{}"}, {"a.json": "{}", "a.py": ""}, {"f/a.json": "{}"}, {"a.h5": ""}],
)
def test_other_archives_are_refused(workspace: Workspace, tmp_path: Path, members: dict[str, str]) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ParameterError, match="packed preset holds one"):
        workspace.use_file(Path("a.zip"))


def test_no_archive_at_all(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK nothing")
    with pytest.raises(ParameterError, match="cannot be unpacked"):
        workspace.use_file(Path("a.zip"))


# ---- arrays
@pytest.mark.parametrize(
    ("typed", "file", "dataset"),
    [
        ("a.npy", "a.npy", ""),
        (" sub/a.H5 ", "sub/a.H5", ""),
        ("a.h5:entry/probe", "a.h5", "entry/probe"),
        ("sub.h5/a.h5:x", "sub.h5", "a.h5:x"),
        ("a.hdf5/entry/probe", "a.hdf5", "entry/probe"),
        ("a.nxs::/entry", "a.nxs", "entry"),
    ],
)
def test_file_and_dataset(typed: str, file: str, dataset: str) -> None:
    assert split(typed) == (Path(file), dataset)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    np.save(tmp_path / "probe.npy", np.full((8, 8, 2), 1 + 1j, np.complex64))
    with h5py.File(tmp_path / "arrays.h5", "w") as file:
        file["entry/probe"] = np.ones((8, 8, 1))
        file["entry/positions"] = np.zeros((6, 2))
        file["entry/offsets"] = np.ones((6, 2))
        file["entry/name"] = "text"
        file["away"] = h5py.ExternalLink("../outside.h5", "secret")
    with h5py.File(tmp_path.parent / "outside.h5", "w") as file:
        file["secret"] = np.ones((8, 8, 1))
    return tmp_path


def test_an_array_is_loaded(workspace: Workspace, stored: Path) -> None:
    workspace.load_array("probe", "probe.npy")
    assert workspace.preset.probe.shape == (8, 8, 2)
    assert workspace.preset.probe.dtype == np.complex64
    assert workspace.history.undoable == "load Initial probe"
    workspace.load_array("probe", "arrays.h5")
    assert workspace.preset.probe.shape == (8, 8, 1)
    workspace.load_array("positions", "arrays.h5:entry/offsets")
    assert workspace.preset.positions.tolist() == [[1, 1]] * 6
    workspace.history.undo()
    workspace.history.undo()
    assert workspace.preset.probe.shape == (8, 8, 2)


@pytest.mark.parametrize(
    ("name", "typed", "message"),
    [
        ("probe", "gone.npy", "there is no file gone.npy"),
        ("probe", "../outside.h5:secret", "outside the project folder"),
        ("probe", "/etc/passwd", "outside the project folder"),
        ("probe", "arrays.h5:away", "lies in another file"),
        ("probe", "arrays.h5:entry", "has no dataset 'entry'"),
        ("probe", "arrays.h5:entry/name", "an array is of numbers"),
        ("positions", "arrays.h5", r"entry/offsets \(6 × 2\), entry/positions \(6 × 2\)"),
        ("positions", "probe.npy", r"positions: must be an array"),
        ("probe", "probe.txt", "arrays are read from .npy"),
        ("probe", "bad.npy", "cannot be read"),
        ("probe", "objects.npy", "cannot be read"),
        ("probe", "bad.h5", "cannot be read"),
    ],
)
def test_an_array_is_refused(workspace: Workspace, stored: Path, name: str, typed: str, message: str) -> None:
    (stored / "bad.npy").write_bytes(b"nothing")
    (stored / "bad.h5").write_bytes(b"nothing")
    np.save(stored / "objects.npy", np.array([{}], dtype=object))
    before = workspace.preset.copy()
    with pytest.raises(ParameterError, match=message) as caught:
        workspace.load_array(name, typed)
    assert f"{stored}/" not in str(caught.value)
    assert workspace.preset == before


# ---- named starts
@pytest.mark.parametrize("name", starts.available())
def test_a_start_is_taken_with_the_data_at_hand(workspace: Workspace, name: str) -> None:
    workspace.preset.update({**MEASURED, **KEPT, "atv_weight": 1e-3, "compute_batch": 7})
    before = workspace.preset.copy()
    workspace.use_start(name)
    preset = workspace.preset
    for kept in (*MEASURED.keys() - {"window"}, "acc_voltage", "pixel_size_x_A", "aberrations", "data_pad", "flip_ky"):
        assert same(preset[kept], before[kept]), kept
    for given, (_, value) in Preset.named(name).diff().items():
        assert same(preset[given], value), given
    assert preset.atv_weight == Preset.named(name).atv_weight
    assert preset.compute_batch in {1, "auto"}
    assert workspace.history.undoable == f"start “{name}”"
    workspace.history.undo()
    assert preset == before


def test_a_start_leaves_virtual_detectors_their_loss(workspace: Workspace) -> None:
    workspace.preset.update(masks=np.ones((2, 8, 8)), dataset=np.ones((6, 2)), algorithm="lsq_compressed")
    workspace.use_start("default")
    assert workspace.preset.algorithm == "lsq_compressed"


def test_an_unknown_start(workspace: Workspace) -> None:
    with pytest.raises(ParameterError, match="there are default"):
        workspace.use_start("best")


def test_a_run_of_the_page_names_every_constraint(tiny: Preset, tmp_path: Path) -> None:
    reports: list[EpochReport] = []
    workspace = Workspace(tmp_path, lambda state: None, reports.append)
    workspace.preset.update(dict(tiny.items()) | {"phase_norm_weight": 0.2, "epoch_max": 3})

    async def use() -> None:
        await workspace.start()

    asyncio.run(use())
    assert workspace.preset.save_loss_log == 1 and not workspace.preset.is_changed("save_loss_log")
    header = (tmp_path / "runs" / "001" / "loss.csv").read_text().splitlines()[0]
    assert "Constraints contribution" not in header
    assert reports and all(len(report.terms) == 2 and "Constraints contribution" not in report.terms for report in reports)


# ---- presets brought along
def test_a_preset_is_brought_back(workspace: Workspace, tmp_path: Path) -> None:
    """As it was exported, zipped or not; and as it lies on a disk, JSON and arrays."""
    workspace.preset.update(acc_voltage=123.0, positions=np.arange(200.0).reshape(100, 2))
    before = workspace.preset.copy()
    name, content = workspace.exported()
    path = before.to_json(tmp_path / "elsewhere.json")
    pair = {f"C:\\mine\\{path.name}": path.read_bytes(), "elsewhere.h5": path.with_suffix(".h5").read_bytes()}
    for files, kept in ((({name: content}), "untitled.zip"), ({name: content}, "untitled-2.zip"), (pair, "elsewhere.zip")):
        workspace.preset.update(acc_voltage=80.0, positions=np.zeros((1, 2)))
        assert workspace.use_upload(files) == f"Preset {kept}"
        assert workspace.preset == before and workspace.opened.name == Path(kept).stem
    assert (tmp_path / "uploads" / "untitled.zip").read_bytes() == content


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../up.json", "up.json"),
        ("/etc/cron.d/x.json", "x.json"),
        ("..\\..\\up.json", "up.json"),
        ("...json", "preset.json"),
        ("..json", "preset.json"),
        ("-rf *.json", "rf.json"),
        ("<img src=x onerror=alert(1)>.JSON", "img_src_x_onerror_alert_1.json"),
        ("a\0b\n.json", "a_b.json"),
        (f"{'ä' * 300}.json", f"{'ä' * 60}.json"),
        ("über Nacht 2.json", "über_Nacht_2.json"),
    ],
)
def test_hostile_names_are_made_safe(workspace: Workspace, tmp_path: Path, name: str, kept: str) -> None:
    workspace.use_upload({name: b'{"acc_voltage": 60}'})
    assert workspace.preset.acc_voltage == 60
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == [kept]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "0 files were sent; send one preset"),
        ({"a.json": b"{}", "b.json": b"{}"}, "2 files were sent"),
        ({"a/x.json": b"{}", "b/x.json": b"{}"}, "2 files were sent"),
        ({"scan.mib": b"MQ1"}, r"scan\.mib: a preset ends in \.json"),
        ({".bashrc": b"x"}, r"\.bashrc: a preset ends in"),
        ({"note.json": b"a note"}, "no valid JSON"),
        ({"note.zip": b"a note"}, "cannot be unpacked"),
        ({"big.h5": b"0" * 1001}, "more than the 0 MiB that can be sent"),
    ],
)
def test_other_uploads_are_refused_and_leave_nothing(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], reason: str
) -> None:
    monkeypatch.setattr("pypty_nb.workspace.uploads.MOST", 1000)
    with pytest.raises(ParameterError, match=reason):
        workspace.use_upload(files)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_uploads_stay_in_the_project_folder(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (workspace.root / "uploads").symlink_to(outside)
    with pytest.raises(ParameterError, match="outside the project folder"):
        workspace.use_upload({"a.json": b"{}"})
    assert list(outside.iterdir()) == []


def test_arrays_brought_along_read_nothing_else(workspace: Workspace, tmp_path: Path) -> None:
    """The .h5 beside the JSON in a zip could link to any file of this machine."""
    before = Preset(positions=np.arange(200.0).reshape(100, 2))
    path = before.to_json(tmp_path / "secret.json")
    with h5py.File(tmp_path / "mine.h5", "w") as file:
        file["positions"] = h5py.ExternalLink(str(path.with_suffix(".h5")), "positions")
    files = {"mine.json": path.read_bytes().replace(b"secret.h5", b"mine.h5"), "mine.h5": (tmp_path / "mine.h5").read_bytes()}
    with pytest.raises(ParameterError, match="lies in another file"):
        workspace.use_upload(files)
