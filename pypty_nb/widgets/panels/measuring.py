"""Measuring the calibration in the background; steps 2 and 3 show what it finds and take it over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import ipywidgets
import numpy as np

from pypty_nb.initialize.bad_pixels import listed
from pypty_nb.initialize.calibrate import Calibration
from pypty_nb.params import FIELDS, ParameterError, Preset
from pypty_nb.widgets import text
from pypty_nb.widgets.panels.panel import Moment, Page, boxed, heading
from pypty_nb.widgets.panels.planhtml import shown
from pypty_nb.widgets.panels.underway import UnderWay
from pypty_nb.workspace import bad_pixels, calibration

#: What is said while it measures, at the buttons and in place of the pictures.
UNDER_WAY = "Measuring disc, orientation and focus …"
#: The step of the history that Accept makes.
_STEP = "calibrate"
_DIGITS = 5
_STAGES = {
    "bad pixels": "Looking for bad pixels",
    "mean pattern": "Averaging the patterns",
    "survey": "Centre of mass of every pattern",
    "shadows": "Shifts of the shadow images",
    "trial": "Trial reconstruction, to tell which way round",
}
_NO_DATA = "Choose a file in step 1 first."


class Measuring:
    """What is stated, what was measured, and the buttons for it.

    Parameters
    ----------
    page : Page

    Attributes
    ----------
    stated : dict
        What a person states, with the keys of the experiment.
    found : Calibration or None
        The latest that was measured from the data at hand.
    """

    def __init__(self, page: Page):
        self._page = page
        self.stated: dict[str, Any] = {}
        self.found: Calibration | None = None
        self.maps: Any = None
        self._data: tuple[Any, ...] = ()
        self._held: Any = None
        self._busy = False
        self._locked = False
        #: The preset as it was when `found` was measured.
        self._start: Preset | None = None
        self._stage = self._words = ""
        self._sets: list[_Buttons] = []
        #: Names of what the latest calibration would change in the preset, and whether that is to be found out anew.
        self._pending: tuple[str, ...] = ()
        self._stale = True
        #: What was taken over by Accept, as a person reads it; "" where nothing was, or it was taken back.
        self._taken = ""
        self._elsewhere: list[Callable[[], None]] = []
        page.workspace.preset.watch(lambda _names: setattr(self, "_stale", True))

    def buttons(self) -> tuple[ipywidgets.DOMWidget, ...]:
        """Measure and Accept, a bar while it goes on, and a line that says what came of them; one set for each step."""
        buttons = _Buttons()
        buttons.measure.on_click(lambda _button: self._page.tasks.start(self.measure))
        buttons.accept.on_click(lambda _button: self._page.tasks.soon(self.accept))
        buttons.undo.on_click(lambda _button: self._page.tasks.soon(self._undo))
        buttons.said.value = self._words
        self._sets.append(buttons)
        self._dress()
        return buttons.row, buttons.under_way, buttons.said

    def on_other_data(self, listener: Callable[[], None]) -> None:
        """Call `listener` where other data than before are looked at: what was stated of those is forgotten."""
        self._elsewhere.append(listener)

    def show(self, moment: Moment) -> None:
        """Forget what was measured from other data."""
        dataset = moment.preset.dataset
        data = (moment.preset.data_path, moment.preset.data_axes, id(dataset))
        if data != self._data:
            # held, since another array could come to lie where a forgotten one lay
            self._data, self._held = data, dataset
            self.found = self.maps = None
            self._taken = ""
            self.stated.clear()
            for listener in self._elsewhere:
                listener()
            self._say("" if any((moment.preset.data_path, moment.preset.dataset is not None)) else _NO_DATA)
        self._compare()
        self._locked = moment.locked or not (moment.preset.data_path or moment.preset.dataset is not None)
        self._dress()

    @property
    def accepted(self) -> bool:
        """Whether the preset holds all that was measured."""
        return self.found is not None and not self._pending

    @property
    def busy(self) -> bool:
        """Whether it measures right now."""
        return self._busy

    async def measure(self) -> None:
        """Measure everything that is not stated."""
        if self._busy or self._locked:
            return
        self._busy, data, started = True, self._data, time.monotonic()
        self._stage, self._taken = UNDER_WAY, ""
        self._say("")
        self._show_progress(0, 1)
        self._dress()
        self._page.changed()
        try:
            found, start = await asyncio.to_thread(self._measured)
        except (ValueError, OSError) as error:
            words = self._page.workspace.shortened(text.failure(error))
            self._say(f'<span class="err">{text.mark("err")} {text.escape(words)}.</span>')
        else:
            if data == self._data:
                self.found, self._start, self._stale = found, start, True
                self.maps = found.maps or self.maps
                took = text.duration(time.monotonic() - started)
                self._page.log(f"calibration measured in {took}")
                warnings = "".join(f"<div>{text.mark('warn')} {text.escape(words)}</div>" for words in found.warnings)
                self._say(f"Measured in {took}. Accept takes the values into the preset.{warnings}")
        finally:
            self._busy = False
            for buttons in self._sets:
                buttons.under_way.hide()
            self._compare()
            self._dress()
            self._page.changed()

    def accept(self) -> None:
        """Take what was measured into the preset, as one step that can be undone."""
        if self.found is None or self._locked:
            return
        workspace = self._page.workspace
        values = calibration.changes(workspace.preset, self.found, self._start)
        try:
            workspace.history.change(values, _STEP)
        except ParameterError as error:
            self._say(f'<span class="err">{text.mark("err")} {text.escape(text.failure(error))}</span>')
        else:
            self._taken, self._stale = taken_over(values), True
            self._compare()
            self._page.log(f"took {text.plural(len(values), 'value')} of the calibration into the preset")
            self._page.changed()

    def _undo(self) -> None:
        """Take the latest Accept back, where nothing has come after it."""
        if not self._can_undo or self._locked:
            return
        try:
            self._page.workspace.history.undo()
        except ParameterError as error:
            self._say(f'<span class="err">{text.mark("err")} {text.escape(text.failure(error))}</span>')
        else:
            self._taken = ""
            self._say("Taken back out of the preset. Accept takes the values over again.")
            self._page.log("took the calibration back out of the preset")
            self._page.changed()

    @property
    def _can_undo(self) -> bool:
        return bool(self._taken) and self.accepted and self._page.workspace.history.undoable == _STEP

    def _compare(self) -> None:
        """Find out what the preset does not hold of what was measured, and say it where it was accepted."""
        if self.found is None or self._busy or not self._stale:
            return
        self._stale = False
        self._pending = tuple(calibration.changes(self._page.workspace.preset, self.found, self._start))
        if self._taken and not self._pending:
            back = " Undo, or Ctrl+Z, takes them back." if self._can_undo else ""
            self._say(f"{self._taken}{back}")
        elif self._taken:
            named = text.escape(listed([str(FIELDS[name].label) for name in self._pending]))
            self._say(f"{text.mark('warn')} The preset differs from what was measured: {named}. Accept takes it over again.")

    def _measured(self) -> tuple[Calibration, Preset]:
        workspace = self._page.workspace
        dataset = workspace.dataset()
        if dataset is None:
            raise ParameterError(_NO_DATA)
        preset, stated, soon = workspace.confined().copy(), dict(self.stated), self._page.tasks.soon
        if bad_pixels.chosen(workspace) == "keep":
            stated["bad_pixels"] = "keep"
        found = calibration.measured(
            preset, dataset, stated, partial(soon, self._show_progress), partial(soon, self._show_stage)
        )
        return found, preset

    def _show_stage(self, name: str) -> None:
        self._stage = f"{_STAGES.get(name, name)} …"

    def _show_progress(self, done: int, of: int) -> None:
        if self._busy:
            for buttons in self._sets:
                buttons.under_way.show(self._stage, done, of)

    def _say(self, words: str) -> None:
        self._words = words
        for buttons in self._sets:
            buttons.said.value = words

    def _dress(self) -> None:
        off = self._busy or self._locked
        for buttons in self._sets:
            buttons.measure.disabled = off
            buttons.accept.disabled = off or self.found is None or self.accepted
            buttons.accept.description = "Accepted" if self._taken and self.accepted else "Accept"
            buttons.undo.layout.display = None if self._can_undo else "none"
            buttons.undo.disabled = off


class _Buttons:
    """One step's set of buttons, its bar and its line."""

    def __init__(self):
        self.measure = ipywidgets.Button(description="Measure", tooltip="Find disc, orientation and C10 from the data")
        self.accept = ipywidgets.Button(description="Accept", button_style="primary", tooltip="Take the values into the preset")
        self.undo = ipywidgets.Button(description="Undo", tooltip="Undo: take the calibration back out of the preset (Ctrl+Z)")
        self.undo.add_class("pn-quiet")
        self.under_way, self.said = UnderWay(), heading("", "pn-help")
        self.row = boxed(ipywidgets.HBox, "pn-buttons", self.measure, self.accept, self.undo)


def taken_over(values: Mapping[str, Any]) -> str:
    """HTML: what Accept took into the preset, by label, each small value in full."""
    rows = "".join(
        f"<tr><td>{text.escape(str(FIELDS[name].label))}</td><td><b>{text.escape(_short(name, value))}</b></td></tr>"
        for name, value in values.items()
    )
    head = f"{text.mark('ok')} <b>Taken into the preset: {text.plural(len(values), 'value')}.</b>"
    return f'<div class="pn-took">{head}<table>{rows}</table></div>'


def _short(name: str, value: Any) -> str:
    words = text.number(value, _DIGITS) if isinstance(value, float) and np.isfinite(value) else shown(FIELDS[name], value)
    large = isinstance(value, np.ndarray) and value.size > 1
    return words if large else f"{words} {FIELDS[name].unit or ''}".strip()
