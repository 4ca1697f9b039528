"""The ledger as a list: a row for every run, newest first, with what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ipywidgets

from pypty_nb.widgets import text
from pypty_nb.widgets.panels.panel import boxed, heading
from pypty_nb.workspace.ledger import BROKEN, Entry

NO_RUNS = "No runs yet."
#: Rows shown before a person asks for more; every row is some widgets, and a project may have hundreds of runs.
AT_ONCE = 40

_MARKS = {
    "finished": "ok", "stopped": "stop", "failed": "err", "lost": "err", BROKEN: "err", "cut": "err", "paused": "pause",
    "waits": "pause", "running": "run", "preparing": "run", "stopping": "run",
}  # fmt: skip
_TITLES = ("Run", "Preset", "How it stands", "Epochs", "Loss", "Time", "Started")


@dataclass(frozen=True)
class Deeds:
    """What the rows may ask for, each with the run's folder name."""

    choose: Callable[[str], None]
    use: Callable[[str], None]
    compare: Callable[[str], None]
    delete: Callable[[str], None]


class LedgerList:
    """The runs of the project folder, newest first.

    Parameters
    ----------
    deeds : Deeds
    """

    def __init__(self, deeds: Deeds):
        self._deeds = deeds
        self._rows: dict[str, _Row] = {}
        self._entries: list[Entry] = []
        self._limit = AT_ONCE
        self._chosen = "", ""
        self._locked = False
        self._head = heading(_cells(_TITLES), "pn-runhead")
        self._body, self._nothing = boxed(ipywidgets.VBox, "pn-runs"), heading(NO_RUNS, "pn-nothing")
        self._more = ipywidgets.Button(description="Show older runs")
        self._more.on_click(lambda _button: self._show_more())
        self._widget = boxed(ipywidgets.VBox, "pn-ledger", self._head, self._body)
        self.show([])

    def render(self) -> ipywidgets.DOMWidget:
        """The widget, always the same one."""
        return self._widget

    def show(self, entries: Sequence[Entry]) -> None:
        """Show `entries`, given as the ledger gives them: oldest first."""
        self._entries = list(reversed(entries))
        shown = self._entries[: self._limit]
        self._rows = {entry.run: self._rows.get(entry.run) or _Row(entry.run, self._deeds) for entry in shown}
        for entry in shown:
            self._rows[entry.run].show(entry, self._letter(entry.run), locked=self._locked)
        rows = tuple(row.widget for row in self._rows.values())
        rest = (self._more,) if len(self._entries) > self._limit else ()
        children = (*rows, *rest) or (self._nothing,)
        if children != self._body.children:
            self._body.children = children

    def choose(self, first: str, second: str) -> None:
        """Mark the runs A and B; "" for none."""
        self._chosen = first, second
        self._again()

    def lock(self, *, locked: bool) -> None:
        """Whether a preset may be taken now."""
        if locked != self._locked:
            self._locked = locked
            self._again()

    def _letter(self, run: str) -> str:
        return "A" if run == self._chosen[0] else "B" if run == self._chosen[1] else ""

    def _show_more(self) -> None:
        self._limit += AT_ONCE
        self._again()

    def _again(self) -> None:
        self.show(self._entries[::-1])


class _Row:
    """One run: its cells, and its buttons."""

    def __init__(self, run: str, deeds: Deeds):
        self._asked = False
        self._cells = heading("", "pn-runcells")
        self._choose = _quiet(run, f"Choose run {run}", lambda: deeds.choose(run))
        self._choose.add_class("t")
        self._use = _quiet("Use preset", f"Work on with the preset of run {run}", lambda: deeds.use(run))
        self._compare = _quiet("Compare", f"Compare the chosen run with run {run}", lambda: deeds.compare(run))
        self._delete = _quiet("Delete", f"Move run {run} to runs/.trash", lambda: self._on_delete(deeds, run))
        self._keep = _quiet("Keep", f"Leave run {run} where it is", lambda: self._ask(asked=False))
        self._letter = heading("", "pn-letter")
        self._buttons = boxed(ipywidgets.HBox, "pn-rowbuttons")
        self.widget = boxed(ipywidgets.HBox, "pn-run", self._choose, self._cells, self._buttons, self._letter)
        self._ask(asked=False)

    def show(self, entry: Entry, letter: str, *, locked: bool) -> None:
        broken = entry.state == BROKEN
        self._cells.value = cells(entry)
        self._letter.value = f"<b>{letter}</b>"
        (self.widget.add_class if letter else self.widget.remove_class)("cur")
        self._use.disabled = locked or broken
        self._compare.disabled = bool(letter) or broken
        self._delete.disabled = entry.busy
        self._choose.disabled = broken

    def _ask(self, *, asked: bool) -> None:
        self._asked = asked
        self._delete.description = "Really delete" if asked else "Delete"
        self._buttons.children = (self._keep, self._delete) if asked else (self._use, self._compare, self._delete)

    def _on_delete(self, deeds: Deeds, run: str) -> None:
        asked = self._asked
        self._ask(asked=not asked)
        if asked:
            deeds.delete(run)


def cells(entry: Entry) -> str:
    """HTML of what the ledger says of a run, without its number."""
    words = entry.state + (f": {entry.problem}" if entry.problem else "")
    mark = _MARKS.get(entry.state.replace(":", " ").split(" ")[0], "todo")
    started = f"{entry.began.astimezone():%d %b %H:%M}" if entry.began is not None else ""
    return _cells(
        (
            None,
            f'<b title="{text.escape(entry.note)}">{text.escape(entry.name)}</b>',
            f'{text.mark(mark)} <span title="{text.escape(words)}">{text.escape(words)}</span>',
            text.count(entry.epochs) if entry.state != BROKEN else "",
            text.number(entry.last_loss) if entry.last_loss is not None else "–",
            text.duration(entry.seconds) if entry.seconds is not None else "–",
            f'<span class="m s">{text.escape(started)}</span>',
        )
    )


def _cells(values: Sequence[str | None]) -> str:
    return "".join(f"<span>{value}</span>" for value in values if value is not None)


def _quiet(words: str, tip: str, call: Callable[[], None]) -> ipywidgets.Button:
    button = ipywidgets.Button(description=words, tooltip=tip)
    button.add_class("pn-quiet")
    button.on_click(lambda _button: call())
    return button
