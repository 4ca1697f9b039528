"""A run as it is looked at, whatever it is: under way in this process, a folder, its result."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from pypty_nb.engine import Reconstruction
from pypty_nb.params import ParameterError, Preset, Schedule
from pypty_nb.params.tables import Updating
from pypty_nb.params.timeline import timeline
from pypty_nb.records import EpochReport, LineSearchReport, Refinables
from pypty_nb.runs import RecordedRun, RunFolder, RunResult
from pypty_nb.runs.folder import ARRAY_FILES, CONSTRAINTS, VALIDATION, shares_of
from pypty_nb.workspace.journal import Event, Journal, label

_DATA = "data"
_ENDS = {"finished", "stopped", "failed"}
_LIFE = {"started", "resumed", *_ENDS}
_EVALUATIONS = "N linesearch iterations"


@dataclass(frozen=True)
class Scene:
    """A run as the views see it.

    Attributes
    ----------
    preset : Preset
        The one that drives the run.
    report : EpochReport or None
        The latest; ``None`` before the first.
    epochs, losses : sequences
        The data term of every epoch so far.
    terms : mapping of str to sequence of float
        Every other term of the loss, epoch by epoch; NaN where it was off.
    validation : sequence of float
        The data term of the patterns held out, NaN where there is none; empty where there never was.
    events : tuple of Event
    name : str
        Of the run; "" where it has none.
    """

    preset: Preset
    report: EpochReport | None = None
    epochs: Sequence[int] = ()
    losses: Sequence[float] = ()
    terms: Mapping[str, Sequence[float]] = field(default_factory=dict)
    validation: Sequence[float] = ()
    events: tuple[Event, ...] = ()
    name: str = ""

    @property
    def pixel(self) -> tuple[float, float]:
        """Pixel size (y, x), Å."""
        return self.preset.pixel_size_y_A, self.preset.pixel_size_x_A

    @property
    def point(self) -> Refinables | None:
        """The arrays of the latest report."""
        return self.report.point if self.report is not None else None


def scene_of(run: Any) -> Scene:
    """`run` as the views see it now.

    Parameters
    ----------
    run : Scene, Preset, Reconstruction, RecordedRun, RunResult, RunFolder or path of a run's folder
        A folder is read: arrays of the last checkpoint, losses and journal. A preset, or a reconstruction, has no report yet.

    Raises
    ------
    ParameterError
        Where `run` is none of these, or a result that was written nowhere.
    RunFolderError
        An `OSError`: where the path is no run.
    """
    match run:
        case Scene():
            return run
        case Preset():
            return Scene(run, events=scheduled(run))
        case Reconstruction():
            return scene_of(run.preset)
        case RecordedRun():
            return _folder_scene(run.folder)
        case RunResult(folder=None):
            raise ParameterError("this result was written nowhere: give output_folder, or Scene(preset, result.report)")
        case RunResult(folder=folder, report=report):
            return replace(_folder_scene(RunFolder.open(str(folder))), report=report)
        case RunFolder():
            return _folder_scene(run)
        case str() | os.PathLike():
            return _folder_scene(RunFolder.open(run))
    raise ParameterError(f"a view shows a run: its folder, result, preset or reconstruction; got {type(run).__name__}")


def losses_of(folder: RunFolder) -> Scene:
    """The data term of a run, epoch by epoch, without its preset and its arrays: for a curve beside another run's."""
    rows = folder.losses()
    losses, _ = _terms(rows)
    epochs = [int(row["epoch"]) for row in rows]
    # no axis is longer than the curve
    return Scene(Preset(epoch_max=max(epochs, default=1)), None, epochs, losses, name=folder.path.name)


def stamp(folder: RunFolder) -> tuple[int, ...]:
    """Changes whenever the folder's losses, journal or arrays do."""
    found = []
    for name in ("loss.csv", "journal.jsonl", ARRAY_FILES["obj"]):
        path = folder.path / name
        found.append(path.stat().st_mtime_ns if path.exists() else 0)
    return tuple(found)


def ended(folder: RunFolder) -> bool:
    """Whether the last that was heard of the run is its end, whichever way."""
    phases = [line["event"] for line in folder.journal() if line.get("event") in _LIFE]
    return bool(phases) and phases[-1] in _ENDS


def scheduled(preset: Preset) -> tuple[Event, ...]:
    """What the preset's schedules begin or cease to refine, and when."""
    events = []
    for name in Updating.fields():
        if not isinstance(preset[name], Schedule) or preset.epoch_max <= preset.epoch_prev:
            continue
        called = label(name).lower()
        for (_, before), (epoch, value) in pairwise(timeline(preset, name).steps):
            if bool(before) != bool(value):
                events.append(Event(epoch, called if value else f"{called} off"))
    return tuple(sorted(events, key=lambda event: event.epoch))


def _folder_scene(folder: RunFolder) -> Scene:
    preset, rows = folder.preset(), folder.losses()
    epochs = [int(row["epoch"]) for row in rows]
    losses, terms = _terms(rows)
    report = _report(folder, preset, rows, losses, terms)
    events = (*scheduled(preset), *Journal(folder.journal()).marks)
    held_out = [_number(row.get(VALIDATION)) for row in rows] if rows and VALIDATION in rows[0] else ()
    events = tuple(sorted(events, key=lambda event: event.epoch))
    return Scene(preset, report, epochs, losses, terms, held_out, events, folder.path.name)


def _terms(rows: list[dict[str, str]]) -> tuple[list[float], dict[str, list[float]]]:
    """The data term and every other, epoch by epoch; where the file holds only their sum, under "constraints"."""
    shares = shares_of(rows[0]) if rows else ()
    terms = {name: [_number(row.get(name)) for row in rows] for name in shares}
    losses = [
        _number(row.get("loss")) - sum(term[index] for term in terms.values() if not math.isnan(term[index]))
        for index, row in enumerate(rows)
    ]
    named = {"constraints" if name == CONSTRAINTS else name: values for name, values in terms.items()}
    return losses, {name: values for name, values in named.items() if any(value != 0 for value in values)}


def _report(
    folder: RunFolder, preset: Preset, rows: list[dict[str, str]], losses: list[float], terms: dict[str, list[float]]
) -> EpochReport | None:
    point = Refinables(**{name: _array(folder.path / file) for name, file in ARRAY_FILES.items()})
    if point.obj is None and not rows:
        return None
    row = rows[-1] if rows else {}
    return EpochReport(
        epoch=int(row["epoch"]) if row else preset.epoch_prev,
        loss=_number(row.get("loss")),
        sse=_number(row.get("sse")),
        terms={_DATA: losses[-1] if losses else math.nan, **{name: values[-1] for name, values in terms.items()}},
        search=LineSearchReport(step=_number(row.get("matching step")), evaluations=int(_number(row.get(_EVALUATIONS), 0))),
        seconds=_number(row.get("time / s"), 0.0),
        point=point,
        final=ended(folder),
    )


def _array(path: Path) -> np.ndarray | None:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        return None  # not written yet


def _number(text: str | None, otherwise: float = math.nan) -> float:
    try:
        return float(text) if text is not None else otherwise
    except ValueError:
        return otherwise
