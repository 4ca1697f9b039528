"""The last step: every run of the project folder, what to take home of it, and two of them against each other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import ipywidgets

from pypty_nb.widgets import bare, text
from pypty_nb.widgets.panels.chosen import ChosenRun, RunDeeds
from pypty_nb.widgets.panels.compare import CompareView
from pypty_nb.widgets.panels.export import ExportPart
from pypty_nb.widgets.panels.ledger import BEFORE, Deeds, LedgerList
from pypty_nb.widgets.panels.panel import Moment, Page, boxed, heading
from pypty_nb.widgets.panels.runs import KnownRuns
from pypty_nb.widgets.panels.together import PairPictures
from pypty_nb.workspace.comparing import compare, pictures
from pypty_nb.workspace.differences import Change
from pypty_nb.workspace.ledger import BROKEN, Entry
from pypty_nb.workspace.thumbnails import thumbnail

_NONE = "None yet. Open shows one there."
#: While a run is going, its line is read again no more often than this.
_EVERY_S = 1.0
#: Epochs of a run under way after which its picture is made anew.
_AGAIN = 10


class ResultsPanel(bare.VBox):
    """The ledger and two runs side by side in the middle; the comparison, the chosen run and export in the column.

    Parameters
    ----------
    page : Page
    runs : KnownRuns
    """

    def __init__(self, page: Page, runs: KnownRuns):
        self._page, self._runs, self._ledger = page, runs, runs.ledger
        self._read = 0.0
        self._first, self._second = "", ""
        self._locked = self._entered = False
        self._undone = ""
        self._details: dict[str, tuple[object, ...]] = {}
        self._detailing = self._picturing = False
        #: The run whose pictures are shown alone, and how far it was.
        self._pictured: tuple[object, ...] = ()
        self._list = LedgerList(self._row_deeds())
        self._chosen = ChosenRun(self._run_deeds())
        self._comparison, self._pictures = CompareView(page.stage), PairPictures(page.stage)
        self._centre = boxed(bare.VBox, "pn-results", self._list.render(), self._pictures.render())
        self._export = ExportPart(page, self._ledger)
        self._said = heading("", "pn-help pn-saidof")
        self._undo = ipywidgets.Button(description="Undo", tooltip="Bring the deleted run back")
        self._undo.on_click(lambda _button: page.tasks.start(partial(self.restore, self._undone)))
        self._telling = boxed(bare.HBox, "pn-telling", self._said)
        self._run = heading(f'<span class="m">{_NONE}</span>', "pn-table")
        refresh = ipywidgets.Button(description="Refresh", tooltip="Read the runs of the project folder again")
        refresh.on_click(lambda _button: page.tasks.start(self.refresh))
        latest = (heading("Run in the views", "pn-h"), self._run, boxed(bare.HBox, "pn-buttons", refresh))
        super().__init__([*self._export.parts, *latest])
        self.add_class("pn-formbody")
        runs.watch(self._show_runs)
        if runs.entries:
            self._show_runs()

    def _row_deeds(self) -> Deeds:
        start = self._page.tasks.start
        return Deeds(
            choose=lambda run: self._page.tasks.soon(self._choose, run),
            open=lambda run: start(partial(self.look_at, run)),
            compare=lambda run: start(partial(self.compare, run)),
            restore=lambda kept: start(partial(self.restore, kept)),
            against=lambda: start(self._show_details),
        )

    def _run_deeds(self) -> RunDeeds:
        start = self._page.tasks.start
        return RunDeeds(
            open=lambda run: start(partial(self.look_at, run)),
            use=lambda run: start(partial(self.use, run)),
            promote=lambda run: start(partial(self._page.promote, run)),
            halve=lambda run: start(partial(self.halve, run)),
            delete=lambda run: start(partial(self.delete, run)),
            rename=lambda run, name: start(partial(self._write, self._ledger.rename, run, name)),
            annotate=lambda run, note: start(partial(self._write, self._ledger.annotate, run, note)),
        )

    # ---- the step
    def centre(self) -> ipywidgets.DOMWidget | None:
        """The ledger, and below it the pictures of two runs."""
        return self._centre

    def column(self) -> Sequence[ipywidgets.DOMWidget]:
        """The comparison where there is one, then the chosen run, then export."""
        return (self._telling, self._comparison.render(), self._chosen.render(), self)

    def enter(self) -> None:
        """Read the ledger again: other programs write runs, too."""
        self._entered = True
        self._page.tasks.start(self._export.load)
        self._page.tasks.start(self.refresh)

    def show(self, moment: Moment) -> None:
        """Say how the run in the views stands; read the ledger again where it has moved on."""
        if moment.locked != self._locked:
            self._locked = moment.locked
            self._show_chosen()
        if (folder := moment.state.folder) is not None:
            rows = "".join(f"<tr><td>{name}</td><td>{text.escape(value)}</td></tr>" for name, value in moment.rows.items())
            self._run.value = f'<code class="pn-path">{text.escape(folder)}</code><table>{rows}</table>'
        if moment.state.busy and time.monotonic() - self._read >= _EVERY_S:
            self._read = time.monotonic()
            self._page.tasks.start(self.refresh)

    def blink(self) -> None:
        """Show the other of the two runs that are compared."""
        self._pictures.blink()

    async def refresh(self) -> None:
        """Read the ledger."""
        await self._runs.read()

    def _show_runs(self) -> None:
        """Show what has been read."""
        runs = [entry.run for entry in self._runs.entries]
        if self._first not in runs:
            whole = [entry.run for entry in self._runs.entries if entry.state != BROKEN]
            self._choose((whole or runs or [""])[-1])
        if self._second and self._second not in runs:
            self._choose(self._first)
        self._list.show(self._runs.entries, self._runs.trashed)
        self._show_chosen()
        self._watch_twin()
        self._page.tasks.start(self._show_details)
        self._page.tasks.start(self._show_one)

    # ---- what a person does
    def _choose(self, run: str) -> None:
        self._pair(run)
        self._comparison.clear()
        self._pictures.clear()
        self._pictured = ()
        self._mark()
        self._watch_twin()
        self._page.tasks.start(self._show_one)

    def _pair(self, first: str, second: str = "") -> None:
        self._first, self._second = first, second
        self._runs.compared = bool(second)

    def _mark(self) -> None:
        self._list.choose(self._first, self._second)
        self._export.choose(self._first)
        self._show_chosen()
        if self._list.against != BEFORE:
            self._page.tasks.start(self._show_details)

    async def look_at(self, run: str) -> None:
        """Show a run in the views."""
        await self._try(lambda: self._page.watch(self._ledger.open(run).path, stay=False))

    async def use(self, run: str) -> None:
        """Take the preset of a run."""
        workspace = self._page.workspace
        if workspace.runner.state.busy:
            return
        try:
            found = await asyncio.to_thread(workspace.use_run, run)
        except (ValueError, OSError) as error:
            self._warn(error)
        else:
            self._page.log(f"took: {found}")
            self._tell("ok", f"The page has the preset of run {run} now.")
        self._page.changed()

    async def halve(self, run: str) -> None:
        """Queue two runs on the halves of a run's patterns; their correlation is shown once both have finished."""
        self._tell("", f"Queueing two halves of run {run} …")
        try:
            first, second = await asyncio.to_thread(self._page.workspace.start_halves, run)
        except (ValueError, OSError) as error:
            self._tell("err", text.sentence(self._said_of(error)))
            return
        self._tell(
            "run", f"Runs {first} and {second} are under way. Their ring correlation appears here when both have finished."
        )
        self._page.log(f"two halves of run {run}: {first} and {second}")
        await self.refresh()
        self._choose(first)

    async def delete(self, run: str) -> None:
        """Move a run to the trash."""
        try:
            kept = await asyncio.to_thread(self._ledger.trash, run)
        except (ValueError, OSError) as error:
            self._warn(error)
        else:
            self._page.log(f"run {run} lies in runs/.trash/{kept}")
            self._tell("ok", f"Run {run} lies in the trash.", undone=kept)
        await self.refresh()

    async def restore(self, kept: str) -> None:
        """Bring a run back from the trash."""
        try:
            run = await asyncio.to_thread(self._ledger.restore, kept)
        except (ValueError, OSError) as error:
            self._warn(error)
        else:
            self._tell("ok", f"Run {run} is back.")
        await self.refresh()

    async def compare(self, run: str) -> None:
        """Compare the chosen run with `run`."""
        if not self._first or run == self._first:
            return
        first = self._first
        self._pair(first, run)
        self._mark()
        self._comparison.tell(f"Comparing {first} with {run} …")
        self._pictures.tell("Registering the pictures …")
        try:
            found = await asyncio.to_thread(compare, self._ledger, first, run)
        except (ValueError, OSError) as error:
            if (first, run) == (self._first, self._second):
                self._comparison.tell(text.sentence(self._said_of(error)), "err")
                self._pictures.clear()
        else:
            # another pair may have been chosen meanwhile
            if (first, run) == (self._first, self._second):
                self._comparison.show(found, self._page.workspace.shortened(found.problem))
                self._pictures.show(found)
        self._page.changed()

    # ---- inside
    async def _try(self, begin: Callable[[], Awaitable[None]]) -> None:
        try:
            await begin()
        except (ValueError, OSError) as error:
            self._warn(error)

    async def _write(self, write: Callable[[str, str], None], run: str, words: str) -> None:
        await self._try(lambda: asyncio.to_thread(write, run, words))
        await self.refresh()

    def _show_chosen(self) -> None:
        self._chosen.show(self._runs.entry(self._first), locked=self._locked)

    def _watch_twin(self) -> None:
        """Where the chosen run is a half, show what it and the other half agree on, or follow the one that is not done."""
        half = self._runs.entry(self._first)
        other = self._runs.entry(half.twin) if half is not None and half.twin else None
        # a number may have been given again since
        if half is None or other is None or other.twin != half.run or self._second or not self._entered:
            return
        under_way = [entry for entry in (half, other) if entry.busy]
        if not under_way:
            if all(entry.last_loss is not None for entry in (half, other)):
                self._tell("ok", f"Runs {half.run} and {other.run} are two halves of the same patterns.")
                self._page.tasks.start(partial(self.compare, other.run))
        elif not self._page.workspace.runner.state.busy:
            self._page.tasks.start(partial(self._page.watch, under_way[0].path, stay=True))

    async def _show_one(self) -> None:
        """The pictures of the chosen run while no other is compared with it; what has not changed is not read again."""
        if self._picturing or not self._entered:
            return
        self._picturing = True
        try:
            while (entry := self._runs.entry(self._first)) is not None and not self._second and entry.state != BROKEN:
                key = _stands(entry)
                if key == self._pictured:
                    return
                found = await asyncio.to_thread(pictures, self._ledger, entry.run)
                # another may have been chosen meanwhile, or put beside it
                if entry.run == self._first and not self._second:
                    self._pictured = key
                    if found is not None:
                        self._pictures.show_one(entry.run, found)
        except (ValueError, OSError) as error:
            self._warn(error)
        finally:
            self._picturing = False

    async def _show_details(self) -> None:
        """Pictures and differences of the rows that are there, one after the other; what has not changed is not made again."""
        if self._detailing or not self._entered:
            return
        self._detailing = True
        try:
            runs = [entry.run for entry in self._runs.entries]
            before = dict(zip(runs[1:], runs, strict=False))
            for run in self._list.shown:
                entry = self._runs.entry(run)
                against = before.get(run, "") if self._list.against == BEFORE else self._first
                if entry is None or not entry.state:
                    continue
                key = (*_stands(entry), against)
                if self._details.get(run) != key:
                    self._details[run] = key
                    self._list.detail(run, *await asyncio.to_thread(self._detail_of, entry, against))
        finally:
            self._detailing = False

    def _detail_of(self, entry: Entry, against: str) -> tuple[bytes | None, tuple[Change, ...] | None]:
        picture = thumbnail(entry.path)
        if not against or against == entry.run:
            return picture, None
        try:
            return picture, self._ledger.changes(entry.run, against)
        except (ValueError, OSError):
            # one of the two is broken, as its own line says
            return picture, None

    def _tell(self, mark: str, words: str, undone: str = "") -> None:
        """Say what became of what was asked for; `undone` is what Undo brings back."""
        self._undone = undone
        self._said.value = f"{text.mark(mark) if mark else ''} {text.escape(words)}"
        self._telling.children = (self._said, self._undo) if undone else (self._said,)

    def _said_of(self, error: Exception) -> str:
        return self._page.workspace.shortened(text.failure(error))

    def _warn(self, error: Exception) -> None:
        self._page.bottom.warn(self._said_of(error), "err")


def _stands(entry: Entry) -> tuple[object, ...]:
    """What has to change before pictures of a run are made anew."""
    return entry.path, entry.began, entry.busy, entry.epochs // _AGAIN if entry.busy else entry.epochs
