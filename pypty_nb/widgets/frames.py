"""When a new picture of the run goes to the page: the latest one, when the one before was seen, ten times a second at most."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds: between two frames, until a frame counts as lost, until a page that never answers is left alone."""

    interval: float = 0.1
    patience: float = 5.0
    abandon: float = 120.0


class Frames:
    """Sends the newest frame whenever the page has shown the last one.

    A slow page gets fewer frames and never a queue of them. A page that answers nothing for two minutes gets none, so that
    its kernel looks idle and can be culled; the first answer starts them again.

    Parameters
    ----------
    show : puts the newest state on the page, at once or in pieces
    ask : asks the page to say when frame number n has been painted
    pace : Pace
    """

    def __init__(self, show: Callable[[], Awaitable[None] | None], ask: Callable[[int], None], pace: Pace | None = None):
        self._show, self._ask, self._pace = show, ask, pace or Pace()
        self._wanted, self._answer = asyncio.Event(), asyncio.Event()
        self._number = 0
        self._heard_at: float | None = None
        self.abandoned = False

    @property
    def wanted(self) -> bool:
        """Whether something new waits to be shown."""
        return self._wanted.is_set()

    def want(self) -> None:
        """There is something new to show."""
        self._wanted.set()

    def shown(self, number: int) -> None:
        """The page has painted frame `number`, or is looked at again (-1)."""
        self._heard_at = asyncio.get_running_loop().time()
        self.abandoned = False
        if number in (-1, self._number):
            self._answer.set()

    async def run(self) -> None:
        """Send frames until cancelled."""
        clock = asyncio.get_running_loop().time
        self._heard_at = clock()
        while True:
            await self._wanted.wait()
            if self.abandoned:
                await self._answer.wait()
            self._wanted.clear()
            self._answer.clear()
            self._number += 1
            started = clock()
            if (showing := self._show()) is not None:
                await showing
            self._ask(self._number)
            await self._await_answer()
            self.abandoned = clock() - (self._heard_at or started) > self._pace.abandon
            await asyncio.sleep(max(0.0, self._pace.interval - (clock() - started)))

    async def _await_answer(self) -> None:
        try:
            # not wait_for, which in Python 3.11 may lose a cancellation that comes with the answer
            async with asyncio.timeout(self._pace.patience):
                await self._answer.wait()
        except TimeoutError:
            return  # slow, hidden or gone: the next frame goes out all the same, until the page is given up
