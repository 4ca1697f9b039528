"""The loss over the epochs: the data term, and below it what every constraint adds."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import ipywidgets
import numpy as np
from bqplot.axes import Axis
from bqplot.figure import Figure
from bqplot.marks import Label, Lines
from bqplot.scales import LinearScale, LogScale

from pypty_nb.widgets import bare, text
from pypty_nb.widgets.views.parts import toggle, unseen
from pypty_nb.widgets.views.stage import Stage
from pypty_nb.widgets.views.view import View
from pypty_nb.workspace import Event, Scene, scene_of

_STEPS = (1.0, 2.0, 5.0)
_TICKS = 6
_SHARES = (0.01, 10.0)
_NO_OTHER = "no other run"
_STYLES = ("solid", "dashed", "dotted", "dash_dotted")
#: The share of the first epochs, where the loss falls steeply, that "Fit" leaves out of the axis.
_STEEP = 0.15
#: The curve takes this share of the axis of epochs at least, unless that is shorter than so many epochs.
_DRAWN, _LEAST_AHEAD = 0.25, 20
_LINE = {"left": 52, "right": 24, "bottom": 22, "top": 8}
#: A label's place along the axis, in shares of its length; events nearer than this share a word's place.
_NEAR = 0.12
_LEAST_APART = 0.13


@dataclass(frozen=True)
class Span:
    """What an axis shows."""

    low: float
    high: float


class Loss(View):
    """View of the data term, epoch by epoch, and of every constraint's share of the loss.

    Parameters
    ----------
    run, stage
        As for every `View`.
    against : another run, optional
        Its data term is drawn muted beside that of `run`.
    """

    title = "Loss"

    def __init__(self, run: Any = None, *, stage: Stage | None = None, against: Any = None):
        self._other: Scene | None = scene_of(against) if against is not None else None
        self._setting = False
        super().__init__(run, stage=stage)

    def compare(self, run: Any = None) -> None:
        """Draw the data term of another run muted beside this one's; without one, none."""
        self._other = scene_of(run) if run is not None else None
        self._again()

    def _make(self) -> None:
        self._x = LinearScale(min=0.0, max=10.0)
        self._data, self._shares = _Plot(self._x, "~g"), _Plot(self._x, "~g")
        self._across = self._shares.across
        self._range = toggle([("Fit", "fit"), ("All", "all")], "fit", "Range of the loss axis")
        self._about, self._now = bare.HTML('<span class="m s">log axis, against epoch</span>'), bare.HTML()
        self._now.add_class("pn-now")
        self._percent = bare.HTML('<span class="m s">Share of the total, %</span>')
        self._percent.add_class("pn-plotname")
        empty = bare.HTML("<div>No loss yet.<br>It appears after epoch 1.</div>")
        empty.add_class("pn-empty")
        what = "Earlier run drawn beside this one"
        self._beside = unseen(ipywidgets.Dropdown(options=[(_NO_OTHER, "")], value="", description=what, tooltip=what))
        self._beside.add_class("pn-choose")
        self._beside.add_class("pn-otherrun")
        self._beside.observe(self._chosen, "value")
        self.stage.observe(lambda _change: self._offer(), "others")
        self._offer()
        head = bare.HBox([self.head, self._about, self._beside, self._now, self._range])
        head.add_class("pn-vh")
        self._upper, self._lower = bare.Box([empty]), bare.Box([self._shares.figure])
        for plot in (self._upper, self._lower):
            plot.add_class("pn-plot")
        self._lower.add_class("pn-shares")
        self._box = self._column = ipywidgets.VBox([head, self._upper])
        self._box.add_class("pn-view")
        self._range.observe(self._again, "value")

    def _offer(self) -> None:
        """Put the other runs into the menu; the one that is drawn stays as long as it is among them."""
        options = [(_NO_OTHER, ""), *self.stage.others]
        before = self._beside.value
        chosen = before if before in [key for _, key in options] else ""
        if list(self._beside.options) != options:
            # another menu chooses its first line by itself
            self._setting = True
            self._beside.options, self._beside.value = options, chosen
            self._setting = False
            if before != chosen:
                self.compare(None)
        self._beside.layout.display = None if self.stage.others else "none"
        self._about.value = f'<span class="m s">log axis{"" if self.stage.others else ", against epoch"}</span>'

    def _chosen(self, change: Any) -> None:
        if self._setting:
            return
        if change["new"]:
            self.stage.tasks.start(partial(self._read, change["new"]))
        else:
            self.compare(None)

    async def _read(self, key: str) -> None:
        other = await asyncio.to_thread(self.stage.losses_of, key)
        # another may have been chosen meanwhile
        if key == self._beside.value:
            self.compare(other)

    def _draw(self, scene: Scene) -> None:
        epochs, losses = _drawable(scene.epochs, scene.losses)
        if not len(epochs):
            return
        across = self._epochs_seen(scene, epochs)
        self._draw_data(scene, epochs, losses, across)
        self._draw_shares(scene, across)
        with self._x.hold_sync():
            self._x.min, self._x.max = across.low, across.high
        total = _total(scene, float(losses[-1]))
        apart = abs(total - losses[-1]) > 1e-9 * abs(total)
        extra = f'<span class="m s">total</span> <b>{text.number(total)}</b>' if apart else ""
        self._now.value = extra or f'<span class="m s">data</span> <b>{text.number(losses[-1])}</b>'
        self._upper.children = (self._data.figure,)

    def _draw_data(self, scene: Scene, epochs: np.ndarray, losses: np.ndarray, across: Span) -> None:
        # beside another run, "data" would tell nothing
        named = scene.name if self._other is not None else ""
        curves = [Curve(_short(named or "data"), epochs, losses, main=True)]
        if len(scene.validation):
            held_out = Curve("held out", *_drawable(scene.epochs, scene.validation), style="dashed")
            curves += [held_out] if len(held_out.x) else []
        if self._other is not None:
            name = self._other.name or "other run"
            x, y = _drawable(self._other.epochs, self._other.losses)
            # cut where the axis ends, so that its name stands at the end that is seen
            seen = x <= across.high
            other = Curve(_short(name), x[seen], y[seen], muted=True)
            curves += [other] if len(other.x) else []
        up = self._fitted(curves)
        high, low = up.high, up.low
        self._data.up.tick_values = log_ticks(low, high)
        self._data.up.tick_format = "~s" if high >= 1e4 else "~g" if low >= 1e-3 else "~e"
        self._data.draw(curves, up, across, scene.events)

    def _epochs_seen(self, scene: Scene, epochs: np.ndarray) -> Span:
        """The axis of epochs: the run to its planned end, or, while little of it is done, some way ahead."""
        first, done = float(epochs[0]), float(epochs[-1])
        last = float(max(scene.preset.epoch_max, done, first + 1))
        ahead = first + round_up(max((done - first) / _DRAWN, _LEAST_AHEAD))
        return Span(first, min(last, ahead) if self._range.value == "fit" else last)

    def _fitted(self, curves: list[Curve]) -> Span:
        """The axis of the data term: from where the steep beginning has passed, or all."""
        values = []
        for curve in curves:
            first = int(len(curve.y) * _STEEP) if self._range.value == "fit" and len(curve.y) > 2 / _STEEP else 0
            values.append(curve.y[first:])
        low, high = (float(end) for end in (np.concatenate(values).min(), np.concatenate(values).max()))
        margin = max((high / low) ** 0.06, 1.02)
        return Span(low / margin, high * margin)

    def _draw_shares(self, scene: Scene, across: Span) -> None:
        total = np.asarray(scene.losses, float) + sum(np.nan_to_num(np.asarray(term, float)) for term in scene.terms.values())
        curves = []
        for index, (name, term) in enumerate(sorted(scene.terms.items(), key=lambda item: -_last(item[1]))):
            share = 100 * np.asarray(term, float) / np.where(total > 0, total, np.nan)
            curve = Curve(name, *_drawable(scene.epochs, np.abs(share)), style=_STYLES[index % len(_STYLES)], unit=" %")
            curves += [curve] if len(curve.x) else []
        present = (self._upper, self._percent, self._lower) if curves else (self._upper,)
        if self._column.children[1:] != present:
            self._column.children = (self._column.children[0], *present)
        # one scale of epochs stands below the lowest figure
        self._data.show_epochs(not curves, across)
        if not curves:
            return
        values = np.concatenate([curve.y for curve in curves])
        low = 10.0 ** math.floor(math.log10(max(min(_SHARES[0], values.max() / 10), values.min(), 1e-6)))
        span = Span(
            min(low, _SHARES[0]) if values.min() < 10 * _SHARES[0] else _SHARES[0], max(_SHARES[1], float(values.max()) * 1.2)
        )
        self._shares.up.tick_values = log_ticks(span.low, span.high)
        self._shares.show_epochs(True, across)
        self._shares.draw(curves, span, across, scene.events, words=False)


@dataclass(frozen=True)
class Curve:
    """One line and what stands at its end."""

    name: str
    x: np.ndarray
    y: np.ndarray
    style: str = "solid"
    unit: str = ""
    main: bool = False
    muted: bool = False

    @property
    def words(self) -> str:
        return f"{self.name} {text.number(float(self.y[-1]))}{self.unit}"


class _Plot:
    """A figure over the epochs on a logarithmic axis: lines with their names at the end, and events."""

    def __init__(self, x: LinearScale, tick_format: str):
        self._x, self._y = x, LogScale(min=0.1, max=1.0)
        axes = {"x": self._x, "y": self._y}
        self._unit = LinearScale(min=0.0, max=1.0)
        self._lines: list[Lines] = []
        self._events = Lines(x=[], y=[], scales={"x": x, "y": self._unit}, colors=["var(--pn-muted)"], stroke_width=1.25,
                             line_style="dotted")  # fmt: skip
        self._words = Label(x=[], y=[], text=[], scales={"x": x, "y": self._unit}, colors=["var(--pn-muted)"], default_size=12,
                            font_weight="normal", align="start", x_offset=4)  # fmt: skip
        self._names = Label(x=[], y=[], text=[], scales=axes, colors=["var(--pn-text)"], default_size=12, font_weight="normal",
                            align="start", x_offset=8)  # fmt: skip
        self.across = Axis(scale=x, grid_lines="none", tick_format="d")
        self.up = Axis(scale=self._y, side="left", grid_lines="solid", tick_format=tick_format)
        self._axes = axes
        self.figure = Figure(
            marks=[self._events, self._words, self._names], axes=[self.across, self.up], padding_x=0, padding_y=0,
            animation_duration=0, display_toolbar=False, fig_margin=dict(_LINE),
            layout=ipywidgets.Layout(width="100%", height="100%", min_width="0", min_height="0"),
        )  # fmt: skip

    def show_epochs(self, shown: bool, across: Span) -> None:
        """Write the epochs below, or leave that to the figure below."""
        self.across.tick_values = linear_ticks(across.low, across.high)
        self.across.tick_style = {} if shown else {"display": "none"}

    def draw(self, curves: list[Curve], up: Span, across: Span, events: tuple[Event, ...], words: bool = True) -> None:
        """Draw `curves`, in place."""
        self._fit_lines(len(curves))
        with self._y.hold_sync():
            self._y.min, self._y.max = up.low, up.high
        for line, curve in zip(self._lines, curves, strict=True):
            shade = "var(--pn-accent)" if curve.main else "var(--pn-line-strong)" if curve.muted else "var(--pn-plot-2)"
            with line.hold_sync():
                line.x, line.y = curve.x, curve.y
                line.colors, line.line_style, line.stroke_width = [shade], curve.style, 2 if curve.main else 1.25
        self._name(curves, up, across)
        self._mark(events, across, words)

    def _fit_lines(self, count: int) -> None:
        while len(self._lines) < count:
            # kept for good: a line that ends is hidden by having no points
            self._lines.append(Lines(x=[], y=[], scales=self._axes, colors=["var(--pn-plot-2)"], stroke_width=1.25))
            self.figure.marks = [*self._lines, self._events, self._words, self._names]
        for line in self._lines[count:]:
            self._lines.remove(line)
            self.figure.marks = [*self._lines, self._events, self._words, self._names]
            line.close()

    def _name(self, curves: list[Curve], up: Span, across: Span) -> None:
        """At each line's end its name; apart from one another, and left of the end where there is no room to the right."""
        height = math.log(up.high / up.low)
        places = [min(max(math.log(curve.y[-1] / up.low) / height, 0.04), 0.94) for curve in curves]
        order, taken = sorted(range(len(curves)), key=lambda index: places[index]), -1.0
        for index in order:
            taken = places[index] = max(places[index], taken + _LEAST_APART)
        room = [(across.high - curve.x[-1]) / (across.high - across.low) for curve in curves]
        left = bool(room) and min(room) < 0.3
        x = [float(curve.x[-1]) for curve in curves]
        y = [up.low * math.exp(place * height) for place in places]
        if left:
            # above the line, where it is flat
            y = [up.low * math.exp(min(place + 0.07, 0.97) * height) for place in places]
        with self._names.hold_sync():
            self._names.align, self._names.x_offset = ("end", -4) if left else ("start", 8)
            self._names.x, self._names.y = np.array(x), np.array(y)
            self._names.text = [curve.words for curve in curves]

    def _mark(self, events: tuple[Event, ...], across: Span, words: bool) -> None:
        seen = [event for event in events if across.low < event.epoch < across.high]
        x = np.array([[event.epoch, event.epoch] for event in seen], float)
        with self._events.hold_sync():
            self._events.x, self._events.y = x, np.tile([0.0, 1.0], (len(seen), 1))
        if not words:
            return
        heights, last = [], (-math.inf, 0)
        for event in seen:
            near = (event.epoch - last[0]) / (across.high - across.low) < _NEAR
            last = (event.epoch, (last[1] + 1) % 3 if near else 0)
            heights.append(0.94 - 0.1 * last[1])
        with self._words.hold_sync():
            self._words.x, self._words.y = np.array([float(event.epoch) for event in seen]), np.array(heights)
            self._words.text = [event.words for event in seen]


def _short(name: str) -> str:
    return name if len(name) < 20 else name[:19] + "…"


def _drawable(epochs: Any, values: Any) -> tuple[np.ndarray, np.ndarray]:
    """The epochs whose value a log axis can hold."""
    x, y = np.asarray(epochs, float), np.asarray(values, float)
    with np.errstate(invalid="ignore"):
        keep = np.isfinite(y) & (y > 0)
    return x[keep], y[keep]


def _last(values: Any) -> float:
    found = [value for value in values if math.isfinite(value)]
    return abs(found[-1]) if found else 0.0


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


def round_up(value: float) -> float:
    """The next round number (1, 2, 5) from `value` > 0 on."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (*_STEPS, 10.0) if step * power >= value * 0.999)


def linear_ticks(low: float, high: float, about: int = 7) -> list[float]:
    """Round values (1, 2, 5) on a linear axis, at most `about` and one."""
    rough = (high - low) / about
    step = round_up(rough)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{index * step:.6g}") for index in range(first, last + 1)]


def _total(scene: Scene, data: float) -> float:
    """The loss of the last epoch; the latest report with arrays may be of an earlier one."""
    if scene.report is None or scene.report.epoch == scene.epochs[-1]:
        return scene.report.loss if scene.report is not None else data
    return data + sum(values[-1] for values in scene.terms.values() if len(values) and not math.isnan(values[-1]))
