"""What a person does: choices, runs, commands; the page, a notebook and the shell drive the same."""

from pypty_nb.runs import Phase, RunState
from pypty_nb.workspace.attached import Attached
from pypty_nb.workspace.history import History
from pypty_nb.workspace.jobs import Job, Jobs
from pypty_nb.workspace.ledger import Ledger
from pypty_nb.workspace.patterns import PatternReader, Patterns, pattern_at
from pypty_nb.workspace.runner import Runner
from pypty_nb.workspace.scene import Event, Scene, scene_of
from pypty_nb.workspace.workspace import Opened, Workspace

__all__ = [
    "Attached",
    "Event",
    "History",
    "Job",
    "Jobs",
    "Ledger",
    "Opened",
    "PatternReader",
    "Patterns",
    "Phase",
    "RunState",
    "Runner",
    "Scene",
    "Workspace",
    "pattern_at",
    "scene_of",
]
