"""The runs of the project folder as last read: the list of steps counts them, and the loss view offers their curves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pypty_nb.widgets import text
from pypty_nb.widgets.panels.panel import Moment, Page
from pypty_nb.workspace.ledger import Entry, Ledger, Trashed
from pypty_nb.workspace.scene import Scene, losses_of

#: Earlier runs whose loss may be drawn under the live one.
_CURVES = 50


class KnownRuns:
    """What the ledger said last; read again whenever a run begins or ends.

    Parameters
    ----------
    page : Page

    Attributes
    ----------
    ledger : Ledger
    entries : list of Entry
        The runs, oldest first.
    trashed : list of Trashed
        What was deleted, latest first.
    compared : bool
        Whether two of them are looked at.
    """

    def __init__(self, page: Page):
        self._page = page
        self.ledger = Ledger(page.workspace.root)
        self.entries: list[Entry] = []
        self.trashed: list[Trashed] = []
        self.compared = False
        self._seen: tuple[object, ...] = ()
        self._told: Callable[[], None] = lambda: None
        page.stage.losses_of = self._losses_of

    @property
    def words(self) -> str:
        """How many there are, and whether two are compared; "" where there is none."""
        if not self.entries:
            return ""
        return text.plural(len(self.entries), "run") + (", comparing 2" if self.compared else "")

    def entry(self, run: str) -> Entry | None:
        """What is known of one run."""
        return next((entry for entry in self.entries if entry.run == run), None)

    def watch(self, told: Callable[[], None]) -> None:
        """Call `told` whenever they have been read."""
        self._told = told

    def show(self, moment: Moment) -> None:
        """Read the ledger again where a run has begun, ended or is another one."""
        seen = moment.state.phase, moment.state.folder
        if seen != self._seen:
            self._seen = seen
            self._page.tasks.start(self.read)

    async def read(self) -> None:
        """Read the ledger."""
        before = self.words
        self.entries, self.trashed = await asyncio.to_thread(lambda: (self.ledger.entries(), self.ledger.trashed()))
        self._told()
        self._offer_losses()
        if self.words != before:
            self._page.changed()

    def _offer_losses(self) -> None:
        """Let the loss of every run but the one that is watched be drawn beside that one's."""
        folder = self._page.workspace.runner.state.folder
        watched = folder.name if folder is not None else ""
        runs = [entry for entry in reversed(self.entries) if entry.last_loss is not None and entry.run != watched]
        self._page.stage.others = tuple((f"{entry.run} {entry.name}".strip(), entry.run) for entry in runs[:_CURVES])

    def _losses_of(self, run: str) -> Scene:
        return losses_of(self.ledger.open(run))
