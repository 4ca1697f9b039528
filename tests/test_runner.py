"""The async loop and the workspace around it: one epoch at a time, between which a person may pause, go on or stop."""

from __future__ import annotations

import asyncio
import io
import time
import zipfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from pypty_nb import Preset, open_run, run_ptychography
from pypty_nb.data import DataError
from pypty_nb.params import ParameterError, storage
from pypty_nb.records import EpochReport
from pypty_nb.runs import Follower, RecordedRun, send
from pypty_nb.workspace import Phase, Runner, RunState, Workspace
from tests.conftest import EPOCHS


class Watched:
    """A runner, and everything it says, with a way to wait for some of it."""

    def __init__(self) -> None:
        self.states: list[RunState] = []
        self.reports: list[EpochReport] = []
        self._changed = asyncio.Event()
        self.runner = Runner(self._state, self._report)

    def _state(self, state: RunState) -> None:
        self.states.append(state)
        self._changed.set()

    def _report(self, report: EpochReport) -> None:
        self.reports.append(report)
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    @property
    def phases(self) -> list[Phase]:
        """The phases in order, each once."""
        found = [state.phase for state in self.states]
        return [phase for i, phase in enumerate(found) if i == 0 or found[i - 1] is not phase]


def test_a_run_from_start_to_end(tiny: Preset, tmp_path: Path) -> None:
    async def run() -> Watched:
        watched = Watched()
        assert watched.runner.state == RunState() and not watched.runner.state.busy
        task = watched.runner.start(tiny, tmp_path / "run")
        assert watched.runner.state.busy and watched.runner.state.phase is Phase.PREPARING
        with pytest.raises(RuntimeError, match="under way"):
            watched.runner.start(tiny, tmp_path / "other")
        await task
        return watched

    watched = asyncio.run(run())
    assert watched.phases == [Phase.PREPARING, Phase.RUNNING, Phase.FINISHED]
    assert [report.epoch for report in watched.reports] == [*range(EPOCHS), EPOCHS]
    state = watched.runner.state
    assert (state.epoch, state.epoch_first, state.epoch_max, state.folder) == (EPOCHS, 0, EPOCHS, tmp_path / "run")
    assert not state.busy and not state.message
    epochs = [state.epoch for state in watched.states]
    assert epochs == sorted(epochs)
    np.testing.assert_array_equal(watched.reports[-1].point.obj, run_ptychography(tiny).point.obj)
    assert open_run(tmp_path / "run").is_finished()


def test_one_run_after_another(tiny: Preset, tmp_path: Path) -> None:
    async def run() -> Watched:
        watched = Watched()
        for name in ("a", "b"):
            await watched.runner.start(tiny, tmp_path / name)
        return watched

    watched = asyncio.run(run())
    assert watched.phases == [Phase.PREPARING, Phase.RUNNING, Phase.FINISHED] * 2
    assert len(watched.reports) == 2 * (EPOCHS + 1)


def test_a_change_of_the_preset_after_the_start_changes_nothing(tiny: Preset, tmp_path: Path) -> None:
    expected = run_ptychography(tiny).report.loss

    async def run() -> Watched:
        watched = Watched()
        task = watched.runner.start(tiny, tmp_path / "run")
        tiny.update(epoch_max=1, update_probe=False)
        await task
        return watched

    assert asyncio.run(run()).reports[-1].loss == expected


def test_no_epoch_begins_while_paused(tiny: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pause waits for the epoch under way; after its report there is none until the run goes on."""
    begun: list[float] = []
    step = RecordedRun.__next__
    monkeypatch.setattr(RecordedRun, "__next__", lambda run: (begun.append(time.monotonic()), step(run))[1])

    async def run() -> Watched:
        watched = Watched()
        watched.runner.pause()  # nothing to pause yet
        task = watched.runner.start(tiny, tmp_path / "run")
        await watched.until(lambda: len(watched.reports) == 2)
        watched.runner.pause()
        assert watched.runner.state.phase is Phase.PAUSED and watched.runner.state.busy
        watched.runner.pause()
        # the run waits: it would have had time for all its epochs
        done, _ = await asyncio.wait([task], timeout=1.0)
        assert not done
        reports = len(watched.reports)
        assert reports == len(begun) <= 3
        assert watched.runner.state.phase is Phase.PAUSED
        watched.runner.resume()
        assert watched.runner.state.phase is Phase.RUNNING
        watched.runner.resume()
        await task
        return watched

    watched = asyncio.run(run())
    assert watched.phases == [Phase.PREPARING, Phase.RUNNING, Phase.PAUSED, Phase.RUNNING, Phase.FINISHED]
    assert [report.epoch for report in watched.reports] == [*range(EPOCHS), EPOCHS]


@pytest.mark.parametrize("paused", [False, True])
def test_a_stopped_run_can_be_resumed(tiny: Preset, tmp_path: Path, paused: bool) -> None:
    tiny.update(epoch_max=50, save_inter_checkpoints=False)
    whole = run_ptychography(tiny)

    async def run() -> Watched:
        watched = Watched()
        task = watched.runner.start(tiny, tmp_path / "run")
        await watched.until(lambda: len(watched.reports) == 3)
        if paused:
            watched.runner.pause()
        watched.runner.stop()
        assert watched.runner.state.phase is Phase.STOPPING
        await task
        return watched

    watched = asyncio.run(run())
    assert watched.phases[-2:] == [Phase.STOPPING, Phase.STOPPED]
    assert 3 <= len(watched.reports) <= 4
    assert watched.runner.state.epoch == len(watched.reports)
    folder = open_run(tmp_path / "run")
    assert folder.journal()[-1]["event"] == "stopped" and not folder.is_finished()
    reports = list(RecordedRun.resume(folder.path))
    assert reports[0].epoch == len(watched.reports)
    np.testing.assert_array_equal(reports[-1].point.obj, whole.point.obj)


def test_a_run_stopped_before_its_first_epoch(tiny: Preset, tmp_path: Path) -> None:
    async def run() -> Watched:
        watched = Watched()
        task = watched.runner.start(tiny, tmp_path / "run")
        watched.runner.stop()
        await task
        watched.runner.stop()
        return watched

    watched = asyncio.run(run())
    assert watched.phases == [Phase.PREPARING, Phase.STOPPING, Phase.STOPPED]
    assert not watched.reports
    assert len(list(RecordedRun.resume(tmp_path / "run"))) == EPOCHS + 1


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"dataset": None}, "data_path: no measurements are given"),
        ({"dataset": None, "data_path": "missing.h5"}, "data_path: there is no file"),
        ({"dataset": -np.ones((25, 16, 16))}, "negative counts"),
        ({"probe": np.zeros((16, 16, 1))}, "probe: is zero everywhere"),
    ],
)
def test_a_preset_that_cannot_be_run_fails_in_words(tiny: Preset, tmp_path: Path, values: dict, words: str) -> None:
    tiny.update(values)

    async def run() -> Watched:
        watched = Watched()
        await watched.runner.start(tiny, tmp_path / "a" / "run")
        return watched

    watched = asyncio.run(run())
    assert watched.phases == [Phase.PREPARING, Phase.FAILED]
    assert words in watched.runner.state.message and "Traceback" not in watched.runner.state.message
    assert not watched.runner.state.busy and not watched.reports
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_fails_in_words(tiny: Preset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    async def run() -> Watched:
        watched = Watched()
        await watched.runner.start(tiny, tmp_path / "file" / "run")
        # and after that the next one runs
        await watched.runner.start(tiny, tmp_path / "run")
        return watched

    watched = asyncio.run(run())
    assert watched.phases == [Phase.PREPARING, Phase.FAILED, Phase.PREPARING, Phase.RUNNING, Phase.FINISHED]
    assert any("cannot be written" in state.message for state in watched.states)


def test_a_failure_of_the_page_itself_is_seen(tiny: Preset, tmp_path: Path) -> None:
    def broken(report: EpochReport) -> None:
        raise KeyError("picture")

    async def run() -> RunState:
        runner = Runner(lambda state: None, broken)
        await runner.start(tiny, tmp_path / "run")
        return runner.state

    state = asyncio.run(run())
    assert state.phase is Phase.FAILED and state.message == "KeyError: 'picture'"


def test_the_event_loop_goes_on_meanwhile(tiny: Preset, tmp_path: Path) -> None:
    tiny.epoch_max = 60
    gaps: list[float] = []

    async def tick() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            gaps.append(time.monotonic() - before)

    async def run() -> int:
        watched = Watched()
        ticking = asyncio.create_task(tick())
        await watched.runner.start(tiny, tmp_path / "run")
        ticking.cancel()
        return len(watched.reports)

    assert asyncio.run(run()) == 61
    assert len(gaps) > 10
    assert max(gaps) < 0.5


def test_it_is_changed_and_told_through_its_folder_too(tiny: Preset, tmp_path: Path) -> None:
    """A run in this process hears what another page or a shell says, and shows it."""
    tiny.update(epoch_max=100_000, hist_length=0)
    answers: list[dict] = []

    async def run() -> Watched:
        watched = Watched()
        runner = watched.runner = Runner(watched._state, watched._report, answers.append)  # pyright: ignore[reportArgumentType]
        with pytest.raises(ParameterError, match="no run is under way"):
            runner.change({"phase_norm_weight": 0.1})
        task = runner.start(tiny, tmp_path / "run")
        await watched.until(lambda: len(watched.reports) > 1)
        for word, phase in (("pause", Phase.PAUSED), ("resume", Phase.RUNNING), ("pause", Phase.PAUSED)):
            send(tmp_path / "run", word)
            await watched.until(lambda phase=phase: runner.state.phase is phase)
        # and by its own buttons
        runner.resume()
        sent = runner.change({"phase_norm_weight": 0.1})
        await watched.until(lambda: any(answer["id"] == sent for answer in answers))
        undone = runner.undo()
        await watched.until(lambda: any(answer["id"] == undone for answer in answers))
        runner.pause()
        await watched.until(lambda: Follower(tmp_path / "run").poll().state.phase is Phase.PAUSED)
        send(tmp_path / "run", "stop")
        await task
        return watched

    watched = asyncio.run(run())
    assert watched.runner.state.phase is Phase.STOPPED
    assert [answer["command"] for answer in answers] == ["pause", "resume", "pause", "change", "undo", "stop"]
    assert all(answer["accepted"] for answer in answers)


# ---- the workspace
def in_a_loop(use: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(use())  # pyright: ignore[reportArgumentType]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, lambda state: None, lambda report: None)


def test_runs_are_numbered(workspace: Workspace, tiny: Preset, tmp_path: Path) -> None:
    workspace.preset.update(tiny.to_dict())

    async def use() -> None:
        assert workspace.last_run() is None
        for _ in range(2):
            await workspace.start()

    in_a_loop(use)
    assert sorted(path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()) == ["001", "002"]
    last = workspace.last_run()
    assert last is not None and last.path == tmp_path / "runs" / "002" and last.is_finished()
    (tmp_path / "runs" / "017").mkdir()
    (tmp_path / "runs" / "mine").mkdir()
    (tmp_path / "runs" / "99").mkdir()
    assert workspace.next_folder() == tmp_path / "runs" / "018"
    workspace.preset.output_folder = "here/it/is"
    assert workspace.next_folder() == tmp_path / "here" / "it" / "is"


@pytest.mark.parametrize("path", ["..", "../other", "/etc/passwd", "a/../../b", "link/file"])
def test_nothing_outside_the_folder_is_touched(workspace: Workspace, tmp_path: Path, path: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path.parent)
    with pytest.raises(ParameterError, match="outside the project folder"):
        workspace.inside(Path(path))
    with pytest.raises(ParameterError, match="outside the project folder"):
        workspace.use_file(Path(path))
    workspace.preset.output_folder = path
    with pytest.raises(ParameterError, match="outside the project folder"):
        workspace.next_folder()


def test_files_are_taken(workspace: Workspace, tiny: Preset, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["data"] = tiny.dataset
    assert workspace.use_file(Path("scan.h5")) == "scan.h5: 25 × 16 × 16"
    assert (workspace.preset.data_path, workspace.name) == (str(tmp_path / "scan.h5"), "scan")
    tiny.to_json(tmp_path / "mine.json")
    assert workspace.use_file(tmp_path / "mine.json") == "Preset mine.json"
    assert workspace.preset == tiny and workspace.name == "mine"
    for missing, error in (("no.h5", DataError), ("no.json", ParameterError)):
        with pytest.raises(error, match="no"):
            workspace.use_file(Path(missing))
    assert workspace.preset == tiny


def test_a_preset_is_taken_home(workspace: Workspace, tiny: Preset, tmp_path: Path) -> None:
    name, content = workspace.exported()
    assert name == "untitled.json"
    (tmp_path / name).write_bytes(content)
    assert Preset.from_json(tmp_path / name) == Preset()
    tiny.strip_dataset_from_params = False
    workspace.preset.update(tiny.to_dict())
    workspace.name = "mine"
    name, content = workspace.exported()
    assert name == "mine.zip"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sorted(archive.namelist()) == ["mine.h5", "mine.json"]
        archive.extractall(tmp_path)
    assert Preset.from_json(tmp_path / "mine.json") == tiny
    # as it is unless set otherwise, an array of data stays here, and the preset says so
    workspace.preset.strip_dataset_from_params = True
    (tmp_path / "stripped.zip").write_bytes(workspace.exported()[1])
    with zipfile.ZipFile(tmp_path / "stripped.zip") as archive:
        archive.extractall(tmp_path)
    assert Preset.from_json(tmp_path / "mine.json").diff(workspace.preset).keys() == {"dataset"}
    assert "without its data, an array of shape (25, 16, 16)" in storage.about(tmp_path / "mine.json")
    assert np.array_equal(workspace.preset.dataset, tiny.dataset)
