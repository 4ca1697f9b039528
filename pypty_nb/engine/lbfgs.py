"""Limited-memory BFGS over all refined arrays at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from pypty_nb.engine import vector
from pypty_nb.engine.metric import Metric
from pypty_nb.records import Refinables

_PLAIN = Metric()
#: A norm of so many units of rounding of the first array's is a computed zero; 4 at most were seen (positions, empty object).
_ROUNDED = 32


@dataclass(frozen=True)
class Pair:
    """One step s and the change of gradient y along it."""

    step: Refinables
    change: Refinables
    curvature: float


@dataclass(frozen=True)
class History:
    """What the optimiser remembers; a new one after every change.

    Attributes
    ----------
    pairs : tuple of Pair
        Oldest first.
    scales : mapping of str to float
        Each array's ⟨s, y⟩/⟨y, M y⟩ of the newest pair where it was positive, else its last positive one.
    common : float
        The same over all arrays together; stands in for an array that never had a positive one.
    """

    pairs: tuple[Pair, ...] = ()
    scales: tuple[tuple[str, float], ...] = ()
    common: float = 1.0

    def direction(self, gradient: Refinables, metric: Metric = _PLAIN) -> Refinables:
        """The search direction at a point with `gradient`.

        Without pairs: −M g, each array scaled to the norm of the first refined one, those that the metric makes comparable
        together; an array whose gradient is zero, or its rounding error, stays where it is. With pairs: −H g by the two-loop
        recursion, H0 the metric M with each array's own scale, so that arrays of different units and curvatures meet on equal
        terms. Nocedal and Wright, Numerical Optimization (2006), algorithm 7.4; the scale is eq. 7.20, array by array, in the
        metric.
        """
        if not self.pairs:
            return _first(metric.apply(_heard(gradient)), metric.comparable)
        q, factors = gradient, []
        for pair in reversed(self.pairs):
            factor = vector.inner(pair.step, q) / pair.curvature
            factors.append(factor)
            q = vector.axpy(-factor, pair.change, q)
        scales, weighted = dict(self.scales), metric.apply(q)
        q = Refinables(**{name: scales.get(name, self.common) * array for name, array in vector.present(weighted)})
        for pair, factor in zip(self.pairs, reversed(factors), strict=True):
            correction = factor - vector.inner(pair.change, q) / pair.curvature
            q = vector.axpy(correction, pair.step, q)
        return vector.scale(-1.0, q)

    def mapped(self, function: Callable[[Refinables], Refinables]) -> History:
        """The history with `function` applied to every step and change; it must keep all inner products."""
        pairs = (Pair(function(pair.step), function(pair.change), pair.curvature) for pair in self.pairs)
        return replace(self, pairs=tuple(pairs))

    def extended(self, step: Refinables, change: Refinables, length: float, metric: Metric = _PLAIN) -> History:
        """The history after one more step, of at most `length` pairs; a pair without positive curvature is not taken."""
        products, squares = vector.inner_by_array(step, change), metric.squares(change)
        curvature, square = sum(products.values()), sum(squares.values())
        if length == 0:
            return History()
        if not (curvature > 0 and square > 0 and math.isfinite(curvature) and math.isfinite(square)):
            return self
        scales = dict(self.scales)
        for name, product in products.items():
            if product > 0 and squares[name] > 0:
                scales[name] = product / squares[name]
        kept = (*self.pairs, Pair(step, change, curvature))
        if not math.isinf(length):
            kept = kept[-int(length) :]
        return replace(self, pairs=kept, scales=tuple(scales.items()), common=curvature / square)


def _first(gradient: Refinables, comparable: frozenset[str]) -> Refinables:
    norms, reference = _norms(gradient)
    together = next((norm for name, norm in norms.items() if name in comparable and norm > 0), 0.0)
    sizes = {name: together if name in comparable else norm for name, norm in norms.items() if norm > 0}
    return Refinables(**{name: array * (-reference / sizes[name]) for name, array in vector.present(gradient) if name in sizes})


def _heard(gradient: Refinables) -> Refinables:
    """The arrays whose gradient says something: scaled up to the others' norm, rounding errors would be steps at random."""
    norms, reference = _norms(gradient)
    rounding = {name: _ROUNDED * np.finfo(array.dtype).eps * reference for name, array in vector.present(gradient)}
    # an infinite norm is kept, to be told as one
    return vector.only(gradient, (name for name, norm in norms.items() if not norm <= rounding[name] < math.inf))


def _norms(gradient: Refinables) -> tuple[dict[str, float], float]:
    """The norm of every array, and that of the first that has one."""
    norms = {name: math.sqrt(square) for name, square in vector.inner_by_array(gradient, gradient).items()}
    return norms, next((norm for norm in norms.values() if norm > 0), 0.0)
