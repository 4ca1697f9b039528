"""Two runs against each other, in the column: what differs, how their losses went, and how far they agree."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np
from bqplot.axes import Axis
from bqplot.figure import Figure
from bqplot.marks import Label, Lines
from bqplot.scales import LinearScale

from pypty_nb.params import FIELDS
from pypty_nb.widgets import text
from pypty_nb.widgets.panels.ledger import named
from pypty_nb.widgets.panels.panel import boxed, heading
from pypty_nb.widgets.views import Stage
from pypty_nb.widgets.views.loss import Loss, linear_ticks
from pypty_nb.workspace.comparing import Comparison

if TYPE_CHECKING:
    from pypty_nb.physics.frc import RingCorrelation

_SHARED = "A and B share patterns, so this compares them; it is no resolution. For that, run two halves."
_APART = "A and B share no pattern, so this is the resolution."
_WIDEST = 28
#: By how much a name moves from above its line to below it, in units of the correlation.
_BELOW = 0.15


def table(shown: Comparison) -> str:
    """HTML of what differs in the presets."""
    if not shown.changes:
        return '<span class="m">Their presets are the same.</span>'
    rows = "".join(
        f"<tr><td>{text.escape(named(change.name))}</td>"
        f"<td><b>{_short(change.before)}</b></td><td>{_short(change.after)}</td></tr>"
        for change in shown.changes
    )
    first, second = text.escape(shown.first), text.escape(shown.second)
    rest = text.count(len(FIELDS) - len(shown.changes))
    return (
        f'<table><tr class="m"><td></td><td>A {first}</td><td>B {second}</td></tr>{rows}</table>'
        f'<span class="m s">{rest} values are the same.</span>'
    )


def resolutions(correlation: RingCorrelation) -> str:
    """HTML of where the curve falls below the thresholds."""
    rows = (("Half-bit", correlation.half_bit), ("1/7", correlation.seventh))
    lines = "".join(f"<tr><td>{name}</td><td>{text.escape(correlation.said(crossing))}</td></tr>" for name, crossing in rows)
    return f"<table>{lines}</table>"


def _short(words: str) -> str:
    cut = words if len(words) <= _WIDEST else words[: _WIDEST - 1] + "…"
    return f'<span title="{text.escape(words)}">{text.escape(cut)}</span>'


class CompareView:
    """The comparison; empty until there is one.

    Parameters
    ----------
    stage : Stage
    """

    def __init__(self, stage: Stage):
        self._stage = stage
        self._said, self._differs = heading("", "pn-help"), heading("", "pn-table pn-differs")
        self._resolutions, self._note = heading("", "pn-table pn-frc"), heading("", "pn-help")
        self._plot = _RingPlot()
        self._loss: Loss | None = None
        self._widget = boxed(ipywidgets.VBox, "pn-formbody pn-against")
        self._title = heading("A against B", "pn-title")

    def render(self) -> ipywidgets.DOMWidget:
        """The widget, always the same one."""
        return self._widget

    def clear(self) -> None:
        """Show nothing."""
        self._widget.children = ()

    def tell(self, words: str, mark: str = "") -> None:
        """Show a sentence in its place."""
        self._said.value = (text.mark(mark) + " " if mark else "") + text.escape(words)
        self._widget.children = (self._title, self._said)

    def show(self, shown: Comparison, problem: str = "") -> None:
        """Show a comparison; `problem` says why there is no correlation, where there is none."""
        self._differs.value = table(shown)
        parts = [self._title, heading("What differs in the presets", "pn-h first"), self._differs]
        if all(len(losses.epochs) for losses in shown.losses):
            parts += [heading("Data loss against epoch, log axis", "pn-h"), self._draw_losses(shown)]
        parts.append(heading("Fourier ring correlation, A with B, 1/Å", "pn-h"))
        if shown.correlation is None:
            self._note.value = f'<span class="err">{text.mark("err")} {text.escape(text.sentence(problem))}</span>'
            self._widget.children = (*parts, self._note)
            return
        self._resolutions.value = resolutions(shown.correlation)
        self._note.value = f"{text.mark('warn')} {_SHARED}" if shown.shared else f"{text.mark('ok')} {_APART}"
        self._plot.show(shown.correlation)
        self._widget.children = (*parts, self._plot.box, self._resolutions, self._note)

    def _draw_losses(self, shown: Comparison) -> ipywidgets.DOMWidget:
        if self._loss is None:
            self._loss = Loss(stage=self._stage)
            self._loss.render().add_class("pn-pairloss")
        first, second = shown.losses
        self._loss.compare(replace(second, name=f"B {second.name}"))
        self._loss.update(replace(first, name=f"A {first.name}"))
        return self._loss.render()


class _RingPlot:
    """The correlation, and both thresholds."""

    def __init__(self):
        self._x, y = LinearScale(min=0.0, max=1.0), LinearScale(min=0.0, max=1.05)
        scales = {"x": self._x, "y": y}

        def line(style: str) -> Lines:
            own = style == "own"
            return Lines(
                x=np.zeros(0), y=np.zeros(0), scales=scales, colors=[f"var(--pn-{'accent' if own else 'plot-2'})"],
                stroke_width=2 if own else 1.25, line_style="solid" if own else style,
            )  # fmt: skip

        self._lines = [line("own"), line("dashed"), line("dotted")]
        self._names = Label(
            x=[], y=[], text=[], scales=scales, colors=["var(--pn-text)"], default_size=12, font_weight="normal", align="end",
            y_offset=-6,
        )  # fmt: skip
        self._across = Axis(scale=self._x, grid_lines="none", tick_format="~g")
        up = Axis(scale=y, side="left", grid_lines="solid", tick_format="~g", tick_values=[0, 0.5, 1])
        figure = Figure(
            marks=[*self._lines, self._names], axes=[self._across, up], padding_x=0, padding_y=0, animation_duration=0,
            display_toolbar=False, fig_margin={"top": 8, "right": 12, "bottom": 22, "left": 32},
            layout=ipywidgets.Layout(width="100%", height="100%", min_width="0", min_height="0"),
        )  # fmt: skip
        self.box = boxed(ipywidgets.Box, "pn-plot pn-frcplot", figure)

    def show(self, correlation: RingCorrelation) -> None:
        frequency = correlation.frequency
        first, last = 0.0, float(frequency[-1])
        self._x.max = last
        self._across.tick_values = linear_ticks(first, last, 5)
        curves = correlation.correlation, correlation.half_bit.threshold, correlation.seventh.threshold
        for line, values in zip(self._lines, curves, strict=True):
            with line.hold_sync():
                line.x, line.y = frequency, np.clip(values, 0.0, 1.05)
        with self._names.hold_sync():
            self._names.x = np.array([last, last])
            # one above its line, the other below
            self._names.y = np.array([float(curves[1][-1]), float(curves[2][-1]) - _BELOW])
            self._names.text = ["half-bit", "1/7"]
