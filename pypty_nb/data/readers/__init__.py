"""One file a format. A reader says which endings are its own and opens them; it is found by being in this folder."""

from __future__ import annotations

import os
import pkgutil
from importlib import import_module
from pathlib import Path
from types import ModuleType

from pypty_nb.data.dataset import DataError, Dataset


def open_dataset(path: str | os.PathLike[str], *, signals: bool = False) -> Dataset:
    """The measurements in the file at `path`, read when asked for; with `signals`, those of virtual detectors.

    Raises
    ------
    DataError
        Where there is no such file, no reader for it, or nothing in it that could be patterns.
    """
    path = Path(path)
    try:
        found = path.exists()
    except OSError as error:
        raise DataError(f"data_path: {path} cannot be looked up: {error.strerror}") from error
    if not found:
        raise DataError(f"data_path: there is no file {path}")
    if not path.is_file():
        raise DataError(f"data_path: {path} is a folder, not a file of patterns")
    known: dict[str, ModuleType] = {ending: reader for reader in _readers() for ending in reader.ENDINGS}
    reader = known.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"data_path: no reader for {path.name!r}; files may end in {', '.join(sorted(known))}")
    try:
        return reader.open_file(path, signals=signals)
    except PermissionError as error:
        raise DataError(f"data_path: {path} may not be read: {error.strerror}") from error


def endings() -> tuple[str, ...]:
    """Endings of the files that there are readers for."""
    return tuple(sorted({ending for reader in _readers() for ending in reader.ENDINGS}))


def _readers() -> list[ModuleType]:
    return [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
