"""The run that is chosen in the ledger: what people call it, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ipywidgets

from pypty_nb.widgets import text
from pypty_nb.widgets.panels.ledger import NO_RUNS
from pypty_nb.widgets.panels.panel import boxed, heading
from pypty_nb.workspace.ledger import BROKEN, Entry

PROMOTE = "Run in full from here"
PROMOTED = "All patterns, slices and modes; object, probe and positions start where the quick look ended."
_HALVES = "Two runs with this preset, each on every second scan point: where they agree is the resolution."


@dataclass(frozen=True)
class RunDeeds:
    """What may be asked for of a run, each with its folder's name."""

    open: Callable[[str], None]
    use: Callable[[str], None]
    promote: Callable[[str], None]
    halve: Callable[[str], None]
    delete: Callable[[str], None]
    rename: Callable[[str, str], None]
    annotate: Callable[[str, str], None]


class ChosenRun:
    """Name, note and buttons of one run.

    Parameters
    ----------
    deeds : RunDeeds
    """

    def __init__(self, deeds: RunDeeds):
        self._deeds = deeds
        self._entry: Entry | None = None
        self._locked = self._setting = self._asked = False
        self._title, self._stands = heading("", "pn-title"), heading("", "pn-help pn-stands")
        self._name = ipywidgets.Text(description="Name", placeholder="none", continuous_update=False)
        self._note = ipywidgets.Textarea(description="Note", placeholder="none", continuous_update=False, rows=2)
        self._name.observe(lambda change: self._typed(deeds.rename, change), "value")
        self._note.observe(lambda change: self._typed(deeds.annotate, change), "value")
        self._open = self._button("Open", "Show it in the views", deeds.open)
        self._use = self._button("Use preset", "Work on with a copy of its preset", deeds.use)
        self._halve = self._button("Run two halves", _HALVES, deeds.halve)
        self._promote = self._button(PROMOTE, PROMOTED, deeds.promote)
        self._delete = self._button("Delete", "Move it to the trash of the project folder", lambda _run: self._ask(asked=True))
        self._sure = self._button("Really delete", "Move it to the trash of the project folder", self._deleted)
        self._keep = self._button("Keep", "Leave it where it is", lambda _run: self._ask(asked=False))
        self._buttons, self._about = boxed(ipywidgets.HBox, "pn-buttons pn-deeds"), heading("", "pn-help")
        fields = [boxed(ipywidgets.VBox, "pn-field", field) for field in (self._name, self._note)]
        self._parts = (self._title, self._stands, *fields, self._buttons, self._about)
        self._widget = boxed(ipywidgets.VBox, "pn-formbody pn-chosen")
        self.show(None, locked=False)

    def render(self) -> ipywidgets.DOMWidget:
        """The widget, always the same one."""
        return self._widget

    def show(self, entry: Entry | None, *, locked: bool) -> None:
        """Show a run; ``None`` for none. `locked` is whether nothing may be started or taken now."""
        before = self._entry if self._entry is not None and entry is not None and entry.run == self._entry.run else None
        self._asked = self._asked and before is not None
        self._entry, self._locked = entry, locked
        if entry is None:
            self._widget.children = (heading("Results", "pn-title"), heading(NO_RUNS, "pn-help"))
            return
        self._setting = True
        for field, known, value in (
            (self._name, before and before.name, entry.name),
            (self._note, before and before.note, entry.note),
        ):
            # what was typed since and is not written yet stays
            if known != value:
                field.value = value
        self._setting = False
        words = entry.state + (f": {entry.problem}" if entry.problem else "")
        self._title.value, self._stands.value = f"Run {text.escape(entry.run)}", text.escape(text.sentence(words))
        self._about.value = text.escape(PROMOTED) if entry.quick else ""
        self._dress(entry)
        if self._widget.children != self._parts:
            self._widget.children = self._parts

    def _dress(self, entry: Entry) -> None:
        broken = entry.state == BROKEN
        started = entry.last_loss is not None
        self._name.disabled = self._note.disabled = self._open.disabled = broken
        self._use.disabled = broken or self._locked
        self._halve.disabled = broken
        self._promote.disabled = broken or self._locked or entry.busy or not started
        self._delete.disabled = self._sure.disabled = entry.busy
        more = (self._promote,) if entry.quick else (self._halve,)
        shown = (self._keep, self._sure) if self._asked else (self._open, self._use, *more, self._delete)
        if self._buttons.children != shown:
            self._buttons.children = shown

    def _button(self, words: str, tip: str, deed: Callable[[str], None]) -> ipywidgets.Button:
        button = ipywidgets.Button(description=words, tooltip=tip)
        button.on_click(lambda _button: deed(self._entry.run) if self._entry is not None else None)
        return button

    def _ask(self, *, asked: bool) -> None:
        self._asked = asked
        if self._entry is not None:
            self._dress(self._entry)
        # the button that was pressed is gone
        (self._keep if asked else self._delete).focus()

    def _deleted(self, run: str) -> None:
        self._asked = False
        self._deeds.delete(run)

    def _typed(self, deed: Callable[[str, str], None], change: Any) -> None:
        if not self._setting and self._entry is not None:
            deed(self._entry.run, change["new"])
