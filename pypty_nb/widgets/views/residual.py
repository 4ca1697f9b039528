"""The data term of every scan point, as a map of the scan."""

from __future__ import annotations

import ipywidgets

from pypty_nb.widgets import bare, text
from pypty_nb.widgets.views.parts import beside, row, side
from pypty_nb.widgets.views.pick import Pick
from pypty_nb.widgets.views.scanpicture import ScanPicture
from pypty_nb.widgets.views.view import View
from pypty_nb.workspace import Scene


class Residual(View):
    """View of where the model does not yet explain the data; a click chooses the scan point whose patterns are shown.

    Where a run's folder holds no residual it is computed, in a thread where there is an event loop to wait for it.
    """

    title = "Residual"

    def png(self) -> bytes | None:
        return self._scan.picture.png()

    def _make(self) -> None:
        self._scan = ScanPicture(self.stage, self._say)
        words = bare.HTML("Per scan point: how far model and data are apart, against the mean. Click one to see its patterns.")
        words.add_class("pn-help")
        self._pick = Pick(self.stage)
        self._numbers = bare.HTML()
        self._numbers.add_class("pn-numbers")
        fit = ipywidgets.Button(description="Fit", tooltip="Show all of the picture")
        fit.on_click(lambda _button: self._scan.picture.fit())
        self._box = beside(self._scan.picture.render(), side(self.head, words, self._pick.render(), row(fit), self._numbers))
        self.stage.observe(lambda _change: self._say(), "index")

    def _draw(self, scene: Scene) -> None:
        self._scan.update(scene)

    def _say(self) -> None:
        residual = self._scan.residual
        if not residual.size:
            return
        self._pick.show(residual.size, self._scan.grid)
        mean = float(residual.mean()) or 1.0
        here = self._scan.value(self.stage.index)
        rows = [
            ("scan points", text.count(residual.size)),
            ("spread", f"{100 * residual.std() / mean:.1f} %"),
            ("worst", self._scan.words(int(residual.argmax()))),
        ]
        if here is not None:
            rows.append(("here", f"{text.number(here)} × mean"))
        self._numbers.value = "".join(f"<div>{name} <b>{value}</b></div>" for name, value in rows)
