"""Work that must not block a click: coroutines whose references are kept and whose failures are seen."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any


class Tasks:
    """The event loop the page was made in, and what runs in it.

    Parameters
    ----------
    on_failure : called in the loop's thread with the exception of a task that failed
    """

    def __init__(self, on_failure: Callable[[Exception], None]):
        self._on_failure = on_failure
        self._running: set[asyncio.Task[None]] = set()
        self._thread = threading.get_ident()
        self._loop = _running_loop()

    @property
    def looping(self) -> bool:
        """Whether there is an event loop for work to run in."""
        return self._loop is not None or _running_loop() is not None

    def soon(self, call: Callable[..., object], *args: Any) -> None:
        """Call in the loop's thread: at once when there already, soon when elsewhere.

        Clicks may come in another thread (kernel subshells), and so may a preset's changes.
        """
        if self._loop is None or threading.get_ident() == self._thread:
            call(*args)
        else:
            self._loop.call_soon_threadsafe(call, *args)

    def start(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run the coroutine that `make` gives; nothing where there is no loop: in a script there is no page either."""
        self.soon(self._start, make)

    def _start(self, make: Callable[[], Coroutine[Any, Any, None]]) -> None:
        loop = self._loop or _running_loop()
        if loop is None:
            return
        task = loop.create_task(make())
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._on_failure(error)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
