"""The bars around the views, and the steps: one file each."""

from pypty_nb.widgets.panels.bottom import BottomBar
from pypty_nb.widgets.panels.data import DataPanel
from pypty_nb.widgets.panels.lazy import LazyPanel
from pypty_nb.widgets.panels.panel import FormPanel, Moment, Page, Panel
from pypty_nb.widgets.panels.rail import Rail
from pypty_nb.widgets.panels.results import ResultsPanel
from pypty_nb.widgets.panels.runs import KnownRuns
from pypty_nb.widgets.panels.top import TopBar

__all__ = [
    "BottomBar", "DataPanel", "FormPanel", "KnownRuns", "LazyPanel", "Moment", "Page", "Panel", "Rail", "ResultsPanel",
    "TopBar",
]  # fmt: skip
