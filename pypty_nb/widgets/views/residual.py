"""The data term of every scan point, as a map of the scan."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import ipywidgets
import numpy as np

from pypty_nb.widgets import text
from pypty_nb.widgets.views.parts import beside, row, side
from pypty_nb.widgets.views.pick import Pick
from pypty_nb.widgets.views.scanpicture import ScanPicture
from pypty_nb.widgets.views.view import View
from pypty_nb.workspace import Scene


class Residual(View):
    """View of where the model does not yet explain the data; a click chooses the scan point whose patterns are shown.

    Where a run's folder holds no residual it is computed, in a thread.
    """

    title = "Residual"

    def png(self) -> bytes | None:
        return self._scan.picture.png()

    def _make(self) -> None:
        self._scan = ScanPicture(self.stage)
        self._computed_for: Any = None
        words = ipywidgets.HTML(
            "Per scan point: how far model and data are apart, against the mean. Click one to see its patterns."
        )
        words.add_class("pn-help")
        self._pick = Pick(self.stage)
        self._numbers = ipywidgets.HTML()
        self._numbers.add_class("pn-numbers")
        fit = ipywidgets.Button(description="Fit", tooltip="Show all of the picture")
        fit.on_click(lambda _button: self._scan.picture.fit())
        self._box = beside(self._scan.picture.render(), side(self.head, words, self._pick.render(), row(fit), self._numbers))
        self.stage.observe(lambda _change: self._say(), "index")

    def _draw(self, scene: Scene) -> None:
        report = scene.report
        if report is None:
            return
        if report.residual is not None:
            self._show(scene, np.asarray(report.residual, float))
        elif report.point.obj is not None and self._computed_for is not scene:
            self._computed_for = scene
            self.stage.tasks.start(partial(self._compute, scene))

    async def _compute(self, scene: Scene) -> None:
        self._scan.picture.clear("Computing the residual of every pattern …")
        try:
            residual = await asyncio.to_thread(self._computed, scene)
        except (ValueError, OSError) as error:
            self._scan.picture.clear(f"No residual: {text.failure(error)}.")
        else:
            if self._computed_for is scene:
                self._show(scene, residual)

    def _computed(self, scene: Scene) -> np.ndarray:
        report = scene.report
        assert report is not None
        return self.stage.reader(scene.preset).residual(report.point, report.epoch)

    def _show(self, scene: Scene, residual: np.ndarray) -> None:
        self._residual = residual
        self._scan.show(scene, residual)
        self._pick.show(residual.size, self._scan.grid)
        self._say()

    def _say(self) -> None:
        if not self._scan.count:
            return
        residual, mean = self._residual, float(self._residual.mean()) or 1.0
        here = self._scan.value(self.stage.index)
        rows = [
            ("scan points", text.count(residual.size)),
            ("spread", f"{100 * residual.std() / mean:.1f} %"),
            ("worst", self._scan.name(int(residual.argmax()))),
        ]
        if here is not None:
            rows.append(("here", f"{text.number(here)} × mean"))
        self._numbers.value = "".join(f"<div>{name} <b>{value}</b></div>" for name, value in rows)
