"""A step that is made when first opened: most visits open few of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import ipywidgets

from pypty_nb.widgets.panels.panel import Moment, Panel

P = TypeVar("P", bound=Panel)


class LazyPanel(Generic[P]):
    """A panel in whose place this stands until it is asked for its widgets.

    Parameters
    ----------
    make : gives the panel

    Attributes
    ----------
    made : Panel or None
        The panel; ``None`` before it was made.
    """

    def __init__(self, make: Callable[[], P]):
        self._make = make
        self.made: P | None = None

    @property
    def panel(self) -> P:
        """The panel, made now if it was not yet."""
        if self.made is None:
            self.made = self._make()
        return self.made

    def centre(self) -> ipywidgets.DOMWidget | None:
        """What stands in the middle."""
        return self.panel.centre()

    def column(self) -> Sequence[ipywidgets.DOMWidget]:
        """What stands at the right above the form of the step."""
        return self.panel.column()

    def enter(self) -> None:
        """The step has been chosen."""
        self.panel.enter()

    def show(self, moment: Moment) -> None:
        """Show how things stand; nothing where the panel was not made."""
        if self.made is not None:
            self.made.show(moment)
