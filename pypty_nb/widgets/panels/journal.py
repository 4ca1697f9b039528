"""What happened to the run, below the form: changes with old and new value, undone ones, resumptions."""

from __future__ import annotations

from collections.abc import Iterable

import ipywidgets

from pypty_nb.widgets import bare, text
from pypty_nb.workspace import Event

#: The latest ones; the run's folder has them all.
_LINES = 8


class JournalList(ipywidgets.VBox):
    """The latest lines of a run's journal; nothing where there is none."""

    def __init__(self):
        head, self._lines = bare.HTML("Journal"), bare.HTML()
        head.add_class("pn-h")
        self._lines.add_class("pn-journal")
        super().__init__([head, self._lines])
        self.layout.display = "none"

    def show(self, entries: Iterable[Event], waiting: Iterable[Event] = ()) -> None:
        """Show what has happened, and what is to happen."""
        lines = [(event, "") for event in entries] + [(event, ' <span class="m">(waits)</span>') for event in waiting]
        rows = "".join(
            f"<tr><td>{event.epoch}</td><td>{text.escape(event.words)}{more}</td></tr>" for event, more in lines[-_LINES:]
        )
        self._lines.value = f"<table>{rows}</table>"
        self.layout.display = "" if rows else "none"
