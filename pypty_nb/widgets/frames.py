"""When a new picture of the run goes to the page: the latest one, when the one before was seen, ten times a second at most.

A browser that draws, and the kernel behind it, use the processor that the run may want for itself, on a machine of two cores
enough to slow it by a quarter. Where the run computes there, frames get a small share of the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds: between two frames, until a frame counts as lost, until a page that never answers is left alone.

    And of frames that have but a share of the time: what they may have saved of it, and how long none comes at most.
    """

    interval: float = 0.1
    patience: float = 5.0
    abandon: float = 120.0
    saved: float = 1.0
    rest: float = 3.0


class Frames:
    """Sends the newest frame whenever the page has shown the last one.

    A slow page gets fewer frames and never a queue of them. A page that answers nothing for two minutes gets none, so that
    its kernel looks idle and can be culled; the first answer starts them again.

    Parameters
    ----------
    show : puts the newest state on the page, at once or in pieces
    ask : asks the page to say when frame number n has been painted
    pace : Pace

    Attributes
    ----------
    share : float
        Of the time that showing, drawing and answering may take; 1 where nothing else wants the processor.
    """

    def __init__(self, show: Callable[[], Awaitable[None] | None], ask: Callable[[int], None], pace: Pace | None = None):
        self._show, self._ask, self._pace = show, ask, pace or Pace()
        self._wanted, self._answer, self._hurry = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.share = 1.0
        self._saved, self._settled = self._pace.saved, 0.0
        self._number = 0
        self._heard_at: float | None = None
        self.abandoned = False

    @property
    def wanted(self) -> bool:
        """Whether something new waits to be shown."""
        return self._wanted.is_set()

    def want(self, *, can_wait: bool = False) -> None:
        """There is something new to show; what `can_wait` comes when frames have their share of the time again."""
        self._wanted.set()
        if not can_wait:
            self._hurry.set()

    def shown(self, number: int) -> None:
        """The page has painted frame `number`, or is looked at again (-1)."""
        self._heard_at = asyncio.get_running_loop().time()
        self.abandoned = False
        if number in (-1, self._number):
            self._answer.set()
        if number == -1:
            self._hurry.set()

    async def run(self) -> None:
        """Send frames until cancelled."""
        clock = asyncio.get_running_loop().time
        self._heard_at = self._settled = clock()
        while True:
            await self._wanted.wait()
            if self.abandoned:
                await self._answer.wait()
            self._wanted.clear()
            self._answer.clear()
            self._hurry.clear()
            self._number += 1
            started = clock()
            if (showing := self._show()) is not None:
                await showing
            self._ask(self._number)
            # slow, hidden or gone: the next frame goes out all the same, until the page is given up
            answered = await _within(self._pace.patience, self._answer)
            took = clock() - started
            self.abandoned = clock() - (self._heard_at or started) > self._pace.abandon
            await asyncio.sleep(max(0.0, self._pace.interval - took))
            if answered:
                await self._rest(took, clock())

    async def _rest(self, took: float, now: float) -> None:
        """Wait until frames have their share of the time again, or somebody waits for one; the last took `took` seconds."""
        self._saved = min(self._pace.saved, self._saved + self.share * (now - self._settled)) - took
        self._saved = max(self._saved, -self.share * self._pace.rest)
        self._settled = now
        if self._saved < 0:
            await _within(-self._saved / self.share, self._hurry)


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether `event` comes so soon."""
    try:
        # not wait_for, which in Python 3.11 may lose a cancellation that comes with the event
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
