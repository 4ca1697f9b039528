"""Progress of several things done one after the other, told as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pypty_nb.initialize.virtual import Progress

_WHOLE = 1000


class Stages:
    """Shares of a whole.

    Parameters
    ----------
    shares : mapping of str to number
        The stages in their order, and how long each takes to the others; those that are not needed are passed over.
    progress : function, optional
        Called with how much is done and how much there is to do, never with less than before.
    begun : function, optional
        Called with the name of every stage that begins.
    """

    def __init__(self, shares: Mapping[str, float], progress: Progress | None, begun: Callable[[str], None] | None = None):
        total, before = sum(shares.values()), 0.0
        self._spans: dict[str, tuple[float, float]] = {}
        for name, share in shares.items():
            self._spans[name] = before, share / total
            before += share / total
        self._progress, self._begun, self._done = progress, begun, 0

    def of(self, name: str) -> Progress:
        """What the stage `name`, which begins, is to call with what it has done."""
        if self._begun is not None:
            self._begun(name)
        before, share = self._spans[name]
        return lambda done, count: self._tell(round(_WHOLE * (before + share * done / max(count, 1))))

    def end(self) -> None:
        """Everything is done."""
        self._tell(_WHOLE)

    def _tell(self, done: int) -> None:
        self._done = max(self._done, done)
        if self._progress is not None:
            self._progress(self._done, _WHOLE)
