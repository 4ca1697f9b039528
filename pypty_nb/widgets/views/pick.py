"""Fields for the chosen scan point: what a click does, by the keyboard."""

from __future__ import annotations

from typing import Any

import ipywidgets

from pypty_nb.widgets import bare
from pypty_nb.widgets.views.parts import row, unseen
from pypty_nb.widgets.views.stage import Stage
from pypty_nb.workspace.pictures import raster


class Pick:
    """Row and column of the chosen scan point where the scan is a raster, else its number."""

    def __init__(self, stage: Stage):
        self._stage = stage
        self._grid: tuple[int, int] | None = None
        self._setting = False
        self._row, self._column, self._number = (
            unseen(ipywidgets.BoundedIntText(value=0, min=0, max=0, description=what, tooltip=what))
            for what in ("Row", "Column", "Scan point")
        )
        self._words = [bare.HTML(word) for word in ("row", "col", "point")]
        for word in self._words:
            word.add_class("m")
        self._box = row()
        self._box.add_class("pn-pick")
        for field in (self._row, self._column, self._number):
            field.observe(self._typed, "value")
        stage.observe(lambda _change: self._follow(), "index")

    def render(self) -> ipywidgets.DOMWidget:
        """The widget, empty until `show`."""
        return self._box

    def show(self, count: int, grid: tuple[int, int] | None) -> None:
        """There are `count` scan points, on a grid of that size."""
        grid = raster(grid, count)
        if (grid, count) == (self._grid, self._number.max + 1) and self._box.children:
            return
        self._grid = grid
        self._setting = True
        self._number.max = max(count - 1, 0)
        if grid is not None:
            self._row.max, self._column.max = grid[0] - 1, grid[1] - 1
        self._setting = False
        first, second, alone = self._words
        self._box.children = (first, self._row, second, self._column) if grid is not None else (alone, self._number)
        self._follow()

    def _follow(self) -> None:
        self._setting = True
        index = self._stage.index
        self._number.value = min(index, self._number.max)
        if self._grid is not None:
            self._row.value, self._column.value = index // self._grid[1], index % self._grid[1]
        self._setting = False

    def _typed(self, _change: Any) -> None:
        if self._setting:
            return
        grid = self._grid
        self._stage.index = self._number.value if grid is None else self._row.value * grid[1] + self._column.value
