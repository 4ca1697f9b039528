"""Steering a run from the page: what may be changed in it now, what waits, what is in force; the page's preset follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pypty_nb.params import FIELDS, ParameterError, Preset, known_name, same
from pypty_nb.runs import Change, Phase, RunFolderError, RunState, withdraw
from pypty_nb.workspace.attached import Attached, News
from pypty_nb.workspace.history import History
from pypty_nb.workspace.journal import Event, label, shown

FIXED = "Fixed while the run is going."
_STEERED = {Phase.RUNNING, Phase.PAUSED}


@dataclass(frozen=True)
class Waiting:
    """A change that the run has not answered yet.

    Attributes
    ----------
    id : str
        Of the command.
    value : anything
        As the parameter holds it.
    epoch : int
        The first epoch that it can apply to.
    """

    id: str
    value: Any = field(compare=False)
    epoch: int


@dataclass(frozen=True)
class Applied:
    """A change that is in force.

    Attributes
    ----------
    epoch : int
        The first it applied to.
    undoable : bool
        Whether it is the one that the run can take back next.
    going : bool
        Whether the run has been told to take it back.
    """

    epoch: int
    undoable: bool
    going: bool = False


@dataclass(frozen=True)
class Refused:
    """What the run said to a change, or to an undo, that it did not take."""

    why: str


Mark = Waiting | Applied | Refused


class Steering:
    """Changes of the run that `runner` watches.

    The run's journal decides what is in force, whoever asked for it: a page, another one, the shell. The page's preset takes
    over every value that changes in the run and was the same in both before; a draft that differs is left alone.

    Parameters
    ----------
    preset : Preset
        The page's.
    history : History
        Of that preset; every value taken over is a step of it.
    runner : Attached
    """

    def __init__(self, preset: Preset, history: History, runner: Attached):
        self._preset, self._history, self._runner = preset, history, runner
        #: What runs, or ran last: as it was started, with the changes in force. Refuses changes.
        self.running = preset.frozen()
        self._started = self.running
        self._changes: tuple[Change, ...] = ()
        self._waiting: dict[str, Waiting] = {}
        self._refused: dict[str, str] = {}
        self._undoing: tuple[str, Change] | None = None
        self._listeners: list[Callable[[], None]] = []

    def watch(self, listener: Callable[[], None]) -> None:
        """Call `listener` after everything that a person asks for here."""
        self._listeners.append(listener)

    def begin(self, started: Preset, changes: Sequence[Change] = ()) -> None:
        """Another run is watched from now on: the preset it was started with, and the changes in force in it."""
        self._started = started.frozen()
        self._changes = tuple(changes)
        self._waiting, self._refused, self._undoing = {}, {}, None
        self.running = self._with(self._changes)

    # ---- what a person may do
    def why_fixed(self, name: str) -> str:
        """Why `name` cannot be changed in the run now, a sentence; "" where it can."""
        state = self._runner.state
        if not FIELDS[name].live:
            return FIXED
        if state.phase not in _STEERED:
            return "Can be changed once the run has begun." if state.phase is not Phase.STOPPING else "The run is stopping."
        if self.differs(name):
            return "The run has another value here; this one is for the next run."
        return ""

    def differs(self, name: str) -> bool:
        """Whether the page has a value of its own where the run has another."""
        return name not in self._waiting and not same(self._preset[name], self.running[name])

    def mark(self, name: str) -> Mark | None:
        """How it stands with a change of `name`; ``None`` where there is none."""
        if name in self._refused:
            return Refused(self._refused[name])
        if (waiting := self._waiting.get(name)) is not None:
            return replace(waiting, epoch=max(waiting.epoch, self.next_epoch))
        if not self._runner.state.busy:
            return None
        for change in reversed(self._changes):
            if name in change.values:
                going = self._undoing is not None and self._undoing[1] is change
                last = change is self._changes[-1] and self._runner.state.phase in _STEERED
                return Applied(change.epoch, last and not self._waiting and self._undoing is None, going)
        return None

    @property
    def called(self) -> str:
        """The run, as a person calls it."""
        folder = self._runner.state.folder
        return f"Run {folder.name}" if folder is not None else "The run"

    @property
    def next_epoch(self) -> int:
        """The first epoch that a change sent now can apply to."""
        state = self._runner.state
        return state.epoch + (state.phase is Phase.RUNNING)

    @property
    def waiting(self) -> Mapping[str, Waiting]:
        """The changes that the run has not answered yet, by parameter."""
        return self._waiting

    @property
    def planned(self) -> Mapping[str, Event]:
        """What waits, by parameter, as it will stand in the journal."""
        return {
            name: Event(max(waits.epoch, self.next_epoch), f"{label(name)} {shown(self.running[name])} → {shown(waits.value)}")
            for name, waits in self._waiting.items()
        }

    @property
    def lost_by_undo(self) -> int:
        """So many complete epochs lie after the change that can be undone next."""
        return max(0, self._runner.state.epoch - self._changes[-1].epoch) if self._changes else 0

    def change(self, name: str, value: Any) -> None:
        """Ask the run for another value of `name`, in place of one that still waits.

        Raises
        ------
        ParameterError
            Where the run cannot be told, or the value cannot be used together with the others.
        """
        name = known_name(name)
        if why := self.why_fixed(name):
            raise ParameterError(f"{name}: {why}")
        wanted = self.running.copy()
        wanted.update({other: waiting.value for other, waiting in self._waiting.items()} | {name: value})
        self._refused.pop(name, None)
        self._withdraw(name)
        if name in self._waiting or not same(wanted[name], self.running[name]):
            try:
                sent = self._runner.change({name: wanted[name]})
            except RunFolderError as error:
                raise ParameterError(f"{name}: {error}") from error
            self._waiting[name] = Waiting(sent, wanted[name], self.next_epoch)
        self._tell()

    def undo(self, name: str) -> None:
        """Take the change of `name` back: out of the run's inbox while it waits there, else with the epochs since.

        Raises
        ------
        ParameterError
            Where the run cannot be told.
        """
        mark = self.mark(name)
        if isinstance(mark, Waiting):
            self._withdraw(name)
        elif isinstance(mark, Applied) and mark.undoable:
            try:
                self._undoing = self._runner.undo(self._changes[-1].number), self._changes[-1]
            except RunFolderError as error:
                raise ParameterError(f"{name}: {error}") from error
        self._tell()

    def dismiss(self, name: str) -> None:
        """Say no more what the run refused."""
        self._refused.pop(name, None)
        self._tell()

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    def _withdraw(self, name: str) -> None:
        """Take back what waits; what the run has taken meanwhile stays until it answers."""
        waiting, folder = self._waiting.get(name), self._runner.state.folder
        if waiting is not None and folder is not None and withdraw(folder, waiting.id):
            del self._waiting[name]

    # ---- what the run tells
    def hear(self, news: News) -> None:
        """Take over what the journal says.

        Raises
        ------
        ParameterError
            Where the page's preset cannot take a value of the run's.
        """
        for line in news.lines if not news.earlier else ():
            if line.get("event") == "command":
                self._answered(str(line.get("id", "")), "" if line.get("accepted") else str(line.get("why", "")))
        if news.changes is not None:
            self._changes = news.changes
            self._follow(self._with(news.changes))

    def ended(self, state: RunState) -> None:
        """Forget what a run that has ended can answer no more."""
        if not state.busy:
            for name, waiting in self._waiting.items():
                if state.folder is not None:
                    # else a run that is resumed takes it after all
                    withdraw(state.folder, waiting.id)
                self._refused[name] = "The run ended before it took this value."
            self._waiting, self._undoing = {}, None

    def _answered(self, id: str, why: str) -> None:
        for name in [name for name, waiting in self._waiting.items() if waiting.id == id]:
            del self._waiting[name]
            if why:
                self._refused[name] = why
        if self._undoing is not None and self._undoing[0] == id:
            if why:
                self._refused |= dict.fromkeys(self._undoing[1].values, why)
            self._undoing = None

    def _with(self, changes: Sequence[Change]) -> Preset:
        preset = self._started.copy()
        for change in changes:
            preset.update(change.values)
        return preset.frozen()

    def _follow(self, running: Preset) -> None:
        before, self.running = self.running, running
        values = {name: value for name, (old, value) in running.diff(before).items() if same(self._preset[name], old)}
        # the answer comes a moment later
        self._waiting = {name: waits for name, waits in self._waiting.items() if not same(waits.value, running[name])}
        if values:
            self._history.change(values, f"change in {self.called[:1].lower()}{self.called[1:]}")
