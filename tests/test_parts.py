"""Files made of several: each part must lie in the project folder, wherever HDF5 or a maker's reader would look for it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from pypty_nb.data import open_dataset
from pypty_nb.params import ParameterError, Preset
from pypty_nb.runs import Phase, RunFolder, RunState
from pypty_nb.runs.state import Owner, write_state
from pypty_nb.workspace import Jobs, Ledger, Workspace
from pypty_nb.workspace.lookout import Lookout
from tests.real_data import measured

SHAPE = (4, 8, 8)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A project folder, and this process in it as a run is."""
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    monkeypatch.chdir(root)
    return Workspace(root, lambda state: None, lambda report: None)


def write_linked(path: Path, kind: str, name: str) -> None:
    """A file whose patterns are in the file `name`, in one of HDF5's ways."""
    with h5py.File(path, "w") as file:
        if kind == "link":
            file["data"] = h5py.ExternalLink(name, "data")
        elif kind == "virtual":
            layout = h5py.VirtualLayout(SHAPE, np.uint8)
            layout[:] = h5py.VirtualSource(name, "data", SHAPE)
            file.create_virtual_dataset("data", layout)
        elif kind == "raw":
            file.create_dataset("data", SHAPE, np.uint8, external=[(name, 0, 256)])
        else:
            made, unlimited = h5p.create(h5p.DATASET_CREATE), (h5s.UNLIMITED, *SHAPE[1:])
            blocks = h5s.create_simple(SHAPE, unlimited)
            blocks.select_hyperslab((0, 0, 0), (h5s.UNLIMITED, 1, 1), SHAPE, SHAPE)
            made.set_virtual(blocks, name.encode(), b"data", h5s.create_simple(SHAPE))
            h5d.create(file.id, b"data", h5t.NATIVE_UINT8, h5s.create_simple(SHAPE, unlimited), made)


def refused(workspace: Workspace, name: str, words: str = "outside the project folder") -> None:
    with pytest.raises(ParameterError, match=words):
        workspace.use_file(Path(name))
    workspace.preset.data_path = name
    with pytest.raises(ParameterError, match=words):
        workspace.confined()
    with pytest.raises(ParameterError, match=words):
        workspace.use_axes("pattern, ky, kx")


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(("kind", "name"), [("link", "../secret.h5"), ("virtual", "../secret.h5"), ("raw", "../secret.bin")])
def test_names_are_taken_from_the_current_folder_as_well(workspace: Workspace, kind: str, name: str, there: bool) -> None:
    """From ``sub`` they would lead into the project folder; HDF5 tries them from that folder too, and a run is in it."""
    secret = np.full(SHAPE, 7, np.uint8)
    if there:
        (workspace.root.parent / "secret.bin").write_bytes(secret.tobytes())
        with h5py.File(workspace.root.parent / "secret.h5", "w") as file:
            file["data"] = secret
    write_linked(workspace.root / "sub" / "scan.h5", kind, name)
    if there:
        assert np.array_equal(open_dataset("sub/scan.h5").read(np.arange(4)), secret)
    refused(workspace, "sub/scan.h5")


def test_numbered_sources_are_refused(workspace: Workspace) -> None:
    with h5py.File(workspace.root.parent / "secret0.h5", "w") as file:
        file["data"] = np.full(SHAPE, 7, np.uint8)
    write_linked(workspace.root / "scan.h5", "numbered", "../secret%b.h5")
    assert open_dataset("scan.h5").read(np.arange(4)).max() == 7
    refused(workspace, "scan.h5", r"numbered as \.\./secret%b\.h5")


def test_a_link_on_the_way_to_a_part(workspace: Workspace) -> None:
    """What a linked file links to is looked for beside the link, and beside what it leads to."""
    (workspace.root / "sub" / "deep").mkdir()
    write_linked(workspace.root / "sub" / "deep" / "second.h5", "link", "../../../secret.h5")
    (workspace.root / "sub" / "deep" / "again").symlink_to(workspace.root)
    (workspace.root / "link.h5").symlink_to("sub/deep/again/sub/deep/second.h5")
    write_linked(workspace.root / "scan.h5", "link", "link.h5")
    refused(workspace, "scan.h5")


@pytest.mark.parametrize("kind", ["link", "virtual", "raw"])
def test_parts_beside_are_welcome(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Wherever this process is: the page's own folder is none of the project's."""
    data = np.full(SHAPE, 3, np.uint8)
    (workspace.root / "part.bin").write_bytes(data.tobytes())
    with h5py.File(workspace.root / "part.h5", "w") as file:
        file["data"] = data
    write_linked(workspace.root / "scan.h5", kind, "part.bin" if kind == "raw" else "part.h5")
    assert workspace.use_file(Path("scan.h5")) == "scan.h5: 4 × 8 × 8"
    monkeypatch.chdir(workspace.root.parent)
    assert workspace.confined().data_path == str(workspace.root / "scan.h5")


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("opened", "part"),
    [
        ("empad/map4x4.xml", "empad/scan_x4_y4.raw"),
        ("tvips/test_tvips_2345_split_000.tvips", "tvips/test_tvips_2345_split_001.tvips"),
        ("merlin_mib/001_4x2_6bit.mib", "merlin_mib/001_4x2_6bit.hdr"),
        ("tia_ser_emi/128x128x5-diffraction_preview.emi", "tia_ser_emi/128x128x5-diffraction_preview_1.ser"),
        ("dectris_arina/test_00_master.h5", "dectris_arina/test_00.h5"),
        ("dectris_arina/test_00_master.h5", "dectris_arina/test_00_data_000001.h5"),
    ],
)
def test_companions_of_a_makers_file(workspace: Workspace, opened: str, part: str) -> None:
    """The file beside is read with it: a link that leads out is refused, one that stays is not."""
    files = measured(f"vendor_formats/{opened}").parent
    shutil.copytree(files, workspace.root / "all", copy_function=shutil.copyfile)
    (workspace.root / "all").chmod(0o755)
    name, beside = f"all/{Path(opened).name}", workspace.root / "all" / Path(part).name
    assert Path(opened).name in workspace.use_file(Path(name))
    beside.rename(workspace.root / "moved")
    beside.symlink_to("../moved")
    assert Path(opened).name in workspace.use_file(Path(name))
    (workspace.root / "moved").rename(workspace.root.parent / "moved")
    beside.unlink()
    beside.symlink_to("../../moved")
    refused(workspace, name)


@pytest.mark.real_data
def test_a_scan_that_names_its_patterns_elsewhere(workspace: Workspace) -> None:
    """The name in EMPAD's description may have a folder, with a file of the same name beside it."""
    text = measured("vendor_formats/empad/map4x4.xml").read_text()
    raw = measured("vendor_formats/empad/scan_x4_y4.raw")
    for place in (workspace.root, workspace.root.parent):
        shutil.copyfile(raw, place / raw.name)
    (workspace.root / "scan.xml").write_text(text.replace(raw.name, f"../{raw.name}"))
    refused(workspace, "scan.xml")


def test_companions_of_arrays_movies_and_stores(workspace: Workspace) -> None:
    zarr = pytest.importorskip("zarr")
    secret = workspace.root.parent / "secret"
    secret.mkdir()
    np.save(workspace.root / "nion.npy", np.ones(SHAPE))
    (workspace.root / "nion.json").symlink_to(secret / "nion.json")
    refused(workspace, "nion.npy")
    (workspace.root / "20240102_00003_movie.mrc").write_bytes(b"")
    (workspace.root / "20240102_00003_scan_coordinates.csv").symlink_to(secret / "x.csv")
    refused(workspace, "20240102_00003_movie.mrc")
    group = zarr.open_group(str(workspace.root / "scan.zspy"), mode="w").create_group("Experiments/x")
    group.create_array("data", data=np.ones((2, 2, 8, 8)))
    assert workspace.use_file(Path("scan.zspy")) == "scan.zspy: 2 × 2 × 8 × 8"
    # by way of another folder of the project, and back
    (workspace.root / "scan.zspy" / "more").symlink_to(workspace.root / "sub")
    (workspace.root / "sub" / "back").symlink_to(workspace.root / "scan.zspy")
    assert workspace.use_file(Path("scan.zspy")) == "scan.zspy: 2 × 2 × 8 × 8"
    (workspace.root / "sub" / "c").symlink_to(secret)
    refused(workspace, "scan.zspy")


@pytest.mark.parametrize("way", ["symbolic link", "external link", "raw", "virtual"])
def test_arrays_of_a_preset_lie_in_its_own_file(workspace: Workspace, way: str) -> None:
    """A preset from elsewhere reads nothing but the file that came with it."""
    preset = Preset(positions=np.arange(200.0).reshape(100, 2))
    preset.to_json(workspace.root / "mine.json")
    beside = workspace.root / "mine.h5"
    with h5py.File(beside) as file:
        secret = file["positions"][()]
    (workspace.root.parent / "secret.bin").write_bytes(secret.tobytes())
    outside = Path(shutil.move(beside, workspace.root.parent / "secret.h5"))
    if way == "symbolic link":
        beside.symlink_to(outside)
    else:
        with h5py.File(beside, "w") as file:
            if way == "external link":
                file["positions"] = h5py.ExternalLink(str(outside), "positions")
            elif way == "raw":
                file.create_dataset("positions", secret.shape, float, external=[(str(outside.with_suffix(".bin")), 0, 1600)])
            else:
                layout = h5py.VirtualLayout(secret.shape, float)
                layout[:] = h5py.VirtualSource(str(outside), "positions", secret.shape)
                file.create_virtual_dataset("positions", layout)
    with pytest.raises(ParameterError, match=r"positions: .*(leads elsewhere|lies in another file)"):
        workspace.use_file(Path("mine.json"))


def test_runs_behind_a_link_out_of_the_folder(workspace: Workspace, tiny: Preset) -> None:
    """They are no runs of the project: not listed, not opened, not moved."""
    runs, elsewhere = workspace.root / "runs", workspace.root.parent / "elsewhere"
    for folder in (runs / "001", elsewhere):
        RunFolder.create(folder, tiny)
    write_state(elsewhere, RunState(Phase.RUNNING, owner=Owner.of(os.getpid(), own=False)))
    (runs / "009").symlink_to(elsewhere)
    (runs / "010").symlink_to(runs / "001")
    (runs / "011").symlink_to(runs / "011")
    (runs / ".queue.json").write_text('["runs/009", "../elsewhere"]')
    ledger = Ledger(workspace.root)
    assert [entry.run for entry in ledger.entries()] == ["001", "010"]
    for use in (ledger.open, ledger.trash, ledger.preset):
        with pytest.raises(ParameterError, match="there is no run '009'"):
            use("009")
    assert [job.folder for job in Jobs(workspace.root).list()] == [runs / "001"]
    assert Lookout(workspace.root).look() is None
