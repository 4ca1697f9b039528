"""Named starts: recommended settings that come with the program, one small preset a file."""

from __future__ import annotations

import copy
from importlib.resources import as_file, files
from typing import Any

from pypty_nb.params import storage
from pypty_nb.params.errors import ParameterError
from pypty_nb.params.fields import Field
from pypty_nb.params.tables import TABLES, HandConstraints, LossConstraints, Optimisation, Updating

#: Tables that hold nothing of the measurement: a start sets all of them.
_SETTINGS = (Optimisation, Updating, LossConstraints, HandConstraints)
#: Goes with the virtual detectors of the data, where there are any.
_WITH_DATA = {"algorithm"}

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


def settings_of(name: str, *, compressed: bool = False) -> dict[str, Any]:
    """Everything that the start `name` decides: its values, and the defaults of what it or another start could set.

    Data, calibration and arrays are not among them, so that a start can be taken with the data at hand; with `compressed` data
    of virtual detectors the loss is not either.

    Raises
    ------
    ParameterError
        Where there is no such start.
    """
    chosen = values_of(name)
    fields: dict[str, Field] = {name: field for table in TABLES for name, field in table.fields().items()}
    decided = {name for table in _SETTINGS for name in table.fields()}
    decided |= {name for start in available() for name in values_of(start)}
    settings = {name: copy.deepcopy(fields[name].default) for name in decided} | chosen
    return {name: value for name, value in settings.items() if not (compressed and name in _WITH_DATA)}


def _about(name: str) -> str:
    with as_file(_FOLDER / f"{name}.json") as path:
        return storage.about(path)
