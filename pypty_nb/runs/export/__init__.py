"""Results in other formats, one file a format, found by being in this folder.

A format's module has ``ABOUT``, a line on what it is good for, ``write(result, folder) -> list of paths``, and, where people
call it otherwise than the module, its name as ``FORMAT``.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from pypty_nb.params import ParameterError
from pypty_nb.runs.errors import RunFolderError
from pypty_nb.runs.folder import RunFolder
from pypty_nb.runs.result import Result


def formats() -> list[str]:
    """The formats' names."""
    return sorted(_modules())


def about(form: str) -> str:
    """A line on what the format `form` is good for."""
    return _modules()[form].ABOUT


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
    result = Result.of(run)
    try:
        out.mkdir(parents=True, exist_ok=True)
        return _modules()[form].write(result, out)
    except OSError as error:
        raise RunFolderError(f"the folder {out} cannot be written: {error.strerror or error}") from error


@cache
def _modules() -> dict[str, ModuleType]:
    found = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return {getattr(module, "FORMAT", module.__name__.rpartition(".")[2]): module for module in found}
