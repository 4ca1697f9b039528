"""pypty_nb: electron and X-ray ptychography in a notebook, a web page and a shell."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pypty_nb.engine import Reconstruction, evaluate
    from pypty_nb.initialize import create_pypty_data
    from pypty_nb.params import Preset
    from pypty_nb.runs import open_run, run_ptychography
    from pypty_nb.widgets import app

__version__ = "0.1.0"
__all__ = ["Preset", "Reconstruction", "__version__", "app", "create_pypty_data", "evaluate", "open_run", "run_ptychography"]

_HOME = {
    "Preset": "pypty_nb.params",
    "Reconstruction": "pypty_nb.engine",
    "create_pypty_data": "pypty_nb.initialize",
    "evaluate": "pypty_nb.engine",
    "open_run": "pypty_nb.runs",
    "run_ptychography": "pypty_nb.runs",
    "app": "pypty_nb.widgets",
}


def __getattr__(name: str) -> Any:
    # lazily, so that the engine on a cluster loads no widget
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
