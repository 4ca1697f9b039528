"""What views that are shown together share: the browser's word, the chosen scan point, patterns read in a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import traitlets

from pypty_nb.params import Preset
from pypty_nb.records import EpochReport
from pypty_nb.widgets.bridge import Bridge
from pypty_nb.widgets.tasks import Tasks
from pypty_nb.workspace import PatternReader, Scene, scene_of
from pypty_nb.workspace.pictures import raster


class Stage(traitlets.HasTraits):
    """What views that are shown together share.

    Attributes
    ----------
    index : int
        The chosen scan point; -1 before there is one.
    bridge : Bridge
    tasks : Tasks
    others : tuple of (str, str)
        Words and key of every other run whose loss can be drawn beside that of the one shown.
    losses_of : callable
        Gives the losses of the run of a key; called in a thread.
    on_failure : callable
        Told of what went wrong in the background.
    """

    index = traitlets.Int(-1)
    others = traitlets.Tuple()

    def __init__(self, bridge: Bridge | None = None):
        super().__init__()
        self.bridge = bridge if bridge is not None else Bridge()
        self.on_failure: Callable[[Exception], None] = lambda error: None
        self.losses_of: Callable[[str], Scene] = scene_of
        self.tasks = Tasks(lambda error: self.on_failure(error))
        self._reader: PatternReader | None = None
        self._residual: tuple[EpochReport, np.ndarray] | None = None
        self._reading, self._computing = threading.Lock(), threading.Lock()

    def settle(self, count: int, grid: tuple[int, int] | None) -> None:
        """See to it that the chosen scan point is one of `count`: at first one in the middle of the scan."""
        if count and not 0 <= self.index < count:
            size = raster(grid, count)
            self.index = count // 2 if size is None else size[0] // 2 * size[1] + size[1] // 2

    def reader(self, preset: Preset) -> PatternReader:
        """The run's patterns; made when first asked for, in whatever thread, and kept until another run is looked at."""
        with self._reading:
            if self._reader is None or self._reader.preset is not preset:
                self._reader = PatternReader(preset)
            return self._reader

    def residual(self, scene: Scene) -> np.ndarray:
        """The data term of every pattern of `scene`, (pattern,); computed when first asked for, in whatever thread."""
        report = scene.report
        if report is None:
            raise ValueError("the run has no arrays yet")
        reader = self.reader(scene.preset)
        with self._computing:
            if self._residual is None or self._residual[0] is not report:
                self._residual = report, reader.residual(report.point, report.epoch)
            return self._residual[1]

    def later(self, seconds: float, call: Callable[[], None]) -> Any:
        """Call in `seconds`, at once where there is no event loop; ``None`` then."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            call()
            return None
        return loop.call_later(seconds, call)
