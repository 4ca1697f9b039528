"""The page's own word to the kernel: WebGL or not, frames shown, keys pressed, fields entered; and downloads the other way."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import anywidget
import traitlets


class Bridge(anywidget.AnyWidget):
    """An invisible widget that speaks for the browser.

    Attributes
    ----------
    webgl : bool or None
        Whether the browser draws by WebGL; ``None`` until it has answered.
    hotkeys : list of str
        The keys that are sent, as JavaScript names them.
    dark : bool
        Whether light words stand on dark ground.
    side : int
        Device pixels along the side of the largest picture; 0 until the browser has answered.
    """

    _esm = files("pypty_nb.widgets").joinpath("bridge.js").read_text(encoding="utf-8")
    webgl = traitlets.Bool(None, allow_none=True).tag(sync=True)
    hotkeys = traitlets.List(traitlets.Unicode()).tag(sync=True)
    dark = traitlets.Bool(False).tag(sync=True)
    side = traitlets.Int(0).tag(sync=True)

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._on_shown: Callable[[int], None] = lambda number: None
        self._on_key: Callable[[str], None] = lambda key: None
        self._on_focus: Callable[[str], None] = lambda name: None
        self._on_go: Callable[[str], None] = lambda name: None
        self.on_msg(self._heard)

    def listen(self, *, shown: Callable[[int], None], key: Callable[[str], None]) -> None:
        """Call `shown` with the number of a frame that was painted (-1: the page is looked at again), `key` with a key."""
        self._on_shown, self._on_key = shown, key

    def follow(self, *, focus: Callable[[str], None], go: Callable[[str], None]) -> None:
        """Call `focus` with the parameter whose field has the focus, `go` with the one whose field is asked for."""
        self._on_focus, self._on_go = focus, go

    def ask_shown(self, number: int) -> None:
        """Have the page answer once everything sent so far is painted."""
        self.send({"frame": number})

    def download(self, name: str, content: bytes) -> None:
        """Have the browser save a file."""
        self.send({"download": name}, [content])

    def _heard(self, _widget: Any, content: Any, _buffers: Any) -> None:
        if not isinstance(content, dict):
            return
        if isinstance(number := content.get("shown"), int):
            self._on_shown(number)
        if isinstance(key := content.get("key"), str):
            self._on_key(key)
        if isinstance(name := content.get("focus"), str):
            self._on_focus(name)
        if isinstance(name := content.get("go"), str):
            self._on_go(name)
