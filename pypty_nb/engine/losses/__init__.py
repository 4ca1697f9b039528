"""How a modelled pattern is compared with a measured one; one file a loss, found by its `NAME`.

Each has ``values(backend, intensity, data)``, the loss of every pixel, and ``slope`` with the same arguments, dL/dI.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any, Protocol

from pypty_nb.backend import Backend
from pypty_nb.records import Array


class Loss(Protocol):
    """A loss of intensities; `NAME` is its word in the parameter `algorithm`."""

    def values(self, backend: Backend, intensity: Array, data: Array) -> Array:
        """The loss of every pixel, (pattern, y, x), from intensities and counts of that shape."""
        ...

    def slope(self, backend: Backend, intensity: Array, data: Array) -> Array:
        """dL/dI, (pattern, y, x)."""
        ...


#: What compares the signals of virtual detectors: the same formulas under names of their own.
COMPRESSED = {"lsq_compressed": "lsq", "gauss_compressed": "lsq_sqrt", "poisson_compressed": "ml"}


def available() -> dict[str, Loss]:
    """Every loss by its word in the parameter `algorithm`."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    losses: dict[str, Any] = {module.NAME: module for module in modules}
    return losses | {compressed: losses[plain] for compressed, plain in COMPRESSED.items()}
