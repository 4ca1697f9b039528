"""The kinds of parameter: each declares a type, and knows what it accepts."""

from pypty_nb.params.fields.arrays import Array
from pypty_nb.params.fields.base import Field, Level, describe
from pypty_nb.params.fields.numbers import Boolean, Integer, Number
from pypty_nb.params.fields.tuples import Numbers, Pairs
from pypty_nb.params.fields.words import AXES, Axes, Choice, Path

__all__ = [
    "AXES",
    "Array",
    "Axes",
    "Boolean",
    "Choice",
    "Field",
    "Integer",
    "Level",
    "Number",
    "Numbers",
    "Pairs",
    "Path",
    "describe",
]
