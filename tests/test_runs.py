"""Runs on disk: what lies in the folder, and that no kill at any instant costs more than the epoch under way."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction, open_run, run_ptychography
from pypty_nb.files import atomic, write_text
from pypty_nb.params import ParameterError
from pypty_nb.records import EpochReport, Refinables
from pypty_nb.runs import RecordedRun, RunFolder, RunFolderError
from pypty_nb.runs.export import export, formats
from pypty_nb.runs.folder import ARRAY_FILES, CHECKPOINT, COLUMNS, JOURNAL, LOSS, PRESET
from pypty_nb.runs.frames import FRAME
from pypty_nb.runs.lock import LOCK
from pypty_nb.runs.state import STATE
from tests.conftest import EPOCHS

#: As commands; test_kills has more of them
KILLS = 3


def same_points(a: Refinables, b: Refinables) -> None:
    for name in ARRAY_FILES:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
        assert getattr(a, name).dtype == getattr(b, name).dtype


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def without_times(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{key: row[key] for key in COLUMNS if "time" not in key and "GiB" not in key} for row in rows]


# ---- what a run leaves
def test_without_a_folder_nothing_is_written(tiny: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    reports: list[EpochReport] = []
    result = run_ptychography(tiny, on_report=reports.append)
    assert [report.epoch for report in reports] == [*range(EPOCHS), EPOCHS]
    assert [report.final for report in reports] == [False] * EPOCHS + [True]
    assert result.report is reports[-1] and result.folder is None
    assert reports[-1].loss < 0.2 * reports[0].loss
    assert not list(tmp_path.iterdir())


def test_what_lies_in_the_folder(tiny: Preset, tmp_path: Path) -> None:
    tiny.output_folder = str(tmp_path / "a" / "run")
    reports: list[EpochReport] = []
    result = run_ptychography(tiny.to_dict(), on_report=reports.append)
    folder = open_run(tmp_path / "a" / "run")
    assert result.folder == folder.path
    assert names(folder.path) == {PRESET, "params.h5", LOSS, JOURNAL, CHECKPOINT, STATE, FRAME, LOCK, *ARRAY_FILES.values()}
    assert folder.preset() == tiny
    assert folder.is_finished()
    for name, file_name in ARRAY_FILES.items():
        np.testing.assert_array_equal(np.load(folder.path / file_name), getattr(result.point, name))
    obj, probe, positions = (np.load(folder.path / file_name) for file_name in ("co.npy", "cp.npy", "cg.npy"))
    assert obj.ndim == 4 and obj.shape[2:] == (1, 1) and min(obj.shape[:2]) >= 16 + 12
    assert probe.shape == (16, 16, 1) and positions.shape == (25, 2)
    point = folder.point()
    assert point is not None
    same_points(point, result.point)
    # the same without a folder
    same_points(run_ptychography({**tiny.to_dict(), "output_folder": ""}).point, result.point)


def test_the_loss_log_has_the_original_s_columns(tiny: Preset, tmp_path: Path) -> None:
    reports: list[EpochReport] = []
    tiny.output_folder = str(tmp_path / "run")
    run_ptychography(tiny, on_report=reports.append)
    with (tmp_path / "run" / LOSS).open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file))
    assert tuple(header) == COLUMNS == (
        "epoch", "time / s", "loss", "sse", "initial step", "matching step", "N linesearch iterations", "dir. derivative",
        "new dir. derivative", "Constraints contribution", "Free GiB", "Total GiB", "Warnings",
    )  # fmt: skip
    assert len(rows) == EPOCHS + 1
    for row, report in zip(rows, reports, strict=True):
        assert int(row[0]) == report.epoch
        assert (float(row[2]), float(row[3])) == (report.loss, report.sse)
        assert (float(row[4]), float(row[5]), int(row[6])) == (report.search.initial_step, report.step, report.evaluations)
        assert (float(row[7]), float(row[8])) == (report.search.slope, report.search.new_slope)
        assert float(row[9]) == report.loss - report.terms["data"]
        assert 0 < float(row[10]) <= float(row[11])
        assert row[12] == "; ".join(report.warnings)
    assert [row["epoch"] for row in open_run(tmp_path / "run").losses()] == [str(epoch) for epoch in range(EPOCHS + 1)]


def test_the_journal_says_what_happened_when(tiny: Preset, tmp_path: Path) -> None:
    tiny.output_folder = str(tmp_path / "run")
    run_ptychography(tiny)
    events = [json.loads(line) for line in (tmp_path / "run" / JOURNAL).read_text(encoding="utf-8").splitlines()]
    assert [event["event"] for event in events] == ["started", "finished"]
    assert events == open_run(tmp_path / "run").journal()
    assert events[0]["epoch"] == 0 and events[0]["device"]
    assert events[0]["time"] < events[1]["time"]


def test_no_log_is_written_where_none_is_wanted(tiny: Preset, tmp_path: Path) -> None:
    tiny.update(output_folder=str(tmp_path / "run"), save_loss_log=False)
    run_ptychography(tiny)
    assert LOSS not in names(tmp_path / "run")
    assert open_run(tmp_path / "run").losses() == []


@pytest.mark.parametrize(
    ("every", "kept"),
    [(False, set()), (2, {1, 3, 5}), (4, {3}), (7, set()), (True, set(range(EPOCHS))), ({"steps": [[0, 0], [4, 1]]}, {4, 5})],
)
def test_snapshots_of_every_nth_epoch(tiny: Preset, tmp_path: Path, every: Any, kept: set[int]) -> None:
    tiny.update(output_folder=str(tmp_path / "run"), save_checkpoints_every_epoch=every)
    points: dict[int, Refinables] = {}
    run_ptychography(tiny, on_report=lambda report: points.setdefault(report.epoch, report.point) and None)
    found = {path.name for path in (tmp_path / "run").glob("checkpoint_*.npy")}
    assert found == {f"checkpoint_{word}_epoch_{n}.npy" for word in ("obj", "probe", "positions", "tilts") for n in kept}
    for epoch in kept:
        np.testing.assert_array_equal(np.load(tmp_path / "run" / f"checkpoint_obj_epoch_{epoch}.npy"), points[epoch].obj)


@pytest.mark.parametrize(("every", "epochs"), [(True, 3), (2, 2), (False, None), (0, None), ({"steps": [[0, 0], [2, 1]]}, 3)])
def test_how_often_the_state_is_saved(tiny: Preset, tmp_path: Path, every: Any, epochs: int | None) -> None:
    tiny.save_inter_checkpoints = every
    run = RecordedRun.start(tiny, tmp_path / "run")
    for _ in range(3):
        next(run)
    state = run.folder.checkpoint()
    assert (state and int(state["epoch"])) == epochs
    # what is not due is saved when a person ends the run
    run.stop()
    state = run.folder.checkpoint()
    assert state is not None and int(state["epoch"]) == 3
    assert run.folder.journal()[-1]["event"] == "stopped"
    assert (tmp_path / "run" / "co.npy").exists()


def test_epochs_come_to_an_event_loop_too(tiny: Preset) -> None:
    async def losses() -> list[float]:
        return [report.loss async for report in Reconstruction(tiny)]

    assert asyncio.run(losses()) == [report.loss for report in Reconstruction(tiny)]


# ---- stopped and resumed
@pytest.mark.parametrize("epochs", [0, 1, 3, EPOCHS - 1, EPOCHS, EPOCHS + 1])
def test_a_resumed_run_ends_as_if_it_had_never_stopped(tiny: Preset, tmp_path: Path, epochs: int) -> None:
    whole = run_ptychography({**tiny.to_dict(), "output_folder": str(tmp_path / "whole")})
    run = RecordedRun.start(tiny, tmp_path / "run")
    for _ in range(epochs):
        next(run)
    del run
    resumed = RecordedRun.resume(tmp_path / "run")
    reports = list(resumed)
    assert reports[0].epoch == min(epochs, EPOCHS)
    assert reports[-1].final and reports[-1].loss == whole.report.loss
    same_points(reports[-1].point, whole.point)
    assert without_times(open_run(tmp_path / "run").losses()) == without_times(open_run(tmp_path / "whole").losses())
    assert [event["event"] for event in resumed.folder.journal()] == ["started", "resumed", "finished"]
    assert resumed.folder.is_finished()


def test_a_state_saved_now_and_then_is_resumed_from_there(tiny: Preset, tmp_path: Path) -> None:
    whole = run_ptychography(tiny)
    run = RecordedRun.start({**tiny.to_dict(), "save_inter_checkpoints": 4}, tmp_path / "run")
    for _ in range(6):
        next(run)
    run.close()
    reports = list(RecordedRun.resume(tmp_path / "run"))
    assert [report.epoch for report in reports] == [4, 5, 6]
    same_points(reports[-1].point, whole.point)
    assert [row["epoch"] for row in open_run(tmp_path / "run").losses()] == [str(epoch) for epoch in range(EPOCHS + 1)]


def test_single_precision_and_moving_positions_are_resumed_too(tiny: Preset, tmp_path: Path) -> None:
    tiny.update(default_dtype="single", update_probe_pos=True, update_probe="lambda x: x >= 2", hist_length=3)
    whole = run_ptychography(tiny)
    run = RecordedRun.start(tiny, tmp_path / "run")
    for _ in range(4):
        next(run)
    run.close()
    same_points(list(RecordedRun.resume(tmp_path / "run"))[-1].point, whole.point)


def started(tmp_path: Path, command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pypty_nb.cli", *command],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
    )


def test_killed_at_any_instant_it_can_be_opened_and_resumed(tiny_file: Path, tmp_path: Path) -> None:
    preset = Preset.from_json(tiny_file)
    # far more epochs than pass before the last kill, also where what the run prints is read late
    preset.update(epoch_max=200, print_flag=2)
    preset.to_json(tiny_file)
    chance = random.Random(7)
    folder = tmp_path / "run"
    for kill in range(KILLS):
        command = ["resume", str(folder)] if kill else ["run", str(tiny_file), "--out", str(folder)]
        with started(tmp_path, command) as process:
            assert process.stderr is not None
            wanted = chance.randint(1, 4)
            for line in process.stderr:
                wanted -= line.startswith("epoch ")
                if not wanted:
                    break
            else:
                pytest.fail(f"ended by itself with code {process.wait()}")
            # anywhere in the epoch that follows, or in what is written at its end
            time.sleep(chance.uniform(0, 0.03))
            process.kill()
        assert process.returncode == -signal.SIGKILL
        opened = open_run(folder)
        assert opened.preset() == preset
        assert not opened.is_finished()
        state, losses = opened.checkpoint(), opened.losses()
        assert state is not None
        # the log is at most one epoch ahead of the state
        assert len(losses) - int(state["epoch"]) in (0, 1)
        assert [int(row["epoch"]) for row in losses] == list(range(len(losses)))
        assert all(np.load(folder / name).size for name in ARRAY_FILES.values())
    with started(tmp_path, ["resume", str(folder)]) as process:
        process.communicate()
    assert process.returncode == 0
    whole = run_ptychography({**preset.to_dict(), "output_folder": str(tmp_path / "whole")})
    point = open_run(folder).point()
    assert point is not None
    same_points(point, whole.point)
    assert without_times(open_run(folder).losses()) == without_times(open_run(tmp_path / "whole").losses())
    assert [event["event"] for event in open_run(folder).journal()] == ["started", *["resumed"] * KILLS, "finished"]


# ---- cut and damaged files
@pytest.fixture
def finished(tiny: Preset, tmp_path: Path) -> tuple[RunFolder, EpochReport]:
    tiny.output_folder = str(tmp_path / "run")
    result = run_ptychography(tiny)
    return RunFolder.open(tmp_path / "run"), replace(result.report, epoch=99, warnings=("a, b", 'quote " and\nline', "½ Å"))


def test_a_cut_loss_log_loses_the_cut_line_and_no_other(finished: tuple[RunFolder, EpochReport]) -> None:
    folder, report = finished
    path = folder.path / LOSS
    folder.log_loss(replace(report, epoch=EPOCHS + 1), (1.0, 2.0))
    whole, rows = path.read_bytes(), folder.losses()
    assert rows[-1]["Warnings"] == 'a, b; quote " and line; ½ Å'
    header = whole.index(b"\n") + 1
    for length in range(header, len(whole)):
        path.write_bytes(whole[:length])
        complete = whole[:length].count(b"\n") - 1
        assert folder.losses() == rows[:complete]
        folder.log_loss(report, (1.0, 2.0))
        after = folder.losses()
        # a line cut in its last column, the warnings, or just before its end, counts once it is closed
        assert len(after) - complete in (1, 2)
        assert after[:complete] == rows[:complete]
        assert {key: after[-1][key] for key in ("epoch", "loss", "Warnings")} == {
            "epoch": "99", "loss": repr(report.loss), "Warnings": rows[-1]["Warnings"],
        }  # fmt: skip
        if len(after) - complete == 2:
            assert {**after[-2], "Warnings": ""} == {**rows[complete], "Warnings": ""}


def test_a_loss_log_never_begins_without_its_columns(finished: tuple[RunFolder, EpochReport]) -> None:
    folder, report = finished
    (folder.path / LOSS).unlink()
    assert folder.losses() == []
    folder.log_loss(report, (1.0, 2.0))
    assert (folder.path / LOSS).read_text(encoding="utf-8").splitlines()[0] == ",".join(COLUMNS)
    assert [row["epoch"] for row in folder.losses()] == ["99"]


def test_a_cut_journal_loses_the_cut_line_and_no_other(finished: tuple[RunFolder, EpochReport]) -> None:
    folder, _ = finished
    path = folder.path / JOURNAL
    folder.note("warning", warning="½ Å · 😀", path="a\udc80b")
    whole, events = path.read_bytes(), folder.journal()
    assert (events[-1]["warning"], events[-1]["path"]) == ("½ Å · 😀", "a\udc80b")
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        complete = whole[:length].count(b"\n")
        assert folder.journal() == events[:complete]
        folder.note("resumed", epoch=3)
        after = folder.journal()
        assert after[:complete] == events[:complete]
        assert after[-1]["event"] == "resumed" and after[-1]["epoch"] == 3
        assert len(after) - complete in (1, 2)


def test_a_damaged_checkpoint_says_so(finished: tuple[RunFolder, EpochReport]) -> None:
    folder, _ = finished
    path = folder.path / CHECKPOINT
    whole = path.read_bytes()
    chance = random.Random(2)
    for content in (b"", b"x", b"PK", whole[:-1], whole[: len(whole) // 2], whole[100:], whole[::-1]):
        path.write_bytes(content)
        for use in (folder.checkpoint, folder.point, lambda: RecordedRun.resume(folder.path)):
            with pytest.raises(ParameterError, match=r"checkpoint\.npz is damaged .* in co\.npy, .*copy .*delete it to start"):
                use()
    path.write_bytes(whole)
    expected = folder.checkpoint()
    assert expected is not None
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            found = folder.checkpoint()
        except ParameterError:
            continue
        # what is read is what was written
        assert found is not None
        assert all(np.array_equal(found[name], array) for name, array in expected.items() if name in found)


def test_a_checkpoint_without_its_epoch_or_of_another_preset(finished: tuple[RunFolder, EpochReport], tmp_path: Path) -> None:
    folder, _ = finished
    np.savez(folder.path / CHECKPOINT, **{"point/obj": np.ones((3, 3, 1, 1))})
    with pytest.raises(ParameterError, match="is damaged"):
        folder.checkpoint()
    np.savez(folder.path / CHECKPOINT, **{"point/obj": np.ones((3, 3, 1, 1)), "epoch": np.int64(2)})
    with pytest.raises(ParameterError, match=r"obj is of shape .*another preset"):
        RecordedRun.resume(folder.path)
    with (folder.path / CHECKPOINT).open("wb") as file:
        np.savez(file, epoch=np.array([None]))
    with pytest.raises(ParameterError, match="is damaged"):
        folder.checkpoint()


def test_without_a_checkpoint_it_begins_again(finished: tuple[RunFolder, EpochReport]) -> None:
    folder, report = finished
    (folder.path / CHECKPOINT).unlink()
    assert folder.checkpoint() is None and folder.point() is None
    reports = list(RecordedRun.resume(folder.path))
    assert reports[0].epoch == 0
    same_points(reports[-1].point, report.point)


# ---- folders that cannot be
def test_a_folder_that_holds_a_run_is_refused(finished: tuple[RunFolder, EpochReport], tiny: Preset) -> None:
    folder, _ = finished
    before = {path: path.read_bytes() for path in folder.path.iterdir()}
    with pytest.raises(RunFolderError, match="already holds a run; choose another folder, or resume"):
        run_ptychography(tiny)
    assert {path: path.read_bytes() for path in folder.path.iterdir()} == before


def test_what_else_lies_in_a_folder_is_left_alone(tiny: Preset, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    tiny.output_folder = str(tmp_path / "run")
    run_ptychography(tiny)
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("below", ["file", "file/run", "file/a/run", "new/../file/run"])
def test_a_folder_that_cannot_be_written_is_refused_and_nothing_kept(tiny: Preset, tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    tiny.output_folder = str(tmp_path / below)
    with pytest.raises(RunFolderError, match=r"the output folder .* cannot be written: .+"):
        run_ptychography(tiny)
    assert names(tmp_path) == {"file"}
    assert (tmp_path / "file").read_text() == "mine"


def test_a_device_is_no_folder(tiny: Preset) -> None:
    tiny.output_folder = "/dev/null/run"
    with pytest.raises(RunFolderError, match="cannot be written"):
        run_ptychography(tiny)


def test_folders_made_for_a_run_that_fails_to_be_written_go_again(tiny: Preset, tmp_path: Path) -> None:
    tiny.output_folder = str(tmp_path / "a" / "b" / ("x" * 300))
    with pytest.raises(RunFolderError, match="too long"):
        run_ptychography(tiny)
    assert not list(tmp_path.iterdir())


def test_a_preset_that_cannot_be_run_writes_nothing(tiny: Preset, tmp_path: Path) -> None:
    refused = (
        {"dataset": None},
        {"dataset": -1.0 * tiny.dataset},
        {"beam_current": np.ones(3)},
        {"validation_fraction": 1e-9},
        {"tune_only_probe_phase": True, "tune_only_probe_abs": True},
    )
    for values in refused:
        with pytest.raises(ValueError, match=r"data_path|negative|beam_current|held out|excludes"):
            run_ptychography({**tiny.to_dict(), **values, "output_folder": str(tmp_path / "run")})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", ["", "missing", "file"])
def test_what_is_no_run_cannot_be_opened(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match=r"is no run: it has no params\.json"):
        open_run(tmp_path / path)


# ---- atomic writes
def test_an_atomic_write_replaces_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail() -> None:
        with atomic(path) as temporary:
            assert temporary.parent == tmp_path and temporary.suffix == ".txt"
            temporary.write_text("half")
            assert path.read_text() == "old"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old" and names(tmp_path) == {"a.txt"}
    write_text(path, "new Å")
    assert path.read_text(encoding="utf-8") == "new Å" and names(tmp_path) == {"a.txt"}
    with pytest.raises(OSError, match="missing"):
        write_text(tmp_path / "missing" / "a.txt", "x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        write_text(tmp_path / "folder", "x")
    assert names(tmp_path) == {"a.txt", "folder"}


def test_an_atomic_write_gives_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    write_text(tmp_path / "atomic", "")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.skipif(os.name != "posix", reason="limits the size of files as POSIX does")
def test_an_hdf5_file_that_finds_no_room_is_an_error_and_no_crash(tmp_path: Path) -> None:
    """HDF5 itself crashes the process, once it cannot write what it kept back to the end."""
    code = (
        "import resource, sys, numpy as np; from pypty_nb.files import atomic_hdf5\n"
        "def write(most):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))\n"
        "    try:\n"
        "        with atomic_hdf5(sys.argv[1]) as file:\n"
        "            for i in range(20): file.create_group(f'g{i}')['a'] = np.arange(30)\n"
        "            file['long'] = np.arange(3000)\n"
        "    except OSError as error:\n"
        "        return error.strerror\n"
        "print({write(most) for most in range(0, 40_000, 1500)}, write(1_000_000))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.h5")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{'File too large'} None\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["a.h5"]
    with h5py.File(tmp_path / "a.h5") as file:
        assert len(file) == 21 and np.array_equal(np.asarray(file["long"]), np.arange(3000))


@pytest.mark.parametrize("existed", [True, False])
def test_a_process_killed_in_mid_write_leaves_the_old_file(tmp_path: Path, existed: bool) -> None:
    path = tmp_path / "a.txt"
    if existed:
        path.write_text("old")
    code = (
        "import sys, time; from pypty_nb.files import atomic\n"
        "with atomic(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half'); print('written', flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert path.exists() is existed
    assert not existed or path.read_text() == "old"
    write_text(path, "new")
    assert path.read_text() == "new"


# ---- exports
def test_formats_are_found() -> None:
    assert {"npy", "png"} <= set(formats())


def test_the_original_s_arrays(finished: tuple[RunFolder, EpochReport], tmp_path: Path) -> None:
    folder, report = finished
    paths = export(folder, "npy", tmp_path / "arrays")
    assert {path.name for path in paths} == set(ARRAY_FILES.values())
    for name, file_name in ARRAY_FILES.items():
        np.testing.assert_array_equal(np.load(tmp_path / "arrays" / file_name), getattr(report.point, name))


def test_exports_that_cannot_be(finished: tuple[RunFolder, EpochReport], tiny: Preset, tmp_path: Path) -> None:
    folder, _ = finished
    with pytest.raises(ParameterError, match=r"there is no format 'gif'; there are .*npy, .*png"):
        export(folder, "gif", tmp_path / "out")
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        with pytest.raises(RunFolderError, match=r"the folder .*file.* cannot be written"):
            export(folder, "png", out)
    run = RecordedRun.start({**tiny.to_dict(), "output_folder": ""}, tmp_path / "new")
    with pytest.raises(ParameterError, match="no epoch is complete yet"):
        export(run.folder, "png", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_simulated_data_are_written_and_can_be_read_again(tiny: Preset, tmp_path: Path) -> None:
    file = tmp_path / "simulated.h5"
    tiny.update(epoch_max=0, data_simulation_flag=str(file))
    run_ptychography(tiny)
    again = Preset.from_dict({**tiny.to_dict(), "dataset": None, "data_path": str(file), "data_simulation_flag": False})
    assert run_ptychography(again).report.loss < 1e-3 * run_ptychography(tiny).report.loss
    tiny.update(data_simulation_exitwave=True, output_folder=str(tmp_path / "run"), epoch_max=1)
    run_ptychography(tiny)
    with h5py.File(file) as stored:
        assert stored["exitwave"].shape == (*stored["exitwave"].shape[:1], 16, 16, 1, 1)
        assert stored["exitwave"].dtype == np.complex128


@pytest.mark.parametrize("folder", ["", "run"])
def test_simulated_data_that_cannot_be_written_cost_no_run(
    tiny: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny.update(epoch_max=1, output_folder=folder)
    reports: list[EpochReport] = []
    # at once where that is known
    for place in (tmp_path / "nowhere" / "x.h5", tmp_path):
        tiny.update(data_simulation_flag=str(place))
        with pytest.raises(RunFolderError, match=r"data_simulation_flag: .* cannot be written: (No such file|Is a dir)"):
            run_ptychography(tiny, on_report=reports.append)
    assert not reports and not (tmp_path / "run").exists()
    # and as a warning where it is not
    (tmp_path / "for_a_while").mkdir()
    tiny.update(data_simulation_flag="for_a_while/x.h5")
    result = run_ptychography(tiny, on_report=lambda report: shutil.rmtree("for_a_while", ignore_errors=True))
    words = "x.h5 cannot be written: No such file"
    if folder:
        run = open_run(tmp_path / "run")
        assert run.journal()[-1]["event"] == "finished"
        assert words in run.journal()[-2]["warning"]
        # from any folder
        assert run.preset().data_simulation_flag == str(tmp_path / "for_a_while" / "x.h5")
    else:
        assert words in result.report.warnings[-1]
    assert result.point.obj.shape[2:] == (1, 1)


def test_each_constraint_has_its_column_when_asked(tiny: Preset, tmp_path: Path) -> None:
    tiny.update(
        save_loss_log=2, abs_norm_weight=0.5, phase_norm_weight="lambda x: 0.1 * (x >= 2)", output_folder=str(tmp_path / "run")
    )
    report = run_ptychography(tiny).report
    rows = open_run(tmp_path / "run").losses()
    assert float(rows[-1]["L1, absorption"]) == report.terms["L1, absorption"]
    assert [float(row["L1, phase"]) > 0 for row in rows] == [False, False] + [True] * (len(rows) - 2)
    assert "Constraints contribution" not in rows[0]


@pytest.mark.parametrize("stopped_after", [2, 3, 4])
def test_a_schedule_that_steps_where_a_run_is_resumed_resets_the_history_there_too(
    tiny: Preset, tmp_path: Path, stopped_after: int
) -> None:
    tiny.update(update_probe="lambda x: x >= 3", phase_norm_weight="lambda x: 0.1 * (x >= 4)")
    whole = run_ptychography(tiny)
    run = RecordedRun.start(tiny, tmp_path / "run")
    for _ in range(stopped_after):
        next(run)
    run.close()
    same_points(list(RecordedRun.resume(tmp_path / "run"))[-1].point, whole.point)


def test_without_a_complete_epoch_a_resume_starts_at_the_first_one(tiny: Preset, tmp_path: Path) -> None:
    tiny.update(epoch_prev=3, epoch_max=6)
    RecordedRun.start(tiny, tmp_path / "run").close()
    assert open_run(tmp_path / "run").checkpoint() is None
    reports = list(RecordedRun.resume(tmp_path / "run"))
    assert [report.epoch for report in reports] == [3, 4, 5, 6]
    same_points(reports[-1].point, run_ptychography(tiny).point)
