"""What can be told to a run that is driven from here, in this process or in one of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any


class Steered(ABC):
    """Takes changes of a run under way, and takes them back."""

    def change(self, values: Mapping[str, Any]) -> str:
        """Set parameters from the next epoch on, all or none; gives the id under which `on_answer` tells of it.

        Raises
        ------
        ParameterError
            Where no run is under way, or a value is none that can be set during a run.
        """
        return self._send("change", values)

    def undo(self, number: int | None = None) -> str:
        """Go back to the state before the last change; gives the id under which `on_answer` tells of it.

        With `number` only where that change is still the last: somebody else may have undone it, or changed more.
        """
        return self._send("undo", number=number)

    @abstractmethod
    def _send(self, word: str, values: Mapping[str, Any] | None = None, *, number: int | None = None) -> str:
        """Tell the run `word`; gives the command's id."""
