"""What the engine does not do yet: settings it refuses by name rather than ignores."""

from __future__ import annotations

from typing import Any

from pypty_nb.params import FIELDS, ParameterError, Preset, same
from pypty_nb.params.fields import describe

#: Parameters that must keep their default for now.
_DEFAULT_ONLY = ("fancy_sigma",)


def check(preset: Preset) -> None:
    """Refuse every setting this version cannot carry out.

    Raises
    ------
    ParameterError
        With one sentence a setting.
    """
    problems = [
        f"{name}: {describe(preset[name])} is not supported by this version; leave it at {describe(FIELDS[name].default)}"
        for name in _DEFAULT_ONLY
        if not _is_off(preset[name], FIELDS[name].default)
    ]
    if problems:
        raise ParameterError(*problems)


def _is_off(value: Any, default: Any) -> bool:
    return same(value, default) or (not hasattr(value, "shape") and value in (None, False, 0) and default in (None, False, 0))
