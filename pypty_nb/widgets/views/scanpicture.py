"""A map of the scan to click on: the residual of every scan point."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from pypty_nb.widgets import text
from pypty_nb.widgets.views.picture import Dress, Frame, Picture
from pypty_nb.widgets.views.stage import Stage
from pypty_nb.widgets.views.surfaces import Overlay
from pypty_nb.workspace import Scene
from pypty_nb.workspace.pictures import ScanMap, scan_map

EMPTY = "No residual yet.<br>It appears after epoch 1."
NO_MAP = "A map needs the scan's size or its positions. Set Scan points in step 1."


class ScanPicture:
    """The data term of every scan point against the mean; a click chooses a scan point, a ring marks the chosen one.

    A run's folder holds no residual: it is computed at first and when the run has ended, in a thread where there is a loop.

    Parameters
    ----------
    stage : Stage
    on_shown : callable
        Told when the map has changed.
    captioned : bool
        Whether it has a line below.
    """

    def __init__(self, stage: Stage, on_shown: Callable[[], None], *, captioned: bool = True):
        self._on_shown = on_shown
        self._computing: Any = None
        self._stage = stage
        self._map: ScanMap | None = None
        self.residual = self._relative = np.zeros(0)
        #: Smallest and largest value, HTML.
        self.range = ""
        self.picture = Picture(stage, Dress("viridis", EMPTY, captioned=captioned), on_click=self._clicked)
        stage.observe(self._ring, "index")

    def update(self, scene: Scene) -> None:
        """Show the residual of the latest report."""
        report = scene.report
        if report is None:
            return
        if report.residual is not None:
            self._show(scene, np.asarray(report.residual, float))
        elif report.point.obj is not None and self._computing is None and (report.final or not self.count):
            if not self._stage.tasks.looping:
                self._take(scene, self._computed(scene))
                return
            self._computing = report
            if not self.count:
                self.picture.clear("Computing the residual of every pattern …")
            self._stage.tasks.start(partial(self._compute, scene))

    async def _compute(self, scene: Scene) -> None:
        try:
            self._take(scene, await asyncio.to_thread(self._computed, scene))
        finally:
            self._computing = None

    def _computed(self, scene: Scene) -> np.ndarray | str:
        """The residual, or why there is none; takes a pass over the data."""
        try:
            return self._stage.residual(scene)
        except (ValueError, OSError) as error:
            return f"No residual: {text.failure(error)}."

    def _take(self, scene: Scene, computed: np.ndarray | str) -> None:
        if isinstance(computed, str):
            self.picture.clear(computed)
        else:
            self._show(scene, computed)

    def _show(self, scene: Scene, residual: np.ndarray) -> None:
        # no measured pattern is met exactly: nothing is left only of those the run leaves out
        used = residual > 0 if residual.any() else np.ones(len(residual), bool)
        mean = float(residual[used].mean()) or 1.0
        self.residual, self._relative = residual, residual / mean
        self._map = scan_map(self._relative, scene.point.positions if scene.point else None, scene.preset.scan_size)
        if self._map is None:
            self.picture.clear(NO_MAP)
            self._on_shown()
            return
        self._stage.settle(self.count, self.grid)
        low, high = float(self._relative[used].min()), float(self._relative[used].max())
        self.range = f"<b>{text.number(low)}</b> to <b>{text.number(high)}</b>"
        caption = f"{self.range} × mean"
        limits = (low, max(high, low + 1e-9))
        self.picture.update(Frame(self._map.values, limits=limits, caption=caption, where=self._map.words))
        self._ring()
        self._on_shown()

    def words(self, index: int) -> str:
        """Scan point `index` in words."""
        return self._map.name(index) if self._map is not None else f"scan point {index}"

    def value(self, index: int) -> float | None:
        """The residual of scan point `index`, against the mean."""
        return float(self._relative[index]) if 0 <= index < len(self._relative) else None

    @property
    def grid(self) -> tuple[int, int] | None:
        """The scan's size where it is a grid."""
        return self._map.grid if self._map is not None else None

    @property
    def count(self) -> int:
        """How many scan points there are."""
        return len(self._relative)

    def _ring(self, _change: Any = None) -> None:
        place = self._map.place(self._stage.index) if self._map is not None else None
        self.picture.overlay(Overlay(chosen=place))

    def _clicked(self, y: float, x: float) -> None:
        index = self._map.at(y, x) if self._map is not None else None
        if index is not None:
            self._stage.index = index
