"""A reconstruction that writes its folder as it goes, takes commands between epochs, and resumes as if never interrupted."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pypty_nb.engine import Reconstruction
from pypty_nb.params import ParameterError, Preset, as_preset
from pypty_nb.records import EpochReport
from pypty_nb.runs.commands import Command, tidy, waiting
from pypty_nb.runs.errors import RunFolderError
from pypty_nb.runs.folder import RunFolder
from pypty_nb.runs.lock import FolderLock
from pypty_nb.runs.pulse import Pulse
from pypty_nb.runs.saving import Saving
from pypty_nb.runs.simulation import require_room_for_simulated, write_simulated
from pypty_nb.runs.state import Phase, RunState, read_state
from pypty_nb.runs.steering import Steering

Params = Preset | Mapping[str, Any] | str | os.PathLike[str]

#: How often a paused run looks whether it may go on.
_LOOK_S = 0.1


@dataclass(frozen=True)
class Hooks:
    """What a run's surroundings want to be told, or do.

    Attributes
    ----------
    told : callable, optional
        Called with the state and the journal's answer after every command that came through the folder.
    interrupt : callable, optional
        Ends the epoch under way for an abort; only for a process that does nothing else.
    """

    told: Callable[[RunState, Mapping[str, Any]], None] | None = None
    interrupt: Callable[[], None] | None = None


_NO_HOOKS = Hooks()


class RecordedRun:
    """A reconstruction that writes its folder as it goes: an iterator of `EpochReport`.

    Make one with `start` or `resume`; it alone may write the folder until it ends, is closed, or nobody holds it any more.
    Between epochs it takes the commands that lie in the folder. Use it from one thread at a time.
    """

    def __init__(self, reconstruction: Reconstruction, folder: RunFolder, lock: FolderLock, pulse: Pulse, hooks: Hooks):
        self.reconstruction, self.folder = reconstruction, folder
        self._pulse, self._told = pulse, hooks.told
        self._saving = Saving(reconstruction, folder)
        self._steering = Steering(reconstruction, folder, self._saving)
        self._wake = threading.Event()
        self._release = weakref.finalize(self, _let_go, lock, pulse)

    @classmethod
    def start(cls, pypty_params: Params, path: str | os.PathLike[str], hooks: Hooks = _NO_HOOKS) -> RecordedRun:
        """A new run in the folder `path`. The preset and the data are checked before anything is written.

        A folder that was only prepared for this very preset is taken.

        Raises
        ------
        ParameterError, DataError, BackendError
            `ValueError` each.
        RunFolderError
            Where the folder cannot be written, holds a run, or another process is writing it.
        """
        folder, given = RunFolder(Path(path)), anywhere(as_preset(pypty_params))

        def posed() -> Reconstruction:
            require_room_for_simulated(given)
            return Reconstruction(given)

        if folder.is_run():
            if folder.is_started() or folder.preset() != given:
                folder.refuse_another()
            return cls._begun("started", folder, posed, hooks)
        reconstruction = posed()
        folder = RunFolder.create(path, reconstruction.preset)
        return cls._begun("started", folder, lambda: reconstruction, hooks)

    @classmethod
    def resume(cls, path: str | os.PathLike[str], hooks: Hooks = _NO_HOOKS) -> RecordedRun:
        """Go on with the run in the folder `path` after its last complete epoch."""
        folder = RunFolder.open(path)
        return cls._begun("resumed", folder, lambda: Reconstruction(folder.preset()), hooks)

    @classmethod
    def _begun(cls, how: str, folder: RunFolder, make: Callable[[], Reconstruction], hooks: Hooks) -> RecordedRun:
        lock = FolderLock(folder.path)
        pulse = None
        try:
            if how == "started" and folder.is_started():
                folder.refuse_another()
            before, preset = read_state(folder.path), folder.preset()
            epoch = before.epoch if before is not None else preset.epoch_prev
            pulse = Pulse(
                RunState(Phase.PREPARING, epoch, preset.epoch_prev, preset.epoch_max, "", folder.path), hooks.interrupt
            )
            run = cls(make(), folder, lock, pulse, hooks)
            run._steering.go_back_to(folder.checkpoint())
            run._refuse(
                [c for c in waiting(folder.path) if before is None or c.sent < before.heartbeat],
                "the process that it was meant for ended before it answered",
            )
            folder.note(how, epoch=run.epoch, device=run.reconstruction.backend.name)
            run._tell_progress(phase=Phase.RUNNING)
        except BaseException as error:
            if pulse is not None:
                failed = isinstance(error, Exception)
                why = _words(error) if failed else "interrupted"
                with suppress(OSError):
                    folder.note("failed" if failed else "stopped", why=why)
                pulse.tell(phase=Phase.FAILED if failed else Phase.STOPPED, message=why)
            _let_go(lock, pulse)
            raise
        return run

    # ---- epochs
    @property
    def epoch(self) -> int:
        """Complete epochs; the number of the next one."""
        return int(self.reconstruction.epoch)

    @property
    def state(self) -> RunState:
        """What is told of it."""
        return self._pulse.state

    def __iter__(self) -> Iterator[EpochReport]:
        return self

    def __next__(self) -> EpochReport:
        try:
            return self._next()
        except StopIteration:
            raise
        except Exception as error:
            self._fail(error)
            raise
        except BaseException:
            self._interrupted()
            raise

    def _next(self) -> EpochReport:
        self._wait_and_obey()
        if not self._release.alive:
            raise StopIteration
        if self._steering.apply_due():
            self._tell_progress()
        try:
            report = next(self.reconstruction)
        except StopIteration:
            self._finish()
            raise
        self._saving.record(report)
        self._tell_progress()
        self._pulse.show(report)
        return report

    def _finish(self) -> None:
        missing = write_simulated(self.reconstruction)
        if missing:
            self._saving.note("warning", epoch=self.epoch, warning=missing)
        self._saving.note("finished")
        self._end(Phase.FINISHED)

    # ---- what a person does, between epochs
    def hold(self) -> None:
        """Wait before the next epoch, inside ``next``."""
        if self.state.phase is Phase.RUNNING:
            self._pulse.tell(phase=Phase.PAUSED)

    def go_on(self) -> None:
        """Go on after `hold`."""
        if self.state.phase is Phase.PAUSED:
            self._pulse.tell(phase=Phase.RUNNING)
        self._wake.set()

    def stop_soon(self) -> None:
        """End at the next ``next``, as `stop` does; from any thread."""
        if self.state.owned:
            self._pulse.tell(phase=Phase.STOPPING)
        self._wake.set()

    def stop(self, why: str = "") -> None:
        """End the run for a person: save the last complete epoch where it is not saved yet, and note it."""
        if not self._release.alive:
            return
        try:
            self._saving.catch_up()
            self._saving.note("stopped", **({"why": why} if why else {}))
        except RunFolderError as error:
            self._fail(error)
            raise
        self._end(Phase.STOPPED, why)

    def close(self) -> None:
        """Let others write the folder; nothing more is saved."""
        self._release()

    def __enter__(self) -> RecordedRun:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is not None and not isinstance(error, Exception):
            self._interrupted()
        self.close()

    def change(self, values: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Set parameters from the next epoch on, all or none; a resumed run does the same at the same epoch.

        Returns
        -------
        mapping of str to (old, new)

        Raises
        ------
        ParameterError
            Where a value cannot be used, or its parameter is fixed while a run is under way.
        RunFolderError
            Where the change cannot be written; it is not in force then.
        """
        self._refuse_ended()
        differences = self._steering.change(values)
        self._tell_progress()
        return differences

    def undo(self, number: int | None = None) -> int:
        """Go back to the state before the last change, and go on without it; gives the epoch that comes next.

        Parameters
        ----------
        number : int, optional
            Of the change that is meant, as the journal has it.

        Raises
        ------
        ParameterError
            Where nothing was changed, another change than that one is the last, or the state before it is not kept any more.
        RunFolderError
            Where the folder cannot be written.
        """
        self._refuse_ended()
        self._steering.undo(number)
        self._tell_progress()
        return self.epoch

    def obey(self) -> None:
        """Take the commands that lie in the folder; does not wait."""
        if self._pulse.taken_by is not None:
            raise RunFolderError(f"{self.folder.path} was taken over by {self._pulse.taken_by}; this run ends here")
        for command in waiting(self.folder.path):
            self._carry_out(command)

    def _wait_and_obey(self) -> None:
        if not self._release.alive or (self._saving.report is not None and self._saving.report.final):
            return
        self.obey()
        while self.state.phase is Phase.PAUSED:
            self._wake.clear()
            self._wake.wait(_LOOK_S)
            self.obey()
        if self.state.phase is Phase.STOPPING:
            self.stop()

    def _carry_out(self, command: Command) -> None:
        why = command.problem
        try:
            match command.word if not why else "":
                case "pause":
                    self.hold()
                case "resume":
                    self.go_on()
                case "stop":
                    self.stop_soon()
                case "abort":
                    self._pulse.tell(message="aborted")
                    self.stop_soon()
                case "change":
                    self.change(command.values)
                case "undo":
                    self.undo(command.number)
        except ParameterError as error:
            why = str(error)
        self._answer(command, why)

    def _answer(self, command: Command, why: str) -> None:
        reason = {"why": why} if why else {}
        answer = {"id": command.id, "command": command.word, "accepted": not why, "epoch": self.epoch, **reason}
        self._saving.note("command", **answer)
        command.remove()
        if self._told is not None:
            self._told(self.state, answer)

    def _refuse(self, commands: Sequence[Command], why: str) -> None:
        for command in commands:
            self._answer(command, why)
        tidy(self.folder.path)

    def _refuse_ended(self) -> None:
        if not self._release.alive:
            raise ParameterError("the run has ended; nothing can be changed in it")

    def _tell_progress(self, **changes: Any) -> None:
        preset = self.reconstruction.preset
        self._pulse.tell(epoch=self.epoch, epoch_first=preset.epoch_prev, epoch_max=preset.epoch_max, **changes)

    def _fail(self, error: Exception) -> None:
        # after a failed write the disk holds the last good state, and a state without its line in the log is none
        if not isinstance(error, RunFolderError):
            with suppress(OSError):
                self._saving.catch_up()
        with suppress(OSError):
            self.folder.note("failed", why=str(error))
        self._end(Phase.FAILED, _words(error))

    def _interrupted(self) -> None:
        aborts = [command for command in waiting(self.folder.path) if command.word == "abort"]
        with suppress(RunFolderError):
            for command in aborts:
                self._answer(command, "")
            self.stop("aborted" if aborts else "interrupted")

    def _end(self, phase: Phase, message: str = "") -> None:
        if self._release.alive:
            self._pulse.tell(phase=phase, message=message or self.state.message)
            self._pulse.end(self._saving.report)
            with suppress(RunFolderError):
                self._refuse(waiting(self.folder.path), "the run has ended")
            self._release()


def _let_go(lock: FolderLock, pulse: Pulse | None) -> None:
    """End what a run holds beside its arrays."""
    if pulse is not None:
        if pulse.state.owned:
            pulse.tell(phase=Phase.STOPPED)
        pulse.end()
    lock.release()


def _words(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: {text}"


def anywhere(preset: Preset) -> Preset:
    """`preset` with its paths made absolute, so that a run can be resumed from any folder."""
    given = {name: preset[name] for name in ("data_path", "phase_plate_in_h5", "data_simulation_flag") if preset[name]}
    if not given:
        return preset
    absolute = preset.copy()
    absolute.update({name: str(Path(path).resolve()) for name, path in given.items()})
    return absolute
