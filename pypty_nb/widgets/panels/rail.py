"""The steps at the left, each with a mark and the reason for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ipywidgets

from pypty_nb.widgets import bare, text

#: What the keyboard does; inactive while a text field has the focus.
KEYS = {
    "Space": "run, pause, resume",
    "1 … 7": "go to a step",
    "/": "find a parameter",
    "[ ]": "slice before, after",
    ", .": "mode before, after",
    "a": "autoscale",
    "l": "link zoom",
    "b": "blink between two compared runs",
    "Ctrl Z": "undo a change",
    "Ctrl Y": "redo it",
    "Tab, Enter": "go to a control, press it",
    "Esc": "close this",
    "?": "show or hide this",
}


@dataclass(frozen=True)
class Standing:
    """How a step stands: todo, ok, warn or err, and why."""

    mark: str
    words: str


class Rail(bare.VBox):
    """The list of steps.

    Parameters
    ----------
    titles : the steps' names, in order
    on_open : called with a step's index when it is chosen
    on_images : called with whether live images are wanted
    """

    def __init__(self, titles: Sequence[str], on_open: Callable[[int], None], on_images: Callable[[bool], None]):
        self._tiles = [_Tile(f"{index + 1} {title}", index, on_open) for index, title in enumerate(titles)]
        images = ipywidgets.Checkbox(value=True, description="Live images", indent=False)
        images.observe(lambda change: on_images(bool(change["new"])), "value")
        keys = bare.HTML(_keys())
        foot, space = bare.VBox([images, keys]), bare.HTML()
        foot.add_class("pn-railfoot")
        space.add_class("pn-grow")
        super().__init__([*self._tiles, space, foot])
        self.add_class("pn-rail")

    def show(self, index: int, standing: Standing) -> None:
        """Set the mark and reason of one step."""
        self._tiles[index].show(standing)

    def choose(self, index: int) -> None:
        """Mark one step as the current one."""
        for tile in self._tiles:
            (tile.add_class if tile.index == index else tile.remove_class)("cur")


def _keys() -> str:
    rows = "".join(f"<dt><code>{text.escape(key)}</code></dt><dd>{text.escape(does)}</dd>" for key, does in KEYS.items())
    return f'<details class="pn-keys"><summary><code>?</code> keys and help</summary><dl>{rows}</dl></details>'


class _Tile(bare.Box):
    def __init__(self, title: str, index: int, on_open: Callable[[int], None]):
        self.index = index
        self._mark, self._why = bare.HTML(), bare.HTML()
        self._mark.add_class("pn-mark")
        self._why.add_class("w")
        button = bare.Button(description=title)
        button.add_class("t")
        button.on_click(lambda _button: on_open(index))
        super().__init__([self._mark, button, self._why])
        self.add_class("pn-step")

    def show(self, standing: Standing) -> None:
        self._mark.value = text.mark(standing.mark)
        tone = {"warn": "warnw", "err": "errw"}.get(standing.mark, "")
        self._why.value = f'<span class="{tone}">{text.escape(standing.words)}</span>'
