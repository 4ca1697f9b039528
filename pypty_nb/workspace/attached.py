"""A run in a process of its own, driven and seen through its folder; to its users the same as `Runner`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pypty_nb.params import ParameterError, Preset
from pypty_nb.records import EpochReport
from pypty_nb.runs import Change, Changes, Follower, Phase, RunFolder, RunState, Update, send
from pypty_nb.workspace.jobs import Jobs
from pypty_nb.workspace.runner import Answer
from pypty_nb.workspace.steered import Steered


@dataclass(frozen=True)
class News:
    """What was added to the journal of the run that is watched.

    Attributes
    ----------
    lines : tuple of mapping
    earlier : bool
        Whether they were there when it was attached.
    changes : tuple of Change or None
        The changes of parameters that are in force now; ``None`` where they are what they were.
    """

    lines: tuple[Mapping[str, Any], ...]
    earlier: bool = False
    changes: tuple[Change, ...] | None = None


_CHANGES = {"changed", "undone"}
_LOOK_S = 0.2
_LOOK_IN_QUEUE_S = 0.5


class Attached(Steered):
    """Starts runs as processes and watches one at a time without blocking the event loop.

    What it watches goes on when it looks away: `detach`, a closed page, an ended kernel change nothing for the run.

    Parameters
    ----------
    jobs : Jobs
        The project's.
    on_state : called with a `RunState` after every change of state
    on_report : called with each `EpochReport`; those from before it was attached, and those nobody wrote a frame of, have no
        arrays in their points
    on_answer : called with the journal's line on every command that the run took, or refused
    on_news : called with the `News` of its journal, after the answers in it; all in the event loop's thread
    """

    def __init__(
        self,
        jobs: Jobs,
        on_state: Callable[[RunState], None] = lambda state: None,
        on_report: Callable[[EpochReport], None] = lambda report: None,
        on_answer: Callable[[Answer], None] = lambda answer: None,
        on_news: Callable[[News], None] = lambda news: None,
    ):
        self.jobs, self.state = jobs, RunState()
        self._on_state, self._on_report, self._on_answer, self._on_news = on_state, on_report, on_answer, on_news
        self._task: asyncio.Task[None] | None = None
        # a run that is being put on disk can be told nothing yet
        self._aborting: asyncio.Task[RunState] | None = None
        self._beginning = False
        self._wish: Callable[[], object] | None = None

    def start(self, preset: Preset, folder: Path, full: Preset | None = None) -> asyncio.Task[None]:
        """Start a run of `preset` that writes `folder`, or queue it, and watch it. Call from the event loop.

        `full` is as for `Jobs.start`.

        Raises
        ------
        RuntimeError
            Where the run that is watched is under way.
        """
        if self.state.busy:
            raise RuntimeError("a run is under way; stop it, or detach from it first")
        frozen, fuller = preset.frozen(), full.frozen() if full is not None else None
        self._tell(RunState(Phase.PREPARING, preset.epoch_prev, preset.epoch_prev, preset.epoch_max, folder=folder))
        return self._watch(folder, lambda: self.jobs.start(frozen, folder, fuller), new=True)

    def restart(self, folder: Path) -> asyncio.Task[None]:
        """Resume the run in `folder` as a process, or queue it, and watch it.

        Raises
        ------
        RuntimeError
            Where the run that is watched is under way.
        """
        if self.state.busy:
            raise RuntimeError("a run is under way; stop it, or detach from it first")
        self._tell(RunState(Phase.PREPARING, folder=folder))
        return self._watch(folder, lambda: self.jobs.resume(folder))

    def attach(self, folder: Path) -> asyncio.Task[None]:
        """Watch the run in `folder`, under way or ended; what is watched now is let go."""
        self.detach()
        self._tell(RunState(folder=folder))
        return self._watch(folder)

    def detach(self) -> None:
        """Look away. The run goes on."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self.state != RunState():
            self._tell(RunState())

    def pause(self) -> None:
        """Wait before the next epoch."""
        if self.state.phase is Phase.RUNNING:
            self._send("pause")

    def resume(self) -> None:
        """Go on after a pause."""
        if self.state.phase is Phase.PAUSED:
            self._send("resume")

    def stop(self) -> None:
        """End the run after the epoch under way; what it has is saved. A run in the queue leaves it."""
        if self._beginning:
            self._wish = self.stop
        elif self.state.phase is Phase.QUEUED:
            self.abort()
        elif self.state.busy:
            self._send("stop")

    def abort(self) -> asyncio.Task[RunState] | None:
        """End the run at once; complete epochs stay."""
        if self._beginning:
            self._wish = self.abort
            return None
        folder = self.state.folder
        if not self.state.busy or folder is None:
            return None
        self._aborting = asyncio.get_running_loop().create_task(asyncio.to_thread(self.jobs.abort, folder))
        return self._aborting

    async def until(self, condition: Callable[[RunState], object]) -> RunState:
        """Wait until `condition` holds for the state of the run that is watched; gives that state.

        Raises
        ------
        RuntimeError
            Where the run has ended, or was let go, before it did.
        """
        while not condition(self.state):
            if self._task is None or self._task.done():
                why = f": {self.state.message}" if self.state.message else ""
                raise RuntimeError(f"what was waited for did not happen: the run is {self.state.phase}{why}")
            await asyncio.sleep(_LOOK_S)
        return self.state

    # ---- watching
    def _send(self, word: str, values: Mapping[str, Any] | None = None, *, number: int | None = None) -> str:
        if not self.state.busy or self.state.folder is None:
            raise ParameterError("no run is under way that could be told anything")
        return send(self.state.folder, word, values, number=number)

    def _watch(self, folder: Path, begin: Callable[[], RunState] | None = None, *, new: bool = False) -> asyncio.Task[None]:
        # the reference is kept: a task nobody holds may be collected in mid-run
        self._beginning, self._wish = begin is not None, None
        self._task = asyncio.get_running_loop().create_task(self._follow(folder, begin, new=new))
        return self._task

    async def _follow(self, folder: Path, begin: Callable[[], RunState] | None, *, new: bool) -> None:
        try:
            if begin is not None:
                self._tell(await asyncio.to_thread(begin))
                self._beginning = False
                if self._wish is not None:
                    self._wish()
            follower = await asyncio.to_thread(Follower, folder)
            earlier = not new
            while True:
                update = await asyncio.to_thread(self._look, follower)
                if update.state.phase is Phase.LOST and self._aborting is not None and not self._aborting.done():
                    # its process is gone, and what is told of it not written yet
                    await asyncio.wait({self._aborting})
                    rest = await asyncio.to_thread(self._look, follower)
                    update = Update(rest.state, update.reports + rest.reports, update.events + rest.events)
                news = await asyncio.to_thread(_news, follower.folder, update, earlier=earlier)
                self._show(update, news)
                earlier = False
                if not update.state.busy:
                    return
                await asyncio.sleep(_LOOK_IN_QUEUE_S if update.state.phase is Phase.QUEUED else _LOOK_S)
        except Exception as error:  # noqa: BLE001  whatever stopped it must be seen on the page, not lost with the task
            text = str(error) or type(error).__name__
            self._beginning = False
            self._tell(RunState(Phase.FAILED, message=text, folder=folder))

    def _look(self, follower: Follower) -> Update:
        update = follower.poll()
        if update.state.phase is Phase.QUEUED:
            self.jobs.advance()
            return Update(self.jobs.state(follower.folder.path), update.reports, update.events)
        if not update.state.busy:
            self.jobs.advance()
        return update

    def _show(self, update: Update, news: News | None) -> None:
        for report in update.reports:
            self._on_report(report)
        if news is not None:
            # answers from before it was attached are history
            for event in news.lines if not news.earlier else ():
                if event.get("event") == "command":
                    self._on_answer(event)
            self._on_news(news)
        self._tell(update.state)

    def _tell(self, state: RunState) -> None:
        changed = _said(state) != _said(self.state)
        self.state = state
        if changed:
            self._on_state(state)


def _news(folder: RunFolder, update: Update, *, earlier: bool) -> News | None:
    """What an update's lines of the journal mean; reads the values of changes."""
    if not update.events:
        return None
    changes = None
    if any(event.get("event") in _CHANGES for event in update.events):
        # values that cannot be read say so when the run is resumed
        with suppress(ParameterError):
            changes = tuple(Changes(folder).in_force())
    return News(update.events, earlier, changes)


def _said(state: RunState) -> tuple[Any, ...]:
    """What of a state is worth telling; a heartbeat is none."""
    return state.phase, state.epoch, state.epoch_first, state.epoch_max, state.message, state.folder, state.place
