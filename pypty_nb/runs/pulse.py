"""What a run says of itself while it works, from a thread beside it: its state, that it lives, and frames for watchers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pypty_nb.records import EpochReport
from pypty_nb.runs.commands import waiting
from pypty_nb.runs.frames import Watched, write_frame
from pypty_nb.runs.state import BEAT_S, Owner, RunState, beat, read_state, write_state

#: Five looks a second: so many frames at most.
_TICK_S = 0.2


class Pulse:
    """Writes ``state.json`` and ``live.npz`` of a run's folder. The run's loop only leaves its newest report here.

    A folder that cannot be written stops nothing here; the run itself says so when it saves.

    Parameters
    ----------
    state : RunState
        With the run's folder.
    interrupt : callable, optional
        Called once when an abort is asked for, to end the epoch under way; without it an abort waits for its end.
    """

    def __init__(self, state: RunState, interrupt: Callable[[], None] | None = None):
        if state.folder is None:
            raise TypeError("the state of a run on disk names its folder")
        self.state = replace(state, owner=Owner.of(os.getpid(), own=interrupt is not None))
        #: Another process that has taken the folder, which can only be where it sees no locks of this machine.
        self.taken_by: Owner | None = None
        self._folder: Path = state.folder
        self._interrupt = interrupt
        self._report: EpochReport | None = None
        self._said: RunState | None = None
        self._beaten = 0.0
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._say()
        self._thread = threading.Thread(target=self._work, name="pulse of a run", daemon=True)
        self._thread.start()

    def tell(self, **changes: Any) -> None:
        """Change the state; a change of phase is written at once."""
        with self._lock:
            before, self.state = self.state, replace(self.state, **changes)
            if self.state.phase is not before.phase:
                self._say()

    def show(self, report: EpochReport) -> None:
        """Leave a report for whoever watches; one that was not written by then is dropped."""
        self._report = report

    def end(self, report: EpochReport | None = None) -> None:
        """Stop; `report` is what a later watcher of the ended run sees."""
        if self._ended.is_set():
            return
        self._ended.set()
        if self._thread is not threading.current_thread():
            self._thread.join()
        self._say()
        if report is not None and self.taken_by is None:
            with suppress(OSError):
                write_frame(self._folder, report)

    def _work(self) -> None:
        watched = Watched(self._folder)
        while not self._ended.wait(_TICK_S):
            if self.state is not self._said:
                self._say()
            elif time.monotonic() - self._beaten >= BEAT_S:
                self._beat()
            report = self._report
            if report is not None and watched():
                self._report = None
                with suppress(OSError):
                    write_frame(self._folder, report)
            self._look_for_abort()

    def _say(self) -> None:
        with self._lock, suppress(OSError):
            if self._is_mine():
                self._said = self.state
                self._beaten = time.monotonic()
                write_state(self._folder, self.state)

    def _beat(self) -> None:
        with self._lock, suppress(OSError):
            if self._is_mine():
                self._beaten = time.monotonic()
                beat(self._folder)

    def _is_mine(self) -> bool:
        """Whether the folder still is this process'; another machine's that sees no locks of this one may have taken it."""
        found = read_state(self._folder) if self._said is not None and self.taken_by is None else None
        if found is not None and found.owner != self.state.owner:
            self.taken_by = found.owner
        return self.taken_by is None

    def _look_for_abort(self) -> None:
        if self._interrupt is not None and any(command.word == "abort" for command in waiting(self._folder)):
            interrupt, self._interrupt = self._interrupt, None
            interrupt()
