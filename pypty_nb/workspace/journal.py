"""What happened to a run, from its journal: marks on its curves, and a line each for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pypty_nb.params import FIELDS
from pypty_nb.params.errors import describe

Line = Mapping[str, Any]
_LONG = 60
_STEERS = {"change", "undo"}


@dataclass(frozen=True)
class Event:
    """Something that happened to a run: before `epoch`, in a word or two."""

    epoch: int
    words: str


class Journal:
    """The lines of a run's journal, one after the other.

    Attributes
    ----------
    entries : list of Event
        Everything a person wants to know of afterwards, with old and new values.
    """

    def __init__(self, lines: Iterable[Line] = ()):
        self.entries: list[Event] = []
        self._marks: list[tuple[int, Event]] = []
        self._changes: dict[int, Line] = {}
        self.add(lines)

    @property
    def marks(self) -> tuple[Event, ...]:
        """What stands on the curves, in order of the epochs."""
        return tuple(sorted((event for _, event in self._marks), key=lambda event: event.epoch))

    def add(self, lines: Iterable[Line]) -> list[Event]:
        """Take `lines`; gives what they add to the entries."""
        before = len(self.entries)
        for line in lines:
            self._take(line)
        return self.entries[before:]

    def _take(self, line: Line) -> None:
        epoch, event = line.get("epoch"), line.get("event")
        if event == "command" and line.get("command") in _STEERS and not line.get("accepted"):
            self._enter(epoch, f"refused: {line.get('why', '')}")
        if not isinstance(epoch, int):
            return
        if event == "resumed":
            self._enter(epoch, "resumed")
            self._mark(0, epoch, "resumed")
        elif event == "changed":
            number = _number(line)
            self._changes[number] = line
            self._enter(epoch, ", ".join(_differences(line)))
            self._mark(number, epoch, _named(line))
        elif event == "undone":
            number = _number(line)
            what = self._changes.pop(number, {})
            # what came after it has not happened to the run as it is now
            self._marks = [(other, mark) for other, mark in self._marks if other != number and mark.epoch <= epoch]
            self._enter(epoch, f"undone: {', '.join(_differences(what)) or 'a change'}")
            self._mark(0, epoch, f"{_named(what)} undone")

    def _enter(self, epoch: object, words: str) -> None:
        last = self.entries[-1].epoch if self.entries else 0
        self.entries.append(Event(epoch if isinstance(epoch, int) else last, words))

    def _mark(self, number: int, epoch: int, words: str) -> None:
        self._marks.append((number, Event(epoch, words)))


def label(name: str) -> str:
    """What a parameter is called on the page."""
    return (FIELDS[name].label if name in FIELDS else None) or name


def _number(line: Line) -> int:
    number = line.get("number")
    return number if isinstance(number, int) else 0


def _values(line: Line) -> Mapping[str, Any]:
    values = line.get("values")
    return values if isinstance(values, dict) else {}


def _named(line: Line) -> str:
    names = [label(name) for name in _values(line)] or [label(str(line.get("name", "changed")))]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _differences(line: Line) -> list[str]:
    """Every parameter with its value before and after."""
    return [f"{label(name)} {' → '.join(map(shown, both))}" for name, both in _values(line).items() if _is_pair(both)]


def _is_pair(both: Any) -> bool:
    return isinstance(both, list) and len(both) == 2


def shown(value: Any) -> str:
    """A value as it stands in a line."""
    if isinstance(value, np.ndarray):
        return describe(value)
    words = {None: "none", True: "on", False: "off"}[value] if value is None or isinstance(value, bool) else str(value)
    return words if len(words) <= _LONG else words[: _LONG - 1] + "…"
