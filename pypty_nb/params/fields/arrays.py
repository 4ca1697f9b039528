"""Arrays of declared shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import param

from pypty_nb.params.fields.base import SLOT_DEFAULTS, SLOTS, Field, scalar


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

    __slots__ = (*SLOTS, "kind", "number", "shapes")
    _slot_defaults = dict(param.Parameter._slot_defaults, **SLOT_DEFAULTS, kind="real", number=False, shapes=())

    def __init__(self, default: Any = None, *, shapes: tuple[str, ...], kind: str = "real", number: bool = False,
                 allow_none: bool = False, words: tuple[Any, ...] = (), **kwargs: Any):  # fmt: skip
        self.shapes, self.kind, self.number = shapes, kind, number
        if allow_none or default is None:
            words = (None, *words)
        super().__init__(default, words=words, allow_None=None in words, **kwargs)

    def axes_of(self, shape: tuple[int, ...]) -> tuple[str, ...]:
        """The names of the axes of an array of `shape`; empty where no declared shape is like it."""
        return next((_axes(declared) for declared in self.shapes if _fits(shape, declared)), ())

    def _accept_constant(self, value: Any) -> Any:
        if self.number and isinstance(scalar(value), (int, float)) and not isinstance(value, bool):
            number = float(scalar(value))
            if not math.isfinite(number) or number < 0:
                raise self.refuse(value, "a number here must be 0 or more")
            return number
        if isinstance(value, (str, bytes, dict)) or (not isinstance(value, np.ndarray) and not _is_nested(value)):
            raise self.refuse(value)
        try:
            if _holds_masked(value):
                raise ValueError("a masked number is none")
            array = np.asarray(value)
        except (ValueError, TypeError, OverflowError, RecursionError):
            raise self.refuse(value, "its rows have different lengths or hold something else than numbers") from None
        return self._as_kind(array, value)

    def _as_kind(self, array: np.ndarray, value: Any) -> np.ndarray:
        allowed = {"integer": "iu", "real": "iuf", "complex": "iufc"}[self.kind]
        if array.dtype.kind == "b":
            array = array.astype(np.uint8)
        if self.kind == "integer" and array.dtype.kind == "f" and _holds_whole_numbers(array):
            array = array.astype(np.int64)
        if array.dtype.kind not in allowed or array.dtype.itemsize > (16 if array.dtype.kind == "c" else 8):
            raise self.refuse(value, f"its numbers are {array.dtype}, not {self.kind}")
        if not any(_fits(array.shape, shape) for shape in self.shapes):
            raise self.refuse(value)
        if self.kind == "complex" and array.dtype.kind != "c":
            array = array.astype(np.complex64 if array.dtype.itemsize <= 4 else np.complex128)
        # a view that cannot be written to: what was checked must not change under the preset
        array = array.view()
        array.flags.writeable = False
        return array

    def _kind(self) -> str:
        kinds = {"integer": "whole numbers", "real": "real numbers", "complex": "complex numbers"}
        text = f"an array of {kinds[self.kind]} of shape " + " or ".join(f"({shape})" for shape in self.shapes)
        text += f" ({self.unit})" if self.unit else ""
        return f"a number, {text}" if self.number else text

    # a default array must not be shared: Param copies it where instantiate is set, which it is for every parameter here


def _holds_whole_numbers(array: np.ndarray) -> bool:
    """Whether every number is whole and fits 64 bits."""
    return bool((np.abs(array) < 2.0**63).all()) and np.array_equal(array, np.round(array))


def _is_nested(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or hasattr(value, "__array__")


def _holds_masked(value: Any) -> bool:
    """Whether NumPy would have to make up a number."""
    return value is np.ma.masked or (isinstance(value, (list, tuple)) and any(map(_holds_masked, value)))


def _axes(pattern: str) -> tuple[str, ...]:
    return tuple(axis.strip() for axis in pattern.split(","))


def _fits(shape: tuple[int, ...], pattern: str) -> bool:
    axes = _axes(pattern)
    return len(axes) == len(shape) and all(
        length > 0 and (not axis.isdigit() or int(axis) == length) for axis, length in zip(axes, shape, strict=True)
    )
