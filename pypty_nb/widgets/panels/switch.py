"""A step that has something of its own in the middle, or the pictures of the run there, and the switch between both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ipywidgets

from pypty_nb.widgets.panels.panel import boxed
from pypty_nb.widgets.views.parts import toggle
from pypty_nb.workspace import RunState

_PICTURES, _OWN = "pictures", "own"


class Switch:
    """Turns to the pictures of another run than before, whatever was chosen; where there is none, to what the step has.

    Parameters
    ----------
    own : str
        What the step has, for the button.
    changed : called when it is turned
    """

    def __init__(self, own: str, changed: Callable[[], None]):
        self._watched: tuple[Path | None, bool] = None, False
        self._which = toggle([("Pictures", _PICTURES), (own, _OWN)], _OWN, "In the middle")
        self._which.observe(lambda _change: changed(), "value")
        self._box = boxed(ipywidgets.HBox, "pn-which", self._which)

    def render(self) -> ipywidgets.DOMWidget:
        """The widget, always the same one."""
        return self._box

    @property
    def own(self) -> bool:
        """Whether what the step has is to be shown."""
        return self._which.value == _OWN

    def follow(self, state: RunState) -> None:
        """Turn where another run is looked at."""
        before, self._watched = self._watched, (state.folder, state.busy)
        if before[0] != state.folder or (state.busy and not before[1]):
            self._which.value = _OWN if state.folder is None else _PICTURES
