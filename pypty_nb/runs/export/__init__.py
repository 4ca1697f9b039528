"""Results in other formats, one file a format, found by being in this folder.

A format's module has ``write(point, preset, folder) -> list of paths``.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

from pypty_nb.params import ParameterError
from pypty_nb.runs.errors import RunFolderError
from pypty_nb.runs.folder import RunFolder


def formats() -> list[str]:
    """The formats' names."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def export(run: RunFolder, form: str, out: Path) -> list[Path]:
    """Write the last complete state of `run` to the folder `out`.

    Raises
    ------
    ParameterError
        Where the format is unknown or no epoch is complete yet.
    RunFolderError
        Where `out` cannot be written.
    """
    if form not in formats():
        raise ParameterError(f"--format: there is no format {form!r}; there are {', '.join(formats())}")
    point = run.point()
    if point is None:
        raise ParameterError(f"{run.path}: no epoch is complete yet, so that there is nothing to export")
    try:
        out.mkdir(parents=True, exist_ok=True)
        return import_module(f"{__name__}.{form}").write(point, run.preset(), out)
    except OSError as error:
        raise RunFolderError(f"the folder {out} cannot be written: {error.strerror or error}") from error
