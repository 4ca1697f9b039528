"""Step 1: choose a file of the project folder, or the demonstration; and what to start from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ipywidgets

from pypty_nb.widgets import text
from pypty_nb.widgets.panels.starts import StartPanel
from pypty_nb.widgets.views.parts import unseen
from pypty_nb.workspace import Opened
from pypty_nb.workspace.arrays import SUFFIXES as ARRAYS
from pypty_nb.workspace.listing import MANY, find, opened_suffixes

_LISTED = 6
NOTHING = "Nothing chosen. Choose a file to begin, or open the demonstration."


@dataclass(frozen=True)
class Asked:
    """What is called when a file (its path relative to the root), the demonstration or a named start is asked for."""

    file: Callable[[Path], None]
    demo: Callable[[], None]
    start: Callable[[str], None]


class DataPanel(ipywidgets.VBox):
    """The files below the project folder, and what was found in the one that is open.

    Parameters
    ----------
    root : Path
    asked : Asked
    """

    def __init__(self, root: Path, asked: Asked):
        self._root = root
        self._starts = StartPanel(asked.start)
        self._filter = ipywidgets.Text(placeholder="Find a file", tooltip="Find a file")
        self._filter.add_class("pn-grow")
        again = ipywidgets.Button(description="Refresh", tooltip="Read the folder again")
        self._files = unseen(ipywidgets.Select(options=[], rows=5, description="Files of the project folder"))
        self._files.add_class("pn-files")
        self._count = ipywidgets.HTML()
        self._count.add_class("pn-help")
        self._open = ipywidgets.Button(description="Open file", disabled=True)
        self._demo = ipywidgets.Button(
            description="Open demonstration", tooltip="A simulated specimen that comes with the program"
        )
        self._found = ipywidgets.HTML()
        self._found.add_class("pn-found")
        search, buttons = ipywidgets.HBox([self._filter, again]), ipywidgets.HBox([self._open, self._demo])
        search.add_class("pn-searchrow")
        buttons.add_class("pn-buttons")
        title, head = ipywidgets.HTML("Data"), ipywidgets.HTML("File")
        title.add_class("pn-title")
        head.add_class("pn-h")
        head.add_class("first")
        super().__init__([title, head, search, self._files, self._count, buttons, self._found, self._starts])
        self.add_class("pn-formbody")
        self._filter.observe(lambda _change: self._show_files(), "value")
        self._files.observe(lambda _change: self._dress(), "value")
        again.on_click(lambda _button: self.refresh())
        self._open.on_click(lambda _button: self._files.value and asked.file(Path(self._files.value)))
        self._demo.on_click(lambda _button: asked.demo())
        self._locked = False
        self._tell(NOTHING)
        self.refresh()

    def refresh(self) -> None:
        """Read the folder again."""
        self._paths = list(find(self._root))
        self._show_files()

    def lock(self, locked: bool) -> None:
        """Let nothing be opened while a run is going, or a file is being read."""
        self._locked = locked
        self._demo.disabled = locked
        self._starts.lock(locked)
        self._dress()

    def show(self, opened: Opened, error: str, *, reading: bool) -> None:
        """Say what is open, or why nothing new is."""
        if reading:
            self._tell("Reading …")
        elif error:
            self._tell(error, "err")
        elif opened.found:
            self._tell(opened.found, "ok", _left_out(opened.left_out))
        else:
            self._tell(NOTHING)

    def tell_start(self, words: str, kind: str) -> None:
        """Say what became of the start asked for."""
        self._starts.tell(words, kind)

    def arrays(self) -> list[str]:
        """Files of the project folder that arrays could be read from."""
        return [path.as_posix() for path in find(self._root, ARRAYS)]

    def _tell(self, words: str, kind: str = "", more: str = "") -> None:
        mark = text.mark(kind) + " " if kind else ""
        self._found.value = f'<div class="{kind or "m"}">{mark}{text.escape(words)}</div>{more}'

    def _show_files(self) -> None:
        words = self._filter.value.lower().split()
        kept = [path for path in self._paths if all(word in path.as_posix().lower() for word in words)]
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
        return f"No {', '.join(opened_suffixes())} files in this folder."
    more = f"{MANY} and more" if count >= MANY else str(count)
    return f"{kept} of {more} files" if kept != count else f"{more} file{'s' if count > 1 else ''}"


def _left_out(sentences: tuple[str, ...]) -> str:
    """What was not carried over, as a list."""
    if not sentences:
        return ""
    items = "".join(f"<li>{text.escape(sentence)}</li>" for sentence in sentences[:_LISTED])
    more = f"<li>and {len(sentences) - _LISTED} more</li>" if len(sentences) > _LISTED else ""
    return f'<div class="pn-left">{text.mark("warn")} Not carried over:<ul>{items}{more}</ul></div>'
