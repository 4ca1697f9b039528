"""Named starts: recommended settings that come with the program, one small preset a file."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Any

from pypty_nb.params import storage
from pypty_nb.params.errors import ParameterError

_FOLDER = files("pypty_nb.params") / "named"


def available() -> dict[str, str]:
    """Each start's name and when to use it, the defaults first."""
    names = sorted(file.name.removesuffix(".json") for file in _FOLDER.iterdir() if file.name.endswith(".json"))
    names.sort(key=lambda name: name != "default")
    return {name: _about(name) for name in names}


def values_of(name: str) -> dict[str, Any]:
    """The values that the start `name` sets.

    Raises
    ------
    ParameterError
        Where there is no such start.
    """
    if name not in available():
        raise ParameterError(f"there is no named start {name!r:.60}; there are {', '.join(available())}")
    with as_file(_FOLDER / f"{name}.json") as path:
        return storage.read(path)


def _about(name: str) -> str:
    with as_file(_FOLDER / f"{name}.json") as path:
        return storage.about(path)
