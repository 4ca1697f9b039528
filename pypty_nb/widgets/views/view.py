"""What every view is, and what it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import ipywidgets

from pypty_nb.params import Preset
from pypty_nb.records import EpochReport


@dataclass(frozen=True)
class Scene:
    """A run as the views see it.

    Attributes
    ----------
    preset : Preset
        The one that drives the run.
    report : EpochReport or None
        The latest; ``None`` before the first.
    epochs, losses : sequences
        The data term of every epoch so far.
    """

    preset: Preset
    report: EpochReport | None = None
    epochs: Sequence[int] = field(default_factory=tuple)
    losses: Sequence[float] = field(default_factory=tuple)

    @property
    def pixel(self) -> tuple[float, float]:
        """Pixel size (y, x), Å."""
        return self.preset.pixel_size_y_A, self.preset.pixel_size_x_A


class View(Protocol):
    """Something to look at."""

    def render(self) -> ipywidgets.DOMWidget:
        """The widget, always the same one."""
        ...

    def update(self, scene: Scene) -> None:
        """Show `scene` in it, in place."""
        ...
