"""Steering without a browser: what waits, is refused, in force, undone; drafts that are left alone; the field's words."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pypty_nb.params import ParameterError, Preset
from pypty_nb.runs import Change, Changes, Follower, Phase, RecordedRun, RunFolder, RunState, send, withdraw
from pypty_nb.runs.commands import waiting
from pypty_nb.runs.follow import OUTPUT
from pypty_nb.runs.state import Owner, write_state
from pypty_nb.widgets.fieldbox import FieldBox
from pypty_nb.widgets.form import Form
from pypty_nb.widgets.host import Host
from pypty_nb.widgets.panels import BottomBar
from pypty_nb.widgets.reports import Reports
from pypty_nb.workspace import Applied, Attached, History, Jobs, Journal, News, Refused, Steering, Waiting, Workspace
from pypty_nb.workspace.lookout import Lookout
from pypty_nb.workspace.steering import FIXED

PATIENCE_S = 120
NAME = "phase_norm_weight"


class Told:
    """A runner that is told things: a run in a folder, driven by the test itself."""

    def __init__(self, folder: Path, preset: Preset):
        self.run = RecordedRun.start(preset, folder)
        self.folder = RunFolder.open(folder)
        self.preset = preset.copy()
        self.history = History(self.preset)
        self.runner = Attached(Jobs(folder.parent), lambda state: None, lambda report: None)
        self.steering = Steering(self.preset, self.history, self.runner)
        self.steering.begin(preset)
        self._heard = 0
        self.look()

    def look(self) -> None:
        """See what a follower of the folder would see."""
        self.runner.state = self.run.state
        lines = self.folder.journal()[self._heard :]
        self._heard += len(lines)
        self.steering.hear(News(tuple(lines), changes=tuple(Changes(self.folder).in_force())))

    def go_on(self) -> None:
        next(self.run)
        self.look()


@pytest.fixture
def told(tiny: Preset, tmp_path: Path) -> Iterator[Told]:
    tiny.epoch_max = 50
    told = Told(tmp_path / "run", tiny)
    yield told
    told.run.close()


def test_a_change_waits_is_in_force_and_is_undone(told: Told) -> None:
    steering = told.steering
    told.go_on()
    steering.change(NAME, 0.25)
    assert steering.mark(NAME) == Waiting(steering.waiting[NAME].id, 0.25, 2)
    assert [(event.epoch, event.words) for event in steering.planned.values()] == [(2, "Phase norm weight 0.0 → 0.25")]
    assert told.preset[NAME] == 0.0
    told.go_on()
    assert steering.mark(NAME) == Applied(1, True)
    assert told.preset[NAME] == steering.running[NAME] == told.run.reconstruction.preset[NAME] == 0.25
    # another one on top of it is the one that goes first
    steering.change("hist_length", 3)
    assert steering.mark(NAME) == Applied(1, False)
    told.go_on()
    assert (steering.mark(NAME), steering.mark("hist_length")) == (Applied(1, False), Applied(2, True))
    assert steering.lost_by_undo == 1
    steering.undo("hist_length")
    assert steering.mark("hist_length") == Applied(2, False, going=True)
    told.go_on()
    assert steering.mark("hist_length") is None and steering.mark(NAME) == Applied(1, True)
    assert told.preset.hist_length == told.run.reconstruction.preset.hist_length != 3
    steering.undo(NAME)
    told.go_on()
    assert told.preset[NAME] == 0.0 and told.preset == told.steering.running
    assert told.run.epoch == 2


def test_two_pages_that_undo_the_same_change_undo_one(told: Told) -> None:
    other = Steering(told.preset.copy(), History(told.preset.copy()), told.runner)
    other.begin(told.preset)
    for value in (0.25, 0.5):
        told.go_on()
        told.steering.change(NAME, value)
    told.go_on()
    lines = told.folder.journal()
    other.hear(News(tuple(lines), changes=tuple(Changes(told.folder).in_force())))
    assert other.mark(NAME) == told.steering.mark(NAME) == Applied(2, True)
    told.steering.undo(NAME)
    other.undo(NAME)
    told.go_on()
    other.hear(News(tuple(told.folder.journal()[len(lines) :]), changes=tuple(Changes(told.folder).in_force())))
    refused = other.mark(NAME)
    assert isinstance(refused, Refused) and "undone already" in refused.why
    assert told.steering.mark(NAME) == Applied(1, True) and told.run.reconstruction.preset[NAME] == 0.25


def test_what_waits_is_taken_back_before_the_run_sees_it(told: Told) -> None:
    told.steering.change(NAME, 0.25)
    told.steering.change(NAME, 0.5)
    assert [command.values for command in waiting(told.folder.path)] == [{NAME: 0.5}]
    told.steering.undo(NAME)
    assert not waiting(told.folder.path) and told.steering.mark(NAME) is None
    told.steering.change(NAME, 0.5)
    # back at the value in force there is nothing to ask for
    told.steering.change(NAME, 0.0)
    assert not waiting(told.folder.path) and not told.steering.waiting
    told.go_on()
    assert not any(event["event"] in {"changed", "command"} for event in told.folder.journal())
    assert not withdraw(told.folder.path, "1-never")


def test_what_the_run_refuses_is_said_and_the_value_stays(told: Told) -> None:
    told.go_on()
    # only the run knows how many patterns there are
    told.steering.change("sequence", [0, 77])
    told.go_on()
    mark = told.steering.mark("sequence")
    assert isinstance(mark, Refused) and "77" in mark.why
    assert told.preset == told.steering.running
    told.steering.dismiss("sequence")
    assert told.steering.mark("sequence") is None
    with pytest.raises(ParameterError, match="wolfe_c1_constant"):
        told.steering.change("wolfe_c1_constant", 2.0)
    with pytest.raises(ParameterError, match=f"data_bin: {FIXED}"):
        told.steering.change("data_bin", 2)
    assert not waiting(told.folder.path)


def test_a_run_that_ends_takes_no_more(told: Told) -> None:
    told.go_on()
    told.steering.change(NAME, 0.25)
    told.run.close()
    told.runner.state = RunState(Phase.LOST, 1, 0, 50, folder=told.folder.path)
    told.steering.ended(told.runner.state)
    assert isinstance(told.steering.mark(NAME), Refused) and told.preset[NAME] == 0.0
    # nor when it is resumed
    assert not waiting(told.folder.path)


def test_a_draft_is_left_alone(told: Told) -> None:
    """A page with other values is not overwritten by what happens in the run, and cannot send them by accident."""
    told.preset.update({NAME: 0.7})
    assert told.steering.differs(NAME) and "for the next run" in told.steering.why_fixed(NAME)
    send(told.folder.path, "change", {NAME: 0.2, "hist_length": 4})
    told.go_on()
    assert told.preset[NAME] == 0.7 and told.preset.hist_length == 4
    assert told.steering.running[NAME] == 0.2
    # what was taken over is a step of the page's history
    told.history.undo()
    assert told.preset[NAME] == 0.7 and told.preset.hist_length != 4


# ---- the field
def words(box: FieldBox) -> str:
    return box._note.children[0].value if box._note in box.children else ""


def press(box: FieldBox) -> None:
    box._note.children[1].click()


def test_a_field_says_how_it_stands(told: Told) -> None:
    told.go_on()
    form = Form(told.preset, [NAME, "data_bin", "sequence"], host=Host(history=told.history, steering=told.steering))
    form.lock(True)
    box, fixed = form.box(NAME), form.box("data_bin")
    assert fixed.control.disabled and fixed.control.tooltip.startswith(FIXED)
    assert not box.control.disabled and FIXED not in box.control.tooltip
    assert "A change applies at <b>epoch 2</b>" in form._live.value
    box.control.value = "0.25"
    assert words(box) == "applies at epoch 2, 0 until then" and "is-pending" in box._dom_classes
    press(box)
    assert box.control.value == "0" and words(box) == ""
    box.control.value = "0.25"
    told.go_on()
    form.lock(True)
    assert (box.control.value, words(box)) == ("0.25", "changed at epoch 1")
    told.go_on()
    press(box)
    assert "2 epochs since then go with it" in words(box) and not waiting(told.folder.path)
    press(box)
    assert words(box) == "going back to epoch 1 …"
    told.go_on()
    form.lock(True)
    assert (box.control.value, words(box)) == ("0", "")
    box.control.value = "-1e400000 nonsense"
    assert box.error and box.control.value.startswith("-1e4")
    form.box("sequence").control.value = "0, 99"
    told.go_on()
    form.lock(True)
    assert "Not taken: " in words(form.box("sequence")) and "99" not in form.box("sequence").control.value
    told.run.stop()
    told.look()
    told.steering.ended(told.runner.state)
    form.lock(False)
    assert not fixed.control.disabled and not fixed.control.tooltip.startswith(FIXED)
    box.control.value = "0.5"
    assert told.preset[NAME] == 0.5
    form.close()


# ---- the journal
def test_the_journal_in_words_and_marks() -> None:
    lines = [
        {"event": "started", "epoch": 0},
        {"event": "changed", "number": 1, "epoch": 3, "values": {NAME: ["0.0", "0.2"], "update_probe": [False, True]}},
        {"event": "resumed", "epoch": 5},
        {"event": "command", "command": "change", "accepted": False, "why": "no", "epoch": 6},
        {"event": "command", "command": "pause", "accepted": False, "why": "the run has ended", "epoch": 6},
        {"event": "undone", "number": 1, "epoch": 3},
    ]
    journal = Journal(lines[:3])
    assert [(mark.epoch, mark.words) for mark in journal.marks] == [(3, "Phase norm weight and 1 more"), (5, "resumed")]
    assert [entry.epoch for entry in journal.add(lines[3:])] == [6, 3]
    assert "0.0 → 0.2" in journal.entries[0].words and "off → on" in journal.entries[0].words
    assert journal.entries[2].words == "refused: no" and journal.entries[3].words.startswith("undone: ")
    # the epochs after it are gone, and what happened in them
    assert [mark.epoch for mark in journal.marks] == [3] and journal.marks[0].words.endswith("undone")
    reports = Reports()
    reports.journal.add(lines[:3])
    assert [event.epoch for event in reports.scene(Preset(update_probe="lambda x: x >= 4")).events] == [3, 4, 5]


# ---- other pages
def test_a_run_under_way_is_noticed(tmp_path: Path) -> None:
    lookout = Lookout(tmp_path)
    assert lookout.look() is None
    for number in range(1, 6):
        (tmp_path / "runs" / f"{number:03d}").mkdir(parents=True)
        write_state(tmp_path / "runs" / f"{number:03d}", RunState(Phase.FINISHED, 5, 0, 5))
    assert lookout.look() is None
    here = Owner.of(os.getpid(), own=False)
    write_state(tmp_path / "runs" / "003", RunState(Phase.RUNNING, 2, 0, 9, owner=here))
    for _ in range(2):
        found = lookout.look()
        assert found is not None and found.folder == tmp_path / "runs" / "003" and found.phase is Phase.RUNNING
    write_state(tmp_path / "runs" / "003", RunState(Phase.STOPPED, 3, 0, 9))
    assert lookout.look() is None
    gone = Owner(here.host, here.machine, _free_pid(), here.created, here.since, True)
    write_state(tmp_path / "runs" / "004", RunState(Phase.RUNNING, 2, 0, 9, owner=gone))
    assert lookout.look() is None


def _free_pid() -> int:
    return next(pid for pid in range(2**22 - 1, 1, -1) if not psutil.pid_exists(pid))


def test_what_a_killed_job_said_last_is_no_progress_bar(tiny: Preset, tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", tiny)
    here = Owner.of(os.getpid(), own=True)
    gone = Owner(here.host, here.machine, _free_pid(), here.created, here.since, True)
    write_state(run.path, RunState(Phase.RUNNING, 2, 0, 9, owner=gone))
    (run.path / OUTPUT).write_text(
        "loading\n\x1b[31mno space left\x1b[0m\n⠹ Reading patterns …\n\x1b[2Kepoch 2 of 9 \x1b[90m━━━\x1b[0m\repoch 3 of 9 ━━"
    )
    state = Follower(run.path).poll().state
    assert state.phase is Phase.LOST and state.message.endswith("It said last: no space left")


def test_an_idle_page_takes_a_run_s_preset_and_a_draft_is_kept(tmp_path: Path, tiny: Preset) -> None:
    async def use() -> None:
        page = Workspace(tmp_path, lambda state: None, lambda report: None)
        assert page.free
        page.attach(tmp_path / "runs" / "001", tiny, (Change(1, 2, {"hist_length": 4}),))
        assert page.preset.hist_length == page.steering.running.hist_length == 4 and page.name == "from-run-001"
        assert page.free
        page.preset.hist_length = 5
        assert not page.free
        page.attach(tmp_path / "runs" / "002", tiny)
        assert page.preset.hist_length == 5 and page.name == "from-run-001"
        page.runner.detach()

    asyncio.run(use())


def test_a_chip_that_asks() -> None:
    bar, done = BottomBar(), list[str]()
    ask: Callable[[], None] = lambda: bar.offer("Run 003 is under way", "Show", lambda: done.append("shown"))  # noqa: E731
    ask()
    ask()
    (chip,) = bar._chips.children
    chip.children[1].click()
    assert done == ["shown"]
    chip.children[-1].click()
    ask()
    assert not bar._chips.children
    bar.offer("Run 004 is under way", "Show", lambda: None)
    assert len(bar._chips.children) == 1
    bar.withdraw_offers()
    assert not bar._chips.children
