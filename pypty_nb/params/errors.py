"""What a preset refuses, in words."""

from __future__ import annotations

from typing import Any

import numpy as np


class ParameterError(ValueError):
    """A value that cannot be used: its name, what was given, what is accepted.

    `problems` lists every fault found, one sentence each; the message joins them.
    """

    def __init__(self, *problems: str):
        self.problems = problems
        super().__init__("\n".join(problems))


class UnknownParameterError(ParameterError):
    """A name that no table has."""


def describe(value: Any) -> str:
    """`value` for a message: arrays by shape and dtype, everything else shortened."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        # nested too deeply, or an integer of thousands of digits
        text = f"a {type(value).__name__}"
    return text if len(text) <= 80 else text[:77] + "..."
