"""One parameter on the page: its widget, its course over the epochs, and the line below that says what is changed or wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets
import numpy as np

from pypty_nb.params import FIELDS, ParameterError, Preset
from pypty_nb.params.fields import Array, Path
from pypty_nb.widgets import controls, text
from pypty_nb.widgets.arrays import Loader, described
from pypty_nb.widgets.host import Host
from pypty_nb.widgets.strip import Strip

_STATES = ("is-changed", "is-error", "pn-expr")


class FieldBox(ipywidgets.VBox):
    """A field bound to one parameter of a preset, both ways.

    Parameters
    ----------
    preset : Preset
    name : str
    host : Host
    """

    def __init__(self, preset: Preset, name: str, host: Host | None = None):
        self.name, self.field = name, FIELDS[name]
        self.error = ""
        self._preset, self._host = preset, host or Host()
        self._locked = self._showing = self._reading = self._choosing = False
        self._looks: tuple[Any, str] = (None, "")
        self._note: _Note | None = None
        self._strip: Strip | None = None
        self._loader: Loader | None = None
        self.control = controls.make(name, self.field)
        self._load = self._make_load()
        self._row = self.control if self._load is None else ipywidgets.HBox([self.control, self._load])
        super().__init__([self._row])
        self._row.add_class("pn-control")
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
        self._choosing = False
        self._set_error(self._problem())
        self.redraw()

    def redraw(self) -> None:
        """Draw the course over the epochs again: the preset's epochs may be others now."""
        if controls.is_expression(self._preset[self.name]):
            self._strip = self._strip or Strip(self._preset, self.name)
            self._strip.refresh()
        self._dress()

    def show_epoch(self, now: int | None) -> None:
        """Mark the epoch that a run has reached; ``None`` where none is going."""
        if self._strip is not None:
            self._strip.show_epoch(now)

    def lock(self, locked: bool) -> None:
        """Let nothing be typed while a run is going."""
        self._locked = locked
        self._dress()

    def matches(self, words: str) -> bool:
        """Whether name, label or help hold `words`."""
        found = f"{self.name} {self.field.label} {self.field.doc}".lower()
        return all(word in found for word in words.lower().split())

    # ---- what a person does
    def _typed(self, _change: Any) -> None:
        if not self._showing:
            self._try(lambda: self._preset.update({self.name: controls.take(self.control, self.field)}))

    def _try(self, change: Callable[[], None]) -> None:
        try:
            change()
        except ParameterError as error:
            self._refused(error)
        else:
            self.refresh()

    def _refused(self, error: ParameterError) -> None:
        self._set_error(" ".join(text.sentence(problem, self.name) for problem in error.problems))
        self._dress()

    def _restore(self) -> None:
        """Back to the value in force after a text that was refused, else to the default."""
        if self.error and not self._problem():
            self.refresh()
        else:
            self._try(lambda: self._preset.reset(self.name))

    # ---- arrays from files
    def _make_load(self) -> ipywidgets.Button | None:
        if not isinstance(self.field, Array) or self._host.load is None or self._host.start is None:
            return None
        button = ipywidgets.Button(description="Load", tooltip=f"{self.field.label}: take an array from a file")
        button.on_click(lambda _button: self._choose(not self._choosing))
        return button

    def _choose(self, choosing: bool) -> None:
        """Show or hide the line for a file's name."""
        self._choosing = choosing
        if self._loader is None:
            self._loader = Loader(str(self.field.label), self._host.files, self._read, self.refresh)
        self._dress()
        if choosing:
            self._loader.begin()

    def _read(self, typed: str) -> None:
        if self._host.start is not None and not self._reading:
            self._reading = True
            self._set_error("")
            self._dress()
            self._host.start(partial(self._reads, typed))

    async def _reads(self, typed: str) -> None:
        try:
            if self._host.load is not None:
                await asyncio.to_thread(self._host.load, self.name, typed)
        except ParameterError as error:
            self._reading = False
            self._refused(error)
        else:
            self._reading = False
            self.refresh()

    # ---- what is shown
    def _problem(self) -> str:
        """What is wrong with the value in force, "" where nothing is."""
        # paths are all that depends on where the page is
        found = self._host.problems().get(self.name, "") if isinstance(self.field, Path) else ""
        return text.sentence(found) if found else ""

    def _set_error(self, message: str) -> None:
        if message != self.error:
            self.error = message
            self._host.on_error(self.name, message)

    def _dress(self) -> None:
        value = self._preset[self.name]
        changed = self._preset.is_changed(self.name)
        scheduled = controls.is_expression(value)
        self.control.disabled = self._locked or not controls.can_type(self.field, value)
        if self._load is not None:
            self._load.disabled = self._locked or self._reading
        if self._loader is not None:
            self._loader.lock(self._locked or self._reading)
        for state, on in zip(_STATES, (changed and not self.error, bool(self.error), scheduled), strict=True):
            (self.add_class if on else self.remove_class)(state)
        parts = [self._row, self._strip if scheduled else None, self._loader if self._choosing else None]
        if line := self._line(value, changed):
            self._note = self._note or _Note(str(self.field.label), self._restore)
            self._note.say(line, self._locked)
            parts.append(self._note)
        shown = tuple(part for part in parts if part is not None)
        if shown != self.children:
            self.children = shown

    def _line(self, value: Any, changed: bool) -> _Line | None:
        """What the line below says: the first of these that there is to say."""
        default = controls.shown(self.field, self.field.default) or "empty"
        if self.error:
            back = default if self._problem() else controls.shown(self.field, value)
            return _Line(f"{text.mark('err')} {text.escape(self.error)}", f"restore {back or 'empty'}", "err")
        if self._reading:
            return _Line("Reading …", "", "arr")
        if isinstance(value, np.ndarray) and not controls.can_type(self.field, value):
            return _Line(self._description(value), "clear" if changed else "", "arr")
        if self._strip is not None and controls.is_expression(value) and self._strip.warning:
            return _Line(f"{text.mark('warn')} {text.escape(self._strip.warning)}", f"restore {default}", "warn")
        if changed:
            return _Line(f"default {text.escape(default)}", "restore", "dflt")
        return None

    def _description(self, array: np.ndarray) -> str:
        if self._looks[0] is not array:
            self._looks = array, described(self.field, array)
        return self._looks[1]


@dataclass(frozen=True)
class _Line:
    """HTML, the button's words ("" for none), and the class that says what kind of line it is."""

    words: str
    action: str
    kind: str


class _Note(ipywidgets.HBox):
    """The line below a field, made when first needed: most fields never have one."""

    def __init__(self, label: str, act: Callable[[], None]):
        self._label = label
        self._words, self._button = ipywidgets.HTML(), ipywidgets.Button()
        self._button.add_class("pn-quiet")
        self._button.on_click(lambda _button: act())
        self._kind = ""
        super().__init__([self._words, self._button])
        self.add_class("pn-note")

    def say(self, line: _Line, locked: bool) -> None:
        """Show `line`."""
        self._words.value = line.words
        self._button.layout.display = "" if line.action else "none"
        self._button.description, self._button.tooltip = line.action, f"{self._label}: {line.action}"
        self._button.disabled = locked
        if line.kind != self._kind:
            self.remove_class(self._kind)
            self.add_class(line.kind)
            self._kind = line.kind
