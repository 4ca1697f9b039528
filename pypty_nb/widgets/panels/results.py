"""The last step: every run of the project folder, what to take home of it, and two of them against each other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import ipywidgets

from pypty_nb.widgets import text
from pypty_nb.widgets.panels.compare import CompareView, pair
from pypty_nb.widgets.panels.ledger import NO_RUNS, Deeds, LedgerList
from pypty_nb.widgets.panels.panel import Moment, Page, boxed, heading
from pypty_nb.workspace.ledger import Entry, Ledger

EXPORTS = "export"
#: While a run is going, its line is read again no more often than this.
_EVERY_S = 1.0


class ResultsPanel(ipywidgets.VBox):
    """The ledger in the middle; export, the latest run and the comparison in the column.

    Parameters
    ----------
    page : Page
    """

    def __init__(self, page: Page):
        self._page = page
        self._ledger = Ledger(page.workspace.root)
        self._entries: list[Entry] = []
        self._seen: tuple[object, ...] = ()
        self._read = 0.0
        self._first, self._second = "", ""
        tasks = page.tasks
        self._list = LedgerList(
            Deeds(
                choose=lambda run: tasks.soon(self._choose, run),
                use=lambda run: tasks.start(partial(self.use, run)),
                compare=lambda run: tasks.start(partial(self.compare, run)),
                delete=lambda run: tasks.start(partial(self.delete, run)),
            )
        )
        self._comparison = CompareView()
        super().__init__(self._make_column())
        self.add_class("pn-formbody")

    def _make_column(self) -> list[ipywidgets.DOMWidget]:
        tasks = self._page.tasks
        export = ipywidgets.Button(description="Export preset")
        export.on_click(lambda _button: tasks.start(self._export))
        self._format = ipywidgets.Dropdown(description="Format", options=[])
        self._format.observe(lambda _change: self._show_about(), "value")
        self._about = heading("", "pn-help")
        self._export_run = ipywidgets.Button(description="Export run", disabled=True)
        self._export_run.on_click(lambda _button: tasks.start(self.export_run))
        self._refresh = ipywidgets.Button(description="Refresh")
        self._refresh.on_click(lambda _button: tasks.start(self.refresh))
        self._which = heading("", "pn-help")
        self._written, self._exported = heading("", "pn-help pn-written"), heading("", "pn-help")
        self._run = heading(f'<span class="m">{NO_RUNS}</span>', "pn-table")
        help_text = "All parameters as JSON, zipped with the arrays where there are large ones."
        return [
            heading("Results", "pn-title"),
            heading("Run", "pn-h first"),
            self._which,
            boxed(ipywidgets.VBox, "pn-field", self._format),
            self._about,
            boxed(ipywidgets.HBox, "pn-buttons", self._export_run, self._refresh),
            self._written,
            heading("Preset", "pn-h"),
            heading(help_text, "pn-help"),
            boxed(ipywidgets.HBox, "pn-buttons", export),
            self._exported,
            heading("Latest run", "pn-h"),
            self._run,
        ]

    # ---- the step
    def centre(self) -> ipywidgets.DOMWidget | None:
        """The ledger."""
        return self._list.render()

    def column(self) -> Sequence[ipywidgets.DOMWidget]:
        """The comparison where there is one, then export and run."""
        return (self._comparison.render(), self)

    def enter(self) -> None:
        """Read the ledger again: other programs write runs, too."""
        self._page.tasks.start(self._load_formats)
        self._page.tasks.start(self.refresh)

    def show(self, moment: Moment) -> None:
        """Read the ledger again where the run under way has moved on."""
        self._list.lock(locked=moment.locked)
        seen = moment.state.phase, moment.state.folder
        late = moment.state.busy and time.monotonic() - self._read >= _EVERY_S
        if seen != self._seen or late:
            self._seen, self._read = seen, time.monotonic()
            self._page.tasks.start(self.refresh)

    def show_run(self, folder: Path, rows: dict[str, str]) -> None:
        """Say where the run lies and how it stands."""
        lines = "".join(f"<tr><td>{text.escape(name)}</td><td>{text.escape(value)}</td></tr>" for name, value in rows.items())
        self._run.value = f'<code class="pn-path">{text.escape(folder)}</code><table>{lines}</table>'

    @property
    def words(self) -> str:
        """How many runs there are, and whether two are compared; "" where there is none."""
        if not self._entries:
            return ""
        return text.plural(len(self._entries), "run") + (", comparing 2" if self._second else "")

    async def refresh(self) -> None:
        """Read the ledger."""
        before = self.words
        self._entries = await asyncio.to_thread(self._ledger.entries)
        runs = [entry.run for entry in self._entries]
        if self._first not in runs:
            self._choose(runs[-1] if runs else "")
        if self._second and self._second not in runs:
            self._choose(self._first)
        self._list.show(self._entries)
        if self.words != before:
            self._page.changed()

    # ---- what a person does
    def _choose(self, run: str) -> None:
        self._first, self._second = run, ""
        self._comparison.clear()
        self._mark()
        self._written.value = ""

    def _mark(self) -> None:
        self._list.choose(self._first, self._second)
        self._which.value = f"Run {text.escape(self._first)}" if self._first else NO_RUNS
        self._export_run.disabled = not self._first or self._format.value is None

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
        self._page.changed()

    async def delete(self, run: str) -> None:
        """Move a run to the trash."""
        try:
            kept = await asyncio.to_thread(self._ledger.trash, run)
        except (ValueError, OSError) as error:
            self._warn(error)
        else:
            self._page.log(f"run {run} lies in runs/.trash/{kept}")
        await self.refresh()

    async def compare(self, run: str) -> None:
        """Compare the chosen run with `run`."""
        if not self._first or run == self._first:
            return
        first, self._second = self._first, run
        self._mark()
        self._comparison.tell(f"Comparing {first} with {run} …")
        try:
            found = await asyncio.to_thread(pair, self._ledger, first, run)
        except (ValueError, OSError) as error:
            if (first, run) == (self._first, self._second):
                self._comparison.tell(text.sentence(self._said(error)), "err")
        else:
            # another pair may have been chosen meanwhile
            if (first, run) == (self._first, self._second):
                self._comparison.show(found)
        self._page.changed()

    async def export_run(self) -> None:
        """Write the chosen run in the chosen format into its folder ``export``."""
        from pypty_nb.runs.export import export

        run, form = self._first, self._format.value
        if not run or form is None:
            return
        self._export_run.disabled = True
        self._written.value = f"Writing {text.escape(form)} …"
        try:
            folder = self._ledger.open(run)
            files = await asyncio.to_thread(export, folder, form, folder.path / EXPORTS)
        except (ValueError, OSError) as error:
            self._written.value = f'<span class="err">{text.mark("err")} {text.escape(text.sentence(self._said(error)))}</span>'
        else:
            names = ", ".join(file.name for file in files)
            where = (folder.path / EXPORTS).relative_to(self._page.workspace.root)
            self._written.value = f"{text.mark('ok')} Wrote {text.escape(names)} to {text.escape(where)}."
            self._page.log(f"exported run {run} as {form}")
        finally:
            self._mark()

    async def _load_formats(self) -> None:
        # every format brings a library of its own
        from pypty_nb.runs.export import formats

        if not self._format.options:
            self._format.options = names = await asyncio.to_thread(formats)
            # a menu made empty chooses nothing by itself
            self._format.value = names[0]

    def _show_about(self) -> None:
        from pypty_nb.runs.export import about

        self._about.value = text.escape(text.sentence(about(self._format.value))) if self._format.value else ""
        self._mark()

    async def _export(self) -> None:
        workspace = self._page.workspace
        name, content = await asyncio.to_thread(workspace.exported)
        self._page.stage.bridge.download(name, content)
        workspace.mark_saved()
        self._exported.value = text.escape(f"{name}, {text.size(len(content))}")
        self._page.log(f"exported {name}")
        self._page.changed()

    def _said(self, error: Exception) -> str:
        return self._page.workspace.shortened(text.failure(error))

    def _warn(self, error: Exception) -> None:
        self._page.bottom.warn(self._said(error), "err")
