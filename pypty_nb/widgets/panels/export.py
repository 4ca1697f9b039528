"""What can be taken home: a run in one of the formats, and the preset on the page."""

from __future__ import annotations

import asyncio

import ipywidgets

from pypty_nb.widgets import text
from pypty_nb.widgets.panels.panel import Page, boxed, heading
from pypty_nb.workspace.ledger import Ledger

EXPORTS = "export"
_PRESET = (
    "All parameters as JSON, zipped with the arrays where there are large ones; "
    "data given as an array only where “Leave out data” is off."
)


class ExportPart:
    """Export of the chosen run, and of the preset.

    Parameters
    ----------
    page : Page
    ledger : Ledger
    """

    def __init__(self, page: Page, ledger: Ledger):
        self._page, self._ledger = page, ledger
        self._run = ""
        tasks = page.tasks
        self._format = ipywidgets.Dropdown(description="Format", options=[])
        self._format.observe(lambda _change: self._show_about(), "value")
        self._about = heading("", "pn-help")
        self._button = ipywidgets.Button(description="Export run", disabled=True)
        self._button.on_click(lambda _button: tasks.start(self.export_run))
        preset = ipywidgets.Button(description="Export preset", tooltip=_PRESET)
        preset.on_click(lambda _button: tasks.start(self._export_preset))
        self._written, self._exported = heading("", "pn-help pn-written"), heading("", "pn-help")
        #: The widgets, top to bottom.
        self.parts: tuple[ipywidgets.DOMWidget, ...] = (
            heading("Export", "pn-h first"),
            boxed(ipywidgets.VBox, "pn-field", self._format),
            self._about,
            boxed(ipywidgets.HBox, "pn-buttons", self._button, preset),
            self._written,
            self._exported,
        )

    async def load(self) -> None:
        """Ask for the formats."""
        # every format brings a library of its own
        from pypty_nb.runs.export import formats

        if not self._format.options:
            self._format.options = names = await asyncio.to_thread(formats)
            # a menu made empty chooses nothing by itself
            self._format.value = names[0]

    def choose(self, run: str) -> None:
        """Which run is exported; "" for none."""
        if run != self._run:
            self._run, self._written.value = run, ""
        self._button.disabled = not run or self._format.value is None

    async def export_run(self) -> None:
        """Write the chosen run in the chosen format into its folder ``export``."""
        from pypty_nb.runs.export import export

        run, form = self._run, self._format.value
        if not run or form is None:
            return
        self._button.disabled = True
        self._written.value = f"Writing {text.escape(form)} …"
        try:
            folder = self._ledger.open(run)
            files = await asyncio.to_thread(export, folder, form, folder.path / EXPORTS)
        except (ValueError, OSError) as error:
            said = self._page.workspace.shortened(text.failure(error))
            self._written.value = f'<span class="err">{text.mark("err")} {text.escape(text.sentence(said))}</span>'
        else:
            names = ", ".join(file.name for file in files)
            where = (folder.path / EXPORTS).relative_to(self._page.workspace.root)
            self._written.value = f"{text.mark('ok')} Wrote {text.escape(names)} to {text.escape(where)}."
            self._page.log(f"exported run {run} as {form}")
        finally:
            self.choose(self._run)

    def _show_about(self) -> None:
        from pypty_nb.runs.export import about

        self._about.value = text.escape(text.sentence(about(self._format.value))) if self._format.value else ""
        self.choose(self._run)

    async def _export_preset(self) -> None:
        workspace = self._page.workspace
        name, content = await asyncio.to_thread(workspace.exported)
        self._page.stage.bridge.download(name, content)
        workspace.mark_saved()
        self._exported.value = text.escape(f"{name}, {text.size(len(content))}")
        self._page.log(f"exported {name}")
        self._page.changed()
