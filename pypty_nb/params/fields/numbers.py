"""Single numbers and switches."""

from __future__ import annotations

import math
from typing import Any

import param

from pypty_nb.params.errors import ParameterError
from pypty_nb.params.fields.base import SLOT_DEFAULTS, SLOTS, Field, scalar


class Number(Field, param.Number):
    """A finite real number, with bounds."""

    __slots__ = SLOTS
    _slot_defaults = dict(param.Number._slot_defaults, **SLOT_DEFAULTS)

    def _accept_constant(self, value: Any) -> float:
        value = scalar(value)
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
            raise self._out_of_range(value)
        if high is not None and (value > high or (value == high and not include_high)):
            raise self._out_of_range(value)

    def _out_of_range(self, value: float) -> ParameterError:
        unit = f" {self.unit}" if self.unit else ""
        return ParameterError(f"{self.name}: must be {self.limits()}{unit}; got {value:g}")

    def limits(self) -> str:
        low, high = self.bounds or (None, None)
        include_low, include_high = self.inclusive_bounds
        parts = []
        if low is not None:
            parts.append(f"{low:g} or more" if include_low else f"above {low:g}")
        if high is not None:
            parts.append(f"{high:g} or less" if include_high else f"below {high:g}")
        return " and ".join(parts)

    def _kind(self) -> str:
        return " ".join(part for part in ("a number", self.limits(), f"({self.unit})" if self.unit else "") if part)


class Integer(Number):
    """A whole number, with bounds."""

    def _accept_constant(self, value: Any) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        value = scalar(value)
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

    __slots__ = SLOTS
    _slot_defaults = dict(param.Boolean._slot_defaults, **SLOT_DEFAULTS)

    def _accept_constant(self, value: Any) -> bool:
        value = scalar(value)
        if isinstance(value, (bool, int, float)) and value in (0, 1):
            return bool(value)
        raise self.refuse(value)

    def _kind(self) -> str:
        return "true (1) or false (0)"
