"""What can be set: tables of parameters, schedules, presets."""

from pypty_nb.params.errors import ParameterError, UnknownParameterError
from pypty_nb.params.fields import Field
from pypty_nb.params.preset import FIELDS, Preset, as_preset, known_name, same
from pypty_nb.params.schedule import Schedule
from pypty_nb.params.tables import TABLES
from pypty_nb.params.tables.base import Table

__all__ = [
    "FIELDS",
    "TABLES",
    "Field",
    "ParameterError",
    "Preset",
    "Schedule",
    "Table",
    "UnknownParameterError",
    "as_preset",
    "known_name",
    "same",
]
