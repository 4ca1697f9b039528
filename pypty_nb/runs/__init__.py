"""A run on disk: its folder, its journal, what starts, resumes and opens it."""

from __future__ import annotations

import os

from pypty_nb.runs.folder import RunFolder, RunFolderError
from pypty_nb.runs.run import RecordedRun, RunResult, run_ptychography

__all__ = ["RecordedRun", "RunFolder", "RunFolderError", "RunResult", "open_run", "run_ptychography"]


def open_run(path: str | os.PathLike[str]) -> RunFolder:
    """The run in the folder `path`: its preset, losses, journal and arrays, whether it is under way, ended or elsewhere.

    Raises
    ------
    RunFolderError
        Where `path` is no run.
    """
    return RunFolder.open(path)
