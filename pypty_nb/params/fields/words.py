"""Choices, paths, and the names of axes."""

from __future__ import annotations

import os
from typing import Any

import param

from pypty_nb.params.fields.base import SLOT_DEFAULTS, SLOTS, Field

#: What the axes of measurements are called; "1" is one of length 1 that means nothing.
AXES = ("scan_y", "scan_x", "pattern", "ky", "kx", "1")


class Choice(Field, param.Parameter):
    """One of a few words. `aliases` maps other spellings to them."""

    __slots__ = (*SLOTS, "aliases", "choices")
    _slot_defaults = dict(param.Parameter._slot_defaults, **SLOT_DEFAULTS, choices=(), aliases={})

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

    __slots__ = SLOTS
    _slot_defaults = dict(param.Parameter._slot_defaults, **SLOT_DEFAULTS)

    def _accept_constant(self, value: Any) -> str:
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if not isinstance(value, str) or "\0" in value:
            raise self.refuse(value)
        return value

    def _is_schedule(self, value: Any) -> bool:
        # a file may be called lambda_scan.h5
        return not isinstance(value, str) and super()._is_schedule(value)

    def _kind(self) -> str:
        return "a path as text"


class Axes(Field, param.Parameter):
    """The axes of measurements in a file's order, separated by commas, a reversed one with a minus; "" as the file has them."""

    __slots__ = SLOTS
    _slot_defaults = dict(param.Parameter._slot_defaults, **SLOT_DEFAULTS)

    def _accept_constant(self, value: Any) -> str:
        if isinstance(value, (list, tuple)) and all(isinstance(axis, str) for axis in value):
            value = ",".join(value)
        if not isinstance(value, str):
            raise self.refuse(value)
        names = [axis.strip() for axis in value.split(",")] if value.strip() else []
        plain = [axis.removeprefix("-") for axis in names]
        counted = [axis for axis in plain if axis != "1"]
        if not set(plain) <= set(AXES) or len(set(counted)) < len(counted):
            raise self.refuse(value, f"its names are {', '.join(AXES)}, each but the last once")
        return ", ".join(names)

    def _kind(self) -> str:
        return 'names of axes as text, such as "ky, kx, scan_y, -scan_x"'
