"""Small pieces that views share."""

from __future__ import annotations

from typing import Any

import ipywidgets

from pypty_nb.widgets import text


class Counted(ipywidgets.Dropdown):
    """A menu "1 of 3" over things that are counted; its value is the index from 0."""

    def __init__(self, what: str, **kwargs: Any):
        super().__init__(options=[("1 of 1", 0)], value=0, description=what, tooltip=what, **kwargs)
        self._count = 1
        self.disabled = True

    @property
    def count(self) -> int:
        """How many there are; the choice stays where it still exists."""
        return self._count

    @count.setter
    def count(self, count: int) -> None:
        if count == self._count:
            return
        self._count = count
        chosen = min(int(self.value or 0), count - 1)
        self.options = [(f"{index + 1} of {count}", index) for index in range(count)]
        self.value = chosen
        self.disabled = count < 2


def counted(what: str) -> Counted:
    """A menu over `what`."""
    return unseen(Counted(what))


def unseen(control: ipywidgets.DOMWidget) -> Any:
    """`control` with its description for screen readers only: something beside it says to the eye what it is."""
    control.add_class("pn-nolabel")
    return control


def labelled(label: str, control: ipywidgets.DOMWidget) -> tuple[ipywidgets.DOMWidget, ...]:
    """A small label above a control."""
    above = ipywidgets.HTML(text.escape(label))
    above.add_class("lab")
    return above, control


def side(title: str, *children: ipywidgets.DOMWidget) -> ipywidgets.VBox:
    """The column beside a square picture: its name, then its controls."""
    name = ipywidgets.HTML(text.escape(title))
    name.add_class("pn-vt")
    column = ipywidgets.VBox([name, *children])
    column.add_class("pn-side")
    return column
