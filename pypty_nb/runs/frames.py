"""A report as one file, so that who watches a run sees what the run itself says; written only while somebody watches."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from pypty_nb.params import ParameterError
from pypty_nb.records import EpochReport, LineSearchReport, Refinables
from pypty_nb.runs.arrays import read_arrays, write_arrays

FRAME = "live.npz"
WATCHING = "watching"
#: A watcher says so this often, and counts as gone after so long.
TOUCH_S = 2.0
WATCHED_S = 10.0
_NUMBERS = ("epoch", "loss", "sse", "seconds", "final", "validation")


def write_frame(folder: Path, report: EpochReport) -> None:
    """Replace the folder's frame by `report`.

    Raises
    ------
    OSError
        Where it cannot be written.
    """
    said = {
        **{name: getattr(report, name) for name in _NUMBERS},
        "terms": dict(report.terms),
        "search": asdict(report.search),
        "warnings": report.warnings,
    }
    arrays = {"report": np.frombuffer(json.dumps(said).encode(), np.uint8)}
    if report.residual is not None:
        arrays["residual"] = np.asarray(report.residual)
    for name in (field.name for field in fields(Refinables)):
        if (array := getattr(report.point, name)) is not None:
            arrays[f"point/{name}"] = array
    write_arrays(folder / FRAME, arrays, durable=False)


def read_frame(folder: Path) -> EpochReport | None:
    """The newest frame; ``None`` where there is none that can be read."""
    try:
        arrays = read_arrays(folder / FRAME)
        return _report(arrays) if arrays is not None else None
    except (ParameterError, ValueError, KeyError, TypeError):
        return None


def point_of(arrays: Mapping[str, np.ndarray]) -> Refinables:
    """The arrays of a checkpoint or frame whose names begin with ``point/``."""
    return Refinables(**{field.name: arrays.get(f"point/{field.name}") for field in fields(Refinables)})


def watch(folder: Path) -> None:
    """Say that somebody watches; where the folder cannot be written, nobody does."""
    with suppress(OSError):
        (folder / WATCHING).touch()


class Watched:
    """Whether somebody watches a run, as its owner sees it."""

    def __init__(self, folder: Path):
        self._path = folder / WATCHING
        # left over from an earlier time, perhaps
        self._touched = self._mtime()
        self._until = 0.0

    def __call__(self) -> bool:
        # a watcher's clock may be another: what counts is that the time changes
        touched, now = self._mtime(), time.monotonic()
        if touched != self._touched:
            self._touched, self._until = touched, now + WATCHED_S
        return now < self._until

    def _mtime(self) -> int | None:
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return None


def _report(arrays: Mapping[str, np.ndarray]) -> EpochReport:
    said: dict[str, Any] = json.loads(arrays["report"].tobytes())
    return EpochReport(
        **{name: said[name] for name in _NUMBERS},
        terms=said["terms"],
        search=LineSearchReport(**said["search"] | {"trials": tuple(map(tuple, said["search"].get("trials", ())))}),
        warnings=tuple(said["warnings"]),
        residual=arrays.get("residual"),
        point=point_of(arrays),
    )
