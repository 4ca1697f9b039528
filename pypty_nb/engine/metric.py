"""The metric a search direction is measured in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pypty_nb.engine import vector
from pypty_nb.records import Refinables


def _same(a: Refinables) -> Refinables:
    return a


@dataclass(frozen=True)
class Metric:
    """A diagonal D ≥ 0 on some arrays, in one unit, and 1 on all others, within the range of a projection P: M = P D.

    Attributes
    ----------
    diagonal : Refinables
        Real arrays that broadcast against object, probe and so on; ``None`` for 1.
    within : callable
        P, orthogonal: keeps a weighted vector among the run's variables, such as those of a limited band.
    """

    diagonal: Refinables = field(default_factory=Refinables)
    within: Callable[[Refinables], Refinables] = _same

    @property
    def comparable(self) -> frozenset[str]:
        """The arrays whose steps M g have their right proportion to one another."""
        return frozenset(name for name, _ in vector.present(self.diagonal))

    def apply(self, a: Refinables) -> Refinables:
        """M a."""
        return self.within(self._weighted(a))

    def squares(self, a: Refinables) -> dict[str, float]:
        """⟨a, M a⟩ of every array, for an `a` in the range of P."""
        return vector.inner_by_array(a, self._weighted(a))

    def _weighted(self, a: Refinables) -> Refinables:
        diagonal = dict(vector.present(self.diagonal))
        return Refinables(**{name: array * diagonal[name] if name in diagonal else array for name, array in vector.present(a)})
