"""What a person does: choices, runs, commands; the page, a notebook and the shell drive the same."""

from pypty_nb.workspace.history import History
from pypty_nb.workspace.runner import Phase, Runner, RunState
from pypty_nb.workspace.workspace import Opened, Workspace

__all__ = ["History", "Opened", "Phase", "RunState", "Runner", "Workspace"]
