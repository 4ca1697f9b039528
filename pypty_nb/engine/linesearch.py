"""A line search for the weak Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from pypty_nb.records import LineSearchReport

T = TypeVar("T")


@dataclass(frozen=True)
class LineSearch:
    """Settings; the names are the parameters'.

    Attributes
    ----------
    c1, c2 : float
        0 < c1 < c2 < 1.
    reduce, optimism : float
        Factors on the step while it is not bracketed: below 1 and above 1.
    max_count : int or None
        Evaluations at most.
    min_step : float
    resolution : float
        Relative rounding of the loss: a decrease below it cannot be told from none.
    """

    c1: float = 0.5
    c2: float = 0.999999
    reduce: float = 0.5
    optimism: float = 2.0
    max_count: int | None = None
    min_step: float = 1e-20
    resolution: float = 1e-15


@dataclass(frozen=True)
class Trial(Generic[T]):
    """Loss and directional derivative at one step, with what else was computed there."""

    loss: float
    slope: float
    state: T


def search(
    settings: LineSearch, trial_at: Callable[[float], Trial[T]], start: Trial[T], first_step: float
) -> tuple[Trial[T] | None, LineSearchReport]:
    """Find t with L(t) ≤ L(0) + c1 t L'(0) (Armijo) and L'(t) ≥ c2 L'(0) (curvature).

    The step is reduced while Armijo's condition fails and enlarged while the curvature's fails; once both have failed the step
    is bracketed and bisected, so that the search ends. Nothing is random. Nocedal and Wright, Numerical Optimization (2006),
    eq. 3.6; the bisection is that of Lewis and Overton, Math. Program. 141, 135 (2013), algorithm 2.6.

    Returns
    -------
    trial, report
        The accepted trial, or ``None`` where `max_count` or `min_step` was passed or no decrease can be resolved.
    """
    step, low, high = first_step, 0.0, math.inf
    trials: list[tuple[float, float]] = []
    while True:
        count = len(trials)
        too_fine = -step * start.slope <= settings.resolution * abs(start.loss) or high - low <= 1e-12 * high < math.inf
        if step < settings.min_step or too_fine or (settings.max_count is not None and count >= settings.max_count):
            return None, LineSearchReport(
                first_step, 0.0, start.slope, start.slope, count, accepted=False, trials=tuple(trials)
            )
        trial = trial_at(step)
        trials.append((step, trial.loss))
        # written so that a NaN counts as too long a step, as does a gradient that is no number any more
        if not (trial.loss <= start.loss + settings.c1 * step * start.slope and math.isfinite(trial.slope)):
            high = step
        elif trial.slope < settings.c2 * start.slope:
            low = step
        else:
            return trial, LineSearchReport(first_step, step, start.slope, trial.slope, len(trials), trials=tuple(trials))
        if math.isinf(high):
            step *= settings.optimism
        elif low == 0:
            step *= settings.reduce
        else:
            step = 0.5 * (low + high)
