"""A run on disk: its folder, its journal, what starts, resumes and opens it."""

from __future__ import annotations

import os

from pypty_nb.runs.changes import Change, Changes
from pypty_nb.runs.commands import send, withdraw
from pypty_nb.runs.errors import RunFolderError
from pypty_nb.runs.folder import RunFolder
from pypty_nb.runs.follow import Follower, Update
from pypty_nb.runs.lock import RunLockedError
from pypty_nb.runs.recorded import Hooks, RecordedRun
from pypty_nb.runs.run import RunResult, run_ptychography
from pypty_nb.runs.state import Phase, RunState

__all__ = [
    "Change",
    "Changes",
    "Follower",
    "Hooks",
    "Phase",
    "RecordedRun",
    "RunFolder",
    "RunFolderError",
    "RunLockedError",
    "RunResult",
    "RunState",
    "Update",
    "open_run",
    "run_ptychography",
    "send",
    "withdraw",
]


def open_run(path: str | os.PathLike[str]) -> RunFolder:
    """The run in the folder `path`: its preset, losses, journal and arrays, whether it is under way, ended or elsewhere.

    Raises
    ------
    RunFolderError
        Where `path` is no run.
    """
    return RunFolder.open(path)
