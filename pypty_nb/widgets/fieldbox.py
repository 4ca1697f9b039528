"""One parameter on the page: its widget, and the line below that says what is changed or wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets

from pypty_nb.params import FIELDS, ParameterError, Preset
from pypty_nb.widgets import controls, text

_STATES = ("is-changed", "is-error", "pn-expr")


class FieldBox(ipywidgets.VBox):
    """A field bound to one parameter of a preset, both ways.

    Parameters
    ----------
    preset : Preset
    name : str
    on_error : called with the name and the message, "" once it is gone
    """

    def __init__(self, preset: Preset, name: str, on_error: Callable[[str, str], None] = lambda name, message: None):
        self.name, self.field = name, FIELDS[name]
        self.error = ""
        self._preset, self._on_error = preset, on_error
        self._locked = self._showing = False
        self._note: ipywidgets.HBox | None = None
        self.control = controls.make(name, self.field)
        super().__init__([self.control])
        self.add_class("pn-field")
        if self.field.schedulable:
            self.add_class("pn-sched")
        self.control.observe(self._typed, "value")
        self.refresh()

    def refresh(self) -> None:
        """Show the preset's value; an error about an earlier text is gone with it."""
        value = self._preset[self.name]
        self._showing = True
        try:
            controls.put(self.control, self.field, value)
        finally:
            self._showing = False
        self._set_error("")
        self._dress()

    def lock(self, locked: bool) -> None:
        """Let nothing be typed while a run is going."""
        self._locked = locked
        self._dress()

    def matches(self, words: str) -> bool:
        """Whether name, label or help hold `words`."""
        found = f"{self.name} {self.field.label} {self.field.doc}".lower()
        return all(word in found for word in words.lower().split())

    def _typed(self, _change: Any) -> None:
        if not self._showing:
            self._try(lambda: self._preset.update({self.name: controls.take(self.control, self.field)}))

    def _try(self, change: Callable[[], None]) -> None:
        try:
            change()
        except ParameterError as error:
            self._set_error(" ".join(text.sentence(problem, self.name) for problem in error.problems))
            self._dress()
        else:
            self.refresh()

    def _set_error(self, message: str) -> None:
        if message != self.error:
            self.error = message
            self._on_error(self.name, message)

    def _dress(self) -> None:
        value = self._preset[self.name]
        changed = self._preset.is_changed(self.name)
        self.control.disabled = self._locked or not controls.can_type(self.field, value)
        for state, on in zip(
            _STATES, (changed and not self.error, bool(self.error), controls.is_expression(value)), strict=True
        ):
            (self.add_class if on else self.remove_class)(state)
        if self.error:
            words = text.mark("err") + " " + text.escape(self.error)
            self._say(words, f"restore {controls.shown(self.field, value)}", "err")
        elif not controls.can_type(self.field, value):
            self._say(text.escape(getattr(value, "dtype", "")), "restore" if changed else "", "dflt")
        elif changed:
            default = controls.shown(self.field, self.field.default) or "empty"
            self._say(f"default {text.escape(default)}", "restore", "dflt")
        else:
            self.children = (self.control,)

    def _say(self, words: str, action: str, kind: str) -> None:
        """The line below, made when first needed: most fields never have one."""
        if self._note is None:
            self._note = self._make_note()
        line, button = self._note.children
        line.value = words
        button.layout.display = "" if action else "none"
        button.description, button.tooltip, button.disabled = action, f"{self.field.label}: {action}", self._locked
        self._note.remove_class("err" if kind == "dflt" else "dflt")
        self._note.add_class(kind)
        self.children = (self.control, self._note)

    def _make_note(self) -> ipywidgets.HBox:
        button = ipywidgets.Button()
        button.add_class("pn-quiet")
        button.on_click(lambda _button: self._restore())
        note = ipywidgets.HBox([ipywidgets.HTML(), button])
        note.add_class("pn-note")
        return note

    def _restore(self) -> None:
        """Back to the value in force after an error, else to the default."""
        if self.error:
            self.refresh()
        else:
            self._try(lambda: self._preset.reset(self.name))
