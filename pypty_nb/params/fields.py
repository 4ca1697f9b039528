"""The kinds of parameter. Each knows what it accepts, its unit, its level, and whether it may be scheduled.

Every kind is a Param parameter, so that watchers, defaults and documentation work as Param's do; what it accepts is
decided by `accept`, which turns a value from Python, JSON or the original program into the one that is stored.
"""

from __future__ import annotations

import math
import os
from typing import Any, Literal

import numpy as np
import param

from pypty_nb.params.errors import ParameterError
from pypty_nb.params.schedule import Schedule, is_text

Level = Literal["basic", "expert"]

_SLOTS = ("differs", "level", "live", "schedulable", "unit", "words")
_DEFAULTS: dict[str, Any] = {"differs": "", "level": "expert", "live": False, "schedulable": False, "unit": "", "words": ()}


class Field:
    """What all kinds share; mixed into a Param parameter.

    Parameters
    ----------
    default
        The document's default.
    label : str
        What the form calls it.
    doc : str
        Help: what it does, and what a larger value does.
    unit : str
        At the surface: Å, Å⁻¹, mrad, kV, px, counts.
    level : "basic" or "expert"
    schedulable : bool
        Takes a `Schedule` beside a constant.
    live : bool
        May change during a run; what is schedulable always may.
    differs : str
        How the original program behaves otherwise, "" where it does not.
    words : tuple
        Single values accepted beside those of the kind: ``None``, ``"auto"``, ``math.inf``, ``False``.
    """

    __slots__ = ()

    # declared for readers and type checkers; each kind holds them in its slots
    name: str | None
    label: str | None
    doc: str | None
    default: Any
    unit: str
    level: Level
    schedulable: bool
    live: bool
    differs: str
    words: tuple[Any, ...]

    def __init__(self, default: Any = None, *, unit: str = "", level: Level = "expert", schedulable: bool = False,
                 live: bool = False, differs: str = "", words: tuple[Any, ...] = (), **kwargs: Any):  # fmt: skip
        self.unit, self.level, self.differs, self.words = unit, level, differs, words
        self.schedulable, self.live = schedulable, live or schedulable
        super().__init__(default=default, **kwargs)

    def accept(self, value: Any) -> Any:
        """The value to store for `value`.

        Raises
        ------
        ParameterError
            Names the parameter, the value received and what is accepted.
        """
        value = bool(value) if isinstance(value, np.bool_) else value
        for word in self.words:
            if value is word or (type(value) is type(word) and value == word) or (word == math.inf and value == "inf"):
                return word
        if self._is_schedule(value):
            return self._accept_schedule(value)
        return self._accept_constant(value)

    def check_schedule(self, schedule: Schedule, epochs: range) -> None:
        """Check type and bounds of `schedule` over `epochs`; the error names the first bad one."""
        for epoch in epochs:
            self.value_at(schedule, epoch)

    def value_at(self, value: Any, epoch: int) -> Any:
        """`value`, or what it is at `epoch` where it is a schedule, as this kind stores it."""
        if not isinstance(value, Schedule):
            return value
        try:
            found = value.value(epoch)
        except ParameterError as error:
            raise ParameterError(f"{self.name}: {error}") from error
        try:
            if not isinstance(found, np.ndarray) and found in self.words:
                return found
            return self._accept_constant(found)
        except ParameterError as error:
            raise ParameterError(f"{error} (at epoch {epoch}, from {value})") from error

    def accepted(self) -> str:
        """What this kind takes, in words."""
        parts = [self._kind(), *(_shown(word) for word in self.words)]
        if self.schedulable:
            parts.append("a schedule such as 'lambda x: x >= 20'")
        return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " or " + parts[-1]

    def refuse(self, value: Any, why: str = "") -> ParameterError:
        reason = f"{why}; accepted" if why else "accepted"
        return ParameterError(f"{self.name}: got {describe(value)}; {reason}: {self.accepted()}")

    def _is_schedule(self, value: Any) -> bool:
        if isinstance(value, Schedule) or is_text(value):
            return True
        if isinstance(value, dict):
            return set(value) in ({"schedule"}, {"steps"})
        return callable(value) and not isinstance(value, (type, np.generic))

    def _accept_schedule(self, value: Any) -> Schedule:
        if not self.schedulable:
            raise self.refuse(value, "it takes no schedule")
        try:
            if isinstance(value, Schedule):
                return value
            if isinstance(value, dict):
                return Schedule.parse(value["schedule"]) if "schedule" in value else Schedule.steps(value["steps"])
            return Schedule.parse(value) if isinstance(value, str) else Schedule.of_callable(value)
        except ParameterError as error:
            raise ParameterError(f"{self.name}: {error}") from error

    # what a kind says of itself; here, so that the mixin stands alone
    def _kind(self) -> str:
        raise TypeError(f"{type(self).__name__} does not say what it takes")

    def _accept_constant(self, value: Any) -> Any:
        raise TypeError(f"{type(self).__name__} does not say what it takes")

    # Param's own hooks
    def __set__(self, obj: Any, val: Any) -> None:
        super().__set__(obj, self.accept(val))  # pyright: ignore[reportAttributeAccessIssue]

    def _validate(self, val: Any) -> None:
        if val is not None or self.default is not None:
            self.accept(val)


class Number(Field, param.Number):
    """A finite real number, with bounds."""

    __slots__ = _SLOTS
    _slot_defaults = dict(param.Number._slot_defaults, **_DEFAULTS)

    def _accept_constant(self, value: Any) -> float:
        value = _scalar(value)
        if isinstance(value, (bool, str)) or not isinstance(value, (int, float)):
            raise self.refuse(value)
        try:
            value = float(value)
        except OverflowError:
            raise self.refuse(value, "too large") from None
        if not math.isfinite(value):
            raise self.refuse(value, "not finite")
        self._check_bounds_of(value)
        return value

    def _check_bounds_of(self, value: float) -> None:
        low, high = self.bounds or (None, None)
        include_low, include_high = self.inclusive_bounds
        if low is not None and (value < low or (value == low and not include_low)):
            raise self.refuse(value, "too small")
        if high is not None and (value > high or (value == high and not include_high)):
            raise self.refuse(value, "too large")

    def _range(self) -> str:
        low, high = self.bounds or (None, None)
        include_low, include_high = self.inclusive_bounds
        parts = []
        if low is not None:
            parts.append(f"{low:g} or more" if include_low else f"above {low:g}")
        if high is not None:
            parts.append(f"{high:g} or less" if include_high else f"below {high:g}")
        return " and ".join(parts)

    def _kind(self) -> str:
        return " ".join(part for part in ("a number", self._range(), f"({self.unit})" if self.unit else "") if part)


class Integer(Number):
    """A whole number, with bounds."""

    def _accept_constant(self, value: Any) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        value = _scalar(value)
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not whole:
            raise self.refuse(value)
        if abs(value) >= 2**63:
            raise self.refuse(value, "too large")
        self._check_bounds_of(value)
        return int(value)

    def _kind(self) -> str:
        return super()._kind().replace("a number", "a whole number")


class Boolean(Field, param.Boolean):
    """True or false; 1 and 0 are taken for them."""

    __slots__ = _SLOTS
    _slot_defaults = dict(param.Boolean._slot_defaults, **_DEFAULTS)

    def _accept_constant(self, value: Any) -> bool:
        value = _scalar(value)
        if isinstance(value, (bool, int, float)) and value in (0, 1):
            return bool(value)
        raise self.refuse(value)

    def _kind(self) -> str:
        return "true (1) or false (0)"


class Choice(Field, param.Parameter):
    """One of a few words. `aliases` maps other spellings to them."""

    __slots__ = (*_SLOTS, "aliases", "choices")
    _slot_defaults = dict(param.Parameter._slot_defaults, **_DEFAULTS, choices=(), aliases={})

    def __init__(self, default: str | None, *, choices: tuple[str, ...], aliases: dict[str, str] | None = None, **kwargs: Any):
        self.choices, self.aliases = choices, aliases or {}
        super().__init__(default, **kwargs)

    def _accept_constant(self, value: Any) -> str:
        if isinstance(value, str):
            word = self.aliases.get(value, value)
            if word in self.choices:
                return word
        raise self.refuse(value)

    def _kind(self) -> str:
        return ", ".join(f'"{choice}"' for choice in self.choices)


class Path(Field, param.Parameter):
    """A path as text; "" for none."""

    __slots__ = _SLOTS
    _slot_defaults = dict(param.Parameter._slot_defaults, **_DEFAULTS)

    def _accept_constant(self, value: Any) -> str:
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if not isinstance(value, str) or "\0" in value:
            raise self.refuse(value)
        return value

    def _kind(self) -> str:
        return "a path as text"


class Array(Field, param.Parameter):
    """An array of declared shapes and kind of number.

    Parameters
    ----------
    shapes : tuple of str
        Accepted shapes, each written as its axes: ``"pattern, 2"``; a number is that length, a name any length.
    kind : "real", "complex", "integer"
        What is stored: floats keep their precision, integers of a real array too.
    number : bool
        A single number is taken as it is (`static_background`).
    allow_none : bool
    """

    __slots__ = (*_SLOTS, "kind", "number", "shapes")
    _slot_defaults = dict(param.Parameter._slot_defaults, **_DEFAULTS, kind="real", number=False, shapes=())

    def __init__(self, default: Any = None, *, shapes: tuple[str, ...], kind: str = "real", number: bool = False,
                 allow_none: bool = False, words: tuple[Any, ...] = (), **kwargs: Any):  # fmt: skip
        self.shapes, self.kind, self.number = shapes, kind, number
        if allow_none or default is None:
            words = (None, *words)
        super().__init__(default, words=words, allow_None=None in words, **kwargs)

    def accept(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return self._accept_constant(value)
        return super().accept(value)

    def _accept_constant(self, value: Any) -> Any:
        if self.number and isinstance(_scalar(value), (int, float)) and not isinstance(value, bool):
            number = float(_scalar(value))
            if not math.isfinite(number) or number < 0:
                raise self.refuse(value, "a number here must be 0 or more")
            return number
        if isinstance(value, (str, bytes, dict)) or (not isinstance(value, np.ndarray) and not _is_nested(value)):
            raise self.refuse(value)
        try:
            array = np.asarray(value)
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise self.refuse(value, "its rows have different lengths or hold something else than numbers") from None
        return self._as_kind(array, value)

    def _as_kind(self, array: np.ndarray, value: Any) -> np.ndarray:
        allowed = {"integer": "iu", "real": "iuf", "complex": "iufc"}[self.kind]
        if array.dtype.kind == "b":
            array = array.astype(np.uint8)
        if self.kind == "integer" and array.dtype.kind == "f" and np.array_equal(array, np.round(array)):
            array = array.astype(np.int64)
        if array.dtype.kind not in allowed or array.dtype.itemsize > 16:
            raise self.refuse(value, f"its numbers are {array.dtype}, not {self.kind}")
        if not any(_fits(array.shape, shape) for shape in self.shapes):
            raise self.refuse(value)
        if self.kind == "complex" and array.dtype.kind != "c":
            array = array.astype(np.complex64 if array.dtype.itemsize <= 4 else np.complex128)
        return array

    def _kind(self) -> str:
        kinds = {"integer": "whole numbers", "real": "real numbers", "complex": "complex numbers"}
        text = f"an array of {kinds[self.kind]} of shape " + " or ".join(f"({shape})" for shape in self.shapes)
        text += f" ({self.unit})" if self.unit else ""
        return f"a number, {text}" if self.number else text

    # a default array must not be shared: Param copies it where instantiate is set, which it is for every parameter here


class Numbers(Field, param.Parameter):
    """A fixed count of numbers, such as [ny, nx]; stored as a tuple.

    Parameters
    ----------
    length : int
    integer : bool
    bounds : (low, high)
        Of each number, inclusive; ``None`` for no bound.
    """

    __slots__ = (*_SLOTS, "bounds", "integer", "length")
    _slot_defaults = dict(param.Parameter._slot_defaults, **_DEFAULTS, bounds=(None, None), integer=False, length=2)

    def __init__(self, default: Any, *, length: int = 2, integer: bool = False,
                 bounds: tuple[float | None, float | None] = (None, None), words: tuple[Any, ...] = (), **kwargs: Any):  # fmt: skip
        self.length, self.integer, self.bounds = length, integer, bounds
        if default is None:
            words = (None, *words)
        super().__init__(default, words=words, allow_None=None in words, **kwargs)

    def accept(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return self._accept_constant(value)
        return super().accept(value)

    def _accept_constant(self, value: Any) -> tuple[float, ...]:
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if not isinstance(value, (list, tuple)) or len(value) != self.length:
            raise self.refuse(value)
        low, high = self.bounds
        found: list[float] = []
        for item in map(_scalar, value):
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

    __slots__ = _SLOTS
    _slot_defaults = dict(param.Parameter._slot_defaults, **_DEFAULTS)

    def _accept_constant(self, value: Any) -> float | tuple[tuple[float, float] | None, ...]:
        if not isinstance(value, (list, tuple)):
            return self._positive(value, value)
        rows = [row.tolist() if isinstance(row, np.ndarray) else row for row in value]
        if len(rows) != 2 or not all(row is None or (isinstance(row, (list, tuple)) and len(row) == 2) for row in rows):
            raise self.refuse(value)
        return tuple(
            None if row is None else (self._positive(row[0], value), self._positive(row[1], value)) for row in rows
        )

    def _positive(self, number: Any, value: Any) -> float:
        number = _scalar(number)
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 < number < 1e300:
            raise self.refuse(value)
        return float(number)

    def _kind(self) -> str:
        text = "a number above 0, or two entries, each a pair of such numbers or None"
        return text + (f" ({self.unit})" if self.unit else "")


def describe(value: Any) -> str:
    """`value` for a message: arrays by shape and dtype, everything else shortened."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."


def _shown(word: Any) -> str:
    return {None: "None"}.get(word, f'"{word}"' if isinstance(word, str) else str(word))


def _scalar(value: Any) -> Any:
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    return value


def _is_nested(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or hasattr(value, "__array__")


def _fits(shape: tuple[int, ...], pattern: str) -> bool:
    axes = [axis.strip() for axis in pattern.split(",")]
    return len(axes) == len(shape) and all(
        length > 0 and (not axis.isdigit() or int(axis) == length) for axis, length in zip(axes, shape, strict=True)
    )


