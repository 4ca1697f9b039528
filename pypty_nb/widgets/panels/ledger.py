"""The ledger as a list: a row for every run, newest first; below it what lies in the trash."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import ipywidgets

from pypty_nb.params import FIELDS
from pypty_nb.widgets import bare, text
from pypty_nb.widgets.panels.panel import boxed, heading
from pypty_nb.widgets.views.parts import toggle
from pypty_nb.workspace.differences import Change
from pypty_nb.workspace.ledger import BROKEN, Entry, Trashed

NO_RUNS = "No runs yet."
_EMPTY = f"{NO_RUNS}<br>Every run of this project folder has a line here: press Run, or take a quick look in step 6."
_LOADING = "Reading the runs of the project folder …"
#: Rows shown before a person asks for more; every row is some widgets, and a project may have hundreds of runs.
AT_ONCE = 40
#: What the presets of the rows are compared with.
BEFORE, CHOSEN = "before", "chosen"

_MARKS = {
    "finished": "ok", "stopped": "stop", "failed": "err", "lost": "err", BROKEN: "err", "cut": "err", "paused": "pause",
    "waits": "pause", "running": "run", "preparing": "run", "stopping": "run",
}  # fmt: skip
_TITLES = ("Run", "", "Name", "Preset differs in", "How it stands", "Epochs", "Loss", "Time", "Started")


@dataclass(frozen=True)
class Deeds:
    """What the rows may ask for, each with the run's folder name; `restore` with the name in the trash."""

    choose: Callable[[str], None]
    open: Callable[[str], None]
    compare: Callable[[str], None]
    restore: Callable[[str], None]
    against: Callable[[], None]


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
        self._head = heading(_cells(_TITLES), "pn-runhead")
        self._against = toggle([("the run before", BEFORE), ("run A", CHOSEN)], BEFORE, "Presets are compared with")
        self._against.observe(lambda _change: deeds.against(), "value")
        self._body, self._nothing = boxed(bare.VBox, "pn-runs"), heading(_LOADING, "pn-nothing")
        self._more = ipywidgets.Button(description="Show older runs")
        self._more.on_click(lambda _button: self._show_more())
        self._trash = _TrashList(deeds.restore)
        about = heading('<span class="m s">Presets are compared with</span>', "pn-aboutrow")
        self._foot = boxed(bare.HBox, "pn-runfoot", about, self._against, self._trash.button)
        self._body.children = (self._nothing,)
        self._widget = boxed(bare.VBox, "pn-ledger", self._head, self._body, self._foot)

    def render(self) -> ipywidgets.DOMWidget:
        """The widget, always the same one."""
        return self._widget

    @property
    def against(self) -> str:
        """What the presets of the rows are compared with: `BEFORE` or `CHOSEN`."""
        return str(self._against.value)

    @property
    def shown(self) -> tuple[str, ...]:
        """The runs that have a row, newest first."""
        return tuple(self._rows)

    def show(self, entries: Sequence[Entry], trashed: Sequence[Trashed] = ()) -> None:
        """Show `entries`, given as the ledger gives them, oldest first, and what lies in the trash, latest first."""
        self._trash.show(trashed)
        self._entries = list(reversed(entries))
        self._nothing.value = _EMPTY
        self._again()

    def detail(self, run: str, picture: bytes | None, changes: tuple[Change, ...] | None) -> None:
        """Show the picture of a run and how its preset differs; ``None`` where there is none, or nothing to compare with."""
        if run in self._rows:
            self._rows[run].detail(picture, changes)

    def choose(self, first: str, second: str) -> None:
        """Mark the runs A and B; "" for none."""
        self._chosen = first, second
        if self._entries:
            self._again()

    def _letter(self, run: str) -> str:
        return "A" if run == self._chosen[0] else "B" if run == self._chosen[1] else ""

    def _show_more(self) -> None:
        self._limit += AT_ONCE
        self._again()
        self._deeds.against()

    def _again(self) -> None:
        shown = self._entries[: self._limit]
        self._rows = {entry.run: self._rows.get(entry.run) or _Row(entry.run, self._deeds) for entry in shown}
        for entry in shown:
            self._rows[entry.run].show(entry, self._letter(entry.run))
        rows = tuple(row.widget for row in self._rows.values())
        rest = (self._more,) if len(self._entries) > self._limit else ()
        children = (*((*rows, *rest) or (self._nothing,)), self._trash.box)
        if children != self._body.children:
            self._body.children = children


class _Row:
    """One run: its picture, its cells, and its buttons."""

    def __init__(self, run: str, deeds: Deeds):
        self._run = run
        self._entry: Entry | None = None
        self._changes: tuple[Change, ...] | None = None
        self._picture, self._cells = heading("<i></i>", "pn-thumb"), heading("", "pn-runcells")
        self._choose = quiet(run, f"Choose run {run}", lambda: deeds.choose(run))
        self._choose.add_class("t")
        self._open = quiet("Open", f"Show run {run} in the views", lambda: deeds.open(run))
        self._compare = quiet("Compare", f"Compare the chosen run with run {run}", lambda: deeds.compare(run))
        self._letter = heading("", "pn-letter")
        buttons = boxed(bare.HBox, "pn-rowbuttons", self._open, self._compare)
        self.widget = boxed(bare.HBox, "pn-run", self._choose, self._picture, self._cells, buttons, self._letter)

    def show(self, entry: Entry, letter: str) -> None:
        broken = entry.state == BROKEN
        self._entry = entry
        self._cells.value = cells(entry, self._changes)
        self._letter.value = f"<b>{letter}</b>"
        (self.widget.add_class if letter else self.widget.remove_class)("cur")
        self._open.disabled = broken
        self._compare.disabled = bool(letter) or broken

    def detail(self, picture: bytes | None, changes: tuple[Change, ...] | None) -> None:
        self._changes = changes
        if picture is not None:
            url = base64.b64encode(picture).decode()
            self._picture.value = f'<img src="data:image/png;base64,{url}" alt="Object phase of run {text.escape(self._run)}">'
        if self._entry is not None:
            self._cells.value = cells(self._entry, changes)


class _TrashList:
    """What was deleted, each with a button that brings it back."""

    def __init__(self, restore: Callable[[str], None]):
        self._restore = restore
        self._trashed: tuple[Trashed, ...] = ()
        self._open = False
        self.button = quiet("", "Show or hide what was deleted", self._turn)
        self.box = boxed(bare.VBox, "pn-trash")
        self._dress()

    def show(self, trashed: Sequence[Trashed]) -> None:
        if tuple(trashed) != self._trashed:
            self._trashed = tuple(trashed)
            self._dress()

    def _turn(self) -> None:
        self._open = not self._open
        self._dress()

    def _dress(self) -> None:
        many = text.plural(len(self._trashed), "deleted run")
        self._open = self._open and bool(self._trashed)
        self.button.description = f"Hide {many}" if self._open else f"Show {many}"
        self.button.layout.display = None if self._trashed else "none"
        self.box.children = tuple(map(self._line, self._trashed[:AT_ONCE])) if self._open else ()

    def _line(self, trashed: Trashed) -> ipywidgets.DOMWidget:
        when = f"deleted {trashed.when.astimezone():%d %b %H:%M}"
        said = f"<b>{text.escape(trashed.run)}</b> {text.escape(trashed.name)}"
        words = heading(f'<span class="ell">{said} <span class="m s">{text.escape(when)}</span></span>', "pn-grow")
        button = quiet("Restore", f"Bring run {trashed.run} back", partial(self._restore, trashed.kept))
        return boxed(bare.HBox, "pn-trashed", words, button)


def cells(entry: Entry, changes: tuple[Change, ...] | None = None) -> str:
    """HTML of what the ledger says of a run, without its number; `changes` from the run that it is compared with."""
    words = entry.state + (f": {entry.problem}" if entry.problem else "")
    mark = _MARKS.get(entry.state.replace(":", " ").split(" ")[0], "todo")
    started = f"{entry.began.astimezone():%d %b %H:%M}" if entry.began is not None else ""
    epochs = text.count(entry.epochs) if entry.state != BROKEN else ""
    return _cells(
        (
            f'<b title="{text.escape(entry.note)}">{text.escape(entry.name or ("quick look" if entry.quick else ""))}</b>',
            _differs(changes),
            f'{text.mark(mark)} <span title="{text.escape(words)}">{text.escape(words)}</span>',
            f'{epochs}<span class="m"> of {text.count(entry.planned)}</span>' if epochs and entry.planned else epochs,
            text.number(entry.last_loss) if entry.last_loss is not None else "–",
            text.duration(entry.seconds) if entry.seconds is not None else "–",
            f'<span class="m s">{text.escape(started)}</span>',
        )
    )


def named(name: str) -> str:
    """What the parameter `name` is called on the page."""
    return str(FIELDS[name].label) if name in FIELDS else name


def quiet(words: str, tip: str, call: Callable[[], None]) -> ipywidgets.Button:
    """A button that looks like a link."""
    button = ipywidgets.Button(description=words, tooltip=tip)
    button.add_class("pn-quiet")
    button.on_click(lambda _button: call())
    return button


def _differs(changes: tuple[Change, ...] | None) -> str:
    if changes is None:
        return '<span class="m">–</span>'
    if not changes:
        return '<span class="m">in nothing</span>'
    told = "\n".join(f"{named(change.name)}: {change.before} → {change.after}" for change in changes)
    short = ", ".join(f"{named(change.name)} {change.after}" for change in changes)
    return f'<span class="s" title="{text.escape(told)}">{text.escape(short)}</span>'


def _cells(values: Sequence[str]) -> str:
    return "".join(f"<span>{value}</span>" for value in values)
