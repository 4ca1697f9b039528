"""Positions between pixels: they act rounded until they are refined, unless sub-pixel shifts are allowed from the start."""

from __future__ import annotations

from dataclasses import replace

from pypty_nb.backend import Backend
from pypty_nb.engine.setup import Geometry
from pypty_nb.params import Preset
from pypty_nb.records import Array, Refinables


def between_pixels(preset: Preset, epoch: int) -> bool:
    """Whether positions act as they are in `epoch`, also where none has moved yet."""
    return preset.allow_subPixel_shift or bool(preset.value_at("update_probe_pos", epoch))


def refined(positions: Array, start: Array) -> bool:
    """Whether any of `positions` has left its `start`; what is refined stays so in a run that is resumed."""
    return bool((positions != start).any())


def acting(backend: Backend, point: Refinables, geometry: Geometry, *, between_pixels: bool) -> Refinables:
    """`point` with the positions that act: its own, or the patches' corners."""
    if between_pixels:
        return point
    return replace(point, positions=backend.asarray(geometry.corners, backend.real))
