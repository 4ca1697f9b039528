"""One writer to a folder: a lock that its owner's death opens, on this machine and on a shared file system."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

from filelock import FileLock, Timeout

from pypty_nb.files import sweep
from pypty_nb.runs.errors import RunFolderError
from pypty_nb.runs.state import STALE_S, Owner, RunState, read_state

LOCK = "lock"
#: A starting process holds its child's folder for so long at most.
_PATIENCE_S = 3.0


class RunLockedError(RunFolderError):
    """A folder that another process is writing."""


class FolderLock:
    """The right to write a run's folder, from making this object until `release`, or until the process ends however it ends.

    On one machine, and on file systems that pass locks on, the operating system keeps it and gives it back at the owner's
    death. Between machines that do not see each other's locks, the heartbeat in ``state.json`` keeps it, and it ends when that
    has stood still for half a minute. The file ``lock`` stays where it is and means nothing by itself.

    Raises
    ------
    RunLockedError
        Where another has it; names host, process and since when.
    RunFolderError
        Where the folder cannot be written.
    """

    def __init__(self, folder: Path, patience_s: float = _PATIENCE_S):
        # not by thread: a run is started in one and stopped in another
        self._lock = FileLock(folder / LOCK, thread_local=False)
        try:
            self._lock.acquire(timeout=patience_s, poll_interval=0.05)
        except Timeout:
            raise _locked(folder) from None
        except OSError as error:
            raise RunFolderError(f"the output folder {folder} cannot be written: {error.strerror or error}") from error
        with ExitStack() as failed:
            failed.callback(self.release)
            if (holder := _elsewhere(folder)) is not None:
                raise _locked(folder, holder)
            sweep(folder)
            failed.pop_all()

    def release(self) -> None:
        """Let others write the folder."""
        self._lock.release()


def _elsewhere(folder: Path) -> RunState | None:
    """The state of a run that another machine is writing; its lock may not be seen from here."""
    state = read_state(folder)
    if state is None or not state.owned or state.owner is None or state.owner.is_here:
        return None
    # by the file system's clock, since two machines' own may differ
    probe = folder / f".{LOCK}-{os.getpid()}"
    try:
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError:
        now = time.time()
    return state if now - state.heartbeat < STALE_S else None


def _locked(folder: Path, state: RunState | None = None) -> RunLockedError:
    state = state or read_state(folder)
    owner: Owner | None = state.owner if state is not None else None
    by = str(owner) if owner is not None else "another process"
    if owner is not None and owner.is_here and owner.pid == os.getpid():
        by = f"this process ({owner.pid} on {owner.host}); stop or close the other run object first"
    return RunLockedError(f"{folder} is being written by {by}")
