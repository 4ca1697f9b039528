"""Whether a run is under way in a project folder: a look every few seconds that costs next to nothing."""

from __future__ import annotations

from pathlib import Path

from pypty_nb.runs import RunState
from pypty_nb.runs.state import STATE, read_state
from pypty_nb.workspace.paths import run_folders


class Lookout:
    """Looks at the runs under ``root/runs``, whoever started them.

    A run at work touches its ``state.json`` every two seconds, so that only files that were touched since the last look are
    read; a look at hundreds of ended runs takes a few milliseconds.

    Parameters
    ----------
    root : Path
        The project folder.
    """

    def __init__(self, root: Path):
        self._root = root.resolve()
        self._touched: dict[Path, int] = {}

    def look(self) -> RunState | None:
        """The run that a process is at work on, the latest of several; ``None`` where there is none."""
        touched = dict(self._marks())
        fresh = [path for path, mark in touched.items() if self._touched.get(path) != mark]
        self._touched = touched
        for folder in sorted(fresh, reverse=True):
            state = read_state(folder)
            if state is not None and state.owned and state.owner_lives():
                # its file must be read again next time, moved on or not
                self._touched.pop(folder)
                return state
        return None

    def _marks(self) -> list[tuple[Path, int]]:
        found = []
        try:
            folders = run_folders(self._root)
        except OSError:
            return []
        for folder in folders:
            try:
                found.append((folder, (folder / STATE).stat().st_mtime_ns))
            except OSError:
                continue  # no run, or none that says how it stands
        return found
