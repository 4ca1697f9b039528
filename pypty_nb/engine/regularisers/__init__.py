"""Constraints that join the loss; one file an idea, found by being in this folder.

A module lists its terms in ``TERMS``. Each is a function of one refined array, and gives value and gradient without its weight.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pypty_nb.backend import Backend
from pypty_nb.engine.setup import Setup
from pypty_nb.params import Preset
from pypty_nb.records import Array


@dataclass(frozen=True)
class Surroundings:
    """What a term may look at beside its array; the preset is for what does not change during a run."""

    backend: Backend
    setup: Setup
    preset: Preset


@dataclass(frozen=True)
class Regulariser:
    """One term of the loss.

    Attributes
    ----------
    name : str
        In the report, in ``loss.csv`` and in the loss view.
    weight : str
        The parameter that weighs it; at 0 the term is not computed.
    of : str
        The refinable it is a function of.
    function : callable
        ``function(array, values, surroundings) -> (value, gradient)``; `values` holds `parameters` at the epoch.
    parameters : tuple of str
        What it reads beside its weight.
    """

    name: str
    weight: str
    of: str
    function: Callable[[Array, Mapping[str, Any], Surroundings], tuple[float, Array]]
    parameters: tuple[str, ...] = ()


def available() -> tuple[Regulariser, ...]:
    """Every term, in the order of their files' names."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return tuple(term for module in modules for term in module.TERMS)
