"""New patches in mid-run: where refined positions have left the pixels they were rounded to, or start afresh."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.engine.build import Problem
from pypty_nb.records import Array, Refinables

Margins = tuple[tuple[int, int], tuple[int, int]]


def margins(corners: np.ndarray, window: tuple[int, int], shape: tuple[int, int]) -> Margins:
    """Pixels by which an object of `shape` (y, x) is too small for patches at `corners`, before and after, in y and in x."""
    low, high = corners.min(axis=0), corners.max(axis=0) + window
    before, after = np.maximum(-low, 0), np.maximum(high - shape, 0)
    return (int(before[0]), int(after[0])), (int(before[1]), int(after[1]))


def together(a: Margins, b: Margins) -> Margins:
    """Both, one after the other."""
    return (a[0][0] + b[0][0], a[0][1] + b[0][1]), (a[1][0] + b[1][0], a[1][1] + b[1][1])


def padded(point: Refinables, widths: Margins, value: float, backend: Backend) -> Refinables:
    """`point`, or a step or gradient, with `value` around its object; ``None`` stays ``None``."""
    if point.obj is None or not any(map(any, widths)):
        return point
    return replace(point, obj=_padded(point.obj, widths, value, backend))


def _padded(obj: Array, widths: Margins, value: float, backend: Backend) -> Array:
    """`obj` (y, x, slice, mode), laid out in memory as the transforms want it."""
    xp = backend.xp
    planes = xp.moveaxis(obj, (2, 3), (0, 1))
    return xp.moveaxis(xp.pad(planes, ((0, 0), (0, 0), *widths), constant_values=value), (0, 1), (2, 3))


def at_corners(problem: Problem, corners: np.ndarray) -> Problem:
    """`problem` with its patches cut at `corners`, (pattern, 2) int."""
    setup = replace(problem.setup, geometry=replace(problem.setup.geometry, corners=corners))
    return replace(problem, setup=setup, objective=problem.objective.on(setup))
