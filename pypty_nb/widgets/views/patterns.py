"""What was measured at the chosen scan point, what the model gives there, and the difference."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import ipywidgets
import numpy as np

from pypty_nb.widgets import bare, colour, text
from pypty_nb.widgets.views.loss import linear_ticks, log_ticks
from pypty_nb.widgets.views.parts import toggle
from pypty_nb.widgets.views.pick import Pick
from pypty_nb.widgets.views.picture import Dress, Frame, Picture
from pypty_nb.widgets.views.scanpicture import ScanPicture
from pypty_nb.widgets.views.small import Line, SmallPlot
from pypty_nb.widgets.views.surfaces import scales
from pypty_nb.widgets.views.view import View
from pypty_nb.workspace import Patterns as Read
from pypty_nb.workspace import Scene

EMPTY = "No patterns yet.<br>They appear after epoch 1."
#: Seconds between two readings while a run goes on: a pattern is cheap, but not for nothing.
_PACE_S = 1.0


class Patterns(View):
    """View of one scan point: measured, modelled and residual pattern, and a map of the scan to choose it on."""

    title = "Patterns"

    def png(self) -> bytes | None:
        stills = [still for picture in self._pictures if (still := picture.pixels()) is not None]
        return colour.png(np.concatenate(stills, axis=1)) if len(stills) == len(self._pictures) else None

    def _make(self) -> None:
        axes = scales()
        self._measured = Picture(self.stage, Dress("inferno", "", "measured"), axes)
        self._model = Picture(self.stage, Dress("inferno", EMPTY, "model"), axes)
        self._residual = Picture(self.stage, Dress(self._signed(), "", "residual"), axes)
        self._scan = ScanPicture(self.stage, self._say, captioned=False)
        self._pick = Pick(self.stage)
        self._scale = toggle([("Linear", "linear"), ("Root", "root"), ("Log", "log")], "root", "Scale of the counts")
        self._read: Read | None = None
        self._reading = False
        self._read_at = 0.0
        self._seen: tuple[Any, int] | None = None
        self._words, self._counts = bare.HTML(), bare.HTML()
        self._words.add_class("s")
        self._counts.add_class("pn-numbers")
        head = bare.HBox([self.head, self._pick.render(), self._scale])
        head.add_class("pn-vh")
        three = bare.HBox([picture.render() for picture in self._pictures])
        three.add_class("pn-three")
        said = bare.VBox([self._words, self._scan.picture.under_mouse, self._counts])
        said.add_class("pn-side")
        self._radial = SmallPlot("Radial mean, counts against radius in px, log axis", "pn-large", log=True)
        below = bare.HBox([self._scan.picture.render(), said, self._radial.render()])
        below.add_class("pn-below")
        self._box = ipywidgets.VBox([head, three, below])
        self._box.add_class("pn-view")
        self._box.add_class("pn-patterns")
        self._scale.observe(lambda _change: self._show(), "value")
        self.stage.observe(lambda _change: self._ask(), "index")
        self.stage.bridge.observe(lambda _change: self._residual.recolour(self._signed()), "dark")

    @property
    def _pictures(self) -> tuple[Picture, ...]:
        return self._measured, self._model, self._residual

    def _signed(self) -> str:
        return "berlin" if self.stage.bridge.dark else "vik"

    def _draw(self, scene: Scene) -> None:
        report = scene.report
        if report is None or report.point.obj is None:
            return
        if (places := report.point.positions) is not None:
            self.stage.settle(len(places), scene.preset.scan_size)
            self._pick.show(len(places), scene.preset.scan_size)
        self._scan.update(scene)
        self._ask()

    # ---- reading
    def _ask(self) -> None:
        """See to it that the patterns shown become those of the newest state and the chosen scan point."""
        if self._wanted() is None or self._reading:
            return
        self._reading = True
        if self.stage.tasks.looping:
            self.stage.tasks.start(self._keep_reading)
        else:
            self._take(*self._fetched(self._shown.scene, self.stage.index))
            self._reading = False

    def _wanted(self) -> tuple[Any, int] | None:
        """Report and scan point to read; ``None`` where they are shown already."""
        scene = self._shown.scene
        if scene is None or scene.report is None:
            return None
        wanted = (scene.report, self.stage.index)
        same = self._seen is not None and wanted[0] is self._seen[0] and wanted[1] == self._seen[1]
        return None if same else wanted

    async def _keep_reading(self) -> None:
        try:
            while (wanted := self._wanted()) is not None:
                chosen = self._seen is None or wanted[1] != self._seen[1]
                if not chosen and (rest := self._read_at + _PACE_S - time.monotonic()) > 0:
                    # in small steps, so that a click in between need not wait
                    await asyncio.sleep(min(rest, 0.1))
                    continue
                scene, index = self._shown.scene, self.stage.index
                self._take(*await asyncio.to_thread(self._fetched, scene, index))
        finally:
            self._reading = False

    def _fetched(self, scene: Scene | None, index: int) -> tuple[tuple[Any, int], Read | str]:
        """In a thread: the patterns, or why there are none."""
        assert scene is not None
        assert scene.report is not None
        wanted = (scene.report, index)
        try:
            reader = self.stage.reader(scene.preset)
            index = min(max(index, 0), reader.count - 1)
            return wanted, reader.at(scene.report.point, index, scene.report.epoch)
        except (ValueError, OSError) as error:
            return wanted, f"No patterns: {text.failure(error)}."

    def _take(self, seen: tuple[Any, int], read: Read | str) -> None:
        self._seen, self._read_at = seen, time.monotonic()
        if isinstance(read, str):
            self._read = None
            self._counts.value = ""
            self._model.clear(read)
            for picture in (self._measured, self._residual):
                picture.clear("")
            return
        self._read = read
        self._show()

    # ---- showing
    def _show(self) -> None:
        read = self._read
        if read is None:
            return
        unit = "counts"
        for picture, values in ((self._measured, read.measured), (self._model, read.model)):
            show = _SCALES[str(self._scale.value)]
            top = float(values.max())
            caption = f"0 to <b>{text.number(top)}</b> {unit}"
            limits = _limits(show(values))
            picture.update(Frame(values, show, limits=limits, caption=caption, pixel=read.mrad, length="mrad"))
        residual = read.residual
        reach = max(float(np.percentile(np.abs(residual), 99.4)), 1e-9)
        caption = f"±<b>{text.number(reach, 2)}</b> √counts"
        self._residual.update(Frame(residual, limits=(-reach, reach), caption=caption, pixel=read.mrad, length="mrad"))
        means = read.radial()
        low, high = (float(end) for end in (means[0][means[0] > 0].min(initial=1.0), means[0].max(initial=1.0)))
        ticks = linear_ticks(0, len(means[0]) - 1, 6), log_ticks(low, max(high, 1.1 * low))
        radius = np.arange(len(means[0]), dtype=float)
        self._radial.draw(radius, (Line("measured", means[0]), Line("model", means[1])), ticks)
        self._counts.value = "".join(
            f"<div>{words} <b>{text.number(float(values.sum()))}</b></div>"
            for words, values in (("Counts measured", read.measured), ("Counts in the model", read.model))
        )
        self._say()

    def _say(self) -> None:
        here = self._scan.value(self.stage.index)
        share = f"{self._scan.range} of the mean, here <b>{text.number(here)}</b>. " if here is not None else ""
        self._words.value = f'<b>Residual per scan point</b><div class="m">{share}Click a point to see its patterns.</div>'


def _linear(values: np.ndarray) -> np.ndarray:
    return values


def _root(values: np.ndarray) -> np.ndarray:
    return np.sqrt(np.maximum(values, 0))


def _log(values: np.ndarray) -> np.ndarray:
    """log₁₀ of counts; less than a tenth of one counts as a tenth."""
    return np.log10(np.maximum(values, 0.1))


_SCALES = {"linear": _linear, "root": _root, "log": _log}


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(np.percentile(values, 99.9))
    return low, max(high, low + 1e-9)
