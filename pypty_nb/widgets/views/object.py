"""The object: phase or modulus of one slice and mode."""

from __future__ import annotations

from typing import Any

import ipywidgets
import numpy as np

from pypty_nb.records import Refinables
from pypty_nb.widgets import colour, text
from pypty_nb.widgets.bridge import Bridge
from pypty_nb.widgets.views.parts import counted, labelled, side, unseen
from pypty_nb.widgets.views.picture import Frame, Picture
from pypty_nb.widgets.views.view import Scene

_LEAST_CONTRAST = 1e-3
EMPTY = "No object yet.<br>It appears after epoch 1."


class Object:
    """View of the transmission function; the phase is told against its mean inside the scan, since only differences count."""

    def __init__(self, bridge: Bridge):
        self._scene: Scene | None = None
        self._setting = False
        self._picture = Picture(bridge, "gray", EMPTY)
        self._quantity = unseen(ipywidgets.Dropdown(options=["phase", "modulus"], description="Quantity", tooltip="Quantity"))
        self._slice, self._mode = counted("Slice"), counted("Mode")
        self._low, self._high = (
            unseen(ipywidgets.FloatText(description=f"Contrast, {end}", tooltip=f"Contrast, {end}", step=0.01))
            for end in ("from", "to")
        )
        self._auto = ipywidgets.ToggleButton(description="Auto", value=True, tooltip="Contrast follows the picture")
        fit = ipywidgets.Button(description="Fit", tooltip="Show all of the picture")
        fit.on_click(lambda _button: self._picture.fit())
        self._contrast = ipywidgets.HTML("Contrast, rad")
        self._contrast.add_class("lab")
        pair, buttons = ipywidgets.HBox([self._low, self._high]), ipywidgets.HBox([self._auto, fit])
        pair.add_class("pn-pair")
        buttons.add_class("pn-pair")
        picks = ipywidgets.HBox([self._slice, self._mode])
        picks.add_class("pn-pair")
        column = side(
            "Object", *labelled("Quantity", self._quantity), *labelled("Slice, mode", picks), self._contrast, pair, buttons
        )
        self._box = ipywidgets.HBox([self._picture.render(), column])
        self._box.add_class("pn-view")
        for control in (self._quantity, self._slice, self._mode, self._auto):
            control.observe(self._again, "value")
        for control in (self._low, self._high):
            control.observe(self._typed, "value")

    def render(self) -> ipywidgets.DOMWidget:
        """The widget."""
        return self._box

    def update(self, scene: Scene) -> None:
        """Show the object of the latest report."""
        self._scene = scene
        point = scene.report.point if scene.report is not None else None
        if point is None or point.obj is None:
            return
        self._setting = True
        self._slice.count, self._mode.count = point.obj.shape[2:]
        self._draw(point, scene)
        self._setting = False

    def autoscale(self) -> None:
        """Let the contrast follow the picture."""
        self._auto.value = True

    def _draw(self, point: Refinables, scene: Scene) -> None:
        plane, every = colour.shrink(np.asarray(point.obj)[:, :, self._slice.value, self._mode.value])
        window = _scanned(point, every, plane.shape)
        phase = self._quantity.value == "phase"
        unit = "rad" if phase else ""
        if phase:
            mean = plane[window].mean()
            values = np.angle(plane * np.conj(mean if mean else 1.0))
        else:
            values = np.abs(plane)
        if self._auto.value:
            low, high = np.percentile(values[window], (0.6, 99.4))
            # an even object stays even: rounding errors are not stretched over the whole scale
            spare = max(0.0, _LEAST_CONTRAST - (high - low)) / 2
            low, high = low - spare, high + spare
            self._low.value, self._high.value = _short(low), _short(high)
        self._contrast.value = "Contrast, rad" if phase else "Contrast"
        caption = f"min <b>{text.number(values.min())}</b>&ensp;max <b>{text.number(values.max())}</b> {unit}"
        limits = (self._low.value, max(self._high.value, self._low.value + 1e-6))
        self._picture.update(Frame(values, limits, caption, unit, scene.pixel[1] * every, every))

    def _again(self, _change: Any) -> None:
        if self._scene is not None and not self._setting:
            self.update(self._scene)

    def _typed(self, _change: Any) -> None:
        if not self._setting:
            # limits typed by hand stay, whatever the next frame holds
            self._auto.value = False
            self._again(None)


def _short(value: float) -> float:
    """Three digits: what a contrast needs, and what a narrow field shows."""
    return float(f"{value:.3g}")


def _scanned(point: Refinables, every: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The part of the object under the middle of the probe, in pixels of the shrunk picture."""
    if point.positions is None or point.probe is None or len(point.positions) < 2:
        return slice(None), slice(None)
    found = []
    for axis in (0, 1):
        corners = np.asarray(point.positions)[:, axis] + point.probe.shape[axis] / 2
        first, last = int(corners.min() // every), int(corners.max() // every) + 1
        first = min(max(first, 0), shape[axis] - 1)
        found.append(slice(first, max(first + 1, min(last, shape[axis]))))
    return found[0], found[1]
