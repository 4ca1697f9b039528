"""A run's folder: what lies in it, written so that a kill at any instant leaves the last complete state readable."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from pypty_nb.files import encoded, write_text
from pypty_nb.params import ParameterError, Preset
from pypty_nb.records import EpochReport, Refinables
from pypty_nb.runs.arrays import read_arrays, save_array, write_arrays
from pypty_nb.runs.errors import RunFolderError
from pypty_nb.runs.frames import point_of
from pypty_nb.runs.lock import LOCK, FolderLock

PRESET = "params.json"
LOSS = "loss.csv"
JOURNAL = "journal.jsonl"
CHECKPOINT = "checkpoint.npz"

#: The original program's names for the arrays it leaves in the folder.
ARRAY_FILES = {
    "obj": "co.npy",
    "probe": "cp.npy",
    "positions": "cg.npy",
    "tilts": "ct.npy",
    "static_background": "cs.npy",
    "beam_current": "cb.npy",
    "aberrations_array": "ca.npy",
}
SNAPSHOT_WORDS = {"obj": "obj", "probe": "probe", "positions": "positions", "tilts": "tilts"}
_PHASES = {"started", "resumed", "stopped", "failed", "finished"}
COLUMNS = (
    "epoch", "time / s", "loss", "sse", "initial step", "matching step", "N linesearch iterations", "dir. derivative",
    "new dir. derivative", "Constraints contribution", "Free GiB", "Total GiB", "Warnings",
)  # fmt: skip
#: The sum of the constraints, where they have no columns of their own.
CONSTRAINTS = "Constraints contribution"
#: The held-out pixels' loss, where `validation_fraction` holds some out.
VALIDATION = "validation"
_AT = COLUMNS.index(CONSTRAINTS)


def columns(constraints: tuple[str, ...] | None, *, held_out: bool = False) -> tuple[str, ...]:
    """The columns of ``loss.csv``: with `constraints`, one for each in place of their sum; then that of `held_out` pixels."""
    shares = (CONSTRAINTS,) if constraints is None else constraints
    return (*COLUMNS[:_AT], *shares, *((VALIDATION,) if held_out else ()), *COLUMNS[_AT + 1 :])


def shares_of(header: Iterable[str]) -> tuple[str, ...]:
    """The columns among `header` that hold what the constraints add to the loss."""
    return tuple(name for name in header if name == CONSTRAINTS or name not in (*COLUMNS, VALIDATION))


@dataclass(frozen=True)
class RunFolder:
    """The layout of one run on disk. Making the object touches nothing."""

    path: Path

    @classmethod
    def create(cls, path: str | os.PathLike[str], preset: Preset) -> RunFolder:
        """Make the folder and write its preset.

        Raises
        ------
        RunFolderError
            Where the folder cannot be written, already holds a run, or another process is making one in it.
        """
        folder = cls(Path(path))
        folder.refuse_another()
        made = _missing(folder.path)
        lock = None
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            lock = FolderLock(folder.path)
            folder.refuse_another()
            preset.to_json(folder.path / PRESET)
        except OSError as error:
            _unmake(made)
            if isinstance(error, RunFolderError):
                raise
            raise RunFolderError(f"the output folder {folder.path} cannot be written: {error.strerror or error}") from error
        finally:
            if lock is not None:
                lock.release()
        return folder

    def refuse_another(self) -> None:
        """Raise `RunFolderError` where the folder holds a run."""
        if self.is_run():
            raise RunFolderError(f"{self.path} already holds a run; choose another folder, or resume that run")

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """An existing run.

        Raises
        ------
        RunFolderError
            Where `path` is no run.
        """
        folder = cls(Path(path))
        if not folder.is_run():
            raise RunFolderError(f"{folder.path} is no run: it has no {PRESET}")
        return folder

    def is_run(self) -> bool:
        """Whether the folder holds a run, begun or only put there."""
        return (self.path / PRESET).is_file()

    def is_started(self) -> bool:
        """Whether the run was ever begun, and not only put there for a process to begin."""
        return any(event.get("event") in _PHASES for event in self.journal())

    def is_finished(self) -> bool:
        """Whether the last thing that happened was the run's regular end."""
        events = [event["event"] for event in self.journal() if event.get("event") in _PHASES]
        return bool(events) and events[-1] == "finished"

    # ---- writing
    def note(self, event: str, **details: Any) -> None:
        """Add one line to the journal."""
        line = json.dumps(
            {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **details},
            ensure_ascii=False,
        )
        _append(self.path / JOURNAL, line + "\n")

    def log_loss(self, report: EpochReport, memory: tuple[float, float], constraints: tuple[str, ...] | None = None) -> None:
        """Add one line to ``loss.csv``, under the original's column names.

        `memory` is (free, total) in GiB. With `constraints` each of these terms has a column, else one holds their sum.
        Held-out pixels bring a column of theirs. A file that is there keeps the columns it began with.
        """
        path, search, header = self.path / LOSS, report.search, _header(self.path / LOSS)
        if not header:
            header = columns(constraints, held_out=report.validation is not None)
            # as a whole, since without it no line can be read
            write_text(path, _csv_line(header))
        shares = {name: value for name, value in report.terms.items() if name != "data"}
        summed = sum((value for name, value in shares.items() if name not in header), 0.0)
        row = (
            report.epoch, f"{report.seconds:.3f}", repr(report.loss), repr(report.sse), search.initial_step, search.step,
            search.evaluations, search.slope, search.new_slope, repr(summed), f"{memory[0]:.2f}", f"{memory[1]:.2f}",
            "; ".join(report.warnings),
        )  # fmt: skip
        held_out = math.nan if report.validation is None else report.validation
        values = {**shares, VALIDATION: repr(held_out), **dict(zip(COLUMNS, row, strict=True))}
        _append(path, _csv_line(values.get(name, 0.0) for name in header))

    def widen_losses(self, constraints: tuple[str, ...]) -> tuple[str, ...]:
        """Give ``loss.csv`` a column for each of `constraints` that has none, 0 so far; the constraints that have one then."""
        path = self.path / LOSS
        lines = _complete_lines(path)
        if not lines:
            return constraints
        there = next(csv.reader(lines[:1]))
        had = shares_of(there)
        wide = (*had, *(name for name in constraints if name not in had))
        if wide != had:
            rows = (dict.fromkeys(wide, "0.0") | row for row in self.losses())
            header = columns(wide, held_out=VALIDATION in there)
            table = (header, *([row[name] for name in header] for row in rows))
            write_text(path, "".join(map(_csv_line, table)))
        return wide

    def forget_losses_from(self, epoch: int) -> None:
        """Take the lines of `epoch` and later ones out of ``loss.csv``; the file is replaced as a whole."""
        path = self.path / LOSS
        if path.exists():
            kept = [line for i, line in enumerate(_complete_lines(path)) if i == 0 or _epoch_of(line) < epoch]
            write_text(path, "".join(f"{line}\n" for line in kept))

    def write_checkpoint(self, state: Mapping[str, np.ndarray]) -> None:
        """Replace the one file a resume reads, as a whole."""
        write_arrays(self.path / CHECKPOINT, state)

    def write_arrays(self, point: Refinables) -> None:
        """Replace ``co.npy``, ``cp.npy`` and so on, each as a whole."""
        for name, file_name in ARRAY_FILES.items():
            array = getattr(point, name)
            if array is not None:
                save_array(self.path / file_name, array)

    def write_snapshot(self, point: Refinables, epoch: int) -> None:
        """Keep the arrays of `epoch` under names of their own."""
        for name, word in SNAPSHOT_WORDS.items():
            array = getattr(point, name)
            if array is not None:
                save_array(self.path / f"checkpoint_{word}_epoch_{epoch}.npy", array)

    # ---- reading
    def preset(self) -> Preset:
        """The preset the run was started with."""
        return Preset.from_json(self.path / PRESET)

    def losses(self) -> list[dict[str, str]]:
        """The complete lines of ``loss.csv``, in order; an epoch repeated after a resume stands once, as last written."""
        rows: dict[str, dict[str, str]] = {}
        # line by line, so that a quotation mark whose end was cut off takes no other line with it
        lines = _complete_lines(self.path / LOSS)
        header = next(csv.reader(lines[:1]), [])
        for line in lines[1:]:
            values = next(csv.reader([line]), [])
            if len(values) == len(header):
                rows[values[0]] = dict(zip(header, values, strict=True))
        return [rows[epoch] for epoch in sorted(rows, key=int)]

    def journal(self) -> list[dict[str, Any]]:
        """The complete lines of the journal, in order."""
        events = []
        for line in _complete_lines(self.path / JOURNAL):
            try:
                events.append(json.loads(line))
            except json.JSONDecodeError:
                continue  # two halves of lines written around a kill
        return events

    def checkpoint(self) -> dict[str, np.ndarray] | None:
        """The last complete state, or ``None`` before the first epoch's end.

        Raises
        ------
        ParameterError
            Where the file is damaged.
        """
        path = self.path / CHECKPOINT
        try:
            state = read_arrays(path)
            if state is not None and "epoch" not in state:
                raise ParameterError(f"{path} is damaged (it names no epoch)")
        except ParameterError as error:
            raise ParameterError(
                f"the checkpoint {error}; the last arrays saved are in {ARRAY_FILES['obj']}, {ARRAY_FILES['probe']} and so on "
                "beside it: copy those you want to keep, then delete it to start at the first epoch"
            ) from error
        return state

    def point(self) -> Refinables | None:
        """The refined arrays of the last complete epoch."""
        state = self.checkpoint()
        return None if state is None else point_of(state)


def _missing(path: Path) -> list[Path]:
    """The folders that must be made for `path`, innermost first."""
    return [part for part in (path, *path.parents) if not part.exists()]


def _unmake(made: list[Path]) -> None:
    """Remove folders again that were made for nothing."""
    for part in made:
        with suppress(OSError):
            (part / LOCK).unlink(missing_ok=True)
            part.rmdir()


def _csv_line(values: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(" ".join(v.splitlines()) if isinstance(v, str) else v for v in values)
    return text.getvalue()


def _epoch_of(line: str) -> float:
    """The epoch of a line of ``loss.csv``; one that names none goes with the first."""
    first = line.partition(",")[0]
    return int(first) if first.isdigit() else -1


def _complete_lines(path: Path) -> list[str]:
    """The lines of `path` but for the last one where a kill cut its end; none where there is no file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return text.split("\n")[:-1]


def _header(path: Path) -> list[str]:
    """The columns of the table at `path`; none where there is no whole line yet."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            first = file.readline()
    except FileNotFoundError:
        return []
    return next(csv.reader([first])) if first.endswith("\n") else []


def _append(path: Path, text: str) -> None:
    """Add whole lines in one write; a line cut by a kill is closed first, so that the next one stays whole."""
    with path.open("ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                text = "\n" + text
        file.write(encoded(text))
        file.flush()
        os.fsync(file.fileno())
