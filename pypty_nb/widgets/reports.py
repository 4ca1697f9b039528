"""What has been reported of one run: the latest report, every term of the loss, the pace."""

from __future__ import annotations

import math

from pypty_nb.params import Preset
from pypty_nb.records import EpochReport
from pypty_nb.widgets import text
from pypty_nb.widgets.panels.bottom import Readout
from pypty_nb.workspace import Event, Journal, RunState, Scene
from pypty_nb.workspace.scene import scheduled

_DATA = "data"
#: A run's folder holds its times to the millisecond.
_SAME_S = 1e-3
#: Epochs over which the loss is said to change.
_LATEST = 10


class Reports:
    """What has been reported of one run.

    Parameters
    ----------
    before : Scene, optional
        What is known of the run already: the curves go on from there.
    """

    def __init__(self, before: Scene | None = None):
        self._before = before
        self.last: EpochReport | None = before.report if before is not None else None
        #: The last one with arrays: a run that is watched through its folder writes those of few epochs.
        self._pictured = self.last
        #: By epoch: the data term; every other term by its name; the data term of the patterns held out.
        self.losses: dict[int, float] = {}
        self.terms: dict[str, dict[int, float]] = {}
        self.validation: dict[int, float] = {}
        self._times: dict[int, float] = {}
        self.seconds = 0.0
        self.pace = 0.0
        self.rejected = self._rejected_before = 0
        #: Of every report, shown or not; taken from here by the frame that shows them.
        self.warnings: list[str] = []
        self._fresh = True
        #: What happened to the run, beside what its schedules say.
        self.journal = Journal()
        self._scheduled: tuple[Preset | None, tuple[Event, ...]] = None, ()
        if before is not None:
            self._take(before)

    def add(self, report: EpochReport) -> None:
        """Take one more. One that comes again, with its arrays, counts once; one that goes back drops what was undone.

        The pace follows the latest epochs, since schedules change what an epoch costs.
        """
        if report.point.obj is not None:
            self._pictured = report
        again = abs(self._times.get(report.epoch, math.inf) - report.seconds) < _SAME_S
        if again and not report.final:
            if self.last is not None and self.last.epoch == report.epoch:
                self.last = report
            return
        if again:
            # as a line of the folder's log it looked like a step of no use
            self.rejected = self._rejected_before
        else:
            self._forget_from(report.epoch)
            self._measure(report)
            self.warnings.extend(report.warnings)
        self.last, self._fresh = report, False
        self._times[report.epoch] = self.seconds = report.seconds
        self.losses[report.epoch] = float(report.terms[_DATA])
        for name, value in report.terms.items():
            if name != _DATA:
                self.terms.setdefault(name, {})[report.epoch] = float(value)
        held_out = getattr(report, "validation", None)
        if held_out is not None:
            self.validation[report.epoch] = float(held_out)

    def _measure(self, report: EpochReport) -> None:
        if not self._fresh and self.last is not None and not report.final:
            # a run that was resumed counts its time anew
            took = max(0.0, report.seconds - self.last.seconds)
            self.pace = took if len(self.losses) < 2 else 0.7 * self.pace + 0.3 * took
        elif not report.final:
            self.pace = report.seconds
        self._rejected_before = self.rejected
        if not report.final:
            self.rejected = 0 if report.search.accepted else self.rejected + 1

    def _forget_from(self, epoch: int) -> None:
        for values in (self.losses, self._times, self.validation, *self.terms.values()):
            for undone in [other for other in values if other >= epoch]:
                del values[undone]

    def readout(self, state: RunState) -> Readout | None:
        """The numbers of a run under way; ``None`` before the first report."""
        report, last = self.last, state.epoch_max
        if report is None:
            return None
        step, evaluations = (None, 0) if report.final else (report.step, report.evaluations)
        left = self.pace * (last - state.epoch)
        return Readout(max(state.epoch, 1), last, self.pace, left, step, evaluations, report.terms[_DATA], self._trend())

    def _trend(self) -> tuple[int, float] | None:
        """By which share the data loss has changed over the latest epochs, and since which; the loss alone tells nobody."""
        known = sorted(self.losses)[-_LATEST - 1 :]
        before = self.losses[known[0]] if len(known) > 1 else 0.0
        return (known[0], self.losses[known[-1]] / before - 1) if before > 0 else None

    def rows(self) -> dict[str, str]:
        """What a table says of it."""
        if self.last is None:
            return {}
        return {"Data loss": text.number(self.last.terms[_DATA], 4), "Time": text.duration(self.seconds)}

    def scene(self, preset: Preset | None = None) -> Scene:
        """The run as the views see it now; without a preset, with that of the scene before."""
        if preset is None:
            preset = self._before.preset if self._before is not None else Preset()
        epochs = sorted(self.losses)
        return Scene(
            preset,
            self._pictured or self.last,
            epochs,
            [self.losses[epoch] for epoch in epochs],
            {name: [term.get(epoch, math.nan) for epoch in epochs] for name, term in self.terms.items()},
            [self.validation.get(epoch, math.nan) for epoch in epochs] if self.validation else (),
            self._events(preset),
            self._before.name if self._before is not None else "",
        )

    def _events(self, preset: Preset) -> tuple[Event, ...]:
        """What stands on the curves. A frozen preset's schedules are read once."""
        if self._before is not None:
            known = self._before.events
        else:
            if self._scheduled[0] is not preset:
                self._scheduled = preset, scheduled(preset)
            known = self._scheduled[1]
        return tuple(sorted((*known, *self.journal.marks), key=lambda event: event.epoch))

    def _take(self, scene: Scene) -> None:
        self.losses = dict(zip(scene.epochs, scene.losses, strict=True))
        self.terms = {name: dict(zip(scene.epochs, values, strict=True)) for name, values in scene.terms.items()}
        self.validation = dict(zip(scene.epochs, scene.validation, strict=True)) if scene.validation else {}
