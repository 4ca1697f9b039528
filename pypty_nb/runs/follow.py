"""A run seen from outside, through its folder's files alone: what a runner in the same process would tell."""

from __future__ import annotations

import csv
import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pypty_nb.params import ParameterError
from pypty_nb.records import EpochReport, LineSearchReport, Refinables
from pypty_nb.runs.folder import JOURNAL, LOSS, VALIDATION, RunFolder, shares_of
from pypty_nb.runs.frames import FRAME, TOUCH_S, read_frame, watch
from pypty_nb.runs.state import STALE_S, Phase, RunState, lost, read_state

#: What a run in a process of its own prints.
OUTPUT = "output.txt"
#: Colours and movements of a terminal; the line that says how far a run is.
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
#: Epochs, and what turns while a person waits.
_PROGRESS = re.compile(r"epoch \d+ of \d+|[\u2800-\u28ff]", re.IGNORECASE)
_ENDS = {"stopped": Phase.STOPPED, "failed": Phase.FAILED, "finished": Phase.FINISHED}


@dataclass(frozen=True)
class Update:
    """What one look at a run's folder found.

    Attributes
    ----------
    state : RunState
    reports : tuple of EpochReport
        Those that were not seen before, in order. One that nobody wrote a frame of has arrays of ``None`` in its point, no
        residual, and of its terms those in ``loss.csv``; the newest of a run that has ended always has its point. A frame of an
        epoch that was reported already comes once more with its arrays, and after it the newest report again.
    events : tuple of mapping
        New lines of the journal; ``command`` answers one by its ``id``.
    """

    state: RunState
    reports: tuple[EpochReport, ...] = ()
    events: tuple[Mapping[str, Any], ...] = ()


class Follower:
    """Reads the run in `folder`, under way or ended, on this machine or on another that shares the folder.

    Changes nothing there, beside telling the run that somebody watches.

    Raises
    ------
    RunFolderError
        Where `folder` is no run.
    """

    def __init__(self, folder: Path):
        self.folder = RunFolder.open(folder)
        self._losses, self._journal = _Lines(folder / LOSS), _Lines(folder / JOURNAL)
        self._header: list[str] = []
        self._seen: dict[int, str] = {}
        self._frame: tuple[int, int] | None = None
        self._watched = 0.0
        self._beat: tuple[float, float] | None = None
        self._pointed = -1
        self._newest: EpochReport | None = None

    def poll(self) -> Update:
        """Look once."""
        path = self.folder.path
        now = time.monotonic()
        if now - self._watched >= TOUCH_S:
            self._watched = now
            watch(path)
        # the state first: what it says is done has been written by then
        state = self._state()
        events = tuple(_events(self._journal.new()[0]))
        reports = self._reports(state)
        return Update(state, reports, events)

    def updates(self, every_s: float = 0.2) -> Iterator[Update]:
        """Look again and again, until the run has ended; the last update says how."""
        while True:
            update = self.poll()
            yield update
            if not update.state.busy:
                return
            time.sleep(every_s)

    # ---- the state
    def _state(self) -> RunState:
        state = read_state(self.folder.path)
        if state is None:
            return self._from_journal()
        if state.owned and not self._lives(state):
            # it may have ended since the file was read
            again = read_state(self.folder.path)
            if again is not None and (again.phase, again.owner) == (state.phase, state.owner):
                return lost(again, self._last_words())
            return again or state
        return state

    def _lives(self, state: RunState) -> bool:
        if state.owner is None or state.owner.is_here:
            return state.owner_lives()
        # another machine's clock may be wrong, so that what counts is when its heartbeat last moved, by this one
        now = time.monotonic()
        if self._beat is None:
            self._beat = state.heartbeat, now if state.owner_lives() else now - STALE_S
        elif self._beat[0] != state.heartbeat:
            self._beat = state.heartbeat, now
        return now - self._beat[1] < STALE_S

    def _from_journal(self) -> RunState:
        """Of a run that says nothing of its state: one of an earlier version, or a folder that was copied in part."""
        with suppress(ParameterError):
            preset = self.folder.preset()
            losses = self.folder.losses()
            done = int(losses[-1]["epoch"]) + 1 if losses else preset.epoch_prev
            state = RunState(
                Phase.IDLE, min(done, preset.epoch_max), preset.epoch_prev, preset.epoch_max, "", self.folder.path
            )  # fmt: skip
            for event in self.folder.journal():
                if event.get("event") in _ENDS:
                    state = replace(state, phase=_ENDS[event["event"]], message=str(event.get("why", "")))
                elif event.get("event") in {"started", "resumed"}:
                    state = replace(state, phase=Phase.LOST, message="nothing is known of the process that wrote it")
            return state
        return RunState(Phase.LOST, message="its preset cannot be read", folder=self.folder.path)

    def _last_words(self) -> str:
        """The last line that a job's process printed, progress apart."""
        with suppress(OSError):
            printed = (self.folder.path / OUTPUT).read_text(encoding="utf-8", errors="replace")
            lines = (line.strip() for line in reversed(re.split(r"[\r\n]", _ESCAPES.sub("", printed))))
            return next((line[:300] for line in lines if line and not _PROGRESS.match(line)), "")
        return ""

    # ---- the reports
    def _reports(self, state: RunState) -> tuple[EpochReport, ...]:
        lines, anew = self._losses.new()
        if anew:
            self._header = next(csv.reader(lines[:1]), [])
            lines = lines[1:]
        fresh: dict[int, EpochReport] = {}
        there: set[int] = set()
        for line in lines:
            report = _of_row(self._header, next(csv.reader([line]), []), state)
            if report is None:
                continue
            there.add(report.epoch)
            if self._seen.get(report.epoch) != line:
                self._seen[report.epoch] = line
                fresh[report.epoch] = report
        if anew:
            # undone epochs are gone from the file
            self._seen = {epoch: line for epoch, line in self._seen.items() if epoch in there}
        frame = self._new_frame()
        newest = max(self._seen, default=-1)
        # the frame of an epoch that was undone shows what is no more
        if frame is not None and (frame.epoch in self._seen or frame.epoch > newest):
            if newest > frame.epoch and newest not in fresh and self._newest is not None:
                # a frame is a little behind; the newest report stays the last
                fresh[newest] = self._newest
            fresh[frame.epoch] = frame
        if not state.busy:
            self._complete(fresh)
        reports = tuple(fresh[epoch] for epoch in sorted(fresh))
        self._newest = reports[-1] if reports else self._newest
        return reports

    def _new_frame(self) -> EpochReport | None:
        try:
            found = (self.folder.path / FRAME).stat()
        except OSError:
            return None
        mark = found.st_mtime_ns, found.st_ino
        if mark == self._frame:
            return None
        self._frame = mark
        frame = read_frame(self.folder.path)
        if frame is not None:
            self._pointed = frame.epoch
        return frame

    def _complete(self, fresh: dict[int, EpochReport]) -> None:
        """Give the newest report of an ended run the arrays that were saved, where no frame had them."""
        newest = max(fresh, default=-1)
        if newest < 0 or newest == self._pointed:
            return
        with suppress(ParameterError):
            if (point := self.folder.point()) is not None:
                fresh[newest] = replace(fresh[newest], point=point)
                self._pointed = newest


class _Lines:
    """The lines that were added to a text file since the last look."""

    def __init__(self, path: Path):
        self._path = path
        self._inode, self._offset = 0, 0

    def new(self) -> tuple[list[str], bool]:
        """The complete ones, and whether the file is another than before, so that they begin at its beginning."""
        try:
            with self._path.open("rb") as file:
                found = os.fstat(file.fileno())
                anew = found.st_ino != self._inode or found.st_size < self._offset or not self._offset
                self._inode, self._offset = found.st_ino, 0 if anew else self._offset
                file.seek(self._offset)
                content = file.read()
        except OSError:
            return [], False
        end = content.rfind(b"\n") + 1
        self._offset += end
        # a line that a kill cut was closed since
        return content[:end].decode("utf-8", "replace").split("\n")[:-1], anew and end > 0


def _events(lines: list[str]) -> Iterator[Mapping[str, Any]]:
    for line in lines:
        with suppress(json.JSONDecodeError):
            yield json.loads(line)


def _of_row(header: list[str], values: list[str], state: RunState) -> EpochReport | None:
    """The report that a line of ``loss.csv`` came from, as far as the line tells; ``None`` for a line that was cut."""
    if len(values) != len(header) or not header:
        return None
    row = dict(zip(header, values, strict=True))
    try:
        epoch, loss = int(row["epoch"]), float(row["loss"])
        constraints = {name: float(row[name]) for name in shares_of(header)}
        held_out = float(row[VALIDATION]) if VALIDATION in row else None
        search = LineSearchReport(
            float(row["initial step"]), float(row["matching step"]), float(row["dir. derivative"]),
            float(row["new dir. derivative"]), int(row["N linesearch iterations"]),
            accepted=float(row["matching step"]) > 0,
        )  # fmt: skip
        warnings = tuple(row["Warnings"].split("; ")) if row["Warnings"] else ()
        final = not state.busy and search == LineSearchReport(accepted=False) and not warnings
        terms = {"data": loss - sum(constraints.values()), **{name: value for name, value in constraints.items() if value}}
        return EpochReport(
            epoch, loss, float(row["sse"]), terms, replace(search, accepted=True) if final else search,
            float(row["time / s"]), warnings, None, Refinables(), final, held_out,
        )  # fmt: skip
    except (KeyError, ValueError):
        return None
