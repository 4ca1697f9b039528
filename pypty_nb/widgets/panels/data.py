"""Step 1: choose a file of the project folder, or the demonstration; see what is in it; and what to start from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import ipywidgets

from pypty_nb.params import ParameterError
from pypty_nb.widgets import bare, text
from pypty_nb.widgets.panels.badpixels import BadPixelsPart
from pypty_nb.widgets.panels.chooser import Chooser
from pypty_nb.widgets.panels.found import Proposal
from pypty_nb.widgets.panels.importing import ImportPart
from pypty_nb.widgets.panels.look import Look
from pypty_nb.widgets.panels.panel import Moment, Page, heading
from pypty_nb.widgets.panels.starts import StartPanel
from pypty_nb.widgets.panels.underway import UnderWay
from pypty_nb.workspace import bad_pixels
from pypty_nb.workspace.uploads import ENDINGS, MOST, check_size

_LISTED = 6
_READING = "Reading …"
NOTHING = "Nothing chosen. Choose a file to begin, or open the demonstration."


class DataPanel(bare.VBox):
    """The files below the project folder, and what was found in the one that is open.

    Parameters
    ----------
    page : Page
    """

    def __init__(self, page: Page):
        self._page = page
        #: Whether a file is being read.
        self.reading = False
        self._doing = _READING
        #: Why the last file could not be opened, "" where it could.
        self.error = self._why = ""
        tasks = page.tasks
        self._chooser = Chooser(
            page.workspace.root,
            tasks,
            lambda path: tasks.start(partial(self._open, path)),
            lambda: tasks.start(partial(self._take, page.workspace.use_demo)),
        )
        page.stage.bridge.receive(ENDINGS, MOST, lambda size, files: tasks.start(partial(self._upload, size, files)))
        self._starts = StartPanel(lambda name: tasks.soon(self._use_start, name))
        self._found = heading("", "pn-found")
        self._under_way = UnderWay()
        self._bad = BadPixelsPart(page, lambda: tasks.start(self._replace))
        self._import = ImportPart(page, self._hold, self._open_imported)
        self._look, self._proposal = Look(page, self._under_way), Proposal(page, self._import.offered, self._bad)
        head = (heading("Data", "pn-title"), heading("File", "pn-h first"))
        super().__init__([*head, self._chooser, self._found, self._under_way, self._import.asked, self._proposal, self._starts])
        self.add_class("pn-formbody")
        self._tell(NOTHING)

    # ---- the step
    def centre(self) -> ipywidgets.DOMWidget | None:
        """Virtual image and pattern, linked."""
        return self._look.render()

    def column(self) -> Sequence[ipywidgets.DOMWidget]:
        """The files and what was found."""
        return (self,)

    def enter(self) -> None:
        """Nothing happens."""

    def show(self, moment: Moment) -> None:
        """Say what is open, or why nothing new is."""
        self._chooser.lock(moment.locked)
        self._starts.lock(moment.locked)
        if not self.reading:
            self._look.show(moment.preset)
        self._bad.show(moment, self._look.bad, searched=self._look.searched)
        self._proposal.show(moment, self._look.dataset, self._look.bad)
        self._import.show(moment, self._look.dataset, self._proposal.points, failed=bool(self.error))
        if self.reading:
            self._tell(self._doing)
        elif self.error:
            self._tell(self.error, "err")
        elif moment.opened.found:
            self._tell(moment.opened.found, "ok", _left_out(moment.opened.left_out))
        else:
            self._tell(NOTHING)

    # ---- what a person does
    async def open_demo(self) -> bool:
        """Take the demonstration; whether that was possible."""
        await self._take(self._page.workspace.use_demo)
        return not self.error

    async def _open(self, path: Path) -> None:
        await self._take(partial(self._page.workspace.use_file, path))
        if self.error and await self._import.ask(path, why := self._why):
            self.error = f"{why}. Fill it in below."
            self._page.changed()

    async def _open_imported(self, path: Path) -> None:
        self._chooser.refresh()
        await self._open(path)

    def _hold(self, busy: bool) -> None:
        """Let nothing be changed while a copy is imported."""
        self.reading, self._doing = busy, "Importing …"
        self._page.changed()

    async def _upload(self, size: int, files: dict[str, bytes]) -> None:
        def take() -> str:
            check_size(size)
            return self._page.workspace.use_upload(files)

        await self._take(take)
        self._chooser.refresh()

    async def _take(self, take: Callable[[], str]) -> None:
        workspace = self._page.workspace
        if self.reading or workspace.runner.state.busy:
            return
        self.reading, self.error, self._doing = True, "", _READING
        self._page.changed()
        try:
            await asyncio.to_thread(take)
        except (ValueError, OSError) as error:
            self._why = workspace.shortened(text.failure(error))
            self.error = f"File not readable: {self._why}. Choose another."
        else:
            opened = workspace.opened
            self._page.log(f"opened {opened.name}")
            self._page.bottom.clear()
            if opened.left_out:
                count = text.plural(len(opened.left_out), "value")
                self._page.bottom.warn(f"{count} of {opened.name} could not be carried over; step 1 lists them", "warn")
        finally:
            self.reading = False
            self._page.changed()

    async def _replace(self) -> None:
        """Write a copy without bad pixels, and work on with it."""
        workspace, tasks = self._page.workspace, self._page.tasks
        if self.reading or workspace.runner.state.busy:
            return
        self.reading, self.error, self._doing = True, "", "Writing a copy without bad pixels …"
        self._under_way.show("Writing a copy")
        self._page.changed()
        try:
            path = await asyncio.to_thread(bad_pixels.replaced, workspace, partial(tasks.soon, self._show_written))
        except (ValueError, OSError) as error:
            self.error = f"No copy written: {workspace.shortened(text.failure(error))}."
        else:
            self._page.log(f"wrote {path.name}, and works on with it")
            self._chooser.refresh()
        finally:
            self.reading = False
            self._under_way.hide()
            self._page.changed()

    def _show_written(self, done: int, of: int) -> None:
        if self.reading:
            self._under_way.show(f"Writing patterns, {text.count(done)} of {text.count(of)}", done, of)

    def _use_start(self, name: str) -> None:
        try:
            self._page.workspace.use_start(name)
        except ParameterError as error:
            self._starts.tell(text.failure(error), "err")
        else:
            self._starts.tell(f"Took “{name}”; data and calibration stay.", "ok")
            self._page.log(f"took the start {name}")

    def _tell(self, words: str, kind: str = "", more: str = "") -> None:
        mark = text.mark(kind) + " " if kind else ""
        self._found.value = f'<div class="{kind or "m"}">{mark}{text.escape(words)}</div>{more}'


def _left_out(sentences: tuple[str, ...]) -> str:
    """What was not carried over, as a list."""
    if not sentences:
        return ""
    items = "".join(f"<li>{text.escape(sentence)}</li>" for sentence in sentences[:_LISTED])
    more = f"<li>and {len(sentences) - _LISTED} more</li>" if len(sentences) > _LISTED else ""
    return f'<div class="pn-left">{text.mark("warn")} Not carried over:<ul>{items}{more}</ul></div>'
