"""A curve with an axis left and below, as the steps before a run show them."""

from __future__ import annotations

import ipywidgets
import numpy as np
from bqplot.axes import Axis
from bqplot.figure import Figure
from bqplot.marks import Lines
from bqplot.scales import LinearScale, LogScale

from pypty_nb.widgets.panels.panel import boxed
from pypty_nb.widgets.views.loss import linear_ticks, log_ticks


class Curve:
    """One curve, and upright lines that mark places on it.

    Parameters
    ----------
    log : bool
        Whether the axis on the left is logarithmic.
    """

    def __init__(self, *, log: bool = False):
        self._log = log
        self._x, self._y = LinearScale(min=0.0, max=1.0), LogScale(min=0.1, max=1.0) if log else LinearScale(min=0.0, max=1.0)
        scales = {"x": self._x, "y": self._y}
        self._line = Lines(x=np.zeros(0), y=np.zeros(0), scales=scales, colors=["var(--pn-accent)"], stroke_width=2)
        self._scales = scales
        self._across = Axis(scale=self._x, grid_lines="none", tick_format="~g")
        self._up = Axis(scale=self._y, side="left", grid_lines="solid", tick_format="~g")
        self._figure = Figure(
            marks=[self._line], axes=[self._across, self._up], padding_x=0, padding_y=0, animation_duration=0,
            display_toolbar=False,
            fig_margin={"top": 8, "right": 16, "bottom": 22, "left": 48},
            layout=ipywidgets.Layout(width="100%", height="100%", min_width="0", min_height="0"),
        )  # fmt: skip
        self._box = boxed(ipywidgets.Box, "pn-plot")

    def render(self) -> ipywidgets.DOMWidget:
        """The widget, always the same one."""
        return self._box

    def clear(self) -> None:
        """Show nothing."""
        self._box.children = ()

    def show(self, x: np.ndarray, y: np.ndarray, marks: tuple[float, ...] = ()) -> None:
        """Show `y` against `x`, both (n,), with an upright line at each of `marks`."""
        shown = y[y > 0] if self._log else y
        if not len(shown):
            self.clear()
            return
        low, high = (
            (float(shown.min()) / 1.2, float(shown.max()) * 1.2) if self._log else (0.0, float(shown.max()) * 1.06 or 1.0)
        )
        first, last = float(x[0]), float(max(x[-1], x[0] + 1e-9))
        with self._x.hold_sync():
            self._x.min, self._x.max = first, last
        with self._y.hold_sync():
            self._y.min, self._y.max = low, high
        self._across.tick_values = linear_ticks(first, last, 6)
        self._up.tick_values = log_ticks(low, high) if self._log else linear_ticks(low, high, 3)
        with self._line.hold_sync():
            self._line.x, self._line.y = x, np.maximum(y, low) if self._log else y
        self._figure.marks = [self._line, *(self._upright(mark, low, high) for mark in marks)]
        self._box.children = (self._figure,)

    def _upright(self, place: float, low: float, high: float) -> Lines:
        return Lines(
            x=np.array([place, place]), y=np.array([low, high]), scales=self._scales, colors=["var(--pn-plot-2)"],
            stroke_width=1, line_style="dotted",
        )  # fmt: skip
