"""Presets are changed in copies."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pypty_nb.params import Preset, as_preset

#: What every function that the original program gives its parameters takes.
Params = Preset | Mapping[str, Any] | str | os.PathLike[str]


def with_values(pypty_params: Params, **values: Any) -> Preset:
    """A copy of the preset with `values` set.

    Raises
    ------
    ParameterError
        Where they cannot be.
    """
    changed = as_preset(pypty_params).copy()
    changed.update(values)
    return changed
