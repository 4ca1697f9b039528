"""The async loop: one epoch at a time in a worker thread, commands between epochs, readers told in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pypty_nb.params import ParameterError, Preset
from pypty_nb.records import EpochReport
from pypty_nb.runs import Hooks, Phase, RecordedRun, RunState, send
from pypty_nb.workspace.steered import Steered

Answer = Mapping[str, Any]
#: How often a paused run looks for commands from elsewhere.
_LOOK_S = 0.25


class Runner(Steered):
    """Runs one reconstruction at a time without blocking the event loop.

    Parameters
    ----------
    on_state : called with a `RunState` after every change of state
    on_report : called with each `EpochReport`
    on_answer : called with the journal's line on every command that the run took, or refused; all in the event loop's thread
    """

    def __init__(
        self,
        on_state: Callable[[RunState], None],
        on_report: Callable[[EpochReport], None],
        on_answer: Callable[[Answer], None] = lambda answer: None,
    ):
        self.state = RunState()
        self._on_state, self._on_report, self._on_answer = on_state, on_report, on_answer
        self._recorded: RecordedRun | None = None
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
            self._continue()

    def stop(self) -> None:
        """End the run after the epoch under way; what it has is saved."""
        if self.state.busy:
            self._stop = True
            self._tell(replace(self.state, phase=Phase.STOPPING))
            if self._recorded is not None:
                self._recorded.stop_soon()
            self._go.set()

    def _send(self, word: str, values: Mapping[str, Any] | None = None, *, number: int | None = None) -> str:
        if self._recorded is None or self.state.folder is None:
            raise ParameterError("no run is under way that could be changed")
        return send(self.state.folder, word, values, number=number)

    def _continue(self) -> None:
        if self._recorded is not None:
            self._recorded.go_on()
        self._go.set()

    def _heard(self, state: RunState, answer: Answer) -> None:
        """What a command from elsewhere did."""
        self._on_answer(answer)
        told = replace(self.state, epoch=state.epoch, epoch_first=state.epoch_first, epoch_max=state.epoch_max)
        if self.state.phase in {Phase.RUNNING, Phase.PAUSED}:
            (self._go.clear if state.phase is Phase.PAUSED else self._go.set)()
            told = replace(told, phase=state.phase)
        self._tell(told)

    async def _run(self, preset: Preset, folder: Path) -> None:
        loop = asyncio.get_running_loop()

        def told(state: RunState, answer: Answer) -> None:
            loop.call_soon_threadsafe(self._heard, state, answer)

        try:
            with await asyncio.to_thread(RecordedRun.start, preset, folder, Hooks(told)) as run:
                self._recorded = run
                if self.state.phase is Phase.PREPARING:
                    self._tell(replace(self.state, phase=Phase.RUNNING))
                await self._epochs(run)
        except Exception as error:  # noqa: BLE001  whatever stopped it must be seen on the page, not lost with the task
            self._tell(replace(self.state, phase=Phase.FAILED, message=_words(error)))
        finally:
            self._recorded = None

    async def _epochs(self, run: RecordedRun) -> None:
        while True:
            await self._allowed(run)
            if self._stop:
                await asyncio.to_thread(run.stop)
            report = await asyncio.to_thread(next, run, None)
            if report is None:
                ended = run.state
                self._tell(replace(self.state, phase=ended.phase, message=ended.message))
                return
            done = report.epoch if report.final else report.epoch + 1
            self.state = replace(self.state, epoch=done)
            self._on_report(report)
            self._tell(self.state)

    async def _allowed(self, run: RecordedRun) -> None:
        """Wait while paused; meanwhile the run may be told from elsewhere to go on."""
        if not self._go.is_set():
            # only now, so that an epoch that was begun before the pause ends
            run.hold()
        while not self._go.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._go.wait(), _LOOK_S)
            if not self._go.is_set():
                await asyncio.to_thread(run.obey)

    def _tell(self, state: RunState) -> None:
        self.state = state
        self._on_state(state)


def _words(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: {text}"
