"""Undo, redo and reset, in the head of a form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from pypty_nb.params import ParameterError
from pypty_nb.workspace import History


class EditBar(ipywidgets.HBox):
    """Three plain buttons that follow a history.

    Parameters
    ----------
    history : History
    on_reset : called when all fields are to have their defaults
    on_refused : called with what kept the preset from going back
    soon : runs a call in the event loop's thread
    """

    def __init__(self, history: History, on_reset: Callable[[], None], on_refused: Callable[[ParameterError], None],
                 soon: Callable[..., Any]):  # fmt: skip
        # first, since a bar that could not be made is closed all the same
        self._unwatch: Callable[[], object] = lambda: None
        self._history = history
        self._locked = False
        self._undo, self._redo = _quiet("Undo"), _quiet("Redo")
        self._reset = _quiet("Reset all")
        self._reset.tooltip = "Give all fields of this form their defaults"
        super().__init__([self._undo, self._redo, self._reset])
        self.add_class("pn-edits")
        self._undo.on_click(_guarded(history.undo, on_refused))
        self._redo.on_click(_guarded(history.redo, on_refused))
        self._reset.on_click(_guarded(on_reset, on_refused))
        self._unwatch = history.watch(lambda: soon(self._dress))
        self._dress()

    def lock(self, locked: bool) -> None:
        """Let nothing be taken back while a run is going."""
        self._locked = locked
        self._dress()

    def close(self) -> None:
        """Stop following the history."""
        self._unwatch()
        super().close()

    def _dress(self) -> None:
        for button, label, what in (
            (self._undo, self._history.undoable, "Undo"),
            (self._redo, self._history.redoable, "Redo"),
        ):
            button.disabled = self._locked or not label
            button.tooltip = f"{what}: {label}" if label else f"Nothing to {what.lower()}"
        self._reset.disabled = self._locked


def _quiet(words: str) -> ipywidgets.Button:
    button = ipywidgets.Button(description=words)
    button.add_class("pn-quiet")
    return button


def _guarded(act: Callable[[], None], on_refused: Callable[[ParameterError], None]) -> Callable[[Any], None]:
    def clicked(_button: Any) -> None:
        try:
            act()
        except ParameterError as error:
            on_refused(error)

    return clicked
