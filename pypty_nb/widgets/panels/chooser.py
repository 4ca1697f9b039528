"""The files of the project folder, to choose one from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

import ipywidgets

from pypty_nb.widgets import bare, text
from pypty_nb.widgets.panels.panel import boxed, heading
from pypty_nb.widgets.tasks import Tasks
from pypty_nb.widgets.views.parts import unseen
from pypty_nb.workspace.listing import MANY, find, holds, opened_suffixes


class Chooser(bare.VBox):
    """A list of files with a line to search it, and the buttons to open one, or the demonstration.

    Parameters
    ----------
    root : Path
    tasks : Tasks
    on_file : called with the path, relative to the root, of the file to open
    on_demo : called when the demonstration is asked for
    """

    def __init__(self, root: Path, tasks: Tasks, on_file: Callable[[Path], None], on_demo: Callable[[], None]):
        self._root, self._tasks = root, tasks
        self._locked = False
        self._filter = unseen(ipywidgets.Text(placeholder="Find a file", description="Find a file"))
        self._filter.add_class("pn-grow")
        again = bare.Button(description="Refresh", tooltip="Read the folder again")
        self._files = unseen(ipywidgets.Select(options=[], rows=5, description="Files of the project folder"))
        self._files.add_class("pn-files")
        self._count = heading("", "pn-help")
        self._open = bare.Button(description="Open file", disabled=True)
        self._demo = bare.Button(description="Open demonstration", tooltip="A simulated specimen that comes with the program")
        self._upload = bare.Button(
            description="Upload preset", tooltip="A preset from your own machine: as exported, or .json and .h5"
        )
        for name in ("pn-upload", "pn-quiet"):
            self._upload.add_class(name)
        search = boxed(bare.HBox, "pn-searchrow", self._filter, again)
        buttons = boxed(bare.HBox, "pn-buttons", self._open, self._demo)
        super().__init__([search, self._files, boxed(bare.HBox, "pn-countrow", self._count, self._upload), buttons])
        self.add_class("pn-chooser")
        self._filter.observe(lambda _change: self._show_files(), "value")
        self._files.observe(lambda _change: self._dress(), "value")
        again.on_click(lambda _button: self.refresh())
        self._open.on_click(lambda _button: self._files.value and on_file(Path(self._files.value)))
        self._demo.on_click(lambda _button: on_demo())
        self.refresh()

    def refresh(self) -> None:
        """Read the folder again."""
        self._paths = list(find(self._root))
        self._show_files()

    def lock(self, locked: bool) -> None:
        """Let nothing be opened while a run is going, or a file is being read."""
        self._locked = self._demo.disabled = self._upload.disabled = locked
        self._dress()

    def _show_files(self) -> None:
        words = self._words()
        if words and len(self._paths) >= MANY:
            self._tasks.start(partial(self._search, words))
        else:
            self._show_kept([path for path in self._paths if holds(path, words)])

    def _words(self) -> list[str]:
        return self._filter.value.lower().split()

    async def _search(self, words: list[str]) -> None:
        """Look for `words` among all files of the folder, of which the list has only the first ones."""
        kept = await asyncio.to_thread(list, find(self._root, words=words))
        if words == self._words():
            self._show_kept(kept)

    def _show_kept(self, kept: list[Path]) -> None:
        chosen = self._files.value
        self._files.options = [(path.as_posix(), path.as_posix()) for path in kept]
        self._files.value = chosen if chosen in {path.as_posix() for path in kept} else None
        self._count.value = _counted(len(kept), len(self._paths))
        self._dress()

    def _dress(self) -> None:
        self._open.disabled = self._locked or self._files.value is None
        if self._files.value is not None:
            try:
                self._count.value = text.size((self._root / self._files.value).stat().st_size)
            except OSError:
                self._count.value = "no longer there"


def _counted(kept: int, count: int) -> str:
    if not count:
        return f'<span title="{", ".join(opened_suffixes())}">No file of a kind that can be opened in this folder.</span>'
    more = f"{MANY} and more" if count >= MANY else str(count)
    return f"{kept} of {more} files" if kept != count else f"{more} file{'s' if count > 1 else ''}"
