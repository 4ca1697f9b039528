"""One writer to a run's folder: refused in words while the owner lives, free at once when it is dead."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pypty_nb import Preset
from pypty_nb.runs import Follower, Phase, RecordedRun, RunLockedError
from pypty_nb.runs.lock import FolderLock
from pypty_nb.runs.state import STALE_S, STATE, Owner, RunState, read_state, write_state
from tests.processes import Child


@pytest.fixture
def preset(tiny: Preset, tmp_path: Path) -> Path:
    return tiny.to_json(tmp_path / "preset.json")


def test_a_second_process_is_refused_and_a_dead_owner_holds_nothing(preset: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    child = Child(preset, path, epochs=2)
    assert [child.hear() for _ in range(3)] == ["began", 1, 2]
    state = read_state(path)
    assert state is not None and state.owner is not None and state.owner.pid == child.process.pid
    said = rf"is being written by process {child.process.pid} on {state.owner.host} since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"
    for use in (RecordedRun.resume, FolderLock):
        with pytest.raises(RunLockedError, match=said):
            use(path)
    before = {p.name: p.read_bytes() for p in path.iterdir() if p.is_file()}
    with pytest.raises(OSError, match="already holds a run"):
        RecordedRun.start(preset, path)
    assert before == {p.name: p.read_bytes() for p in path.iterdir() if p.is_file()}
    assert Follower(path).poll().state.phase is Phase.RUNNING
    child.kill()
    # what a killed writer leaves; the next owner sweeps it away, and nothing else
    (path / ".co-0123456789ab.npy").write_bytes(b"half")
    (path / ".mine").write_text("kept")
    with RecordedRun.resume(path) as run:
        assert run.epoch == 2
        assert not (path / ".co-0123456789ab.npy").exists() and (path / ".mine").exists()
        assert len(list(run)) == 5


def test_the_same_process_is_refused_until_the_run_is_let_go(preset: Path, tmp_path: Path) -> None:
    run = RecordedRun.start(preset, tmp_path / "run")
    next(run)
    with pytest.raises(RunLockedError, match=r"written by this process .*stop or close"):
        RecordedRun.resume(tmp_path / "run")
    run.close()
    other = RecordedRun.resume(tmp_path / "run")
    # the one that let go writes nothing any more
    with pytest.raises(StopIteration):
        next(run)
    assert other.epoch == 1
    # nobody holds it any more
    del other
    state = read_state(tmp_path / "run")
    assert state is not None and state.phase is Phase.STOPPED
    with RecordedRun.resume(tmp_path / "run") as last:
        assert next(last).epoch == 1


def elsewhere(path: Path, age: float) -> RunState:
    """A run whose owner is another machine that said `age` seconds ago that it lives."""
    owner = replace(Owner.of(os.getpid()), host="cluster-7", machine="cluster-7 xyz", pid=4711)
    state = RunState(Phase.RUNNING, 3, 0, 6, folder=path, owner=owner)
    write_state(path, state)
    os.utime(path / STATE, (time.time() - age,) * 2)
    return state


def test_another_machine_holds_it_by_its_heartbeat(preset: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    RecordedRun.start(preset, path).close()
    elsewhere(path, 5)
    with pytest.raises(RunLockedError, match=r"process 4711 on cluster-7 since"):
        RecordedRun.resume(path)
    assert Follower(path).poll().state.phase is Phase.RUNNING
    elsewhere(path, STALE_S + 5)
    state = Follower(path).poll().state
    assert state.phase is Phase.LOST and "process 4711 on cluster-7 is gone since" in state.message and state.epoch == 3
    assert len(list(RecordedRun.resume(path))) == 7


def test_who_sees_another_s_name_in_its_folder_ends(preset: Path, tmp_path: Path) -> None:
    """Two machines without common locks; the later one has it."""
    run = RecordedRun.start(preset, tmp_path / "run")
    next(run)
    elsewhere(tmp_path / "run", 0)
    until = time.monotonic() + 10
    with pytest.raises(OSError, match=r"was taken over by process 4711 on cluster-7"):
        while time.monotonic() < until:
            run.obey()
            time.sleep(0.05)
    with pytest.raises(OSError, match="taken over"):
        next(run)
    state = json.loads((tmp_path / "run" / STATE).read_text(encoding="utf-8"))
    assert state["owner"]["host"] == "cluster-7" and state["phase"] == "running"


def test_a_process_number_that_was_given_again_is_not_its_owner() -> None:
    owner = Owner.of(os.getpid())
    assert owner.lives() is True
    assert replace(owner, created=owner.created - 1000).lives() is False
    assert replace(owner, machine="other").lives() is None
    assert replace(owner, pid=2**22 + 1).lives() is False
