"""The probe in real or reciprocal space: hue is phase, brightness amplitude."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import ipywidgets
import numpy as np

from pypty_nb.widgets import bare, colour, text
from pypty_nb.widgets.views.parts import Counted, beside, label, row, side, toggle
from pypty_nb.widgets.views.picture import Dress, Frame, Picture
from pypty_nb.widgets.views.stage import Stage
from pypty_nb.widgets.views.view import View
from pypty_nb.workspace import Scene
from pypty_nb.workspace.pictures import reciprocal, reciprocal_pixel

EMPTY = "No probe yet.<br>It appears after epoch 1."
_THUMB = 88
_FAR_SIDE = 192
_MODES_SHOWN = 3
Space = Literal["real", "reciprocal"]


class Probe(View):
    """View of one probe mode, with a strip of modes and their share of the power.

    Parameters
    ----------
    run, stage
        As for every `View`.
    space : "real" or "reciprocal"
    """

    title = "Probe"

    def __init__(self, run: Any = None, *, stage: Stage | None = None, space: Space = "real"):
        self._setting = False
        self.space = toggle([("Real", "real"), ("Recip.", "reciprocal")], space, "Space")
        super().__init__(run, stage=stage)

    def png(self) -> bytes | None:
        return self.picture.png()

    def key(self, key: str) -> None:
        if key in {",", "."}:
            self.mode.value += 1 if key == "." else -1

    def _make(self) -> None:
        wheel = f'<img class="pn-wheel" alt="hue is phase, brightness amplitude" src="{colour.data_url(colour.wheel())}">'
        self.picture = Picture(self.stage, Dress("", EMPTY, corner=wheel))
        self.mode, self._scenario = Counted("Mode", ", ."), Counted("Scenario")
        self._scenario.layout.display = "none"
        self._strip = bare.HTML()
        self._strip.add_class("pn-strip")
        self._far = bare.HTML()
        self._far.add_class("pn-large")
        fit = ipywidgets.Button(description="Fit", tooltip="Show all of the picture")
        fit.on_click(lambda _button: self.picture.fit())
        column = side(
            self.head, self.space, self.mode, self._scenario, label("Modes and power"), self._strip, row(fit), self._far
        )
        self._box = beside(self.picture.render(), column)
        for control in (self.space, self.mode.slider, self._scenario.slider):
            control.observe(self._chosen, "value")

    def _draw(self, scene: Scene) -> None:
        point = scene.point
        if point is None or point.probe is None:
            return
        probe = np.asarray(point.probe)
        probe = probe[..., None] if probe.ndim == 3 else probe
        self._setting = True
        self.mode.count, self._scenario.count = probe.shape[2:]
        self._setting = False
        self._scenario.layout.display = "" if self._scenario.count > 1 else "none"
        modes = real = probe[..., self._scenario.value]
        far = self.space.value == "reciprocal"
        if far:
            modes = reciprocal(modes)
        mode = modes[..., self.mode.value]
        largest = float(np.abs(mode).max())
        caption = f"max <b>{text.number(largest)}</b>&ensp;hue is phase"
        pixel = reciprocal_pixel(mode.shape, scene.pixel, scene.preset.acc_voltage) if far else scene.pixel
        show = partial(colour.wave, largest=largest)
        self.picture.update(Frame(mode, show, np.abs, caption=caption, pixel=pixel, length="mrad" if far else "Å"))
        self._strip.value = _strip(modes, self.mode.value)
        self._far.value = "" if far else _reciprocal_thumb(real[..., self.mode.value], self.mode.value)

    def _chosen(self, _change: Any) -> None:
        if not self._setting:
            self._again()


def _reciprocal_thumb(mode: np.ndarray, index: int) -> str:
    image = colour.data_url(colour.wave(colour.shrink(reciprocal(mode), _FAR_SIDE)[0]))
    return f'<div class="lab">Reciprocal space, mode {index + 1}</div><img class="pn-far" alt="reciprocal space" src="{image}">'


def _strip(modes: np.ndarray, chosen: int) -> str:
    power = (np.abs(modes) ** 2).sum(axis=(0, 1))
    share = 100 * power / (power.sum() or 1.0)
    first = min(max(0, chosen - 1), max(0, len(share) - _MODES_SHOWN))
    rows = []
    for index in range(first, min(first + _MODES_SHOWN, len(share))):
        image = colour.data_url(colour.wave(colour.shrink(modes[..., index], _THUMB)[0]))
        current = " cur" if index == chosen else ""
        rows.append(
            f'<div class="mt{current}"><img alt="mode {index + 1}" src="{image}">'
            f"<div><b>{index + 1}</b><br>{share[index]:.1f} %</div></div>"
        )
    return "".join(rows)
