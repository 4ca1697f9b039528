"""The loss over the epochs, on a logarithmic axis."""

from __future__ import annotations

import math

import ipywidgets
import numpy as np
from bqplot.axes import Axis
from bqplot.figure import Figure
from bqplot.marks import Lines
from bqplot.scales import LinearScale, LogScale

from pypty_nb.widgets import text
from pypty_nb.widgets.views.view import Scene

_STEPS = (1.0, 2.0, 5.0)
_TICKS = 6


class Loss:
    """View of the data term, epoch by epoch."""

    def __init__(self):
        self._x, self._y = LinearScale(min=0.0, max=10.0), LogScale(min=0.1, max=1.0)
        self._line = Lines(
            x=np.zeros(0), y=np.zeros(0), scales={"x": self._x, "y": self._y}, colors=["var(--pn-accent)"], stroke_width=2
        )
        self._across = Axis(scale=self._x, grid_lines="none", num_ticks=None, tick_format="d")
        self._up = Axis(scale=self._y, side="left", grid_lines="solid", tick_format="~g")
        self._figure = Figure(
            marks=[self._line], axes=[self._across, self._up], padding_x=0, padding_y=0, animation_duration=0,
            display_toolbar=False,
            fig_margin={"top": 8, "right": 16, "bottom": 24, "left": 56},
            layout=ipywidgets.Layout(width="100%", height="100%", min_width="0", min_height="0"),
        )  # fmt: skip
        title = ipywidgets.HTML('<b>Loss</b> <span class="m s">log axis, against epoch</span>')
        title.add_class("pn-vt")
        self._now = ipywidgets.HTML()
        empty = ipywidgets.HTML("<div>No loss yet.<br>It appears after epoch 1.</div>")
        empty.add_class("pn-empty")
        head, self._plot = ipywidgets.HBox([title, self._now]), ipywidgets.Box([empty])
        head.add_class("pn-vh")
        self._plot.add_class("pn-plot")
        self._box = ipywidgets.VBox([head, self._plot])
        self._box.add_class("pn-view")

    def render(self) -> ipywidgets.DOMWidget:
        """The widget."""
        return self._box

    def update(self, scene: Scene) -> None:
        """Show every epoch of `scene`."""
        drawn = [
            (epoch, loss) for epoch, loss in zip(scene.epochs, scene.losses, strict=True) if loss > 0 and math.isfinite(loss)
        ]
        if not drawn:
            return
        epochs, losses = (np.array(column, float) for column in zip(*drawn, strict=True))
        self._set_axes(epochs, losses, scene.preset.epoch_max)
        with self._line.hold_sync():
            self._line.x, self._line.y = epochs, losses
        self._plot.children = (self._figure,)
        total = scene.report.loss if scene.report is not None else losses[-1]
        apart = abs(total - losses[-1]) > 1e-9 * abs(total)
        extra = f"total <b>{text.number(total)}</b>&ensp;" if apart else ""
        self._now.value = f'<span class="m s">{extra}data</span> <b>{text.number(losses[-1])}</b>'

    def _set_axes(self, epochs: np.ndarray, losses: np.ndarray, last: int) -> None:
        low, high = float(losses.min()), float(losses.max())
        margin = max((high / low) ** 0.06, 1.02)
        with self._y.hold_sync():
            self._y.min, self._y.max = low / margin, high * margin
        with self._up.hold_sync():
            self._up.tick_values = log_ticks(low / margin, high * margin)
            self._up.tick_format = "~s" if high >= 1e4 else "~g" if low >= 1e-3 else "~e"
        first, end = float(epochs[0]), float(max(last, epochs[-1], epochs[0] + 1))
        with self._x.hold_sync():
            self._x.min, self._x.max = first, end
        self._across.tick_values = linear_ticks(first, end)


def log_ticks(low: float, high: float) -> list[float]:
    """Round values (1, 2, 5) on a log axis; evenly spaced ones where it spans less than a decade."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in (_STEPS, (1.0, 3.0), (1.0,)):
        ticks = [step * 10.0**power for power in decades for step in steps]
        ticks = [float(f"{tick:.3g}") for tick in ticks if low <= tick <= high]
        if 3 <= len(ticks) <= _TICKS:
            return ticks
    if len(ticks) > _TICKS:
        return ticks[:: -(-len(ticks) // _TICKS)]
    return linear_ticks(low, high, 4)


def linear_ticks(low: float, high: float, about: int = 7) -> list[float]:
    """Round values (1, 2, 5) on a linear axis, at most `about` and one."""
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step * power for step in (*_STEPS, 10.0) if step * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{index * step:.6g}") for index in range(first, last + 1)]
