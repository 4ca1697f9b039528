"""A blocking generator read from an event loop, without blocking it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar

T = TypeVar("T")
_END = object()


async def from_thread(steps: Iterator[T]) -> AsyncIterator[T]:
    """Yield from `steps`, each taken in a worker thread so that the loop goes on meanwhile."""
    while (item := await asyncio.to_thread(next, steps, _END)) is not _END:
        yield item  # pyright: ignore[reportReturnType]
