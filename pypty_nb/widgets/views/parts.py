"""Small pieces that views share."""

from __future__ import annotations

from typing import Any

import ipywidgets

from pypty_nb.widgets import bare, text


class Counted(ipywidgets.VBox):
    """A slider over things that are counted, "Slice 3 of 12" above it; its value is the index from 0.

    Parameters
    ----------
    what : str
    keys : str
        The two keys that go back and forth, as the label names them.
    """

    def __init__(self, what: str, keys: str = ""):
        self._what, self._keys = what, keys
        self._count = 1
        self._label = bare.HTML()
        self._label.add_class("lab")
        self.slider = unseen(ipywidgets.IntSlider(min=1, max=1, value=1, description=what, readout=False, tooltip=what))
        super().__init__([self._label])
        self.add_class("pn-counted")
        self.slider.observe(lambda _change: self._say(), "value")
        self._say()

    @property
    def value(self) -> int:
        """The chosen one."""
        return self.slider.value - 1

    @value.setter
    def value(self, value: int) -> None:
        self.slider.value = min(max(value, 0), self._count - 1) + 1

    @property
    def count(self) -> int:
        """How many there are; the choice stays where it still exists."""
        return self._count

    @count.setter
    def count(self, count: int) -> None:
        if count == self._count:
            return
        self._count = count
        self.slider.max = count
        # one alone is nothing to choose from
        self.children = (self._label, self.slider) if count > 1 else (self._label,)
        self._say()

    def _say(self) -> None:
        keys = f" <code>{text.escape(self._keys)}</code>" if self._keys and self._count > 1 else ""
        self._label.value = f"{text.escape(self._what)} <b>{self.value + 1}</b> of {self._count}{keys}"


def unseen(control: ipywidgets.DOMWidget) -> Any:
    """`control` with its description for screen readers only: something beside it says to the eye what it is."""
    control.add_class("pn-nolabel")
    return control


def label(words: str) -> ipywidgets.HTML:
    """A small label above a control."""
    above = bare.HTML(text.escape(words))
    above.add_class("lab")
    return above


def row(*children: ipywidgets.DOMWidget) -> ipywidgets.HBox:
    """Controls side by side."""
    pair = bare.HBox(list(children))
    pair.add_class("pn-pair")
    return pair


def toggle(options: list[tuple[str, str]], value: str, what: str) -> ipywidgets.ToggleButtons:
    """Buttons of which one is pressed."""
    buttons = unseen(ipywidgets.ToggleButtons(options=options, value=value, description=what, tooltip=what))
    buttons.add_class("pn-toggle")
    return buttons


def check(words: str, value: bool, tooltip: str = "") -> ipywidgets.Checkbox:
    """A box to tick, its words behind it."""
    return ipywidgets.Checkbox(value=value, description=words, indent=False, tooltip=tooltip or words)


def side(head: ipywidgets.DOMWidget, *children: ipywidgets.DOMWidget) -> ipywidgets.VBox:
    """The column beside a square picture: its name, then its controls."""
    column = bare.VBox([head, *children])
    column.add_class("pn-side")
    return column


def beside(picture: ipywidgets.DOMWidget, column: ipywidgets.DOMWidget) -> ipywidgets.HBox:
    """A square picture and its column: the whole view."""
    box = ipywidgets.HBox([picture, column])
    box.add_class("pn-view")
    return box
