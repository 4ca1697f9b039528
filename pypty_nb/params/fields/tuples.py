"""A few numbers together."""

from __future__ import annotations

from typing import Any

import numpy as np
import param

from pypty_nb.params.fields.base import SLOT_DEFAULTS, SLOTS, Field, scalar


class Numbers(Field, param.Parameter):
    """A fixed count of numbers, such as [ny, nx]; stored as a tuple.

    Parameters
    ----------
    length : int
    integer : bool
    bounds : (low, high)
        Of each number, inclusive; ``None`` for no bound.
    """

    __slots__ = (*SLOTS, "bounds", "integer", "length")
    _slot_defaults = dict(param.Parameter._slot_defaults, **SLOT_DEFAULTS, bounds=(None, None), integer=False, length=2)

    def __init__(
        self,
        default: Any,
        *,
        length: int = 2,
        integer: bool = False,
        bounds: tuple[float | None, float | None] = (None, None),
        words: tuple[Any, ...] = (),
        **kwargs: Any,
    ):
        self.length, self.integer, self.bounds = length, integer, bounds
        if default is None:
            words = (None, *words)
        super().__init__(default, words=words, allow_None=None in words, **kwargs)

    def _accept_constant(self, value: Any) -> tuple[float, ...]:
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if not isinstance(value, (list, tuple)) or len(value) != self.length:
            raise self.refuse(value)
        low, high = self.bounds
        found: list[float] = []
        for item in map(scalar, value):
            if isinstance(item, bool) or not isinstance(item, (int, float)) or not -1e300 < item < 1e300:
                raise self.refuse(value)
            if self.integer and item != int(item):
                raise self.refuse(value, "not whole")
            if (low is not None and item < low) or (high is not None and item > high):
                raise self.refuse(value, "out of range")
            found.append(int(item) if self.integer else float(item))
        return tuple(found)

    def _kind(self) -> str:
        low, high = self.bounds
        text = f"{self.length} {'whole ' if self.integer else ''}numbers as a list"
        text += f", each {low:g} or more" if low is not None else ""
        text += f", each {high:g} or less" if high is not None else ""
        return text + (f" ({self.unit})" if self.unit else "")


class Pairs(Field, param.Parameter):
    """A number above 0, or two entries that are each a pair of such numbers or ``None``; stored as nested tuples."""

    __slots__ = SLOTS
    _slot_defaults = dict(param.Parameter._slot_defaults, **SLOT_DEFAULTS)

    def _accept_constant(self, value: Any) -> float | tuple[tuple[float, float] | None, ...]:
        if not isinstance(value, (list, tuple)):
            return self._positive(value, value)
        rows = [row.tolist() if isinstance(row, np.ndarray) else row for row in value]
        if len(rows) != 2 or not all(row is None or (isinstance(row, (list, tuple)) and len(row) == 2) for row in rows):
            raise self.refuse(value)
        return tuple(None if row is None else (self._positive(row[0], value), self._positive(row[1], value)) for row in rows)

    def _positive(self, number: Any, value: Any) -> float:
        number = scalar(number)
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 < number < 1e300:
            raise self.refuse(value)
        return float(number)

    def _kind(self) -> str:
        text = "a number above 0, or two entries, each a pair of such numbers or None"
        return text + (f" ({self.unit})" if self.unit else "")
