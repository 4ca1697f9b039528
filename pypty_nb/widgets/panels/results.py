"""The last step: take the preset home, see where the run lies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ipywidgets

from pypty_nb.widgets import text

NO_RUNS = "No runs yet."


class ResultsPanel(ipywidgets.VBox):
    """Export, and the run's folder.

    Parameters
    ----------
    on_export : called when the preset is asked for
    """

    def __init__(self, on_export: Callable[[], None]):
        title, preset, run = ipywidgets.HTML("Results"), ipywidgets.HTML("Preset"), ipywidgets.HTML("Latest run")
        title.add_class("pn-title")
        preset.add_class("pn-h")
        preset.add_class("first")
        run.add_class("pn-h")
        help_text = ipywidgets.HTML("All parameters as JSON, zipped with the arrays where there are large ones.")
        help_text.add_class("pn-help")
        self._export = ipywidgets.Button(description="Export preset")
        self._export.on_click(lambda _button: on_export())
        self._exported, self._run = ipywidgets.HTML(), ipywidgets.HTML(f'<span class="m">{NO_RUNS}</span>')
        self._exported.add_class("pn-help")
        self._run.add_class("pn-table")
        buttons = ipywidgets.HBox([self._export])
        buttons.add_class("pn-buttons")
        super().__init__([title, preset, help_text, buttons, self._exported, run, self._run])
        self.add_class("pn-formbody")

    def tell_exported(self, words: str) -> None:
        """Say what was exported."""
        self._exported.value = text.escape(words)

    def show_run(self, folder: Path, rows: dict[str, str]) -> None:
        """Say where the run lies and how it stands."""
        lines = "".join(f"<tr><td>{text.escape(name)}</td><td>{text.escape(value)}</td></tr>" for name, value in rows.items())
        self._run.value = f'<code class="pn-path">{text.escape(folder)}</code><table>{lines}</table>'
