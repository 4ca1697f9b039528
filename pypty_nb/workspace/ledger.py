"""The ledger: every run of a project folder, how it stands, how it differs, and what people call it."""

from __future__ import annotations

import csv
import json
import re
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pypty_nb.params import ParameterError, Preset
from pypty_nb.runs import RunFolder, RunFolderError
from pypty_nb.runs.folder import CHECKPOINT, JOURNAL, LOSS, PRESET
from pypty_nb.runs.full import is_quick_look
from pypty_nb.runs.notes import NOTES, Notes, read_notes, write_notes
from pypty_nb.runs.state import STATE, Phase, lost, read_state
from pypty_nb.workspace.differences import DEFAULTS, Change, Outline, changes
from pypty_nb.workspace.paths import run_folders, stays

RUNS = "runs"
TRASH = ".trash"
BROKEN = "broken"

_ENDS = {"finished": "finished", "stopped": "stopped by you", "failed": "failed"}
#: A run that has written nothing for this long, and has not said that it ended, is taken for cut off.
_SILENT_S = 120.0
_STAMPED = re.compile(r"(?P<run>.+)-(?P<when>\d{8}T\d{6})(-\d+)?")
_WHEN = "%Y%m%dT%H%M%S"
_Stamps = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Standing:
    """How a run stands, in words; `busy` while a process may be writing it."""

    words: str
    busy: bool = False


@dataclass(frozen=True)
class Entry:
    """One line of the ledger.

    Attributes
    ----------
    run : str
        The folder's name, its number: ``"001"``.
    path : Path
    name, note : str
        As people gave them, "" where they did not.
    state : str
        In words; ``"broken"`` where the folder cannot be understood.
    busy : bool
    problem : str
        What is wrong with a file of it, "" where nothing is.
    epochs : int
        Complete ones.
    planned : int
        Epochs that the preset asks for; 0 where that is not known.
    first_loss, last_loss : float or None
    seconds : float or None
        How long it took so far.
    began : datetime or None
        With the zone.
    twin : str
        The run on the other half of the patterns, "" where there is none.
    quick : bool
        Whether it is a quick look at a fuller preset.
    """

    run: str
    path: Path
    name: str = ""
    note: str = ""
    state: str = BROKEN
    busy: bool = False
    problem: str = ""
    epochs: int = 0
    planned: int = 0
    first_loss: float | None = None
    last_loss: float | None = None
    seconds: float | None = None
    began: datetime | None = None
    twin: str = ""
    quick: bool = False


@dataclass(frozen=True)
class Trashed:
    """What lies in the trash: its name there, the run's number, when it was put there, and the name that people gave it."""

    kept: str
    run: str
    when: datetime
    name: str = ""


def standing(run: RunFolder) -> Standing:
    """How `run` stands: the one place that says so.

    ``state.json`` decides where it tells of a process at work or of a queue; else the journal does, and when something was last
    written.
    """
    return _said(run.path) or _journalled(run)


def runs_beside(root: Path) -> list[Entry]:
    """The runs that lie in `root` itself, not under ``root/runs``, by number and name; and `root` where it is one."""
    root = root.resolve()
    inside = [entry for entry in Ledger(root, ".").entries() if RunFolder(entry.path).is_run()]
    return [Ledger(root.parent, ".")._entry(root.name), *inside] if RunFolder(root).is_run() else inside


class Ledger:
    """The runs under ``root/runs``.

    Lines are read again only where a file of theirs has changed, so that a list of hundreds can be asked for every second.
    Everything that takes a `run` takes the folder's name and raises `ParameterError` where there is none of that name.

    Parameters
    ----------
    root : Path
        The project folder.
    runs : str
        The folder in it that holds the runs.
    """

    def __init__(self, root: Path, runs: str = RUNS):
        self._root, self._name = root.resolve(), runs
        self.runs = self._root / runs
        self._read: dict[str, tuple[_Stamps, Entry, Standing | None]] = {}
        self._noting = threading.Lock()
        self._outlines: dict[str, tuple[tuple[int, int], Outline]] = {}

    # ---- reading
    def entries(self) -> list[Entry]:
        """Every folder under ``runs``, by number; those that cannot be understood say why and never raise."""
        try:
            there = run_folders(self._root, self._name)
            names = [path.name for path in there if path.is_dir() and not path.name.startswith(".")]
        except OSError:
            names = []
        self._read = {name: read for name, read in self._read.items() if name in names}
        return [self._entry(name) for name in sorted(names, key=_order)]

    def entry(self, run: str) -> Entry:
        """One line."""
        return self._entry(self._folder(run).name)

    def open(self, run: str) -> RunFolder:
        """The run itself.

        Raises
        ------
        RunFolderError
            Where the folder is none.
        """
        return RunFolder.open(self._folder(run))

    def preset(self, run: str) -> Preset:
        """A preset of one's own with the run's values, for another run: without the folder that it wrote."""
        preset = self.open(run).preset()
        preset.output_folder = ""
        return preset

    def changes(self, run: str, against: str | None = None) -> tuple[Change, ...]:
        """How the run's preset differs from the defaults, or from the preset of the run `against`; in the tables' order."""
        return changes(DEFAULTS if against is None else self._outline(against), self._outline(run))

    # ---- changing
    def rename(self, run: str, name: str) -> None:
        """Give the run a name to be shown by; its folder keeps its number."""
        self._note(run, name=" ".join(name.split()))

    def annotate(self, run: str, note: str) -> None:
        """Give the run a note."""
        self._note(run, note=note.strip())

    def pair(self, first: str, second: str, of: str) -> None:
        """Note that two runs are the halves of the patterns of the run `of`, as their names say then."""
        for run, twin, half in ((first, second, 1), (second, first, 2)):
            self._note(run, name=f"half {half} of {of}", twin=twin)

    def trash(self, run: str) -> str:
        """Move the run to ``runs/.trash``; gives the name there, for `restore`.

        Raises
        ------
        RunFolderError
            Where it is running, or the folder cannot be moved.
        """
        folder = self._folder(run)
        if self._entry(run).busy:
            raise RunFolderError(f"run {run} is running; stop it first")
        stamp = f"{run}-{datetime.now(UTC):{_WHEN}}"
        kept = _free(self.runs / TRASH, [stamp, *(f"{stamp}-{n}" for n in range(2, 1000))])
        _move(folder, kept)
        return kept.name

    def trashed(self) -> list[Trashed]:
        """What lies in the trash and can be restored, the latest first."""
        trash = self.runs / TRASH
        try:
            found = [found for path in trash.iterdir() if path.is_dir() and (found := _STAMPED.fullmatch(path.name))]
        except OSError:
            return []
        found.sort(key=lambda parts: (parts["when"], parts[0]), reverse=True)
        return [Trashed(parts[0], parts["run"], _time(parts["when"]), _name(trash / parts[0])) for parts in found]

    def restore(self, name: str) -> str:
        """Bring a run back from the trash, under its number where that is free, else under the next one; gives it.

        Raises
        ------
        ParameterError
            Where the trash holds none of that name.
        """
        found = _STAMPED.fullmatch(name)
        if found is None or name not in [trashed.kept for trashed in self.trashed()]:
            raise ParameterError(f"the trash holds no run {name!r}")
        home = _free(self.runs, [found["run"], *(f"{n:03d}" for n in range(self._highest() + 1, 10**6))])
        _move(self.runs / TRASH / name, home)
        return home.name

    # ---- inside
    def _note(self, run: str, **values: str) -> None:
        folder = self.open(run).path
        # a name and a note may be written from two threads at once
        with self._noting:
            try:
                notes = read_notes(folder)
            except RunFolderError:
                notes = Notes()
            write_notes(folder, replace(notes, **values))

    def _outline(self, run: str) -> Outline:
        path = self.open(run).path / PRESET
        stamp, known = _stamp(path), self._outlines.get(run)
        if known is None or known[0] != stamp:
            known = self._outlines[run] = stamp, Outline.of(path)
        return known[1]

    def _folder(self, run: str) -> Path:
        folder = self.runs / run
        # a name from the page must not lead anywhere else
        if not run or Path(run).name != run or run.startswith(".") or not folder.is_dir() or not stays(self._root, folder):
            raise ParameterError(f"there is no run {run!r} in {self.runs}")
        return folder

    def _highest(self) -> int:
        names = [path.name for folder in (self.runs, self.runs / TRASH) if folder.is_dir() for path in folder.iterdir()]
        numbers = [int(found[0]) for name in names if (found := re.match(r"\d{3,6}(?=$|-)", name))]
        return max(numbers, default=0)

    def _entry(self, name: str) -> Entry:
        folder = self.runs / name
        try:
            stamps = tuple(_stamp(folder / file) for file in (PRESET, LOSS, JOURNAL, NOTES, STATE))
            known = self._read.get(name)
            if known is None or known[0] != stamps:
                known = self._read[name] = stamps, _read(folder), None
            _, entry, now = known
            if entry.state == BROKEN:
                return entry
            if now is None:
                now = standing(RunFolder(folder))
                # that a run has ended its files tell; that one goes on, only they and its process together
                self._read[name] = stamps, entry, None if now.busy else now
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            return Entry(name, folder, problem=str(error) or type(error).__name__)
        return replace(entry, state=now.words, busy=now.busy)


def _said(folder: Path) -> Standing | None:
    """What ``state.json`` says; ``None`` where that is no more than the journal knows."""
    state = read_state(folder)
    if state is not None and state.owned and not state.owner_lives():
        # it may have ended since the file was read
        state = read_state(folder)
        if state is not None and state.owned and not state.owner_lives():
            return Standing(f"lost: {lost(state).message}")
    if state is None or not state.busy:
        return None
    return Standing("waits" if state.phase is Phase.QUEUED else state.phase.value, busy=True)


def _journalled(run: RunFolder) -> Standing:
    events = [event for event in _events(run) if event.get("event") in {"started", "resumed", *_ENDS}]
    if not events:
        return Standing("not started")
    last = str(events[-1]["event"])
    if last in _ENDS:
        why = f": {events[-1].get('why')}" if events[-1].get("why") else ""
        return Standing(_ENDS[last] + why)
    times = [file.stat().st_mtime for name in (JOURNAL, LOSS, CHECKPOINT) if (file := run.path / name).exists()]
    if time.time() - max(times, default=0.0) < _SILENT_S:
        return Standing("running", busy=True)
    return Standing("cut off; can be resumed")


def _read(folder: Path) -> Entry:
    """What the files say, but for how the run stands."""
    try:
        with (folder / PRESET).open(encoding="utf-8") as file:
            if not isinstance(plain := json.load(file), dict):
                raise RunFolderError(f"{PRESET} is no preset")
    except FileNotFoundError:
        return Entry(folder.name, folder, problem=f"it has no {PRESET}")
    except (ValueError, RecursionError) as error:
        return Entry(folder.name, folder, problem=f"{PRESET} cannot be read: {error}")
    try:
        notes, problem = read_notes(folder), ""
    except RunFolderError as error:
        notes, problem = Notes(), str(error)
    quick = is_quick_look(RunFolder(folder))
    entry = Entry(
        folder.name, folder, notes.name, notes.note, "", problem=problem, planned=_planned(plain), twin=notes.twin, quick=quick
    )
    for file, part in ((LOSS, _losses), (JOURNAL, _began)):
        try:
            entry = replace(entry, **part(folder))
        except (ValueError, KeyError, csv.Error) as error:
            entry = replace(entry, problem=f"{file} cannot be read: {error}")
    return entry


def _planned(plain: dict[str, Any]) -> int:
    first, last = plain.get("epoch_prev", 0), plain.get("epoch_max")
    return max(last - first, 0) if isinstance(first, int) and isinstance(last, int) else 0


def _losses(folder: Path) -> dict[str, Any]:
    """First and last line of the log alone; a run of a thousand epochs costs no more than one of ten."""
    try:
        lines = (folder / LOSS).read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    except FileNotFoundError:
        return {}
    if len(lines) < 2:
        return {}
    header, first, last = csv.reader([lines[0], lines[1], lines[-1]])
    rows = [dict(zip(header, row, strict=True)) for row in (first, last)]
    # the line after the last epoch has searched nothing, and its number counts the complete ones
    final = int(rows[1]["N linesearch iterations"]) == 0
    return {
        "epochs": int(rows[1]["epoch"]) + (not final) - int(rows[0]["epoch"]),
        "first_loss": float(rows[0]["loss"]),
        "last_loss": float(rows[1]["loss"]),
        "seconds": float(rows[1]["time / s"]),
    }


def _began(folder: Path) -> dict[str, Any]:
    for event in _events(RunFolder(folder)):
        if event.get("event") == "started":
            return {"began": datetime.fromisoformat(str(event.get("time")))}
    return {}


def _events(run: RunFolder) -> list[dict[str, Any]]:
    return [event for event in run.journal() if isinstance(event, dict)]


def _time(stamp: str) -> datetime:
    try:
        return datetime.strptime(stamp, _WHEN).replace(tzinfo=UTC)
    except ValueError:
        # digits that are no time, which nobody but a person wrote
        return datetime.fromtimestamp(0, UTC)


def _name(folder: Path) -> str:
    try:
        return read_notes(folder).name
    except RunFolderError:
        return ""


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _order(name: str) -> tuple[bool, int, str]:
    return not name.isdecimal(), int(name) if name.isdecimal() else 0, name


def _free(folder: Path, names: list[str]) -> Path:
    return next(folder / name for name in names if not (folder / name).exists())


def _move(source: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        source.rename(target)
    except OSError as error:
        raise RunFolderError(f"{source} cannot be moved to {target}: {error.strerror or error}") from error
