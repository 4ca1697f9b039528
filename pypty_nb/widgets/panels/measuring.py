"""Measuring the calibration in the background; steps 2 and 3 show what it finds and take it over."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

import ipywidgets

from pypty_nb.initialize.calibrate import Calibration
from pypty_nb.params import ParameterError
from pypty_nb.widgets import text
from pypty_nb.widgets.panels.panel import Moment, Page, boxed, heading
from pypty_nb.workspace import calibration

#: What is said while it measures, at the buttons and in place of the pictures.
UNDER_WAY = "Measuring disc, orientation and focus …"
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
    side : int
        Pixels of a pattern along x, as the file has it.
    """

    def __init__(self, page: Page):
        self._page = page
        self.stated: dict[str, Any] = {}
        self.found: Calibration | None = None
        self.maps: Any = None
        self.side = 1
        self._data: tuple[Any, ...] = ()
        self._held: Any = None
        self._busy = False
        self._locked = False
        self._said: list[ipywidgets.HTML] = []
        self._bars: list[ipywidgets.IntProgress] = []
        self._measures: list[ipywidgets.Button] = []
        self._accepts: list[ipywidgets.Button] = []
        self.accepted = False

    def buttons(self) -> tuple[ipywidgets.DOMWidget, ...]:
        """Measure and Accept, a bar while it goes on, and a line that says what came of them; one set for each step."""
        measure = ipywidgets.Button(description="Measure", tooltip="Find disc, orientation and C10 from the data")
        accept = ipywidgets.Button(description="Accept", button_style="primary", tooltip="Take the values into the preset")
        said = heading("", "pn-help")
        bar = ipywidgets.IntProgress(min=0, max=1, value=0)
        bar.add_class("pn-prog")
        bar.layout.display = "none"
        measure.on_click(lambda _button: self._page.tasks.start(self.measure))
        accept.on_click(lambda _button: self._page.tasks.soon(self.accept))
        self._measures.append(measure)
        self._accepts.append(accept)
        self._said.append(said)
        self._bars.append(bar)
        self._dress()
        return boxed(ipywidgets.HBox, "pn-buttons", measure, accept), bar, said

    def show(self, moment: Moment) -> None:
        """Forget what was measured from other data."""
        dataset = moment.preset.dataset
        data = (moment.preset.data_path, moment.preset.data_axes, id(dataset))
        if data != self._data:
            # held, since another array could come to lie where a forgotten one lay
            self._data, self._held = data, dataset
            self.found, self.maps, self.accepted = None, None, False
            self.stated.clear()
            self._say("" if any((moment.preset.data_path, moment.preset.dataset is not None)) else _NO_DATA)
        self._locked = moment.locked or not (moment.preset.data_path or moment.preset.dataset is not None)
        self._dress()

    @property
    def busy(self) -> bool:
        """Whether it measures right now."""
        return self._busy

    async def measure(self) -> None:
        """Measure everything that is not stated."""
        if self._busy or self._locked:
            return
        self._busy, data, started = True, self._data, time.monotonic()
        self._say(UNDER_WAY)
        self._show_progress(0, 1)
        self._dress()
        self._page.changed()
        try:
            found, side = await asyncio.to_thread(self._measured)
        except (ValueError, OSError) as error:
            words = self._page.workspace.shortened(text.failure(error))
            self._say(f'<span class="err">{text.mark("err")} {text.escape(words)}.</span>')
        else:
            if data == self._data:
                self.found, self.side, self.accepted = found, side, False
                self.maps = found.maps or self.maps
                took = text.duration(time.monotonic() - started)
                self._page.log(f"calibration measured in {took}")
                warnings = "".join(f"<div>{text.mark('warn')} {text.escape(words)}</div>" for words in found.warnings)
                self._say(f"Measured in {took}. Accept takes the values into the preset.{warnings}")
        finally:
            self._busy = False
            for bar in self._bars:
                bar.layout.display = "none"
            self._dress()
            self._page.changed()

    def accept(self) -> None:
        """Take what was measured into the preset, as one step that can be undone."""
        if self.found is None or self._locked:
            return
        workspace = self._page.workspace
        try:
            workspace.history.change(calibration.changes(workspace.preset, self.found), "calibrate")
        except ParameterError as error:
            self._say(f'<span class="err">{text.mark("err")} {text.escape(text.failure(error))}</span>')
        else:
            self.accepted = True
            self._say(f"{text.mark('ok')} Taken into the preset.")
            self._page.log("took the calibration")
            self._page.changed()

    def _measured(self) -> tuple[Calibration, int]:
        workspace = self._page.workspace
        dataset = workspace.dataset()
        if dataset is None:
            raise ParameterError(_NO_DATA)
        preset, stated = workspace.confined().copy(), dict(self.stated)
        progress = partial(self._page.tasks.soon, self._show_progress)
        return calibration.measured(preset, dataset, stated, progress), dataset.shape[-1]

    def _show_progress(self, done: int, of: int) -> None:
        if self._busy:
            for bar in self._bars:
                bar.layout.display, bar.max, bar.value = "", of, done

    def _say(self, words: str) -> None:
        for said in self._said:
            said.value = words

    def _dress(self) -> None:
        for measure, accept in zip(self._measures, self._accepts, strict=True):
            measure.disabled = self._busy or self._locked
            accept.disabled = self._busy or self._locked or self.found is None or self.accepted
