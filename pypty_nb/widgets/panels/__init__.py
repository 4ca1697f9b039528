"""The bars and columns around the views."""

from pypty_nb.widgets.panels.bottom import BottomBar
from pypty_nb.widgets.panels.rail import Rail
from pypty_nb.widgets.panels.top import TopBar

__all__ = ["BottomBar", "Rail", "TopBar"]
