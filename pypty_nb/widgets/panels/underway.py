"""A bar with words on what is being done, seen only while it is."""

from __future__ import annotations

import ipywidgets

from pypty_nb.widgets import text
from pypty_nb.widgets.panels.panel import heading


class UnderWay(ipywidgets.VBox):
    """What is being done, and how much of it is."""

    def __init__(self):
        self._words = heading("", "pn-help")
        self._bar = ipywidgets.IntProgress(min=0, max=1, value=0)
        self._bar.add_class("pn-prog")
        super().__init__([self._words, self._bar])
        self.add_class("pn-underway")
        self.hide()

    @property
    def words(self) -> str:
        """What is said, "" while nothing is being done."""
        return "" if self.layout.display == "none" else self._said

    def show(self, words: str, done: int = 0, of: int = 1) -> None:
        """Say `words`, and set the bar."""
        self._said = words
        self._words.value = text.escape(words)
        self._bar.max, self._bar.value = max(of, 1), min(done, max(of, 1))
        self.layout.display = None

    def hide(self) -> None:
        """Nothing is being done any more."""
        self._said = ""
        self.layout.display = "none"
