"""Probe modes made orthogonal: the singular vectors of the modes, strongest first; total intensity stays.

The density matrix Σ_m p_m p_mᴴ, which is all that an incoherent sum shows, stays the same.
Thibault and Menzel, Nature 494, 68 (2013).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pypty_nb.backend import Backend
from pypty_nb.engine.projections import Projection
from pypty_nb.engine.setup import Setup
from pypty_nb.records import Array


def orthogonalise(probe: Array, values: Mapping[str, Any], backend: Backend, setup: Setup) -> Array:
    """`probe` (y, x, mode[, scenario]) with orthogonal modes, each scenario by itself."""
    xp = backend.xp
    out = xp.empty_like(probe)
    scenarios = probe[..., None] if probe.ndim == 3 else probe
    results = out[..., None] if probe.ndim == 3 else out
    for scenario in range(scenarios.shape[3]):
        modes = scenarios[..., scenario].reshape(-1, probe.shape[2])
        left, powers, _ = xp.linalg.svd(modes, full_matrices=False)
        results[..., scenario] = (left * powers).reshape(probe.shape[:3])
    return out


PROJECTIONS = (Projection("keep_probe_states_orthogonal", "probe", orthogonalise),)
