"""The page's own word to the kernel: WebGL, frames shown, keys pressed, fields entered, files sent; and downloads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    uploads : dict
        What a button of the class ``pn-upload`` lets one choose: `accept`, endings with commas, and `most`, bytes.
    """

    _esm = files("pypty_nb.widgets").joinpath("bridge.js").read_text(encoding="utf-8")
    webgl = traitlets.Bool(None, allow_none=True).tag(sync=True)
    hotkeys = traitlets.List(traitlets.Unicode()).tag(sync=True)
    dark = traitlets.Bool(False).tag(sync=True)
    side = traitlets.Int(0).tag(sync=True)
    uploads = traitlets.Dict().tag(sync=True)

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._on_shown: Callable[[int], None] = lambda number: None
        self._on_key: Callable[[str], None] = lambda key: None
        self._on_focus: Callable[[str], None] = lambda name: None
        self._on_go: Callable[[str], None] = lambda name: None
        self._on_upload: Callable[[int, dict[str, bytes]], None] = lambda size, files: None
        self.on_msg(self._heard)

    def listen(self, *, shown: Callable[[int], None], key: Callable[[str], None]) -> None:
        """Call `shown` with the number of a frame that was painted (-1: the page is looked at again), `key` with a key."""
        self._on_shown, self._on_key = shown, key

    def follow(self, *, focus: Callable[[str], None], go: Callable[[str], None]) -> None:
        """Call `focus` with the parameter whose field has the focus, `go` with the one whose field is asked for."""
        self._on_focus, self._on_go = focus, go

    def receive(self, accept: Sequence[str], most: int, upload: Callable[[int, dict[str, bytes]], None]) -> None:
        """Call `upload` with the size of the files that were chosen, bytes, and the files by name: none where over `most`."""
        self.uploads, self._on_upload = {"accept": ",".join(accept), "most": most}, upload

    def ask_shown(self, number: int) -> None:
        """Have the page answer once everything sent so far is painted."""
        self.send({"frame": number})

    def download(self, name: str, content: bytes) -> None:
        """Have the browser save a file."""
        self.send({"download": name}, [content])

    def _heard(self, _widget: Any, content: Any, buffers: Any) -> None:
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
        if isinstance(names := content.get("uploaded"), list) and isinstance(size := content.get("size"), int):
            self._on_upload(size, dict(zip(map(str, names), map(bytes, buffers), strict=False)))
