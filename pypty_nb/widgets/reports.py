"""What has been reported of one run: the latest report, the losses, the pace."""

from __future__ import annotations

import time

from pypty_nb.records import EpochReport


class Reports:
    """What has been reported of one run."""

    def __init__(self):
        self.last: EpochReport | None = None
        self.losses: dict[int, float] = {}
        self._began = time.monotonic()
        self.seconds = 0.0
        self.pace = 0.0
        self.rejected = 0
        #: Of every report, shown or not; taken from here by the frame that shows them.
        self.warnings: list[str] = []

    def add(self, report: EpochReport) -> None:
        """Take one more; the pace follows the latest epochs, since schedules change what an epoch costs."""
        if self.last is not None and not report.final:
            took = report.seconds - self.last.seconds
            self.pace = took if len(self.losses) < 2 else 0.7 * self.pace + 0.3 * took
        elif not report.final:
            self.pace = report.seconds
        if not report.final:
            self.rejected = 0 if report.search.accepted else self.rejected + 1
        self.last = report
        self.warnings.extend(report.warnings)
        self.losses[report.epoch] = float(report.terms["data"])
        self.seconds = report.seconds
