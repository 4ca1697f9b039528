"""What the methods of propagation ask of object and probe, and what changes where a run goes over from one to another."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.engine.setup import Setup
from pypty_nb.params import ParameterError
from pypty_nb.physics.grids import q_squared
from pypty_nb.records import Array

_WHOLE_POWERS = "multislice"
#: rad: a slice that turns the phase by more may be taken for one that turns it the other way, once a root is drawn.
_STEEP = math.pi / 2


def entrance(method: str, setup: Setup) -> float:
    """How far before the first slice's centre the probe stands, Å: there itself, or at the face of its slab."""
    return 0.0 if method == _WHOLE_POWERS else setup.optics.steps(method)[0] / 2


def brought(probe: Array, before: str, after: str, backend: Backend, setup: Setup) -> Array:
    """`probe` (y, x, mode[, scenario]) of the method `before`, propagated to where `after` wants it.

    From multislice, whose slices lie at the centres of their slabs, to the others, which run from face to face, that is
    P(−d_1/2) with P(d) = exp(−iπ d λ q²).
    """
    distance = entrance(before, setup) - entrance(after, setup)
    if not distance:
        return probe
    geometry = setup.geometry
    phase = -np.pi * distance * setup.optics.wavelength * q_squared(geometry.window, geometry.pixel_size)
    kernel = backend.asarray(np.exp(1j * phase), backend.complex).reshape(*geometry.window, *(1,) * (probe.ndim - 2))
    xp = backend.xp
    return xp.fft.ifft2(xp.fft.fft2(probe, axes=(0, 1)) * kernel, axes=(0, 1)).astype(probe.dtype)


def require_roots(planes: Array, method: str, backend: Backend) -> None:
    """Raise where `method` takes fractional powers of `planes` (slice, mode, y, x) that hold a zero.

    Raises
    ------
    ParameterError
    """
    if method == _WHOLE_POWERS:
        return
    dark = backend.to_host((planes == 0).any(axis=(1, 2, 3)))
    if dark.any():
        raise ParameterError(
            f"obj: is 0 somewhere in slice {int(dark.argmax()) + 1}, and {method} takes fractional powers of it; "
            "start from a small modulus there, or use multislice"
        )


def steep(obj: Array, method: str, backend: Backend) -> frozenset[int]:
    """The slices, from 1, of `obj` (y, x, slice, mode) whose phase exceeds π/2 where `method` takes roots of it."""
    if method == _WHOLE_POWERS:
        return frozenset()
    found: Any = (backend.xp.abs(backend.xp.angle(obj)) > _STEEP).any(axis=(0, 1, 3))
    return frozenset((np.flatnonzero(backend.to_host(found)) + 1).tolist())


def warning_of(slices: Iterable[int], method: str) -> tuple[str, ...]:
    """What is to be said of slices that have become steep; nothing where there are none."""
    named = ", ".join(map(str, sorted(slices)))
    if not named:
        return ()
    return (
        f"slice {named}: the phase exceeds π/2, so that the roots that {method} takes of it may be the wrong ones; "
        "use more and thinner slices",
    )
