"""What a person does: choices, runs, commands; the page, a notebook and the shell drive the same."""

from pypty_nb.workspace.runner import Phase, Runner, RunState
from pypty_nb.workspace.workspace import Workspace

__all__ = ["Phase", "RunState", "Runner", "Workspace"]
