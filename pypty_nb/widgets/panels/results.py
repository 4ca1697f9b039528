"""The last step: take the preset home, see where the run lies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import ipywidgets

from pypty_nb.widgets import text
from pypty_nb.widgets.panels.panel import Moment, Page, boxed, heading

NO_RUNS = "No runs yet."


class ResultsPanel(ipywidgets.VBox):
    """Export, and the run's folder.

    Parameters
    ----------
    page : Page
    """

    def __init__(self, page: Page):
        self._page = page
        export = ipywidgets.Button(description="Export preset")
        export.on_click(lambda _button: page.tasks.start(self._export))
        self._exported, self._run = heading("", "pn-help"), heading(f'<span class="m">{NO_RUNS}</span>', "pn-table")
        help_text = "All parameters as JSON, zipped with the arrays where there are large ones."
        super().__init__(
            [
                heading("Results", "pn-title"),
                heading("Preset", "pn-h first"),
                heading(help_text, "pn-help"),
                boxed(ipywidgets.HBox, "pn-buttons", export),
                self._exported,
                heading("Latest run", "pn-h"),
                self._run,
            ]
        )
        self.add_class("pn-formbody")

    def centre(self) -> ipywidgets.DOMWidget | None:
        """Nothing of its own."""
        return None

    def column(self) -> Sequence[ipywidgets.DOMWidget]:
        """Export and run."""
        return (self,)

    def enter(self) -> None:
        """Nothing happens."""

    def show(self, moment: Moment) -> None:
        """Nothing follows from how things stand."""

    def show_run(self, folder: Path, rows: dict[str, str]) -> None:
        """Say where the run lies and how it stands."""
        lines = "".join(f"<tr><td>{text.escape(name)}</td><td>{text.escape(value)}</td></tr>" for name, value in rows.items())
        self._run.value = f'<code class="pn-path">{text.escape(folder)}</code><table>{lines}</table>'

    async def _export(self) -> None:
        workspace = self._page.workspace
        name, content = await asyncio.to_thread(workspace.exported)
        self._page.stage.bridge.download(name, content)
        workspace.mark_saved()
        self._exported.value = text.escape(f"{name}, {text.size(len(content))}")
        self._page.log(f"exported {name}")
        self._page.changed()
