"""What a picture is drawn on: a figure with WebGL, or a PNG where there is none."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import ipywidgets
import numpy as np
from bqplot.figure import Figure
from bqplot.interacts import PanZoom
from bqplot.marks import Lines, Scatter
from bqplot.scales import ColorScale, LinearScale
from bqplot_gl import ScatterGL
from bqplot_image_gl import ImageGL
from bqplot_image_gl.interacts import MouseInteraction

from pypty_nb.widgets import colour

#: A click this soon after the picture moved, in seconds, was the end of a drag.
_DRAG_S = 0.25
#: More scan points than this are thinned: between them the eye sees no gap.
_MOST_POINTS = 10_000
#: Colours of single pixels to look at, seen on every colour map.
HOT, DEAD = "#21e0ff", "#8cff66"


@dataclass(frozen=True)
class Sheet:
    """Pixels, and where they lie: rows and columns `place` = (top, bottom, left, right) of the whole picture."""

    pixels: np.ndarray
    place: tuple[float, float, float, float]


@dataclass(frozen=True)
class Overlay:
    """What is drawn over a picture, all in its pixels as (…, 2) [y, x].

    Attributes
    ----------
    outline : closed line
    points : dots
    chosen : the chosen point
    hot, dead : single pixels to look at, in squares and in circles
    """

    outline: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    chosen: tuple[float, float] | None = None
    hot: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))
    dead: np.ndarray = field(default_factory=lambda: np.zeros((0, 2)))

    @property
    def empty(self) -> bool:
        """Whether nothing is drawn."""
        return self.chosen is None and not any(map(len, (self.outline, self.points, self.hot, self.dead)))


@dataclass(frozen=True)
class Heard:
    """Who is told of the mouse and of zooming; places are pixels (y, x), ``None`` where the mouse has left."""

    moved: Callable[[float | None, float | None], None]
    clicked: Callable[[float, float], None]
    zoomed: Callable[[], None]


class Surface(Protocol):
    """What a picture is drawn on."""

    @property
    def widget(self) -> ipywidgets.DOMWidget:
        """What is shown, always the same one."""
        ...

    @property
    def window(self) -> tuple[float, float, float, float]:
        """What is seen: top, bottom, left, right, pixels of the picture."""
        ...

    @window.setter
    def window(self, window: tuple[float, float, float, float]) -> None: ...

    def fit(self, shape: tuple[int, ...]) -> None:
        """See all of a picture of `shape`."""
        ...

    def show(self, whole: Sheet, detail: Sheet | None, limits: tuple[float, float]) -> None:
        """Draw the picture, and over it a part of it in finer pixels."""
        ...

    def overlay(self, overlay: Overlay) -> None:
        """Draw over the picture."""
        ...

    def recolour(self, colours: str) -> None:
        """Take another colour map."""
        ...


def scales() -> tuple[LinearScale, LinearScale]:
    """Scales (x, y) of a picture; pictures that share them pan and zoom together."""
    return LinearScale(allow_padding=False, min=0.0, max=1.0), LinearScale(allow_padding=False, reverse=True, min=0.0, max=1.0)


class Gl:
    """ImageGL in a bare square figure, with wheel zoom, pan and read-out."""

    def __init__(self, colours: str, heard: Heard, axes: tuple[LinearScale, LinearScale] | None):
        self._rgb = not colours
        self._x, self._y = axes or scales()
        self._colour = ColorScale(colors=list(colour.MAPS[colours or "gray"]), min=0.0, max=1.0)
        self._mark, self._detail = self._image(), self._image()
        zoom = PanZoom(scales={"x": [self._x], "y": [self._y]})
        self._mouse = MouseInteraction(
            x_scale=self._x, y_scale=self._y, move_throttle=100, next=zoom,
            events=["mousemove", "mouseleave", "click", "dblclick"],
        )  # fmt: skip
        self._mouse.on_msg(self._message)
        self._heard = heard
        self._shape = (1, 1)
        self._changed_at = -math.inf
        self._drawn: Overlay | None = None
        self._over: list[Any] = []
        self.widget = Figure(
            marks=[self._mark], axes=[], interaction=self._mouse, display_toolbar=False, padding_x=0, padding_y=0,
            fig_margin={"top": 0, "bottom": 0, "left": 0, "right": 0},
            layout=ipywidgets.Layout(width="100%", height="100%", min_width="0", min_height="0"),
        )  # fmt: skip
        for scale in (self._x, self._y):
            scale.observe(self._zoomed, ["min", "max"])

    @property
    def window(self) -> tuple[float, float, float, float]:
        y, x = self._y, self._x
        return y.min or 0.0, y.max or 1.0, x.min or 0.0, x.max or 1.0

    @window.setter
    def window(self, window: tuple[float, float, float, float]) -> None:
        for scale, low, high in ((self._y, *window[:2]), (self._x, *window[2:])):
            with scale.hold_sync():
                scale.min, scale.max = low, high
        # a drag is what the browser did
        self._changed_at = -math.inf

    def fit(self, shape: tuple[int, ...]) -> None:
        rows, columns = self._shape = shape[:2]
        half = max(rows, columns) / 2
        self.window = (rows / 2 - half, rows / 2 + half, columns / 2 - half, columns / 2 + half)

    def show(self, whole: Sheet, detail: Sheet | None, limits: tuple[float, float]) -> None:
        with self._colour.hold_sync():
            self._colour.min, self._colour.max = map(float, limits)
        self._put(self._mark, whole)
        if detail is not None:
            self._put(self._detail, detail)
        self._arrange(self._detail if detail is not None else None)

    def overlay(self, overlay: Overlay) -> None:
        if overlay is self._drawn:
            return
        self._drawn = overlay
        if not self._over and overlay.empty:
            return
        if not self._over:
            self._over = [self._points(), *self._lines(), *self._marked(), *self._rings()]
        points, below, above, hot, dead, *rings = self._over
        thin = overlay.points[:: max(1, -(-len(overlay.points) // _MOST_POINTS))]
        outline = overlay.outline
        for mark, places in ((points, thin), (below, outline), (above, outline), (hot, overlay.hot), (dead, overlay.dead)):
            self._move(mark, places[:_MOST_POINTS])
        for ring in rings:
            self._move(ring, np.array([overlay.chosen]) if overlay.chosen else np.zeros((0, 2)))
        self._arrange(self._detail if self._detail in self.widget.marks else None)

    def recolour(self, colours: str) -> None:
        self._colour.colors = list(colour.MAPS[colours])

    def _arrange(self, detail: ImageGL | None) -> None:
        wanted = [self._mark, *([detail] if detail is not None else []), *self._over]
        if wanted != self.widget.marks:
            self.widget.marks = wanted

    def _image(self) -> ImageGL:
        blank = np.zeros((1, 1, 4), np.uint8) if self._rgb else np.zeros((1, 1), np.float32)
        return ImageGL(image=blank, scales={"x": self._x, "y": self._y, "image": self._colour})

    def _put(self, mark: ImageGL, sheet: Sheet) -> None:
        top, bottom, left, right = sheet.place
        with mark.hold_sync():
            mark.x, mark.y = [left, right], [top, bottom]
            mark.image = sheet.pixels if self._rgb else np.asarray(sheet.pixels, np.float32)

    def _points(self) -> ScatterGL:
        axes = {"x": self._x, "y": self._y}
        return ScatterGL(x=[], y=[], scales=axes, colors=["#ffd54a"], default_size=6, stroke="#000000")

    def _lines(self) -> list[Lines]:
        axes = {"x": self._x, "y": self._y}
        return [
            Lines(x=[], y=[], scales=axes, colors=["#000000"], stroke_width=2.5, opacities=[0.8]),
            Lines(x=[], y=[], scales=axes, colors=["#ffffff"], stroke_width=1.25, line_style="dashed"),
        ]

    def _marked(self) -> list[Scatter]:
        axes = {"x": self._x, "y": self._y}
        return [
            Scatter(x=[], y=[], scales=axes, colors=[shade], marker=shape, fill=False, stroke=shade, stroke_width=1.5,
                    default_size=90, enable_hover=False)
            for shade, shape in ((HOT, "square"), (DEAD, "circle"))
        ]  # fmt: skip

    def _rings(self) -> list[Scatter]:
        axes = {"x": self._x, "y": self._y}
        return [
            Scatter(x=[], y=[], scales=axes, colors=[shade], fill=False, stroke=shade, stroke_width=width, default_size=size,
                    enable_hover=False)
            for shade, width, size in (("#000000", 4.0, 110), ("#ffffff", 1.75, 110))
        ]  # fmt: skip

    @staticmethod
    def _move(mark: Any, places: np.ndarray) -> None:
        with mark.hold_sync():
            mark.x, mark.y = places[:, 1], places[:, 0]

    def _zoomed(self, _change: Any) -> None:
        self._changed_at = time.monotonic()
        self._heard.zoomed()

    def _message(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        event, domain = content.get("event"), content.get("domain")
        if event == "dblclick":
            self.fit(self._shape)
        elif event == "mouseleave":
            self._heard.moved(None, None)
        elif isinstance(domain, dict) and all(isinstance(domain.get(axis), int | float) for axis in "yx"):
            if event == "mousemove":
                self._heard.moved(domain["y"], domain["x"])
            elif event == "click" and time.monotonic() - self._changed_at > _DRAG_S:
                self._heard.clicked(domain["y"], domain["x"])


class Still:
    """A PNG that fills the square, its shape kept."""

    def __init__(self, colours: str, _heard: Heard, _axes: tuple[LinearScale, LinearScale] | None):
        self._colours = colours
        self._shape = (1, 1)
        self._image = ipywidgets.Image(format="png")
        self.widget = ipywidgets.Box([self._image])
        self.widget.add_class("pn-stillbox")

    @property
    def window(self) -> tuple[float, float, float, float]:
        half = max(self._shape) / 2
        rows, columns = self._shape
        return rows / 2 - half, rows / 2 + half, columns / 2 - half, columns / 2 + half

    @window.setter
    def window(self, window: tuple[float, float, float, float]) -> None:
        """A still picture has no zoom."""

    def fit(self, shape: tuple[int, ...]) -> None:
        self._shape = shape[:2]

    def show(self, whole: Sheet, detail: Sheet | None, limits: tuple[float, float]) -> None:
        self._image.value = colour.png(colour.shades(whole.pixels, limits, self._colours) if self._colours else whole.pixels)

    def overlay(self, overlay: Overlay) -> None:
        """A still picture has none."""

    def recolour(self, colours: str) -> None:
        self._colours = colours
