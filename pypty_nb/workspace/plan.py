"""What happens when: every refined quantity, and everything else that acts or changes, over the epochs of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pypty_nb.params import FIELDS, ParameterError, Preset, Schedule
from pypty_nb.params.fields import Array
from pypty_nb.params.tables import LossConstraints
from pypty_nb.params.timeline import Timeline, reset_by, timeline

#: What can be refined, by the parameter that says when; always shown, on or off.
REFINED = {
    "update_obj": "Object",
    "update_probe": "Probe",
    "update_probe_pos": "Positions",
    "update_tilts": "Tilts",
    "update_static_background": "Static background",
    "update_beam_current": "Beam current",
    "update_aberrations_array": "Aberrations",
}

#: Terms of the loss that are off by default; exponents, widths and shapes of terms do nothing by themselves.
_WEIGHTS = {
    name
    for name, field in LossConstraints.fields().items()
    if field.schedulable and not isinstance(field, Array) and not field.default
}
#: Epochs from the first up to the second, exclusive.
Span = tuple[int, int]


@dataclass(frozen=True)
class Row:
    """One parameter over the epochs.

    Attributes
    ----------
    name, label : str
    value : anything
        As the preset holds it: a constant or a `Schedule`.
    line : Timeline or None
        ``None`` where its values cannot be read.
    wrong : str
        Why not.
    """

    name: str
    label: str
    value: Any
    line: Timeline | None
    wrong: str = ""

    @property
    def bars(self) -> tuple[Span, ...]:
        """The epochs in which it is on: neither false nor 0."""
        if self.line is None:
            return ()
        starts = [epoch for epoch, _ in self.line.steps]
        ends = [*starts[1:], self.line.last]
        steps = zip(starts, ends, self.line.steps, strict=True)
        return joined((start, end) for start, end, (_, value) in steps if _on(value))


@dataclass(frozen=True)
class Plan:
    """The epochs of a run, and what they hold.

    Attributes
    ----------
    first, last : int
        The epochs looked at, `last` exclusive.
    end : int
        Where the run ends; beyond `last` in a run of more epochs than are looked at.
    rows : tuple of Row
    resets : tuple of (first, last)
        Where the optimiser's history is reset: epochs from the first up to the second, exclusive.
    """

    first: int
    last: int
    end: int
    rows: tuple[Row, ...]
    resets: tuple[Span, ...]


def plan(preset: Preset) -> Plan:
    """What the run that `preset` describes does when. A parameter that gives no value is a row that says so."""
    first, end = preset.epoch_prev, max(preset.epoch_max, preset.epoch_prev + 1)
    more = [name for name in FIELDS if name not in REFINED and _acts(preset, name)]
    rows = tuple(_row(preset, name) for name in (*REFINED, *more))
    lines = [row.line for row in rows if row.line is not None]
    resets = joined((epoch, epoch + 1) for epoch in sorted({epoch for line in lines for epoch in line.resets}))
    # all lines end alike; where none can be read, the run's own end serves
    return Plan(first, min([line.last for line in lines], default=end), end, rows, resets)


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """`spans`, in order, with those that touch made one."""
    found: list[Span] = []
    for start, end in spans:
        if found and found[-1][1] == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return tuple(found)


def _row(preset: Preset, name: str) -> Row:
    label = REFINED.get(name) or str(FIELDS[name].label)
    try:
        return Row(name, label, preset[name], timeline(preset, name))
    except ParameterError as error:
        # a notebook's function may refuse an epoch that it gave a value for before
        return Row(name, label, preset[name], None, str(error))


def _acts(preset: Preset, name: str) -> bool:
    """Whether `name` changes over the epochs, acts by hand, or weighs a term of the loss that is off by default."""
    value = preset[name]
    if isinstance(value, Schedule):
        return True
    return FIELDS[name].schedulable and _on(value) and (name in _WEIGHTS or reset_by(preset, name) == "act")


def _on(value: Any) -> bool:
    return isinstance(value, np.ndarray) or bool(value)
