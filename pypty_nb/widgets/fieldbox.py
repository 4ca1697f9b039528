"""One parameter on the page: its widget, its course over the epochs, and the line below that says what is changed or wrong."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets
import numpy as np

from pypty_nb.params import FIELDS, ParameterError, Preset
from pypty_nb.params.fields import Array, Path
from pypty_nb.widgets import bare, controls, text
from pypty_nb.widgets.arrays import Loader, described
from pypty_nb.widgets.host import Host
from pypty_nb.widgets.strip import Strip
from pypty_nb.workspace import Applied, Mark, Refused, Waiting
from pypty_nb.workspace.steering import FIXED

_STATES = ("is-changed", "is-error", "pn-expr", "is-pending")


class FieldBox(bare.VBox):
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
        self._showing = self._reading = self._choosing = False
        #: Whether a run is going; why nothing may be typed, "" where it may; how it stands with a change in the run.
        self._busy, self._fixed = False, ""
        self._mark: Mark | None = None
        self._sure = False
        self._looks: tuple[Any, str] = (None, "")
        self._note: _Note | None = None
        self._strip: Strip | None = None
        self._loader: Loader | None = None
        self.control = controls.make(name, self.field)
        self._load = self._make_load()
        self._row = self.control if self._load is None else bare.HBox([self.control, self._load])
        super().__init__([self._row])
        self._row.add_class("pn-control")
        self.add_class("pn-field")
        self.add_class(f"pn-of-{name}")
        if self.field.schedulable:
            self.add_class("pn-sched")
        self.control.observe(self._typed, "value")
        self.refresh()

    def refresh(self) -> None:
        """Show the preset's value, or the one that waits; an error about an earlier text is gone with it."""
        value = self._mark.value if isinstance(self._mark, Waiting) else self._preset[self.name]
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

    def show_run(self, *, busy: bool) -> None:
        """Let only be typed what a run that is going takes, and say how it stands with that; cheap where nothing is new."""
        steering = self._host.steering
        fixed = FIXED if busy else ""
        mark = None
        if steering is not None:
            fixed, mark = steering.why_fixed(self.name) if busy else "", steering.mark(self.name)
        if (busy, fixed, mark) == (self._busy, self._fixed, self._mark):
            return
        waited = self._mark if isinstance(self._mark, Waiting) else None
        if not (isinstance(mark, Applied) and isinstance(self._mark, Applied)):
            self._sure = False
        if fixed != self._fixed:
            controls.explain(self.control, self.name, self.field, fixed)
        self._busy, self._fixed, self._mark = busy, fixed, mark
        if waited is not None and waited != mark:
            self.refresh()
        else:
            self._dress()

    def matches(self, words: str) -> bool:
        """Whether name, label or help hold `words`."""
        found = f"{self.name} {self.field.label} {self.field.doc}".lower()
        return all(word in found for word in words.lower().split())

    # ---- what a person does
    def _typed(self, _change: Any) -> None:
        if not self._showing:
            self._try(lambda: self._give(controls.take(self.control, self.field)))

    def _give(self, value: Any) -> None:
        """Set the value: in the run where one is going, which answers in its own time, else in the preset."""
        if self._busy and self._host.steering is not None:
            self._host.steering.change(self.name, value)
            return
        if self._host.steering is not None:
            self._host.steering.dismiss(self.name)
        self._preset.update({self.name: value})

    def _try(self, change: Callable[[], None]) -> None:
        try:
            change()
        except ParameterError as error:
            self._refused(error)
        else:
            self.show_run(busy=self._busy)
            self.refresh()

    def _refused(self, error: ParameterError) -> None:
        self._set_error(" ".join(text.sentence(problem, self.name) for problem in error.problems))
        self._dress()

    def _restore(self) -> None:
        """Back to the value in force after a text that was refused, else to the default."""
        if self.error and not self._problem():
            self.refresh()
        else:
            self._try(lambda: self._give(copy.deepcopy(self.field.default)))

    def _undo(self) -> None:
        """Take a change of the run back; where epochs would be lost with it, asked for twice."""
        steering = self._host.steering
        if steering is None:
            return
        if isinstance(self._mark, Applied) and steering.lost_by_undo and not self._sure:
            self._sure = True
            self._dress()
            return
        self._sure = False
        self._try(partial(steering.undo, self.name))

    def _dismiss(self) -> None:
        if self._host.steering is not None:
            self._host.steering.dismiss(self.name)
            self.show_run(busy=self._busy)

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
            self.show_run(busy=self._busy)
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
        changed, pending = self._preset.is_changed(self.name), isinstance(self._mark, Waiting)
        scheduled = controls.is_expression(value)
        self.control.disabled = bool(self._fixed) or not controls.can_type(self.field, value)
        if self._load is not None:
            self._load.disabled = bool(self._fixed) or self._reading
        if self._loader is not None:
            self._loader.lock(bool(self._fixed) or self._reading)
        states = changed and not self.error and not pending, bool(self.error), scheduled, pending and not self.error
        for state, on in zip(_STATES, states, strict=True):
            (self.add_class if on else self.remove_class)(state)
        parts = [self._row, self._strip if scheduled else None, self._loader if self._choosing else None]
        if line := self._line(value, changed):
            self._note = self._note or _Note(str(self.field.label))
            self._note.say(line)
            parts.append(self._note)
        shown = tuple(part for part in parts if part is not None)
        if shown != self.children:
            self.children = shown

    def _line(self, value: Any, changed: bool) -> _Line | None:
        """What the line below says: the first of these that there is to say."""
        default = controls.shown(self.field, self.field.default) or "empty"
        restore = None if self._fixed else self._restore
        if self.error:
            back = default if self._problem() else controls.shown(self.field, value)
            return _Line(f"{text.mark('err')} {text.escape(self.error)}", f"restore {back or 'empty'}", "err", restore)
        if self._reading:
            return _Line("Reading …", "", "arr")
        if (line := self._live_line(value)) is not None:
            return line
        if isinstance(value, np.ndarray) and not controls.can_type(self.field, value):
            return _Line(self._description(value), "clear" if changed else "", "arr", restore)
        if self._strip is not None and controls.is_expression(value) and self._strip.warning:
            return _Line(f"{text.mark('warn')} {text.escape(self._strip.warning)}", f"restore {default}", "warn", restore)
        if changed:
            return _Line(f"default {text.escape(default)}", "restore", "dflt", restore)
        return None

    def _live_line(self, value: Any) -> _Line | None:
        """How it stands with a change in the run."""
        steering = self._host.steering
        match self._mark:
            case Refused(why=why):
                said = text.escape(text.sentence(why, self.name))
                return _Line(f"{text.mark('err')} Not taken: {said}", "dismiss", "err", self._dismiss)
            case Waiting(epoch=epoch):
                old = text.escape(controls.shown(self.field, value) or "empty")
                return _Line(f"applies at epoch {epoch}, {old} until then", "undo", "pend", self._undo)
            case Applied(epoch=epoch, going=True):
                return _Line(f"going back to epoch {epoch} …", "", "pend")
            case Applied(epoch=epoch, undoable=True) if self._sure and steering is not None:
                lost = text.plural(steering.lost_by_undo, "epoch")
                return _Line(
                    f"{text.mark('warn')} {lost} since then go with it:", f"go back to epoch {epoch}", "warn", self._undo
                )
            case Applied(epoch=epoch, undoable=undoable):
                return _Line(f"changed at epoch {epoch}", "undo" if undoable else "", "pend", self._undo)
        if self._busy and steering is not None and self.field.live and steering.differs(self.name):
            runs = controls.shown(self.field, steering.running[self.name]) or "empty"
            return _Line(f"for the next run; this one has {text.escape(runs)}", "", "arr")
        return None

    def _description(self, array: np.ndarray) -> str:
        if self._looks[0] is not array:
            self._looks = array, described(self.field, array)
        return self._looks[1]


@dataclass(frozen=True)
class _Line:
    """HTML, the button's words ("" for none), the class that says what kind of line it is, and what the button does."""

    words: str
    action: str
    kind: str
    act: Callable[[], None] | None = None


class _Note(bare.HBox):
    """The line below a field, made when first needed: most fields never have one."""

    def __init__(self, label: str):
        self._label = label
        self._act: Callable[[], None] | None = None
        self._words, self._button = bare.HTML(), ipywidgets.Button()
        self._button.add_class("pn-quiet")
        self._button.on_click(lambda _button: self._act() if self._act is not None else None)
        self._kind = ""
        super().__init__([self._words, self._button])
        self.add_class("pn-note")

    def say(self, line: _Line) -> None:
        """Show `line`."""
        self._words.value = line.words
        self._button.layout.display = "" if line.action else "none"
        self._button.description, self._button.tooltip = line.action, f"{self._label}: {line.action}"
        self._act = line.act
        self._button.disabled = line.act is None
        if line.kind != self._kind:
            self.remove_class(self._kind)
            self.add_class(line.kind)
            self._kind = line.kind
