"""What a person does with runs: begin, pause, go on, stop, abort; and what is offered beside the slot button."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from pypty_nb.widgets import text
from pypty_nb.widgets.panels import BottomBar
from pypty_nb.widgets.panels.chosen import PROMOTE, PROMOTED
from pypty_nb.widgets.steps import unmeasured
from pypty_nb.widgets.tasks import Tasks
from pypty_nb.workspace import Phase, RunState, Workspace

_STOPPED = {Phase.STOPPED, Phase.FAILED}


class Driving:
    """The buttons of a run, and the keys that do the same.

    Parameters
    ----------
    workspace : Workspace
    tasks : Tasks
    bottom : BottomBar
    why_off : says why nothing can be run now, "" where it can
    before : called before a run begins or goes on
    begun : called once it has
    """

    def __init__(
        self,
        workspace: Workspace,
        tasks: Tasks,
        bottom: BottomBar,
        why_off: Callable[[], str],
        before: Callable[[], None],
        begun: Callable[[], None],
    ):
        self._workspace, self._tasks, self._bottom = workspace, tasks, bottom
        self._why_off, self._before, self._begun = why_off, before, begun

    def act(self) -> None:
        """What the slot button says."""
        runner = self._workspace.runner
        if runner.state.phase is Phase.RUNNING:
            self._tell(runner.pause)
        elif runner.state.phase is Phase.PAUSED:
            self._tell(runner.resume)
        elif runner.state.phase is Phase.LOST:
            self._resume()
        else:
            self._run_again()

    def stop(self) -> None:
        """End the run after the epoch under way."""
        self._tell(self._workspace.runner.stop)

    async def abort(self) -> None:
        """End the run at once."""
        if (ending := self._workspace.runner.abort()) is not None:
            await ending

    def quick_look(self) -> None:
        """Have a short look at the preset."""
        if self._can_begin:
            self._run(quick=True)

    async def promote(self, run: str) -> None:
        """Run in full from where the quick look `run` ended."""
        preset = await asyncio.to_thread(self._workspace.promoted, run)
        if not self._workspace.runner.state.busy:
            self._begin(partial(self._workspace.start_promoted, preset))

    def can_act(self, state: RunState, why_off: str) -> bool:
        """Whether the slot button may be pressed."""
        if state.busy:
            return state.phase in {Phase.RUNNING, Phase.PAUSED}
        return not why_off or state.phase is Phase.LOST

    def show(self, state: RunState, why_off: str) -> None:
        """Offer what the slot button does not: to run anew, to resume, to go on in full from a quick look."""
        early = state.epoch < state.epoch_max and state.epoch > state.epoch_first
        if state.phase is Phase.LOST and not why_off:
            self._bottom.show_way("Run again", lambda: self._tasks.soon(self._run_again))
        elif state.phase in _STOPPED and early:
            self._bottom.show_way(f"Resume from epoch {state.epoch + 1}", lambda: self._tasks.soon(self._resume))
        else:
            self._bottom.show_way("")
        quick = self._workspace.quick_look_done
        take = partial(self._tasks.start, partial(self.promote, quick))
        self._bottom.show_next(PROMOTED if quick else "", PROMOTE if quick else "", take)

    @property
    def _can_begin(self) -> bool:
        return not self._workspace.runner.state.busy and not self._why_off()

    def _run_again(self) -> None:
        if self._can_begin:
            self._run()

    def _resume(self) -> None:
        """Go on with the run that has ended early."""
        if not self._workspace.runner.state.busy:
            self._begin(self._workspace.resume)

    def _run(self, *, quick: bool = False) -> None:
        missing = unmeasured(self._workspace.preset)
        if self._begin(partial(self._workspace.start, quick=quick)) and missing:
            self._bottom.warn(f"This run has defaults where steps 2 and 3 would measure: {missing}")

    def _begin(self, begin: Callable[[], object]) -> bool:
        self._before()
        self._bottom.clear()
        told = self._tell(begin)
        if told:
            self._begun()
        return told

    def _tell(self, command: Callable[[], object]) -> bool:
        """Tell the run something; whether that was possible."""
        try:
            command()
        except (ValueError, OSError) as error:
            self._bottom.warn(self._workspace.shortened(text.failure(error)), "err")
            return False
        return True
