"""Below the ledger what the chosen run found, or two runs: A, B and what is between them, panned and zoomed together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np

from pypty_nb.widgets import text
from pypty_nb.widgets.colour import wave
from pypty_nb.widgets.panels.panel import boxed, heading
from pypty_nb.widgets.views.picture import Dress, Frame, Picture
from pypty_nb.widgets.views.stage import Stage
from pypty_nb.widgets.views.surfaces import scales
from pypty_nb.workspace.comparing import Comparison

if TYPE_CHECKING:
    from pypty_nb.runs.compare import PhasePair, RunPictures

_BOTH = "A and B"
_LINKED = "Object phase, registered; one contrast, panned and zoomed together."
_LOOSE = "Object phase, each by itself."
_ALONE = "Compare, at another run, puts that one beside it."
_LEAST_REACH = 1e-3


class PairPictures:
    """What one run found, or the object phases of two; made when first shown, since a browser keeps few such pictures.

    Parameters
    ----------
    stage : Stage
    """

    def __init__(self, stage: Stage):
        self._stage = stage
        self._linked: list[Picture] = []
        self._loose: list[Picture] = []
        self._probe: Picture | None = None
        self._shown: Comparison | None = None
        self._about = heading("", "pn-now m s")
        self._blink = ipywidgets.ToggleButton(description="Blink", tooltip="B in the place of A, and back (b)")
        self._blink.observe(lambda change: self._swap(change["new"]), "value")
        self._title = heading("", "pn-vt")
        head = boxed(ipywidgets.HBox, "pn-vh", self._title, self._blink, self._about)
        self._row = boxed(ipywidgets.HBox, "pn-threepics")
        self._widget = boxed(ipywidgets.VBox, "pn-together", head, self._row)
        stage.bridge.observe(lambda _change: self._recolour(), "dark")
        self.clear()

    def render(self) -> ipywidgets.DOMWidget:
        """The widget, always the same one."""
        return self._widget

    def clear(self) -> None:
        """Show nothing."""
        self._shown = None
        self._widget.layout.display = "none"

    def tell(self, words: str) -> None:
        """Show a sentence in the pictures' place."""
        self._widget.layout.display = None
        self._row.children = ()
        self._blink.layout.display = "none"
        self._title.value, self._about.value = _BOTH, text.escape(words)

    def show_one(self, run: str, found: RunPictures) -> None:
        """Show what one run found."""
        self._shown = None
        if self._probe is None:
            self._probe = Picture(self._stage, Dress("", "", "probe, first mode"))
        one = [*self._of_two()[:2], self._probe]
        for picture, name in zip(one, ("object phase", "object modulus"), strict=False):
            picture.rename(name)
        self._widget.layout.display = None
        self._blink.layout.display = "none"
        self._title.value, self._about.value = f"Run {text.escape(run)}", text.escape(_ALONE)
        self._place(one)
        phase, largest = found.phase, float(np.abs(found.probe).max())
        low, high = map(text.number, found.modulus_limits)
        frames = (
            _frame(phase.values, phase.limits, phase.pixel_size),
            Frame(
                found.modulus, limits=found.modulus_limits, caption=f"<b>{low}</b> to <b>{high}</b>", pixel=phase.pixel_size
            ),
            Frame(
                found.probe, partial(wave, largest=largest), np.abs, pixel=phase.pixel_size,
                caption=f"max <b>{text.number(largest)}</b>&ensp;hue is phase",
            ),
        )  # fmt: skip
        for picture, frame in zip(one, frames, strict=True):
            picture.update(frame)

    def blink(self) -> None:
        """Show B in the place of A, or A again."""
        if self._shown is not None and self._shown.phases is not None:
            self._blink.value = not self._blink.value

    def show(self, found: Comparison) -> None:
        """Show a comparison."""
        self._shown = found
        self._widget.layout.display = None
        self._blink.value = False
        self._blink.layout.display = None if found.phases is not None else "none"
        self._title.value, self._about.value = _BOTH, text.escape(" ".join(said(found)))
        if found.phases is not None:
            self._show_linked(found, found.phases)
        else:
            self._show_loose(found)

    def _show_linked(self, found: Comparison, phases: PhasePair) -> None:
        self._place(self._of_two())
        for picture, name, run in zip(self._linked, "AB", (found.first, found.second), strict=False):
            picture.rename(f"{name}  {run}")
        reach = max(phases.reach, _LEAST_REACH)
        pixel = phases.pixel_size
        frames = (
            _frame(phases.first, phases.limits, pixel),
            _frame(phases.second, phases.limits, pixel),
            Frame(
                phases.difference, limits=(-reach, reach), caption=f"±<b>{text.number(reach)}</b> rad", unit="rad", pixel=pixel
            ),
        )
        for picture, frame in zip(self._linked, frames, strict=True):
            picture.update(frame)

    def _show_loose(self, found: Comparison) -> None:
        if not self._loose:
            self._loose = [Picture(self._stage, Dress("gray", "", name)) for name in "AB"]
        self._place(self._loose)
        for picture, name, run, alone in zip(self._loose, "AB", (found.first, found.second), found.alone, strict=True):
            picture.rename(f"{name}  {run}")
            if alone is None:
                picture.clear(f"Run {run} has no object yet.")
            else:
                picture.update(_frame(alone.values, alone.limits, alone.pixel_size))

    def _of_two(self) -> list[Picture]:
        """Two pictures and their difference, on the same axes."""
        if not self._linked:
            axes = scales()
            names = ("A", "gray"), ("B", "gray"), ("A − B", self._signed())
            self._linked = [Picture(self._stage, Dress(colours, "", name), axes) for name, colours in names]
        return self._linked

    def _swap(self, swapped: bool) -> None:
        """Of the pictures of one shape and contrast the first shows B, in its own place and zoom."""
        found = self._shown
        if found is None or found.phases is None or not self._linked:
            return
        phases = found.phases
        name, run, values = ("B", found.second, phases.second) if swapped else ("A", found.first, phases.first)
        self._linked[0].rename(f"{name}  {run}")
        self._linked[0].update(_frame(values, phases.limits, phases.pixel_size))

    def _place(self, pictures: list[Picture]) -> None:
        children = tuple(picture.render() for picture in pictures)
        if self._row.children != children:
            self._row.children = children

    def _signed(self) -> str:
        return "berlin" if self._stage.bridge.dark else "vik"

    def _recolour(self) -> None:
        if self._linked:
            self._linked[2].recolour(self._signed())


def said(found: Comparison) -> list[str]:
    """What is to be known of the pictures, sentence by sentence."""
    phases = found.phases
    if phases is None:
        sizes = [f"{y:g} × {x:g} Å" for y, x in (alone.pixel_size for alone in found.alone if alone is not None)]
        apart = len(set(sizes)) > 1
        why = f"The pixels differ: {sizes[0]} and {sizes[1]}, so that there is no A − B." if apart else ""
        return [_LOOSE, why or "There is no A − B."]
    sentences = [_LINKED]
    if phases.scanned[0] != phases.scanned[1]:
        first, second = (text.shape(shape) for shape in phases.scanned)
        sentences.append(f"A scanned {first} px, B {second} px: shown is what both have.")
    if max(map(abs, phases.shift)) >= 1:
        y, x = (text.fixed(step, 0.1) for step in phases.shift)
        sentences.append(f"B lay {y}, {x} px off (y, x).")
    return sentences


def _frame(values: np.ndarray, limits: tuple[float, float], pixel: tuple[float, float]) -> Frame:
    low, high = map(text.number, limits)
    return Frame(values, limits=limits, caption=f"<b>{low}</b> to <b>{high}</b> rad", unit="rad", pixel=pixel)
