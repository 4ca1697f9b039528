"""A picture that is updated in place, no finer than it is seen: scale bar, caption, value under the mouse."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np

from pypty_nb.widgets import bare, colour, text
from pypty_nb.widgets.views.stage import Stage
from pypty_nb.widgets.views.surfaces import Gl, Heard, Overlay, Sheet, Still, Surface

_ROUND = (1.0, 2.0, 5.0, 10.0)
_UNITS = {"Å": (("µm", 1e4), ("nm", 10.0)), "mrad": (("rad", 1e3), ("mrad", 1.0), ("µrad", 1e-3))}
#: What is sent of a part in finer pixels reaches this share of it beyond what is seen, for a little panning.
_MARGIN = 0.25
_SETTLE_S = 0.12


def _same(values: np.ndarray) -> np.ndarray:
    return values


@dataclass(frozen=True)
class Frame:
    """One state of a picture.

    Attributes
    ----------
    source : (y, x) real or complex
        All of it, in its own pixels.
    show : callable
        From a part of `source`, averaged over blocks, to real values for the colour map or (y, x, 4) uint8 colours.
    read : callable
        From a part of `source` to the real values under the mouse.
    limits : (low, high)
        Of the colour map; of no meaning for colours.
    shown : array, or None
        `show` of `source` as `colour.shrink` gives it for `Picture.most`, where it is known already.
    caption : str
        HTML of the line below.
    unit : str
        Of the value under the mouse.
    pixel : (float, float), or None
        Size (y, x) of a pixel of `source`; ``None`` for no scale bar.
    length : "Å" or "mrad"
        What `pixel` is in.
    where : callable, or None
        Row and column to the words in front of the value under the mouse, where they are no lengths; `None` hides the value.
    """

    source: np.ndarray
    show: Callable[[np.ndarray], np.ndarray] = _same
    read: Callable[[np.ndarray], np.ndarray] = _same
    limits: tuple[float, float] = (0.0, 1.0)
    shown: np.ndarray | None = None
    caption: str = ""
    unit: str = ""
    pixel: tuple[float, float] | None = None
    length: str = "Å"
    where: Callable[[int, int], str | None] | None = None


@dataclass(frozen=True)
class Dress:
    """How a picture is presented.

    Attributes
    ----------
    colours : str
        One of `colour.MAPS`; ``""`` where frames are colours already.
    empty : str
        What stands in its place before the first frame, HTML.
    name : str
        Laid over the top left corner.
    corner : str
        HTML laid over the top right corner.
    captioned : bool
        Whether there is a line below, with the frame's caption and what lies under the mouse.
    """

    colours: str
    empty: str
    name: str = ""
    corner: str = ""
    captioned: bool = True


class Picture:
    """A square picture with scale bar, name tag and caption.

    Parameters
    ----------
    stage : Stage
    dress : Dress
    axes : scales (x, y), optional
        Shared with the pictures that pan and zoom with this one.
    on_click : callable, optional
        Told row and column, in pixels of the frame's source.
    """

    def __init__(self, stage: Stage, dress: Dress, axes: Any = None, on_click: Callable[[float, float], None] | None = None):
        self._stage, self._colours, self._axes = stage, dress.colours, axes
        self._on_click = on_click
        self._frame: Frame | None = None
        self._overlay = Overlay()
        self._at: tuple[float, float] | None = None
        self._most = colour.MOST
        self._waiting: Any = None
        self.on_zoom: Callable[[], None] = lambda: None
        self._empty = _html(f"<div>{dress.empty}</div>", "pn-empty")
        self._name = _html("", "pn-tag")
        self.rename(dress.name)
        self._corner, self._bar, self._caption = _html(dress.corner, "pn-corner"), _html("", "pn-bar"), _html("", "pn-caption")
        #: Place and value under the mouse, in words.
        self.under_mouse = _html("", "hv")
        self._pic = bare.Box([self._empty])
        self._pic.add_class("pn-pic")
        line = bare.HBox([self._caption, self.under_mouse])
        line.add_class("pn-cap")
        self._box = bare.VBox([self._pic, line] if dress.captioned else [self._pic])
        self._box.add_class("pn-picture")
        self._surface: Surface | None = None
        stage.bridge.observe(lambda _change: self._choose_surface(), "webgl")
        stage.bridge.observe(lambda _change: self._resized(), "side")

    def render(self) -> ipywidgets.DOMWidget:
        """The widget, always the same one."""
        return self._box

    @property
    def frame(self) -> Frame | None:
        """What is shown."""
        return self._frame

    @property
    def most(self) -> int:
        """Pixels along a side that are worth sending."""
        return self._most

    @property
    def window(self) -> tuple[float, float, float, float] | None:
        """What is seen: top, bottom, left, right, pixels of the source; ``None`` before the first frame."""
        return self._surface.window if self._surface is not None else None

    @window.setter
    def window(self, window: tuple[float, float, float, float]) -> None:
        if self._surface is not None and not np.allclose(self._surface.window, window):
            self._surface.window = window

    def update(self, frame: Frame) -> None:
        """Show `frame`; zoom and pan stay as they are."""
        fresh = self._frame is None or self._frame.source.shape[:2] != frame.source.shape[:2]
        self._frame = frame
        if self._surface is None:
            self._choose_surface()
        else:
            if fresh:
                self._surface.fit(frame.source.shape)
            self._send()
        self._caption.value = frame.caption
        self._draw_bar()
        self._read_out()

    def overlay(self, overlay: Overlay) -> None:
        """Draw `overlay` over this and the following frames."""
        self._overlay = overlay
        if self._surface is not None:
            self._surface.overlay(overlay)

    def fit(self) -> None:
        """Show all of the picture again."""
        if self._surface is not None and self._frame is not None:
            self._surface.fit(self._frame.source.shape)

    def rename(self, name: str) -> None:
        """Lay `name` over the top left corner."""
        self._name.value = f"<span>{text.escape(name)}</span>" if name else ""

    def recolour(self, colours: str) -> None:
        """Take another colour map."""
        self._colours = colours
        if self._surface is not None:
            self._surface.recolour(colours)
            self._send()

    def clear(self, words: str) -> None:
        """Show `words` in place of a picture."""
        self._frame = self._surface = self._at = None
        self._empty.value = f"<div>{text.escape(words)}</div>"
        self._caption.value = self.under_mouse.value = ""
        self._pic.children = (self._empty,)

    def pixels(self) -> np.ndarray | None:
        """What is shown, all of it, as uint8 colours (y, x, 3 or 4); ``None`` before the first frame."""
        frame = self._frame
        if frame is None:
            return None
        values = frame.show(colour.shrink(frame.source, colour.MOST)[0])
        return colour.shades(values, frame.limits, self._colours) if self._colours else values

    def png(self) -> bytes | None:
        """What is shown, all of it, as PNG; ``None`` before the first frame."""
        return None if (pixels := self.pixels()) is None else colour.png(pixels)

    def _choose_surface(self) -> None:
        if self._frame is None:
            return
        kind = Still if self._stage.bridge.webgl is False else Gl
        if isinstance(self._surface, kind):
            return
        self._surface = kind(self._colours, Heard(self._moved, self._clicked, self._zoomed), self._axes)
        self._surface.fit(self._frame.source.shape)
        self._send()
        self._surface.overlay(self._overlay)
        self._pic.children = (self._surface.widget, self._name, self._corner, self._bar)

    def _resized(self) -> None:
        most = min(max(colour.MOST, self._stage.bridge.side), 2 * colour.MOST)
        if most != self._most:
            self._most = most
            self._send()

    def _send(self) -> None:
        frame, surface = self._frame, self._surface
        if frame is None or surface is None:
            return
        every, pixels = colour.factor(frame.source.shape, self._most), frame.shown
        if pixels is None or pixels.shape[0] != max(frame.source.shape[0] // every, 1):
            pixels = frame.show(colour.shrink(frame.source, self._most)[0])
        surface.show(_sheet(pixels, (0, 0), every), self._detail(frame, every), frame.limits)

    def _detail(self, frame: Frame, every: int) -> Sheet | None:
        """What is seen of a large picture, in finer pixels; ``None`` where it is seen in its finest already."""
        if every == 1 or self._surface is None:
            return None
        top, bottom, left, right = self._surface.window
        part = []
        for first, last, length in ((top, bottom, frame.source.shape[0]), (left, right, frame.source.shape[1])):
            margin = _MARGIN * (last - first)
            part.append(slice(max(0, math.floor(first - margin)), min(length, math.ceil(last + margin))))
        rows, columns = part
        if rows.stop <= rows.start or columns.stop <= columns.start:
            return None
        seen, finer = colour.shrink(frame.source[rows, columns], self._most)
        return _sheet(frame.show(seen), (rows.start, columns.start), finer) if finer < every else None

    def _zoomed(self) -> None:
        self._draw_bar()
        self.on_zoom()
        if self._frame is None or max(self._frame.source.shape[:2]) <= self._most or self._waiting is not None:
            return
        # one picture when the wheel rests, not one a click of it
        self._waiting = self._stage.later(_SETTLE_S, self._settled)

    def _settled(self) -> None:
        self._waiting = None
        self._send()

    def _draw_bar(self) -> None:
        frame = self._frame
        if frame is None or frame.pixel is None or self._surface is None:
            self._bar.value = ""
            return
        _, _, left, right = self._surface.window
        seen = frame.pixel[1] * max(abs(right - left), 1e-6)
        length, words = round_length(seen / 5, frame.length)
        self._bar.value = f'<div class="pn-scale" style="width:{100 * length / seen:.2f}%">{words}</div>'

    def _clicked(self, y: float, x: float) -> None:
        if self._on_click is not None:
            self._on_click(y, x)

    def _moved(self, y: float | None, x: float | None) -> None:
        self._at = None if y is None or x is None else (y, x)
        self._read_out()

    def _read_out(self) -> None:
        """What lies under the mouse; also of a frame that came while it rested."""
        self.under_mouse.value = self._words_at(*self._at) if self._at is not None else ""

    def _words_at(self, y: float, x: float) -> str:
        frame, row, column = self._frame, math.floor(y), math.floor(x)
        if frame is None or not (0 <= row < frame.source.shape[0] and 0 <= column < frame.source.shape[1]):
            return ""
        if frame.where is not None:
            place = frame.where(row, column)
        elif frame.pixel is not None:
            middle = (0, 0) if frame.length == "Å" else (frame.source.shape[0] // 2, frame.source.shape[1] // 2)
            y, x = ((at - zero) * size for at, zero, size in zip((row, column), middle, frame.pixel, strict=True))
            place = f"y {text.fixed(y, frame.pixel[0])}, x {text.fixed(x, frame.pixel[1])} {frame.length}"
        else:
            place = f"y {row}, x {column}"
        if place is None:
            return ""
        value = float(frame.read(frame.source[row : row + 1, column : column + 1])[0, 0])
        return f"{place}: <b>{text.number(value)}</b>"


def _sheet(pixels: np.ndarray, start: tuple[int, int], every: int) -> Sheet:
    rows, columns = pixels.shape[:2]
    return Sheet(pixels, (start[0], start[0] + rows * every, start[1], start[1] + columns * every))


def round_length(about: float, unit: str = "Å") -> tuple[float, str]:
    """The round length (1, 2, 5) nearest to `about` Å or mrad, and how it is written."""
    power = 10.0 ** math.floor(math.log10(about))
    length = min((step * power for step in _ROUND), key=lambda known: abs(math.log(known / about)))
    name, size = next(((name, size) for name, size in _UNITS[unit] if length >= size * (1 - 1e-9)), (unit, 1.0))
    return length, f"{length / size:g} {name}"


def _html(value: str, name: str) -> ipywidgets.HTML:
    widget = bare.HTML(value)
    widget.add_class(name)
    return widget
