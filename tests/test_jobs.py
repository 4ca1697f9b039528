"""A run as a process of its own: started, seen, steered, killed, queued, all through its folder."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

from pypty_nb import Preset, open_run, run_ptychography
from pypty_nb.cli import cli
from pypty_nb.params import ParameterError
from pypty_nb.records import EpochReport
from pypty_nb.runs import Follower, Phase, RecordedRun, RunFolderError, RunState, send
from pypty_nb.runs.frames import FRAME
from pypty_nb.workspace import Attached, Jobs, Workspace, server
from pypty_nb.workspace.jobs import AT_MOST_VARIABLE
from tests.test_cli import pypty
from tests.test_runs import same_points

PATIENCE_S = 120


@pytest.fixture
def endless(tiny: Preset) -> Preset:
    tiny.update(epoch_max=100_000, hist_length=0)
    return tiny


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder; no process of its runs outlives the test. One thread, so that numbers can be compared bit for bit."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield tmp_path
    for job in Jobs(tmp_path).list():
        owner = job.state.owner
        if owner is not None and owner.own and owner.lives() and owner.pid != os.getpid():
            psutil.Process(owner.pid).kill()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def phase(folder: Path) -> Phase:
    return Follower(folder).poll().state.phase


class Page:
    """An attached run, and all it told."""

    def __init__(self, root: Path, at_most: int = 1):
        self.states: list[RunState] = []
        self.reports: list[EpochReport] = []
        self.answers: list[dict] = []
        self.run = Attached(Jobs(root, at_most, threads=1), self.states.append, self.reports.append, self.answers.append)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.02)

    @property
    def phases(self) -> list[Phase]:
        found = [state.phase for state in self.states]
        return [p for i, p in enumerate(found) if i == 0 or found[i - 1] is not p]


# ---- one run
def test_a_run_in_its_own_process_is_seen_steered_left_and_found_again(endless: Preset, root: Path) -> None:
    folder = root / "runs" / "001"

    async def use() -> None:
        page = Page(root)
        task = page.run.start(endless, folder)
        with pytest.raises(RuntimeError, match="under way"):
            page.run.start(endless, root / "other")
        # with pictures, since somebody watches
        await page.until(lambda: any(report.point.obj is not None and not report.final for report in page.reports))
        seen = next(report for report in page.reports if report.point.obj is not None)
        assert seen.residual.shape == (25,) and seen.terms["data"] > 0
        owner = page.run.state.owner
        assert owner is not None and owner.pid != os.getpid() and os.getpgid(owner.pid) == owner.pid
        page.run.pause()
        await page.until(lambda: page.run.state.phase is Phase.PAUSED)
        epoch = page.run.state.epoch
        sent = page.run.change({"phase_norm_weight": 0.2})
        with pytest.raises(ParameterError, match="data_bin: cannot be changed"):
            page.run.change({"data_bin": 2})
        await page.until(lambda: any(answer["id"] == sent for answer in page.answers))
        assert page.run.state.epoch == epoch
        # the page is closed; another one comes
        page.run.detach()
        await asyncio.sleep(0)
        assert task.done() and page.run.state == RunState()
        other = Page(root)
        other.run.attach(folder)
        await other.until(lambda: other.run.state.phase is Phase.PAUSED)
        # what was reported so far, and no answers to others
        assert [report.epoch for report in other.reports] == list(range(epoch)) and not other.answers
        other.run.resume()
        await other.until(lambda: other.run.state.epoch > epoch + 2)
        undone = other.run.undo()
        await other.until(lambda: any(answer["id"] == undone and answer["accepted"] for answer in other.answers))
        # at rest, since an end that is already passed ends it where it is
        other.run.pause()
        await other.until(lambda: other.run.state.phase is Phase.PAUSED)
        last = other.run.state.epoch + 8
        other.run.change({"epoch_max": last})
        other.run.resume()
        await other.until(lambda: not other.run.state.busy)
        assert other.run.state.phase is Phase.FINISHED and other.run.state.epoch_max == last
        assert other.reports[-1].final and other.reports[-1].epoch == last

    asyncio.run(use())
    point = open_run(folder).point()
    expected = run_ptychography({**endless.to_dict(), "epoch_max": int(open_run(folder).checkpoint()["epoch"])})
    assert point is not None
    same_points(point, expected.point)
    # a view of a finished run is the same view
    update = Follower(folder).poll()
    same_points(update.reports[-1].point, point)
    assert update.reports[-1].residual is not None and update.reports[-1].loss == expected.report.loss


def test_a_notebook_waits_for_what_it_expects_of_a_run(endless: Preset, root: Path) -> None:
    async def use() -> None:
        run = Attached(Jobs(root, threads=1))
        run.start(endless, root / "runs" / "001")
        async with asyncio.timeout(PATIENCE_S):
            state = await run.until(lambda state: state.epoch >= 3)
            assert state.epoch >= 3 and state == run.state
            run.stop()
            state = await run.until(lambda state: not state.busy)
            assert state.phase is Phase.STOPPED
            # it holds already
            assert await run.until(lambda state: state.epoch >= 3) == state
            with pytest.raises(RuntimeError, match="did not happen: the run is stopped"):
                await run.until(lambda state: state.epoch >= 10**6)
            run.detach()
            with pytest.raises(RuntimeError, match="the run is idle"):
                await run.until(lambda state: state.busy)

    asyncio.run(use())


def test_killed_it_is_lost_in_words_and_resumed(endless: Preset, root: Path) -> None:
    folder = root / "runs" / "001"

    async def use() -> None:
        page = Page(root)
        page.run.start(endless, folder)
        await page.until(lambda: page.run.state.epoch >= 2)
        owner = page.run.state.owner
        assert owner is not None
        os.kill(owner.pid, signal.SIGKILL)
        await page.until(lambda: not page.run.state.busy)
        state = page.run.state
        assert state.phase is Phase.LOST
        assert f"process {owner.pid} on {owner.host} is gone since 20" in state.message and "can be resumed" in state.message
        epochs = len(open_run(folder).losses())
        page.run.restart(folder)
        await page.until(lambda: page.run.state.epoch > epochs + 1)
        # ended at once, in mid-epoch or not
        task = page.run.abort()
        assert task is not None
        await page.until(lambda: not page.run.state.busy)
        assert page.run.state.phase is Phase.STOPPED
        assert not owner.lives()

    asyncio.run(use())
    assert open_run(folder).journal()[-1]["event"] == "stopped"
    assert int(open_run(folder).checkpoint()["epoch"]) >= 2  # pyright: ignore[reportOptionalSubscript]


def test_what_cannot_be_run_fails_in_words(tiny: Preset, root: Path) -> None:
    tiny.update(dataset=None, data_path=str(root / "missing.h5"))

    async def use() -> RunState:
        page = Page(root)
        await page.run.start(tiny, root / "runs" / "001")
        assert page.phases[0] is Phase.PREPARING
        return page.run.state

    state = asyncio.run(use())
    assert state.phase is Phase.FAILED and "there is no file" in state.message


def test_a_process_that_dies_before_it_can_speak(tiny: Preset, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    Jobs(root).start(tiny, root / "runs" / "001")
    until(lambda: phase(root / "runs" / "001") is Phase.LOST)
    monkeypatch.undo()
    jobs = Jobs(root)
    jobs.resume(root / "runs" / "001")
    until(lambda: phase(root / "runs" / "001") is Phase.FINISHED)
    with pytest.raises(RunFolderError, match="has finished"):
        jobs.resume(root / "runs" / "001")


# ---- several
def test_the_others_wait_for_their_turn_and_survive_the_server(endless: Preset, root: Path) -> None:
    short = endless.copy()
    short.epoch_max = 2
    folders = [root / "runs" / f"{number:03d}" for number in range(1, 5)]
    jobs = Jobs(root, at_most=1, threads=1)
    assert jobs.start(endless, folders[0]).phase in {Phase.PREPARING, Phase.RUNNING}
    assert [jobs.start(short, folder).place for folder in folders[1:]] == [1, 2, 3]
    # the server has gone; a new one sees the same, and starts nothing twice
    jobs = Jobs(root, at_most=1)
    assert jobs.advance() == []
    assert [(job.state.phase, job.state.place) for job in jobs.list()[1:]] == [(Phase.QUEUED, n) for n in (1, 2, 3)]
    assert jobs.abort(folders[2]).phase is Phase.STOPPED
    assert [job.state.place for job in jobs.list()] == [0, 1, 0, 2]
    with pytest.raises(RunFolderError, match="under way already"):
        jobs.resume(folders[1])
    until(lambda: phase(folders[0]) is Phase.RUNNING)
    send(folders[0], "stop")
    # nobody but the ending processes themselves starts the next ones
    until(lambda: all(phase(folders[n]) is Phase.FINISHED for n in (1, 3)))
    assert [phase(folder) for folder in folders] == [Phase.STOPPED, Phase.FINISHED, Phase.STOPPED, Phase.FINISHED]
    assert [event["event"] for event in open_run(folders[1]).journal()] == ["started", "finished"]
    first, second = (open_run(folders[n]).journal() for n in (1, 3))
    assert first[-1]["time"] < second[0]["time"]


def test_two_at_a_time_where_the_server_was_told_so(endless: Preset, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``pypty-nb app --jobs 2``: two run, the third waits until one of them has ended."""
    served: list[server.Page] = []
    monkeypatch.setattr("pypty_nb.cli.page._serve", served.append)
    result = CliRunner().invoke(cli, ["app", "--root", str(root), "--jobs", "2"])
    assert (result.exit_code, served[0].jobs) == (0, 2)
    assert CliRunner().invoke(cli, ["app", "--jobs", "0"]).exit_code == 2
    for name, value in server.told(served[0]).items():
        monkeypatch.setenv(name, value)
    jobs = Workspace(root, lambda state: None, lambda report: None).jobs
    folders = [root / "runs" / name for name in ("001", "002", "003")]
    short = endless.copy()
    short.epoch_max = 2
    states = [jobs.start(preset, folder) for preset, folder in zip((endless, endless, short), folders, strict=True)]
    assert [state.place for state in states] == [0, 0, 1]
    until(lambda: [phase(folder) for folder in folders] == [Phase.RUNNING, Phase.RUNNING, Phase.QUEUED])
    send(folders[1], "stop")
    # the ending process starts it
    until(lambda: phase(folders[2]) is Phase.FINISHED)
    assert phase(folders[0]) is Phase.RUNNING
    monkeypatch.setenv(AT_MOST_VARIABLE, "none")
    with pytest.raises(ParameterError, match="PYPTY_NB_AT_MOST: 'none' is no number of runs"):
        Workspace(root, lambda state: None, lambda report: None)


def test_two_servers_start_a_queued_run_once(tiny: Preset, root: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    waiting = Jobs(root, at_most=0)
    for name in ("001", "002", "003"):
        assert waiting.start(tiny, root / "runs" / name).phase is Phase.QUEUED
    with ThreadPoolExecutor(4) as pool:
        begun = [path for paths in pool.map(lambda _: Jobs(root, at_most=2, threads=1).advance(), range(4)) for path in paths]
    assert [path.name for path in begun] == ["001", "002"]
    until(lambda: all(phase(root / "runs" / name) is Phase.FINISHED for name in ("001", "002", "003")))
    for name in ("001", "002", "003"):
        assert [event["event"] for event in open_run(root / "runs" / name).journal()] == ["started", "finished"]


# ---- from the shell
def test_watch_and_tell(endless: Preset, root: Path) -> None:
    folder = root / "runs" / "001"
    Jobs(root, threads=1).start(endless, folder)
    until(lambda: phase(folder) is Phase.RUNNING)
    # which the look above has left
    (folder / "watching").unlink()
    command = [sys.executable, "-m", "pypty_nb.cli", "watch", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as watching:
        until((folder / "watching").exists)
        until(lambda: (folder / FRAME).exists())
        watching.send_signal(signal.SIGINT)
        assert watching.stdout is not None and "the run goes on" in watching.stdout.read()
    assert watching.returncode == 0
    done = pypty("tell", folder, "change", "phase_norm_weight=0.5", "update_probe=lambda x: x > 3", cwd=root)
    assert done.returncode == 0 and "✓ change, after epoch" in done.stdout, done.stderr
    values = [event["values"] for event in open_run(folder).journal() if event["event"] == "changed"]
    assert values == [{"phase_norm_weight": ["0.0", "0.5"], "update_probe": [True, "lambda x: x > 3"]}]
    done = pypty("tell", folder, "change", "data_bin=2", cwd=root)
    assert (done.returncode, done.stderr) == (2, "✕ data_bin: cannot be changed during a run; start a new run with it\n")
    done = pypty("resume", folder, cwd=root)
    assert done.returncode == 2 and "is being written by process" in done.stderr
    assert pypty("tell", folder, "stop", cwd=root).returncode == 0
    until(lambda: phase(folder) is Phase.STOPPED)
    done = pypty("tell", folder, "pause", cwd=root)
    assert done.returncode == 2 and "the run is not under way, but stopped" in done.stderr
    done = pypty("watch", folder, cwd=root)
    assert done.returncode == 0 and "stopped after epoch" in done.stdout


# ---- looking on
def test_no_frames_are_written_unless_somebody_watches(endless: Preset, tmp_path: Path) -> None:
    run = RecordedRun.start(endless, tmp_path / "run")
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        next(run)
    assert not (tmp_path / "run" / FRAME).exists()
    follower = Follower(tmp_path / "run")
    reports: list[EpochReport] = []
    end = time.monotonic() + 2
    while time.monotonic() < end:
        next(run)
        reports += follower.poll().reports
    pictures = [report for report in reports if report.point.obj is not None]
    assert 1 <= len(pictures) <= 12
    epochs = [report.epoch for report in reports]
    assert sorted(set(epochs)) == list(range(epochs[-1] + 1))
    run.stop()
    update = follower.poll()
    assert update.state.phase is Phase.STOPPED
    np.testing.assert_array_equal(update.reports[-1].point.obj, run.reconstruction.point.obj)


def test_a_follower_copes_with_what_is_half_there(tiny: Preset, tmp_path: Path) -> None:
    tiny.output_folder = str(tmp_path / "run")
    result = run_ptychography(tiny)
    folder = tmp_path / "run"
    for name, content in (("state.json", "{"), ("live.npz", "PK"), ("journal.jsonl", '{"event": "sta')):
        (folder / name).write_text(content)
    update = Follower(folder).poll()
    assert [report.epoch for report in update.reports] == list(range(7))
    # from the checkpoint then
    same_points(update.reports[-1].point, result.point)
    (folder / "checkpoint.npz").write_bytes(b"half")
    (folder / "state.json").unlink()
    follower = Follower(folder)
    update = follower.poll()
    assert update.reports[-1].point.obj is None and update.reports[-1].loss == result.report.loss
    with (folder / "loss.csv").open("a") as file:
        file.write("7,0.5,1.0,2.0")
    assert follower.poll().reports == ()
    (folder / "loss.csv").unlink()
    assert follower.poll().reports == ()
