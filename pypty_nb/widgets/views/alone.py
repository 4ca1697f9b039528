"""Views without the page: their own style and bridge, drawn as fast as the browser shows them."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterable, Callable, Iterator
from typing import Any

import ipywidgets

from pypty_nb.aio import from_thread
from pypty_nb.params import ParameterError
from pypty_nb.records import EpochReport
from pypty_nb.runs import RunFolder, open_run
from pypty_nb.widgets import text
from pypty_nb.widgets.frames import Frames
from pypty_nb.widgets.reports import Reports
from pypty_nb.widgets.theme import style
from pypty_nb.widgets.views.stage import Stage
from pypty_nb.workspace import Scene, scene_of
from pypty_nb.workspace.scene import ended, stamp

KEYS = ("[", "]", ",", ".", "a", "l")
#: Seconds after which a loop that blocks the kernel is taken to be why nothing was drawn, and one picture goes out unasked.
_BLOCKED_S = 1.0
_LOOK_S = 0.5


class Shown:
    """What is being looked at: a scene, and the epochs reported since."""

    def __init__(self):
        self._scene: Scene | None = None
        self._reports: Reports | None = None

    def take(self, shown: Scene | EpochReport) -> None:
        """Another scene, or the next epoch of this one."""
        if isinstance(shown, Scene):
            self._scene, self._reports = shown, None
            return
        if self._reports is None:
            self._reports = Reports(self._scene)
        self._reports.add(shown)
        self._scene = None

    @property
    def scene(self) -> Scene | None:
        """The newest; ``None`` where nothing was shown yet."""
        if self._scene is None and self._reports is not None:
            self._scene = self._reports.scene()
        return self._scene


class Alone:
    """Shows a view in a notebook's cell.

    Parameters
    ----------
    stage : Stage
    box : widget
        The view.
    draw : callable
        Draws the newest state.
    key : callable
        Told of the keys pressed over the view.
    """

    def __init__(self, stage: Stage, box: ipywidgets.DOMWidget, draw: Callable[[], None], key: Callable[[str], None]):
        self._stage, self._box, self._draw = stage, box, draw
        self._frames = Frames(self._draw_asked, stage.bridge.ask_shown)
        self._drawing = False
        self._asked_at: float | None = None
        self._following: set[asyncio.Task[None]] = set()
        self._said = ipywidgets.HTML()
        self._said.add_class("pn-wrong")
        self._widget: ipywidgets.VBox | None = None
        stage.on_failure = self.tell
        stage.bridge.set_trait("hotkeys", list(KEYS))
        stage.bridge.listen(shown=self._frames.shown, key=key)

    @property
    def widget(self) -> ipywidgets.VBox:
        """The view in its own style; made when first asked for."""
        if self._widget is None:
            frame = ipywidgets.VBox([self._box, self._said])
            frame.add_class("pn-alone")
            self._widget = ipywidgets.VBox([ipywidgets.HTML(style()), self._stage.bridge, frame])
            self._widget.add_class("pn-root")
        return self._widget

    def want(self) -> None:
        """There is something new to draw."""
        if not self._stage.tasks.looping or self._asked_at is None:
            # the first picture waits for nobody: it may be all that a saved notebook shows
            self._asked_at = time.monotonic()
            self._draw_told()
            return
        if not self._drawing:
            self._drawing = True
            self._stage.tasks.start(self._frames.run)
        blocked = not self._frames.abandoned and time.monotonic() - self._asked_at > _BLOCKED_S
        if blocked and self._frames.wanted:
            self._asked_at = time.monotonic()
            self._draw_told()
        self._frames.want()

    def follow(self, run: Any, update: Callable[[Scene | EpochReport], None]) -> asyncio.Task[None]:
        """Give `update` every state of `run` until it ends; the task that does."""
        task = asyncio.get_running_loop().create_task(_followed(run, update))
        # the reference is kept: a task nobody holds may be collected in mid-run
        self._following.add(task)
        task.add_done_callback(self._done)
        return task

    def tell(self, error: Exception) -> None:
        """Say what went wrong under the view."""
        self._said.value = f"{text.mark('err')} {text.escape(text.failure(error))}."

    def _done(self, task: asyncio.Task[None]) -> None:
        self._following.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self.tell(error)

    def _draw_asked(self) -> None:
        self._asked_at = time.monotonic()
        self._draw_told()

    def _draw_told(self) -> None:
        try:
            self._draw()
        except Exception as error:  # noqa: BLE001  a picture that cannot be drawn must not end the run that is looked at
            self.tell(error)


async def _followed(run: Any, update: Callable[[Scene | EpochReport], None]) -> None:
    update(scene_of(run))
    if isinstance(run, (AsyncIterable, Iterator)):
        async for report in run if isinstance(run, AsyncIterable) else from_thread(run):
            update(report)
    else:
        await _watched(run, update)


async def _watched(run: Any, update: Callable[[Scene | EpochReport], None]) -> None:
    folder = run if isinstance(run, RunFolder) else open_run(run) if isinstance(run, (str, os.PathLike)) else None
    if folder is None:
        raise ParameterError(f"a {type(run).__name__} does not go on; follow a Reconstruction or a run's folder")
    seen = stamp(folder)
    while not await asyncio.to_thread(ended, folder):
        await asyncio.sleep(_LOOK_S)
        if (now := stamp(folder)) != seen:
            seen = now
            update(await asyncio.to_thread(scene_of, folder))
    update(await asyncio.to_thread(scene_of, folder))
