"""The async loop: one epoch at a time in a worker thread, commands between epochs, readers told in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from pypty_nb.params import Preset
from pypty_nb.records import EpochReport
from pypty_nb.runs import RecordedRun


class Phase(StrEnum):
    """What a run is doing."""

    IDLE = "idle"
    PREPARING = "preparing"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True)
class RunState:
    """What is told of a run at any moment.

    `epoch` counts complete epochs; `message` says why a run failed, in words for a person; `folder` is where it writes.
    """

    phase: Phase = Phase.IDLE
    epoch: int = 0
    epoch_first: int = 0
    epoch_max: int = 0
    message: str = ""
    folder: Path | None = None

    @property
    def busy(self) -> bool:
        """Whether a run is under way, paused or not."""
        return self.phase in {Phase.PREPARING, Phase.RUNNING, Phase.PAUSED, Phase.STOPPING}


class Runner:
    """Runs one reconstruction at a time without blocking the event loop.

    Parameters
    ----------
    on_state : called with a `RunState` after every change of state
    on_report : called with each `EpochReport`; both in the event loop's thread
    """

    def __init__(self, on_state: Callable[[RunState], None], on_report: Callable[[EpochReport], None]):
        self.state = RunState()
        self._on_state, self._on_report = on_state, on_report
        self._go = asyncio.Event()
        self._go.set()
        self._stop = False
        self._task: asyncio.Task[None] | None = None

    def start(self, preset: Preset, folder: Path) -> asyncio.Task[None]:
        """Start a run of `preset` that writes `folder`. Call from the event loop.

        Raises
        ------
        RuntimeError
            Where a run is under way.
        """
        if self.state.busy:
            raise RuntimeError("a run is under way; stop it first")
        self._go.set()
        self._stop = False
        first = preset.epoch_prev
        self._tell(RunState(Phase.PREPARING, first, first, preset.epoch_max, folder=folder))
        # the reference is kept: a task nobody holds may be collected in mid-run
        self._task = asyncio.get_running_loop().create_task(self._run(preset.frozen(), folder))
        return self._task

    def pause(self) -> None:
        """Wait before the next epoch."""
        if self.state.phase is Phase.RUNNING:
            self._go.clear()
            self._tell(replace(self.state, phase=Phase.PAUSED))

    def resume(self) -> None:
        """Go on after a pause."""
        if self.state.phase is Phase.PAUSED:
            self._tell(replace(self.state, phase=Phase.RUNNING))
            self._go.set()

    def stop(self) -> None:
        """End the run after the epoch under way; what it has is saved."""
        if self.state.busy:
            self._stop = True
            self._tell(replace(self.state, phase=Phase.STOPPING))
            self._go.set()

    async def _run(self, preset: Preset, folder: Path) -> None:
        try:
            run = await asyncio.to_thread(RecordedRun.start, preset, folder)
            if self.state.phase is Phase.PREPARING:
                self._tell(replace(self.state, phase=Phase.RUNNING))
            await self._epochs(run)
        except Exception as error:  # noqa: BLE001  whatever stopped it must be seen on the page, not lost with the task
            self._tell(replace(self.state, phase=Phase.FAILED, message=_words(error)))

    async def _epochs(self, run: RecordedRun) -> None:
        while True:
            await self._go.wait()
            if self._stop:
                await asyncio.to_thread(run.stop)
                self._tell(replace(self.state, phase=Phase.STOPPED))
                return
            report = await asyncio.to_thread(next, run, None)
            if report is None:
                self._tell(replace(self.state, phase=Phase.FINISHED))
                return
            done = report.epoch if report.final else report.epoch + 1
            self.state = replace(self.state, epoch=done)
            self._on_report(report)
            self._tell(self.state)

    def _tell(self, state: RunState) -> None:
        self.state = state
        self._on_state(state)


def _words(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: {text}"
