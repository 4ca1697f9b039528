"""The probe in real space: hue is phase, brightness amplitude."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np

from pypty_nb.widgets import colour, text
from pypty_nb.widgets.bridge import Bridge
from pypty_nb.widgets.views.parts import counted, labelled, side
from pypty_nb.widgets.views.picture import Frame, Picture
from pypty_nb.widgets.views.view import Scene

EMPTY = "No probe yet.<br>It appears after epoch 1."
_THUMB = 56
_MODES_SHOWN = 3


class Probe:
    """View of one probe mode, with a strip of the first modes and their share of the power."""

    def __init__(self, bridge: Bridge):
        self._scene: Scene | None = None
        self._setting = False
        wheel = f'<img class="pn-wheel" alt="hue is phase, brightness amplitude" src="{colour.data_url(colour.wheel())}">'
        self._picture = Picture(bridge, "", EMPTY, wheel)
        self._mode, self._scenario = counted("Mode"), counted("Scenario")
        self._scenario.layout.display = "none"
        self._strip = ipywidgets.HTML()
        self._strip.add_class("pn-strip")
        fit = ipywidgets.Button(description="Fit", tooltip="Show all of the picture")
        fit.on_click(lambda _button: self._picture.fit())
        buttons = ipywidgets.HBox([fit])
        buttons.add_class("pn-pair")
        column = side(
            "Probe", *labelled("Mode", self._mode), self._scenario, *labelled("Modes and power", self._strip), buttons
        )
        self._box = ipywidgets.HBox([self._picture.render(), column])
        self._box.add_class("pn-view")
        for control in (self._mode, self._scenario):
            control.observe(self._again, "value")

    def render(self) -> ipywidgets.DOMWidget:
        """The widget."""
        return self._box

    def update(self, scene: Scene) -> None:
        """Show the probe of the latest report."""
        self._scene = scene
        if scene.report is None or scene.report.point.probe is None:
            return
        probe = np.asarray(scene.report.point.probe)
        probe = probe[..., None] if probe.ndim == 3 else probe
        self._setting = True
        self._mode.count, self._scenario.count = probe.shape[2:]
        self._scenario.layout.display = "" if self._scenario.count > 1 else "none"
        modes = probe[..., self._scenario.value]
        mode, every = colour.shrink(modes[..., self._mode.value])
        largest = float(np.abs(mode).max())
        caption = f"max <b>{text.number(largest)}</b>&ensp;hue is phase"
        scale = scene.pixel[1] * every
        self._picture.update(Frame(colour.wave(mode), caption=caption, scale=scale, every=every, readout=np.abs(mode)))
        self._strip.value = _strip(modes, self._mode.value)
        self._setting = False

    def _again(self, _change: Any) -> None:
        if self._scene is not None and not self._setting:
            self.update(self._scene)


def _strip(modes: np.ndarray, chosen: int) -> str:
    power = (np.abs(modes) ** 2).sum(axis=(0, 1))
    share = 100 * power / (power.sum() or 1.0)
    first = min(max(0, chosen - 1), max(0, len(share) - _MODES_SHOWN))
    rows = []
    for index in range(first, min(first + _MODES_SHOWN, len(share))):
        every = max(1, max(modes.shape[:2]) // _THUMB)
        image = colour.data_url(colour.wave(modes[::every, ::every, index]))
        current = " cur" if index == chosen else ""
        rows.append(
            f'<div class="mt{current}"><img alt="mode {index + 1}" src="{image}">'
            f"<div><b>{index + 1}</b><br>{share[index]:.1f} %</div></div>"
        )
    return "".join(rows)
