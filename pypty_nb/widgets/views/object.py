"""The object: phase or modulus of one slice and mode."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import ipywidgets
import numpy as np

from pypty_nb.records import Refinables
from pypty_nb.widgets import colour, text
from pypty_nb.widgets.views.loss import linear_ticks
from pypty_nb.widgets.views.parts import Counted, beside, check, label, row, side, toggle, unseen
from pypty_nb.widgets.views.picture import Dress, Frame, Picture
from pypty_nb.widgets.views.small import Line, SmallPlot
from pypty_nb.widgets.views.stage import Stage
from pypty_nb.widgets.views.surfaces import Overlay
from pypty_nb.widgets.views.view import View
from pypty_nb.workspace import Scene
from pypty_nb.workspace.pictures import centres, outline, scanned

_LEAST_CONTRAST = 1e-3
_BINS = 64
#: Values that tell the contrast of a picture as well as all of them.
_ENOUGH = 50_000
EMPTY = "No object yet.<br>It appears after epoch 1."
Quantity = Literal["phase", "modulus"]


class Object(View):
    """View of the transmission function; the phase is told against its mean inside the scan, since only differences count.

    Parameters
    ----------
    run, stage
        As for every `View`.
    quantity : "phase" or "modulus"
    """

    title = "Object"

    def __init__(self, run: Any = None, *, stage: Stage | None = None, quantity: Quantity = "phase"):
        self._setting = False
        self._laid: tuple[Any, ...] | None = None
        self._places: tuple[Any, np.ndarray | None, np.ndarray] = (None, None, np.zeros((0, 2)))
        self.quantity = toggle([("Phase", "phase"), ("Modulus", "modulus")], quantity, "Quantity")
        super().__init__(run, stage=stage)

    def autoscale(self) -> None:
        """Let the contrast follow the picture."""
        self._auto.value = True

    def png(self) -> bytes | None:
        return self.picture.png()

    def key(self, key: str) -> None:
        match key:
            case "[" | "]":
                self.slice.value += 1 if key == "]" else -1
            case "," | ".":
                self.mode.value += 1 if key == "." else -1
            case "a":
                self.autoscale()

    def _make(self) -> None:
        self.picture = Picture(self.stage, Dress("gray", EMPTY), on_click=self._clicked)
        self.slice, self.mode = Counted("Slice", "[ ]"), Counted("Mode", ", .")
        self._low, self._high = (
            unseen(
                ipywidgets.FloatText(
                    description=f"Contrast, {end}", tooltip=f"Contrast, {end}", step=0.01, continuous_update=True
                )
            )
            for end in ("from", "to")
        )
        self._auto = ipywidgets.ToggleButton(description="Auto", value=True, tooltip="Contrast follows the picture (a)")
        fit = ipywidgets.Button(description="Fit", tooltip="Show all of the picture")
        fit.on_click(lambda _button: self.picture.fit())
        self._contrast = label("Contrast, rad")
        self._outline = check("Scan outline", True, "Where the beam's centre passed")
        self._positions = check("Positions", False, "Every scan point; click one to see its patterns")
        #: For two objects side by side; hidden where there is one.
        self.linked = check("Link zoom", False, "Pan and zoom both objects together (l)")
        self.linked.layout.display = "none"
        self._spread = SmallPlot("Values inside the scan", "pn-middle")
        pair, buttons = row(self._low, self._high), row(self._auto, fit)
        self._box = beside(
            self.picture.render(),
            side(
                self.head, self.quantity, self.slice, self.mode, self._contrast, pair, buttons, self._outline, self._positions,
                self.linked,
                self._spread.render(),
            ),
        )  # fmt: skip
        for control in (self.quantity, self.slice.slider, self.mode.slider, self._auto):
            control.observe(self._chosen, "value")
        for control in (self._low, self._high):
            control.observe(self._typed, "value")
        for control in (self._outline, self._positions):
            control.observe(self._lay_over, "value")
        self.stage.observe(self._lay_over, "index")

    def _draw(self, scene: Scene) -> None:
        point = scene.point
        if point is None or point.obj is None:
            return
        self._setting = True
        self.slice.count, self.mode.count = point.obj.shape[2:]
        self._setting = False
        plane = np.asarray(point.obj)[:, :, self.slice.value, self.mode.value]
        window = scanned(point, plane.shape)
        phase = self.quantity.value == "phase"
        mean = complex(plane[window].mean()) if phase else 0.0
        show = partial(_phase, against=mean.conjugate() or 1.0) if phase else np.abs
        small, every = colour.shrink(plane, self.picture.most)
        values = show(small)
        inside = values[tuple(_coarser(part, every) for part in window)]
        limits = self._limits(inside)
        unit = "rad" if phase else ""
        self._contrast.value = "Contrast, rad" if phase else "Contrast"
        caption = f"min <b>{text.number(values.min())}</b>&ensp;max <b>{text.number(values.max())}</b> {unit}"
        self._draw_spread(inside, limits)
        self.picture.update(Frame(plane, show, show, limits, values, caption, unit, scene.pixel))
        self._lay_over()

    def _draw_spread(self, values: np.ndarray, limits: tuple[float, float]) -> None:
        """How often each value occurs inside the scan, and where the contrast ends."""
        low, high = limits
        reach = high - low
        thin = max(1, int((values.size / _ENOUGH) ** 0.5))
        often, edges = np.histogram(values[::thin, ::thin], _BINS, (low - 0.4 * reach, high + 0.4 * reach))
        middles = (edges[1:] + edges[:-1]) / 2
        self._spread.draw(middles, (Line("", often.astype(float)),), (linear_ticks(edges[0], edges[-1], 4), []), limits)

    def _limits(self, values: np.ndarray) -> tuple[float, float]:
        """Of the colour map: what was typed, or what shows the picture best."""
        if self._auto.value:
            thin = max(1, int((values.size / _ENOUGH) ** 0.5))
            low, high = np.percentile(values[::thin, ::thin], (0.6, 99.4))
            # an even object stays even: rounding errors are not stretched over the whole scale
            spare = max(0.0, _LEAST_CONTRAST - (high - low)) / 2
            self._setting = True
            self._low.value, self._high.value = _short(low - spare), _short(high + spare)
            self._setting = False
        return self._low.value, max(self._high.value, self._low.value + 1e-6)

    def _lay_over(self, _change: Any = None) -> None:
        scene = self._shown.scene
        if scene is None or scene.point is None:
            return
        places, around = self._scan(scene.point)
        if places is not None:
            self.stage.settle(len(places), scene.preset.scan_size)
        nothing, index = np.zeros((0, 2)), self.stage.index
        laid = (places, self._outline.value, self._positions.value, index)
        if places is None or (self._laid is not None and all(a is b for a, b in zip(laid, self._laid, strict=True))):
            return
        self._laid = laid
        chosen = (float(places[index, 0]), float(places[index, 1])) if 0 <= index < len(places) else None
        self.picture.overlay(
            Overlay(around if self._outline.value else nothing, places if self._positions.value else nothing, chosen)
        )

    def _scan(self, point: Refinables) -> tuple[np.ndarray | None, np.ndarray]:
        """Scan points on the object, and the outline around them; as before while they have not moved."""
        known, places, around = self._places
        if known is None or not np.array_equal(known, point.positions):
            places = centres(point)
            around = outline(places) if places is not None else np.zeros((0, 2))
            self._places = (None if point.positions is None else np.array(point.positions), places, around)
        return places, around

    def _clicked(self, y: float, x: float) -> None:
        places = self._places[1]
        if places is not None and self._positions.value:
            self.stage.index = int(((places - (y, x)) ** 2).sum(axis=1).argmin())

    def _chosen(self, _change: Any) -> None:
        if not self._setting:
            self._again()

    def _typed(self, _change: Any) -> None:
        if not self._setting:
            # limits typed by hand stay, whatever the next frame holds
            self._auto.value = False
            self._again()


def _phase(wave: np.ndarray, against: complex) -> np.ndarray:
    return np.angle(wave * against)


def _coarser(part: slice, every: int) -> slice:
    """`part` in pixels of which each is `every` of before."""
    return part if part.start is None else slice(part.start // every, part.stop // every + 1)


def _short(value: float) -> float:
    """Three digits: what a contrast needs, and what a narrow field shows."""
    return float(f"{value:.3g}")
