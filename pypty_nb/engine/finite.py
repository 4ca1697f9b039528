"""What ends a run for good: a loss or a gradient that is no number any more."""

from __future__ import annotations

import math

from pypty_nb.engine import vector
from pypty_nb.records import Evaluation, Refinables


class ReconstructionError(ValueError):
    """A run that cannot go on; the last good state is kept."""


def require(evaluation: Evaluation, epoch: int) -> None:
    """Raise `ReconstructionError` where a term of the loss is NaN or infinite."""
    for name, value in evaluation.terms.items():
        if not math.isfinite(value):
            raise ReconstructionError(
                f"epoch {epoch}: the term {name!r} of the loss is {value}; the last good state is kept. "
                "Check the starting arrays for huge numbers, or use default_dtype 'double'"
            )


def require_gradient(gradient: Refinables, slope: float, epoch: int) -> None:
    """Raise `ReconstructionError` where the `slope` along the direction that `gradient` gives is NaN or infinite."""
    if math.isfinite(slope):
        return
    squares = vector.inner_by_array(gradient, gradient)
    names = ", ".join(name for name, square in squares.items() if not math.isfinite(square)) or "all arrays"
    raise ReconstructionError(
        f"epoch {epoch}: the gradient by {names} is NaN or too large a number; the last good state is kept. "
        "Check the constraints' weights and the starting arrays for huge numbers"
    )
