"""Runs that others begin or resume in the project folder, another page or a shell: noticed, shown or offered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from pypty_nb.params import Preset
from pypty_nb.runs import Change
from pypty_nb.widgets import text
from pypty_nb.widgets.panels import BottomBar
from pypty_nb.widgets.tasks import Tasks
from pypty_nb.workspace import RunState, Workspace

#: How often an idle page looks, s.
_LOOK_S = 2.5


class Show(Protocol):
    """Shows the run in a folder, which was started with a preset and changed since; with `stay` without leaving the step."""

    def __call__(self, folder: Path, preset: Preset, changes: Sequence[Change], *, stay: bool) -> None: ...


class Company:
    """What a page knows of others on the same project folder.

    Parameters
    ----------
    workspace : Workspace
    tasks : Tasks
    bottom : BottomBar
    show : Show
    busy : says whether the page is about something of its own
    """

    def __init__(self, workspace: Workspace, tasks: Tasks, bottom: BottomBar, show: Show, busy: Callable[[], bool]):
        self._workspace, self._tasks, self._bottom, self._show, self._busy = workspace, tasks, bottom, show, busy
        #: What was opened by hand; it is not left for another run unasked.
        self._opened: Path | None = None

    async def take_up(self) -> bool:
        """Show the run that is under way, or waits; whether there is one."""
        run = await asyncio.to_thread(self._workspace.under_way)
        if run is None or self._workspace.runner.state.busy:
            return False
        await self._join(run.path)
        return True

    async def watch(self, folder: Path, *, stay: bool = False) -> None:
        """Show the run in `folder`, under way or ended; with `stay` without leaving the step."""
        driving = await self._driving(folder)
        if driving is not None:
            self._opened = folder
            self._bottom.withdraw_offers()
            self._show(folder, *driving, stay=stay)

    async def _join(self, folder: Path) -> None:
        """Show the run in `folder` unless the page has become busy meanwhile."""
        driving = await self._driving(folder)
        if driving is not None and not self._workspace.runner.state.busy:
            self._bottom.withdraw_offers()
            self._show(folder, *driving, stay=False)

    async def _driving(self, folder: Path) -> tuple[Preset, Sequence[Change]] | None:
        try:
            return await asyncio.to_thread(self._workspace.driving, folder)
        except (ValueError, OSError) as error:
            self._bottom.warn(self._workspace.shortened(text.failure(error)), "err")
            return None

    async def look_out(self) -> None:
        """Look every few seconds while the page is idle; nothing of one's own work is lost to sight for a run of others."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if not self._busy():
                state = await asyncio.to_thread(self._workspace.lookout.look)
                if not self._busy():
                    await self._noticed(state)

    async def _noticed(self, state: RunState | None) -> None:
        folder = state.folder if state is not None else None
        shown = self._workspace.runner.state.folder
        if folder is None:
            self._bottom.withdraw_offers()
        elif folder == shown or (self._workspace.free and (shown is None or shown != self._opened)):
            await self._join(folder)
        else:
            watch = partial(self._tasks.start, partial(self.watch, folder))
            self._bottom.offer(f"Run {folder.name} is under way", "Show", watch)
