"""The data term of every scan point, as a map of the scan."""

from __future__ import annotations

import ipywidgets
import numpy as np

from pypty_nb.widgets import colour, text
from pypty_nb.widgets.bridge import Bridge
from pypty_nb.widgets.views.parts import side
from pypty_nb.widgets.views.picture import Frame, Picture
from pypty_nb.widgets.views.view import Scene

EMPTY = "No residual yet.<br>It appears after epoch 1."
NO_GRID = "A map needs the scan's size. Set Scan points in step 2."


class Residual:
    """View of where the model does not yet explain the data."""

    def __init__(self, bridge: Bridge):
        self._picture = Picture(bridge, "viridis", EMPTY)
        self._words = ipywidgets.HTML("Per scan point: how far model and data are apart, against the mean.")
        self._words.add_class("pn-help")
        self._numbers = ipywidgets.HTML()
        self._numbers.add_class("pn-numbers")
        column = side("Residual", self._words, self._numbers)
        self._box = ipywidgets.HBox([self._picture.render(), column])
        self._box.add_class("pn-view")

    def render(self) -> ipywidgets.DOMWidget:
        """The widget."""
        return self._box

    def update(self, scene: Scene) -> None:
        """Show the residual of the latest report."""
        if scene.report is None or scene.report.residual is None:
            return
        residual = np.asarray(scene.report.residual, float)
        grid = scene.preset.scan_size
        self._numbers.value = _numbers(residual, grid)
        if grid is None or grid[0] * grid[1] != residual.size:
            self._picture.clear(NO_GRID)
            return
        # against the mean, since the sum of all is the loss, which has a view of its own
        relative, every = colour.shrink(residual.reshape(grid) / (residual.mean() or 1.0))
        low, high = float(relative.min()), float(relative.max())
        caption = f"min <b>{text.number(low)}</b>&ensp;max <b>{text.number(high)}</b> × mean"
        self._picture.update(Frame(relative, (low, max(high, low + 1e-9)), caption, every=every))


def _numbers(residual: np.ndarray, grid: tuple[int, int] | None) -> str:
    worst = int(residual.argmax())
    place = f"{worst}" if grid is None or grid[0] * grid[1] != residual.size else f"y {worst // grid[1]}, x {worst % grid[1]}"
    mean = residual.mean() or 1.0
    rows = (
        ("scan points", text.count(residual.size)),
        ("spread", f"{100 * residual.std() / mean:.1f} %"),
        ("worst", place),
    )
    return "".join(f"<div>{name} <b>{value}</b></div>" for name, value in rows)
