"""A picture that is updated in place: by WebGL with zoom, pan and read-out, or as a still image where there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np
from bqplot.figure import Figure
from bqplot.interacts import PanZoom
from bqplot.scales import ColorScale, LinearScale
from bqplot_image_gl import ImageGL
from bqplot_image_gl.interacts import MouseInteraction

from pypty_nb.widgets import colour, text
from pypty_nb.widgets.bridge import Bridge

_ROUND = (1.0, 2.0, 5.0, 10.0)
_UNITS = (("µm", 1e4), ("nm", 10.0))


@dataclass(frozen=True)
class Frame:
    """One state of a picture.

    Attributes
    ----------
    values : (y, x) real, or (y, x, 4) uint8 colours
    limits : (low, high)
        Of the colour map; of no meaning for colours.
    caption : str
        HTML of the line below.
    unit : str
        Of the value under the mouse.
    scale : float or None
        Length of one pixel along x, in Å; ``None`` for no scale bar.
    every : int
        Pixels of the original in one here.
    readout : (y, x) real, or None
        Values under the mouse where they are not `values`.
    """

    values: np.ndarray
    limits: tuple[float, float] = (0.0, 1.0)
    caption: str = ""
    unit: str = ""
    scale: float | None = None
    every: int = 1
    readout: np.ndarray | None = None


class Picture:
    """A square picture with scale bar, name tag and caption.

    Parameters
    ----------
    bridge : Bridge
        Knows whether the browser has WebGL.
    colours : str
        One of `colour.MAPS`; ``""`` where frames are colours already.
    empty : str
        What stands in its place before the first frame.
    tag : str
        HTML laid over the top right corner.
    """

    def __init__(self, bridge: Bridge, colours: str, empty: str, tag: str = ""):
        self._bridge, self._colours = bridge, colours
        self._frame: Frame | None = None
        self._empty = _html(f"<div>{empty}</div>", "pn-empty")
        self._tag, self._bar, self._caption = _html(tag, "pn-corner"), _html("", "pn-bar"), _html("", "pn-caption")
        self._under_mouse = _html("", "hv")
        self._pic = ipywidgets.Box([self._empty])
        self._pic.add_class("pn-pic")
        line = ipywidgets.HBox([self._caption, self._under_mouse])
        line.add_class("pn-cap")
        self._box = ipywidgets.VBox([self._pic, line])
        self._box.add_class("pn-picture")
        self._surface: _Gl | _Still | None = None
        bridge.observe(lambda _change: self._choose_surface(), "webgl")

    def render(self) -> ipywidgets.DOMWidget:
        """The widget, always the same one."""
        return self._box

    def update(self, frame: Frame) -> None:
        """Show `frame`; zoom and pan stay as they are."""
        fresh = self._frame is None or self._frame.values.shape[:2] != frame.values.shape[:2]
        self._frame = frame
        if self._surface is None:
            self._choose_surface()
        elif fresh:
            self._surface.fit(frame.values.shape)
        if self._surface is not None:
            self._surface.show(frame)
        self._caption.value = frame.caption
        self._draw_bar()

    def fit(self) -> None:
        """Show all of the picture again."""
        if self._surface is not None and self._frame is not None:
            self._surface.fit(self._frame.values.shape)

    def clear(self, words: str) -> None:
        """Show `words` in place of a picture."""
        self._frame = None
        self._surface = None
        self._empty.value = f"<div>{text.escape(words)}</div>"
        self._caption.value = self._under_mouse.value = ""
        self._pic.children = (self._empty,)

    def _choose_surface(self) -> None:
        if self._frame is None:
            return
        kind = _Still if self._bridge.webgl is False else _Gl
        if isinstance(self._surface, kind):
            return
        self._surface = kind(self._colours, self._moved, self._draw_bar)
        self._surface.fit(self._frame.values.shape)
        self._surface.show(self._frame)
        self._pic.children = (self._surface.widget, self._tag, self._bar)

    def _draw_bar(self) -> None:
        frame = self._frame
        if frame is None or frame.scale is None or self._surface is None:
            self._bar.value = ""
            return
        length, words = round_length(frame.scale * self._surface.width / 5)
        share = 100 * length / (frame.scale * self._surface.width)
        self._bar.value = f'<div class="pn-scale" style="width:{share:.2f}%">{words}</div>'

    def _moved(self, y: float | None, x: float | None) -> None:
        frame = self._frame
        if frame is None or y is None or x is None:
            self._under_mouse.value = ""
            return
        row, column = int(y), int(x)
        values = frame.values if frame.readout is None else frame.readout
        if not (0 <= row < values.shape[0] and 0 <= column < values.shape[1]):
            self._under_mouse.value = ""
            return
        value = text.number(float(values[row, column]))
        self._under_mouse.value = f"y {row * frame.every}, x {column * frame.every}: <b>{value}</b>"


class _Gl:
    """ImageGL in a bare square figure, with wheel zoom, pan and read-out."""

    def __init__(self, colours: str, moved: Any, zoomed: Any):
        self._rgb = not colours
        self._x, self._y = LinearScale(allow_padding=False), LinearScale(allow_padding=False, reverse=True)
        anchors = list(colour.MAPS[colours or "gray"])
        self._colour = ColorScale(colors=anchors, min=0.0, max=1.0)
        blank = np.zeros((1, 1, 4), np.uint8) if self._rgb else np.zeros((1, 1), np.float32)
        self._mark = ImageGL(image=blank, scales={"x": self._x, "y": self._y, "image": self._colour})
        zoom = PanZoom(scales={"x": [self._x], "y": [self._y]})
        self._mouse = MouseInteraction(
            x_scale=self._x, y_scale=self._y, move_throttle=100, next=zoom, events=["mousemove", "mouseleave", "dblclick"]
        )
        self._mouse.on_msg(self._heard)
        self._moved, self._zoomed = moved, zoomed
        self._shape = (1, 1)
        self.widget = Figure(
            marks=[self._mark], axes=[], interaction=self._mouse, display_toolbar=False, padding_x=0, padding_y=0,
            fig_margin={"top": 0, "bottom": 0, "left": 0, "right": 0},
            layout=ipywidgets.Layout(width="100%", height="100%", min_width="0", min_height="0"),
        )  # fmt: skip
        self._x.observe(lambda _change: self._zoomed(), ["min", "max"])

    @property
    def width(self) -> float:
        """Pixels of the picture across the view."""
        return abs((self._x.max or 1.0) - (self._x.min or 0.0))

    def fit(self, shape: tuple[int, ...]) -> None:
        rows, columns = self._shape = shape[:2]
        half = max(rows, columns) / 2
        for scale, length in ((self._x, columns), (self._y, rows)):
            with scale.hold_sync():
                scale.min, scale.max = length / 2 - half, length / 2 + half

    def show(self, frame: Frame) -> None:
        rows, columns = frame.values.shape[:2]
        with self._colour.hold_sync():
            self._colour.min, self._colour.max = map(float, frame.limits)
        with self._mark.hold_sync():
            self._mark.x, self._mark.y = [0, columns], [0, rows]
            self._mark.image = frame.values if self._rgb else np.asarray(frame.values, np.float32)

    def _heard(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        if content.get("event") == "dblclick":
            self.fit(self._shape)
        domain = content.get("domain")
        if content.get("event") == "mousemove" and isinstance(domain, dict):
            self._moved(domain.get("y"), domain.get("x"))
        elif content.get("event") == "mouseleave":
            self._moved(None, None)


class _Still:
    """A PNG that fills the square, its shape kept."""

    def __init__(self, colours: str, _moved: Any, _zoomed: Any):
        self._colours = colours
        self._shape = (1, 1)
        self._image = ipywidgets.Image(format="png")
        self.widget = ipywidgets.Box([self._image])
        self.widget.add_class("pn-stillbox")

    @property
    def width(self) -> float:
        return float(max(self._shape))

    def fit(self, shape: tuple[int, ...]) -> None:
        self._shape = shape[:2]

    def show(self, frame: Frame) -> None:
        image = colour.shades(frame.values, frame.limits, self._colours) if self._colours else frame.values
        self._image.value = colour.png(image)


def round_length(about: float) -> tuple[float, str]:
    """The round length (1, 2, 5) nearest to `about` Å, and how it is written."""
    power = 10.0 ** math.floor(math.log10(about))
    length = min((step * power for step in _ROUND), key=lambda known: abs(math.log(known / about)))
    unit, size = next(((unit, size) for unit, size in _UNITS if length >= size), ("Å", 1.0))
    return length, f"{length / size:g} {unit}"


def _html(value: str, name: str) -> ipywidgets.HTML:
    widget = ipywidgets.HTML(value)
    widget.add_class(name)
    return widget
