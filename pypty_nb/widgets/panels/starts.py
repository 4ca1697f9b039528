"""The named starts: recommended settings, each with when to use it."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets

from pypty_nb.params import starts
from pypty_nb.widgets import bare, text
from pypty_nb.widgets.views.parts import unseen

_NONE = "Choose a start …"


class StartPanel(bare.VBox):
    """A menu of the named starts, and a button that takes the one chosen.

    Parameters
    ----------
    on_start : called with the name of the start to take
    """

    def __init__(self, on_start: Callable[[str], None]):
        self._about = starts.available()
        self._locked = False
        self._menu = unseen(
            ipywidgets.Dropdown(
                options=[(_NONE, ""), *((name, name) for name in self._about)],
                description="Named start",
                tooltip="Settings to start from; data, calibration and arrays stay",
            )
        )
        self._menu.add_class("pn-grow")
        self._take = ipywidgets.Button(description="Use start", disabled=True)
        self._said = bare.HTML()
        self._said.add_class("pn-help")
        head, row = bare.HTML("Start from"), bare.HBox([self._menu, self._take])
        head.add_class("pn-h")
        row.add_class("pn-startrow")
        super().__init__([head, row, self._said])
        self.add_class("pn-starts")
        self._menu.observe(lambda _change: self._dress(), "value")
        self._take.on_click(lambda _button: on_start(self._menu.value))
        self._dress()

    def lock(self, locked: bool) -> None:
        """Let nothing be taken while a run is going."""
        self._locked = locked
        self._take.disabled = locked or not self._menu.value

    def tell(self, words: str, kind: str) -> None:
        """Say what became of the start asked for."""
        self._said.value = f'<div class="{kind}">{text.mark(kind)} {text.escape(words)}</div>'

    def _dress(self) -> None:
        self.lock(self._locked)
        about = self._about.get(self._menu.value, "Recommended settings. Data, calibration and arrays stay.")
        self._said.value = text.escape(about)
