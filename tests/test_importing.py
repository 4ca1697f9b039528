"""A cleaned copy of a file on step 1, without a page: what the file does not say is stated, and what is odd is left out."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pypty_nb.data import DataError, open_dataset
from pypty_nb.params import ParameterError
from pypty_nb.widgets import app
from pypty_nb.workspace import Workspace
from pypty_nb.workspace.importing import Source, Wanted, imported, lengths, scan_points, source_of
from pypty_nb.workspace.preview import StoppedError
from tests.real_data import measured

EMD = "Si100_4D.emd"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, lambda state: None, lambda report: None)


def fetched(workspace: Workspace, name: str) -> Path:
    """A copy of a microscope's file, in the project folder."""
    path = measured(f"vendor_formats/{name}")
    return Path(shutil.copy(path, workspace.root)).relative_to(workspace.root)


def refusal(workspace: Workspace, path: Path) -> str:
    """Why step 1 cannot open it."""
    with pytest.raises((ParameterError, DataError)) as refused:
        workspace.use_file(path)
    return str(refused.value)


def done(workspace: Workspace, wanted: Wanted) -> Path:
    """The copy, as step 1 has it open afterwards."""
    told: list[tuple[int, int]] = []
    found = imported(workspace, wanted, lambda at, of: told.append((at, of)), lambda: False)
    assert told[-1] == (found.shape[0], found.shape[0])
    workspace.use_file(found.path)
    return found.path


def asked(workspace: Workspace, path: Path) -> Source:
    found = source_of(workspace, path, refusal(workspace, path))
    assert found is not None and found.asks
    return found


@pytest.mark.real_data
def test_the_data_set_that_is_meant(workspace: Workspace) -> None:
    """Two thicknesses in one file: the second is chosen, and stands in the copy as it stood there."""
    path = fetched(workspace, f"emd/{EMD}")
    source = asked(workspace, path)
    assert list(source.datasets) == ["CBED_array_depth0000 (11 × 11 × 8 × 8)", "CBED_array_depth0001 (11 × 11 × 8 × 8)"]
    assert not source.raw
    name = source.datasets["CBED_array_depth0001 (11 × 11 × 8 × 8)"]
    copy = done(workspace, Wanted(path, dataset=name, bad_pixels="keep"))
    assert copy.name == "Si100_4D_imported.h5"
    assert workspace.preset.scan_size == (11, 11)
    with h5py.File(workspace.root / path) as file:
        there = np.asarray(file[name]).reshape(121, 8, 8)
    dataset = workspace.dataset()
    assert dataset is not None
    np.testing.assert_allclose(dataset.read(np.arange(121)), there, rtol=1e-6)
    # another import of the same takes another name
    kept = copy.read_bytes()
    assert done(workspace, Wanted(path, dataset=name)).name == "Si100_4D_imported_2.h5"
    assert copy.read_bytes() == kept


@pytest.mark.real_data
def test_plain_numbers(workspace: Workspace) -> None:
    """The raw file of an EMPAD: 130 rows a pattern, of which the last two are no pixels."""
    path = fetched(workspace, "empad/scan_x4_y4.raw")
    assert asked(workspace, path).raw
    with pytest.raises(DataError, match="state shape and dtype"):
        imported(workspace, Wanted(path), lambda at, of: None, lambda: False)
    shape = lengths("16 × 130 × 128", "shape")
    with pytest.raises(DataError, match="cut short"):
        imported(workspace, Wanted(path, shape=shape, dtype="float64"), lambda at, of: None, lambda: False)
    done(workspace, Wanted(path, shape=shape, dtype="float32", scan_size=scan_points("4", "4")))
    dataset = workspace.dataset()
    assert dataset is not None
    assert (dataset.shape, dataset.scan_shape, workspace.preset.scan_size) == ((16, 130, 128), (4, 4), (4, 4))
    assert sorted(path.name for path in workspace.root.iterdir()) == ["scan_x4_y4.raw", "scan_x4_y4_imported.h5"]


@pytest.mark.real_data
def test_a_missing_last_frame_and_fly_back(workspace: Workspace) -> None:
    """Nine frames of a scan of 2 × 5: the row that is not complete is left out, its first column is dropped; then binned."""
    path = fetched(workspace, "merlin_mib/Single_9_Frame_CounterDepth_12_Rows_256.mib")
    shutil.copy(measured("vendor_formats/merlin_mib/Single_9_Frame_CounterDepth_12_Rows_256.hdr"), workspace.root)
    workspace.use_file(path)
    assert workspace.preset.scan_size is None
    source = source_of(workspace, path)
    assert source is not None and not source.asks and not source.datasets
    wanted = Wanted(path, scan_size=(2, 5), drop_columns=(1, 0), bin=4)
    found = imported(workspace, wanted, lambda at, of: None, lambda: False)
    assert (found.shape, found.scan_size) == ((4, 64, 64), (1, 4))
    assert "the scan 2 × 5 lacks 1 of its 10 patterns" in found.notes[0]
    assert "fly-back left out: 1 of 5 columns" in found.notes[1]
    workspace.use_file(found.path)
    assert workspace.preset.scan_size == (1, 4)
    with pytest.raises(DataError, match="9 patterns"):
        imported(workspace, Wanted(path, scan_size=(4, 4)), lambda at, of: None, lambda: False)


def test_negative_counts(workspace: Workspace) -> None:
    counts = np.random.default_rng(4).poisson(30.0, (12, 16, 16)).astype(np.float32)
    counts[3, 2, 1] = -5
    np.save(workspace.root / "offset.npy", counts)
    refuse = Wanted(Path("offset.npy"), scan_size=(3, 4), negative="refuse")
    with pytest.raises(DataError, match="holds negative counts"):
        imported(workspace, refuse, lambda at, of: None, lambda: False)
    assert [path.name for path in workspace.root.iterdir()] == ["offset.npy"]
    copy = done(workspace, Wanted(Path("offset.npy"), scan_size=(3, 4)))
    assert open_dataset(copy).read(np.arange(12)).min() >= 0


def test_an_import_that_is_cancelled_leaves_nothing(workspace: Workspace) -> None:
    """Called off after the first block: no file, not even a hidden one."""
    np.save(workspace.root / "scan.npy", np.random.default_rng(5).poisson(9.0, (12, 16, 16)))
    seen: list[list[str]] = []

    def stopped() -> bool:
        seen.append(sorted(path.suffix for path in workspace.root.iterdir()))
        return True

    with pytest.raises(StoppedError):
        imported(workspace, Wanted(Path("scan.npy")), lambda at, of: None, stopped)
    # it was being written when it was called off
    assert seen and ".h5" in seen[0]
    assert [path.name for path in workspace.root.iterdir()] == ["scan.npy"]


def test_what_nothing_said_would_open(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Damaged files, endings without a reader, and what lies outside ask for nothing, and are not imported."""
    (workspace.root / "damaged.h5").write_bytes(b"\x89HDF\r\n\x1a\nnothing")
    (workspace.root / "notes.txt").write_text("three lenses")
    for name in ("damaged.h5", "notes.txt"):
        assert source_of(workspace, Path(name), refusal(workspace, Path(name))) is None
    outside = tmp_path_factory.mktemp("elsewhere") / "scan.npy"
    np.save(outside, np.ones((4, 8, 8)))
    (workspace.root / "link.npy").symlink_to(outside)
    assert source_of(workspace, Path("link.npy"), "outside") is None
    with pytest.raises(ParameterError, match="outside the project folder"):
        imported(workspace, Wanted(Path("link.npy")), lambda at, of: None, lambda: False)


def test_what_is_typed() -> None:
    assert lengths("(16, 130,128)", "shape") == lengths("16x130 × 128", "shape") == (16, 130, 128)
    assert lengths(" ", "shape") == ()
    assert scan_points("", "") is None
    for typed in ("16, -3", "a", "0", "1.5"):
        with pytest.raises(ParameterError, match="shape: takes whole numbers"):
            lengths(typed, "shape")
    with pytest.raises(ParameterError, match="one number of rows and one of columns"):
        scan_points("4", "")


async def until(true: Callable[[], object]) -> None:
    for _ in range(2400):
        if true():
            return
        await asyncio.sleep(0.025)
    raise AssertionError("it did not happen within a minute")


@pytest.mark.real_data
def test_the_form_asks_by_itself(workspace: Workspace) -> None:
    """Asked for plain numbers, then for the scan that patterns do not fill; an error in words; cancelled; then done."""
    raw = fetched(workspace, "empad/scan_x4_y4.raw")
    np.save(workspace.root / "short.npy", np.random.default_rng(7).poisson(20.0, (11, 16, 16)).astype(np.uint16))

    async def main() -> None:
        page = app(workspace.root)
        panel = page._data
        part, fields = panel._import, panel._import._fields
        await panel._open(raw)
        assert "nothing in it says how it is laid out" in panel.error and panel.error.endswith("Fill it in below.")
        assert fields in part.asked.children and not part.offered.children
        fields._shape.value, fields._dtype.value = "16, 130, 128", "float33"
        part._start.click()
        await until(lambda: "float33" in part._said.value)
        assert 'class="err"' in part._said.value and fields in part.asked.children
        fields._dtype.value, fields._rows.value, fields._columns.value = "float32", "4", "4"
        part._start.click()
        await until(lambda: page.workspace.preset.data_path.endswith("scan_x4_y4_imported.h5") and not panel.reading)
        await until(lambda: part._fold in part.offered.children and "Wrote scan_x4_y4_imported.h5" in part._said.value)
        assert panel.error == "" and not part.asked.children and fields not in part.offered.children

        await panel._open(Path("short.npy"))
        await until(lambda: part._fold in part.offered.children and not part._said.value)
        assert fields not in part.offered.children
        panel._proposal._columns.value = 4
        panel._proposal._rows.value = 3
        assert fields in part.offered.children and "11 patterns do not fill 3 × 4" in part._why.value
        assert (fields._rows.value, fields._columns.value) == ("3", "4")
        # Cancel is pressed as soon as it is there
        hold = part._hold
        part._hold = lambda busy: (hold(busy), part._cancel.layout.display is None and part._cancel.click())
        part._start.click()
        await until(lambda: "cancelled" in part._said.value)
        assert not list(workspace.root.glob("*short*.h5")) and not panel.reading
        part._hold = hold
        part._start.click()
        await until(lambda: page.workspace.preset.data_path.endswith("short_imported.h5") and not panel.reading)
        assert page.workspace.preset.scan_size == (2, 4)
        await until(lambda: "the scan 3 × 4 lacks 1 of its 12 patterns" in part._said.value)

    asyncio.run(main())
