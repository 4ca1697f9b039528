"""Constraints that change object or probe by hand, between epochs; one file an idea, found by being in this folder.

They move the point behind the optimiser's back, so that its history is reset whenever one acts. A module lists its own in
``PROJECTIONS``; each takes one array and gives the changed one.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from pypty_nb.backend import Backend
from pypty_nb.engine.setup import Setup
from pypty_nb.params import Preset
from pypty_nb.records import Array, Refinables


@dataclass(frozen=True)
class Projection:
    """One change by hand.

    Attributes
    ----------
    switch : str
        The parameter that turns it on; it acts in every epoch in which that is neither 0 nor False.
    of : str
        The refinable it changes.
    function : callable
        ``function(array, values, backend, setup) -> array``; `values` holds the switch and `parameters` at the epoch.
    parameters : tuple of str
        What it reads beside its switch.
    """

    switch: str
    of: str
    function: Callable[[Array, Mapping[str, Any], Backend, Setup], Array]
    parameters: tuple[str, ...] = ()


def available() -> tuple[Projection, ...]:
    """Every projection, in the order of their files' names."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return tuple(projection for module in modules for projection in module.PROJECTIONS)


def applied(point: Refinables, preset: Preset, epoch: int, backend: Backend, setup: Setup) -> Refinables:
    """`point` after every projection that is on in `epoch`; `point` itself where none is."""
    for projection in available():
        switch = preset.value_at(projection.switch, epoch)
        if not switch or (projection.switch == "beta_wedge" and preset.value_at("wedge_mu", epoch)):
            continue
        values = {projection.switch: switch, **{name: preset.value_at(name, epoch) for name in projection.parameters}}
        changed = projection.function(getattr(point, projection.of), values, backend, setup)
        point = replace(point, **{projection.of: changed})
    return point
