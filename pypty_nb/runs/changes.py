"""Changes of parameters during a run: what was changed when, so that a resume does the same; and the states before them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pypty_nb.params import ParameterError, storage
from pypty_nb.params.errors import describe
from pypty_nb.runs.arrays import read_arrays, write_arrays
from pypty_nb.runs.folder import RunFolder

_FOLDER = "changes"
#: So many changes can be undone, one after the other.
UNDOABLE = 5


@dataclass(frozen=True)
class Change:
    """One change that is in force.

    Attributes
    ----------
    number : int
    epoch : int
        The first epoch it applies to.
    values : mapping of str to value
    """

    number: int
    epoch: int
    values: Mapping[str, Any]


class Changes:
    """The changes of the run in `folder`. The journal says which are in force; the values lie in ``changes/``."""

    def __init__(self, folder: RunFolder):
        self._folder = folder

    def in_force(self) -> list[Change]:
        """Those that were not undone, in order.

        Raises
        ------
        ParameterError
            Where the values of one cannot be read.
        """
        found: dict[int, int] = {}
        for event in self._folder.journal():
            if event.get("event") == "changed":
                found[int(event["number"])] = int(event["epoch"])
            elif event.get("event") == "undone":
                found.pop(int(event["number"]), None)
        in_order = sorted((epoch, number) for number, epoch in found.items())
        return [Change(number, epoch, storage.read(self._values(number))) for epoch, number in in_order]

    def record(
        self, values: Mapping[str, Any], differences: Mapping[str, tuple[Any, Any]], before: Mapping[str, np.ndarray]
    ) -> None:
        """Keep a change to plain `values`, and the state `before` it; `differences` are name to (old, new).

        Raises
        ------
        OSError
            Where the folder cannot be written; the change is not in force then.
        """
        number = 1 + max((int(e["number"]) for e in self._folder.journal() if e.get("event") == "changed"), default=0)
        self._values(number).parent.mkdir(exist_ok=True)
        storage.write(self._values(number), {name: values[name] for name in differences})
        write_arrays(self._before(number), before)
        # the journal last: what it does not name has not happened
        shown = {name: [_shown(old), _shown(new)] for name, (old, new) in differences.items()}
        self._folder.note("changed", number=number, epoch=int(before["epoch"]), values=shown)
        for old in range(1, number - UNDOABLE + 1):
            with suppress(OSError):
                self._before(old).unlink()

    def before_last(self, epoch: int, number: int | None = None) -> tuple[Change, dict[str, np.ndarray]]:
        """The last change that applies by `epoch`, and the state before it.

        Raises
        ------
        ParameterError
            Where there is none, it is not the one with `number`, or that state is not kept any more.
        """
        changes = [change for change in self.in_force() if change.epoch <= epoch]
        if number is not None and all(change.number != number for change in changes):
            raise ParameterError(f"change {number} was undone already")
        if number is not None and changes[-1].number != number:
            later = changes[-1]
            names = ", ".join(later.values)
            raise ParameterError(
                f"change {number} is not the last any more: {names} was changed at epoch {later.epoch}; undo that first"
            )
        if not changes:
            raise ParameterError("nothing was changed during this run, so that nothing can be undone")
        state = read_arrays(self._before(changes[-1].number))
        if state is None:
            raise ParameterError(f"the state before the change at epoch {changes[-1].epoch} is not kept any more")
        return changes[-1], state

    def _values(self, number: int) -> Path:
        return self._folder.path / _FOLDER / f"{number:03d}.json"

    def _before(self, number: int) -> Path:
        return self._folder.path / f"checkpoint_before_change_{number}.npz"


def _shown(value: Any) -> Any:
    """`value` for the journal."""
    if isinstance(value, np.ndarray):
        return describe(value)
    return value if isinstance(value, (bool, int, str, type(None))) else str(value)
