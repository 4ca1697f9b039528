"""The middle of step 1: virtual image and pattern side by side, linked; read in the background."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import ipywidgets
import numpy as np

from pypty_nb.data import DataError, Dataset
from pypty_nb.initialize.bad_pixels import BadPixels
from pypty_nb.params import Preset
from pypty_nb.widgets import bare, text
from pypty_nb.widgets.panels.badpixels import legend
from pypty_nb.widgets.panels.panel import Page, boxed, heading
from pypty_nb.widgets.panels.plots import Curve
from pypty_nb.widgets.panels.underway import UnderWay
from pypty_nb.widgets.views.parts import toggle, unseen
from pypty_nb.widgets.views.pick import Pick
from pypty_nb.widgets.views.picture import Dress, Frame, Picture
from pypty_nb.widgets.views.surfaces import Overlay
from pypty_nb.workspace import bad_pixels
from pypty_nb.workspace.pictures import ScanMap
from pypty_nb.workspace.preview import Detector, Preview, StoppedError, image_under, look_into

NOTHING = "Nothing chosen.<br>Choose a file to begin, or open the demonstration."
NO_GRID = "{count} patterns in one row. Set the scan points at the right to see them as an image."
_HELP = (
    "Click a scan point to see its pattern.<br>Click the pattern to move the nearest edge of the virtual detector there, "
    "or type its radii, in px."
)
_AROUND = np.linspace(0, 2 * np.pi, 121)
_SCALES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda counts: counts,
    "root": lambda counts: np.sqrt(np.maximum(counts, 0)),
    "log": lambda counts: np.log10(np.maximum(counts, 0) + 0.1),
}


def scaled(kind: str) -> Callable[[np.ndarray], np.ndarray]:
    """What becomes of counts on a "linear", "root" or "log" scale."""
    return _SCALES[kind]


class Look:
    """Virtual image and pattern of the open measurements.

    Parameters
    ----------
    page : Page
    under_way : UnderWay
        Shows how far the reading is.
    """

    def __init__(self, page: Page, under_way: UnderWay):
        self._page, self._under_way = page, under_way
        self._key: tuple[Any, ...] = ()
        self._turn = 0
        #: The measurements, from when they are open; what was read of them, and their bad pixels, come later.
        self.dataset: Dataset | None = None
        self.preview: Preview | None = None
        self.bad: BadPixels | None = None
        #: Whether bad pixels have been looked for, with or without success.
        self.searched = False
        self._detectors: dict[str, Detector] = {}
        self._images: dict[str, np.ndarray] = {}
        #: The virtual image as it is shown.
        self._map: ScanMap | None = None
        self._pattern: tuple[int, np.ndarray] | None = None
        self._setting = False
        stage = page.stage
        self._image = Picture(stage, Dress("gray", NOTHING), on_click=self._choose)
        self._pixels = Picture(stage, Dress("inferno", ""), on_click=self._reach)
        self._kind = toggle([("Sum", "sum"), ("Disc", "disc"), ("Ring", "ring")], "disc", "Virtual detector")
        self._which = toggle([("Clicked", "one"), ("Mean", "mean")], "mean", "Pattern shown")
        self._scale = toggle([("Linear", "linear"), ("Root", "root"), ("Log", "log")], "root", "Scale of the counts")
        self._pick = Pick(stage)
        self._inner, self._outer = _radius("Inner radius"), _radius("Outer radius")
        self._curve = Curve()
        self._words = heading("", "s m")
        self._box = self._arranged()
        for control in (self._kind, self._which, self._scale):
            control.observe(lambda _change: self._draw(), "value")
        self._kind.observe(lambda _change: self._see(), "value")
        for control in (self._inner, self._outer):
            control.observe(self._typed, "value")
        stage.observe(lambda _change: self._chosen(), "index")

    def render(self) -> ipywidgets.DOMWidget:
        """The widget, always the same one."""
        return self._box

    def show(self, preset: Preset) -> None:
        """See to it that what is shown is of the measurements that `preset` names."""
        key = (preset.data_path, preset.data_axes, id(preset.dataset), id(preset.masks), preset.scan_size)
        if key[:4] != self._key[:4]:
            self._key = key
            self._turn += 1
            self.dataset = self.preview = self.bad = self._pattern = self._map = None
            self.searched = False
            self._under_way.hide()
            self._images, self._detectors = {}, {}
            self._clear()
            if preset.data_path or preset.dataset is not None:
                self._page.tasks.start(partial(self._read, self._turn))
        elif key != self._key:
            self._key = key
            self._draw()

    # ---- reading
    async def _read(self, turn: int) -> None:
        """Open and read the measurements, unless others are chosen meanwhile."""
        self._image.clear("Opening …")
        try:
            dataset = await asyncio.to_thread(self._page.workspace.dataset)
            if dataset is None or turn != self._turn:
                return
            # what the file proposes can be agreed to before it is read
            self.dataset = dataset
            self._page.changed()
            found = await asyncio.to_thread(look_into, dataset, partial(self._progress, turn), lambda: turn != self._turn)
        except StoppedError:
            return
        except (ValueError, OSError) as error:
            if turn == self._turn:
                self.dataset = None
                self._under_way.hide()
                self._image.clear(f"No preview: {self._page.workspace.shortened(text.failure(error))}.")
                self._page.changed()
            return
        if turn != self._turn:
            return
        self.preview, self._detectors, self._images = found, dict(found.detectors), dict(found.images)
        if self._seen_by not in self._images:
            self._kind.value = "sum"
        self._page.stage.settle(found.count, self._page.workspace.preset.scan_size)
        self._fill()
        self._draw()
        self._chosen()
        self._page.changed()
        await self._search(dataset)

    async def _search(self, dataset: Dataset) -> None:
        """Look for bad pixels, unless other measurements are chosen meanwhile."""

        def told(done: int, of: int) -> None:
            if dataset is self.dataset:
                self._under_way.show(f"Looking for bad pixels, {text.count(done)} of {text.count(of)} patterns", done, of)

        tell = partial(self._page.tasks.soon, told)
        try:
            found = await asyncio.to_thread(bad_pixels.find, dataset, tell, lambda: dataset is not self.dataset)
        except StoppedError:
            return
        except (ValueError, OSError) as error:
            found = None
            self._words.value = text.escape(text.failure(error))
        if dataset is self.dataset:
            self.bad, self.searched = found, True
            self._under_way.hide()
            self._overlay()
            self._draw_pattern()
            self._page.changed()

    def _progress(self, turn: int, done: int, of: int) -> None:
        self._page.tasks.soon(self._say_progress, turn, done, of)

    def _say_progress(self, turn: int, done: int, of: int) -> None:
        if turn != self._turn:
            return
        words = f"Reading patterns, {text.count(done)} of {text.count(of)}"
        self._under_way.show(words, done, of)
        if self._image.frame is None:
            self._image.clear(words)
        else:
            self._words.value = words if done < of else ""
        if done >= of:
            self._under_way.hide()

    def _see(self) -> None:
        """See to it that there is an image for the virtual detector as it is set."""
        kind, preview = self._seen_by, self.preview
        self._fill()
        if preview is not None and kind not in self._images:
            self._turn += 1
            self._page.tasks.start(partial(self._sum, self._turn, preview, self._detectors[kind]))

    async def _sum(self, turn: int, preview: Preview, detector: Detector) -> None:
        try:
            image = await asyncio.to_thread(
                image_under, preview, detector, partial(self._progress, turn), lambda: turn != self._turn
            )
        except StoppedError:
            return
        except DataError as error:
            self._words.value = text.escape(text.failure(error))
            return
        if turn == self._turn:
            self._images[detector.kind] = image
            self._draw()

    def _chosen(self) -> None:
        """Another scan point: its pattern."""
        self._overlay()
        if self.preview is not None:
            self._page.tasks.start(partial(self._fetch, self.preview, self._page.stage.index))

    async def _fetch(self, preview: Preview, index: int) -> None:
        if not 0 <= index < preview.count or (self._pattern is not None and self._pattern[0] == index):
            return
        pattern = await asyncio.to_thread(preview.pattern, index)
        if preview is self.preview and index == self._page.stage.index:
            self._pattern = index, pattern
            self._draw_pattern()

    # ---- what a person does
    def _choose(self, y: float, x: float) -> None:
        index = self._map.at(y, x) if self._map is not None else None
        if index is not None:
            self._which.value = "one"
            self._page.stage.index = index

    def _reach(self, y: float, x: float) -> None:
        kind = self._seen_by if self._seen_by != "sum" else "disc"
        if kind in self._detectors:
            self._set(self._detectors[kind].reaching(y, x))

    def _typed(self, _change: Any) -> None:
        old = self._detectors.get(self._seen_by)
        if old is not None and not self._setting and self._outer.value > (self._inner.value if old.kind == "ring" else 0):
            self._set(Detector(old.kind, old.centre, self._inner.value, self._outer.value))

    def _set(self, detector: Detector) -> None:
        self._detectors[detector.kind] = detector
        self._images.pop(detector.kind, None)
        self._fill()
        self._overlay()
        if self._seen_by == detector.kind:
            self._see()
        else:
            self._kind.value = detector.kind

    # ---- showing
    @property
    def _seen_by(self) -> str:
        """The kind of virtual detector chosen."""
        return str(self._kind.value)

    def _fill(self) -> None:
        detector = self._detectors.get(self._seen_by)
        self._setting = True
        self._inner.disabled = detector is None or detector.kind != "ring"
        self._outer.disabled = detector is None
        if detector is not None:
            self._inner.value, self._outer.value = round(detector.inner, 1), round(detector.outer, 1)
        self._setting = False

    def _clear(self) -> None:
        self._image.clear("")
        self._image.overlay(Overlay())
        self._pixels.clear("")
        self._curve.clear()
        self._words.value = ""
        if not self._page.workspace.preset.data_path and self._page.workspace.preset.dataset is None:
            self._image.clear("Nothing chosen. Choose a file to begin, or open the demonstration.")

    def _draw(self) -> None:
        preview = self.preview
        if preview is None:
            return
        self._draw_image(preview)
        self._draw_pattern()
        self._pick.show(preview.count, self._page.workspace.preset.scan_size)
        self._overlay()
        self._curve.show(*preview.histogram())
        low, high = (text.number(value, 4) for value in (preview.totals.min(), preview.totals.max()))
        self._words.value = f"{text.plural(preview.count, 'pattern')}<br><b>{low}</b> to <b>{high}</b> counts"

    def _draw_image(self, preview: Preview) -> None:
        image = self._images.get(self._seen_by)
        if image is None:
            return
        self._map = shown = preview.over_scan(image, self._page.workspace.preset.scan_size)
        if shown is None:
            self._image.clear(NO_GRID.format(count=text.count(preview.count)))
            return
        low, high = (float(value) for value in np.percentile(image, (0.6, 99.4)))
        step = preview.pixel_A(shown)
        caption = f"min <b>{text.number(image.min(), 4)}</b>&ensp;max <b>{text.number(image.max(), 4)}</b> counts"
        pixel, limits = (step, step) if step else None, (low, max(high, low + 1e-9))
        self._image.update(Frame(shown.values, limits=limits, caption=caption, pixel=pixel, where=shown.words))

    def _draw_pattern(self) -> None:
        preview = self.preview
        if preview is None:
            return
        one = self._which.value == "one" and self._pattern is not None
        pattern = self._pattern[1] if one and self._pattern is not None else preview.mean_pattern
        shape = scaled(str(self._scale.value))
        # single hot pixels must not take the scale
        high = float(shape(np.percentile(pattern, 99.98)))
        low = float(shape(pattern.min()))
        mrad = self._fact("rez_pixel_size_mrad")
        caption = f"min <b>{text.number(pattern.min())}</b>&ensp;max <b>{text.number(pattern.max())}</b> counts"
        caption += legend(self.bad) if self.bad is not None else ""
        self._pixels.update(
            Frame(
                pattern,
                show=shape,
                limits=(low, max(high, low + 1e-9)),
                caption=caption,
                pixel=(mrad, mrad) if mrad else None,
                length="mrad",
            )
        )

    def _overlay(self) -> None:
        self._image.overlay(Overlay(chosen=self._map.place(self._page.stage.index) if self._map is not None else None))
        detector = self._detectors.get(self._seen_by)
        edges = outline(detector) if detector is not None else np.zeros((0, 2))
        hot, dead = (middles(places) for places in ((self.bad.hot, self.bad.dead) if self.bad is not None else ((), ())))
        self._pixels.overlay(Overlay(outline=edges, hot=hot, dead=dead))

    def _fact(self, key: str) -> float | None:
        found = self.preview.dataset.metadata.get(key) if self.preview is not None else None
        return float(found.value) if found is not None else None

    def _arranged(self) -> ipywidgets.DOMWidget:
        first = boxed(bare.HBox, "pn-vh", heading("Virtual image", "pn-vt"), self._pick.render(), self._kind)
        second = boxed(bare.HBox, "pn-vh", heading("Pattern", "pn-vt"), self._which, self._scale)
        radii = boxed(bare.HBox, "pn-pair", heading("px", "m s"), self._inner, self._outer)
        counts = boxed(bare.VBox, "pn-said", heading("<b>Counts per pattern</b>", ""), self._words)
        linked = boxed(bare.VBox, "pn-said", heading("<b>Linked</b>", ""), heading(_HELP, "s m"), radii)
        return boxed(
            bare.Box,
            "pn-look",
            boxed(bare.VBox, "pn-half", first, self._image.render()),
            boxed(bare.VBox, "pn-half", second, self._pixels.render()),
            boxed(bare.HBox, "pn-foot", counts, self._curve.render(), linked),
        )


def _radius(what: str) -> Any:
    return unseen(ipywidgets.BoundedFloatText(min=0, max=1e6, step=0.5, description=what, tooltip=f"{what}, px"))


def middles(pixels: Sequence[tuple[int, int]]) -> np.ndarray:
    """The middles of pixels (y, x), (n, 2); pixel n reaches from n to n + 1."""
    return np.array(pixels, float).reshape(-1, 2) + 0.5


def outline(detector: Detector) -> np.ndarray:
    """The edges of a virtual detector as one line, (n, 2) [y, x] px; pixel n reaches from n to n + 1."""
    y, x = detector.centre[0] + 0.5, detector.centre[1] + 0.5
    rings = [np.stack([y + r * np.sin(_AROUND), x + r * np.cos(_AROUND)], axis=1) for r in detector.edges]
    return np.concatenate(rings) if rings else np.zeros((0, 2))
