"""How a modelled pattern is compared with a measured one; one file a loss, found by its `NAME`.

Each has ``value(backend, intensity, data)``, the loss of every pattern, and ``slope`` with the same arguments, dL/dI.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Protocol

from pypty_nb.backend import Backend
from pypty_nb.records import Array


class Loss(Protocol):
    """A loss of intensities; `NAME` is its word in the parameter `algorithm`."""

    def value(self, backend: Backend, intensity: Array, data: Array) -> Array:
        """The loss of every pattern, (pattern,) float64, from (pattern, y, x) intensities and counts."""
        ...

    def slope(self, backend: Backend, intensity: Array, data: Array) -> Array:
        """dL/dI, (pattern, y, x)."""
        ...


def available() -> dict[str, Loss]:
    """Every loss by name."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return {module.NAME: module for module in modules}  # pyright: ignore[reportReturnType]
