"""Refinables as one vector: the only arithmetic the optimiser needs, written once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from typing import Any

from pypty_nb.records import Array, Refinables

#: The order of the arrays; the first refined one sets the scale of a run's first step.
NAMES: tuple[str, ...] = tuple(field.name for field in fields(Refinables))


def present(a: Refinables) -> Iterator[tuple[str, Array]]:
    """Names and arrays of what is not held fixed."""
    for name in NAMES:
        array = getattr(a, name)
        if array is not None:
            yield name, array


def each(function: Callable[..., Any], *vectors: Refinables) -> Refinables:
    """Apply `function` array by array where all `vectors` have one; ``None`` elsewhere."""
    out = {}
    for name in NAMES:
        arrays = [getattr(vector, name) for vector in vectors]
        out[name] = None if any(array is None for array in arrays) else function(*arrays)
    return Refinables(**out)


def only(a: Refinables, names: Iterable[str]) -> Refinables:
    """`a` with ``None`` for every array not in `names`."""
    names = set(names)
    return Refinables(**{name: array for name, array in present(a) if name in names})


def inner_by_array(a: Refinables, b: Refinables) -> dict[str, float]:
    """⟨a, b⟩ = Σ Re(conj(a) b) of every array both have, in double."""
    out = {}
    for name, array in present(a):
        other = getattr(b, name)
        if other is not None:
            out[name] = _inner(array, other)
    return out


def inner(a: Refinables, b: Refinables) -> float:
    """⟨a, b⟩ over all arrays both have."""
    return sum(inner_by_array(a, b).values())


def scale(factor: float, a: Refinables) -> Refinables:
    """factor · a."""
    return each(lambda array: array * factor, a)


def axpy(factor: float, a: Refinables, b: Refinables) -> Refinables:
    """factor · a + b, the arrays that `a` holds fixed as they are in `b`."""
    changes = {name: factor * array + getattr(b, name) for name, array in present(a) if getattr(b, name) is not None}
    return replace(b, **changes)


def _inner(a: Array, b: Array) -> float:
    if a.dtype.kind != "c":
        return float((a * b).sum(dtype="float64"))
    return float((a.real * b.real).sum(dtype="float64") + (a.imag * b.imag).sum(dtype="float64"))
