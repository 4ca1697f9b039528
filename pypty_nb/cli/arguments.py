"""Words of the command line read as values."""

from __future__ import annotations

import json
from typing import Any

from pypty_nb.params import ParameterError


def assignments(words: list[str] | None) -> dict[str, Any]:
    """Names and values of the `words` ``name=value``.

    A value is JSON where it can be read as such, else text.
    """
    return dict(map(_assigned, words or ()))


def integers(said: str | None) -> tuple[int, ...] | None:
    """The whole numbers of ``44,52`` or ``44x52``."""
    if said is None:
        return None
    try:
        return tuple(int(part) for part in said.replace("x", ",").replace("×", ",").split(","))
    except ValueError:
        raise ParameterError(f"{said!r} is no list of whole numbers such as 44,52") from None


def _assigned(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ParameterError(f"{text!r:.60}: takes name=value, for instance scan_step_A=0.4")
    try:
        return name.strip(), json.loads(value)
    except json.JSONDecodeError:
        return name.strip(), {"True": True, "False": False, "None": None}.get(value.strip(), value)
