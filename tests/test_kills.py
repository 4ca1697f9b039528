"""No kill at any instant, no full disk, no folder gone costs more than the epoch under way."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pypty_nb import Preset, open_run, run_ptychography
from pypty_nb.engine import ReconstructionError
from pypty_nb.params import ParameterError
from pypty_nb.runs import Follower, Phase, RecordedRun, RunFolder, RunFolderError
from pypty_nb.runs.folder import ARRAY_FILES, CHECKPOINT
from tests.processes import Child
from tests.test_runs import same_points, without_times

KILLS = 20
_TEMPORARY = ".*-*"


@pytest.fixture
def long(tiny: Preset, tmp_path: Path) -> Path:
    """A preset file of more epochs than a test waits for."""
    tiny.update(epoch_max=60)
    return tiny.to_json(tmp_path / "preset.json")


def complete(folder: RunFolder) -> int:
    state = folder.checkpoint()
    return 0 if state is None else int(state["epoch"])


def check_what_is_left(folder: RunFolder, preset: Preset) -> None:
    """All of it can be read, and the log is at most one epoch ahead of the state."""
    assert folder.preset() == preset and not folder.is_finished()
    losses = folder.losses()
    assert len(losses) - complete(folder) in (0, 1)
    assert [int(row["epoch"]) for row in losses] == list(range(len(losses)))
    folder.journal()
    for name in ARRAY_FILES.values():
        if (folder.path / name).exists():
            assert np.load(folder.path / name).size
    assert Follower(folder.path).poll().state.phase is Phase.LOST


def test_twenty_kills_at_random_instants_and_in_the_middle_of_writes(long: Path, tmp_path: Path) -> None:
    chance = random.Random(11)
    preset, path = Preset.from_json(long), tmp_path / "run"
    while not (path / "params.json").exists():
        # before there is a run at all, a start is simply made again
        Child(long, path, kill_at=chance.randint(1, 40)).rest()
    lost = 0
    for kill in range(KILLS):
        begun = (path / "journal.jsonl").exists() and RunFolder(path).is_started()
        preset_or_none = None if begun else long
        if kill % 2:
            child = Child(preset_or_none, path, kill_at=chance.randint(1, 250))
            child.rest()
        else:
            child = Child(preset_or_none, path)
            while child.hear() == "began" and chance.random() < 0.5:
                pass
            time.sleep(chance.uniform(0, 0.2))
            child.kill()
        assert child.process.exitcode == -9
        check_what_is_left(RunFolder(path), preset)
        lost += len(list(path.glob(_TEMPORARY))) > 0
    # some were in the middle of a write, or they would prove little
    assert lost >= 3
    assert Child(None, path).rest()[-1] == 60
    whole = run_ptychography({**preset.to_dict(), "output_folder": str(tmp_path / "whole")})
    folder = open_run(path)
    point = folder.point()
    assert point is not None and folder.is_finished()
    same_points(point, whole.point)
    assert without_times(folder.losses()) == without_times(open_run(tmp_path / "whole").losses())
    # what the killed ones left half written is gone
    assert not [p for p in path.glob(_TEMPORARY) if p.name != ".lock"]
    assert Follower(path).poll().state.phase is Phase.FINISHED


# ---- disks
def mount(*arguments: object) -> bool:
    return not subprocess.run(["mount", *map(str, arguments)], capture_output=True).returncode


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 600 kB, seen through a second mount."""
    real, seen = tmp_path / "real", tmp_path / "disk"
    real.mkdir()
    seen.mkdir()
    if os.name != "posix" or not mount("-t", "tmpfs", "-o", "size=600k", "tmpfs", real):
        pytest.skip("mounting a file system needs root")
    assert mount("--bind", real, seen)
    yield seen
    for path in (seen, real):
        subprocess.run(["umount", "-l", str(path)], check=True)


def look_again(disk: Path, how: str) -> None:
    """Turn `disk` read-only ("ro") or writable ("rw"); files that are open stay so, as after an error of the device."""
    subprocess.run(["umount", "-l", str(disk)], check=True)
    assert mount("--bind", disk.with_name("real"), disk) and mount("-o", f"remount,bind,{how}", disk)


def test_a_full_disk_is_said_and_keeps_the_last_good_state(tiny: Preset, tmp_path: Path, disk: Path) -> None:
    whole = run_ptychography(tiny)
    run = RecordedRun.start(tiny, disk / "run")
    next(run), next(run)
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        while True:
            file.write(b"x" * 4096)
    said = r"cannot be written \(No space left on device\); the run ended after epoch 3; the state after epoch 2 is on disk"
    with pytest.raises(RunFolderError, match=said) as e:
        next(run)
    # in memory
    assert e.value.report is not None and e.value.report.epoch == 2
    same_points(e.value.report.point, run.reconstruction.point)
    # on disk
    assert complete(run.folder) == 2
    assert run.state.phase is Phase.FAILED and "No space" in run.state.message
    filler.unlink()
    reports = list(RecordedRun.resume(disk / "run"))
    assert [report.epoch for report in reports] == [2, 3, 4, 5, 6]
    same_points(reports[-1].point, whole.point)
    assert [row["epoch"] for row in run.folder.losses()] == [str(epoch) for epoch in range(7)]


def test_a_folder_turned_read_only(tiny: Preset, disk: Path) -> None:
    whole = run_ptychography(tiny)
    run = RecordedRun.start(tiny, disk / "run")
    next(run)
    look_again(disk, "ro")
    said = r"cannot be written \(Read-only file system\).*the state after epoch 1 is on disk"
    with pytest.raises(RunFolderError, match=said):
        next(run)
    for use in (RecordedRun.resume, lambda path: RecordedRun.start(tiny, path.with_name("other"))):
        with pytest.raises(RunFolderError, match="cannot be written: Read-only file system"):
            use(disk / "run")
    look_again(disk, "rw")
    same_points(list(RecordedRun.resume(disk / "run"))[-1].point, whole.point)


def test_files_that_may_not_grow(long: Path, tmp_path: Path) -> None:
    """A quota that a checkpoint does not fit into, once the history has grown."""
    child = Child(long, tmp_path / "run", most_bytes=150_000)
    *epochs, said = child.rest()
    assert "cannot be written (File too large)" in said and child.process.exitcode == 0
    folder = open_run(tmp_path / "run")
    assert 1 <= complete(folder) == epochs[-1]
    assert f"the state after epoch {epochs[-1]} is on disk" in said
    assert Follower(folder.path).poll().state.phase is Phase.FAILED


def test_a_folder_removed_in_mid_run(tiny: Preset, tmp_path: Path) -> None:
    run = RecordedRun.start(tiny, tmp_path / "run")
    next(run)
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(RunFolderError, match=r"cannot be written \(No such file or directory\).*nothing is saved"):
        next(run)
    assert run.reconstruction.epoch == 2
    assert not (tmp_path / "run").exists()


# ---- what goes wrong in the run itself
def test_not_a_number_keeps_the_last_good_state_on_disk(tiny: Preset, tmp_path: Path) -> None:
    # saved every fourth epoch only: what is good and not saved yet is saved then
    tiny.update(save_inter_checkpoints=4, phase_norm_weight={"steps": [[0, 0], [2, 1e308]]})
    run = RecordedRun.start(tiny, tmp_path / "run")
    next(run), next(run)
    good = run.reconstruction.point
    with pytest.raises(
        ReconstructionError, match=r"epoch 2: the term 'L1, phase' of the loss is inf; the last good state is kept"
    ):
        list(run)
    assert complete(run.folder) == 2
    point = run.folder.point()
    assert point is not None and np.isfinite(point.obj).all()
    same_points(point, good)
    same_points(run.reconstruction.point, good)
    assert run.folder.journal()[-1]["event"] == "failed" and run.state.phase is Phase.FAILED


def test_a_schedule_that_raises_in_mid_run(tiny: Preset, tmp_path: Path) -> None:
    broken: list[bool] = []

    def weight(epoch: int) -> float:
        if broken:
            raise RuntimeError("no such epoch in the table")
        return 0.0

    tiny.update(save_inter_checkpoints=4, phase_norm_weight=weight)
    run = RecordedRun.start(tiny, tmp_path / "run")
    next(run), next(run)
    good = run.reconstruction.point
    broken.append(True)
    with pytest.raises(ParameterError, match=r"phase_norm_weight: .*no such epoch in the table"):
        next(run)
    assert complete(run.folder) == 2 and run.state.phase is Phase.FAILED
    point = run.folder.point()
    assert point is not None
    same_points(point, good)
    assert len(list(RecordedRun.resume(tmp_path / "run"))) == 5


@pytest.mark.parametrize("part", [0.3, 0.9])
def test_a_checkpoint_cut_short_is_said(tiny: Preset, tmp_path: Path, part: float) -> None:
    tiny.output_folder = str(tmp_path / "run")
    run_ptychography(tiny)
    path = tmp_path / "run" / CHECKPOINT
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(ParameterError, match=r"checkpoint.npz is damaged .*delete it to start at the first epoch"):
        RecordedRun.resume(tmp_path / "run")
    path.unlink()
    assert RecordedRun.resume(tmp_path / "run").epoch == 0
