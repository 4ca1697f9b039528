"""Undo and redo of everything that happens to a preset, whoever changed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pypty_nb.params import FIELDS, Preset

_KEPT = object()


@dataclass(frozen=True)
class Change:
    """One step: the values before and after it, and what went with them."""

    label: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    note_before: Any
    note_after: Any


class History:
    """Follows a preset and takes changes back.

    Values are kept, not copied: what a preset holds is never changed in place, so a large array that several steps have
    in common is there once.

    Parameters
    ----------
    preset : Preset
    note : anything
        What goes with the values and comes back with them, such as the name of the file that is open.
    limit : int
        Steps that are kept.
    """

    def __init__(self, preset: Preset, note: Any = None, limit: int = 100):
        self.note = note
        self._preset, self._limit = preset, limit
        self._values = dict(preset.items())
        self._done: list[Change] = []
        self._undone: list[Change] = []
        self._listeners: list[Callable[[], None]] = []
        self._pending: tuple[str, Any] | None = None
        self._going = False
        #: Ends the following.
        self.close = preset.watch(self._changed)

    @property
    def undoable(self) -> str:
        """What `undo` would take back, "" where there is nothing."""
        return self._done[-1].label if self._done else ""

    @property
    def redoable(self) -> str:
        """What `redo` would do again, "" where there is nothing."""
        return self._undone[-1].label if self._undone else ""

    def change(self, values: Mapping[str, Any], label: str, note: Any = _KEPT) -> None:
        """Set `values`, and another `note` where one is given, as one step called `label`.

        Raises
        ------
        ParameterError
            Where the preset refuses them; then nothing has changed.
        """
        self._pending = label, self.note if note is _KEPT else note
        try:
            self._preset.update(values)
            # the same values again are nothing to take back, but another file may have brought them
            self.note = self._pending[1]
        finally:
            self._pending = None

    def undo(self) -> None:
        """Take the last step back; nothing where there is none."""
        if self._done:
            step = self._done[-1]
            self._go(step.before, step.note_before)
            self._undone.append(self._done.pop())
            self._tell()

    def redo(self) -> None:
        """Do again what was taken back last; nothing where there is nothing."""
        if self._undone:
            step = self._undone[-1]
            self._go(step.after, step.note_after)
            self._done.append(self._undone.pop())
            self._tell()

    def watch(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every step, undo and redo; gives back a function that ends this."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def _go(self, values: Mapping[str, Any], note: Any) -> None:
        noted, self.note, self._going, done = self.note, note, True, False
        try:
            self._preset.update(values)
            done = True
        finally:
            self._going = False
            if not done:
                self.note = noted

    def _changed(self, names: frozenset[str]) -> None:
        before = {name: self._values[name] for name in names}
        after = {name: self._preset[name] for name in names}
        self._values.update(after)
        if self._going:
            return
        label, note = self._pending or (_called(names), self.note)
        self._done.append(Change(label, before, after, self.note, note))
        del self._done[: -self._limit]
        self._undone.clear()
        self.note = note
        self._tell()

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()


def _called(names: frozenset[str]) -> str:
    return str(FIELDS[next(iter(names))].label) if len(names) == 1 else f"{len(names)} values"
