"""What a scheduled parameter does over the epochs of a run, and where that makes the optimiser forget its history."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from pypty_nb.params.preset import FIELDS, Preset, known_name, same
from pypty_nb.params.schedule import CHECKED_EPOCHS, Schedule
from pypty_nb.params.tables import LossConstraints, Updating

#: How a schedule makes the optimiser forget: by a step in its value, by every epoch in which it acts, or not at all.
Reset = Literal["step", "act", ""]

#: Tables whose parameters all belong to the objective: what is refined, and the terms added to the loss.
_OBJECTIVE = (Updating, LossConstraints)
_ALSO_OBJECTIVE = {
    "algorithm",
    "loss_weight",
    "propmethod",
    "sequence",
    "phase_only_obj",
    "tune_only_probe_phase",
    "tune_only_probe_abs",
}
#: What moves the point by hand, or says so itself, in every epoch where it is on.
_ACTING = {
    "apply_gaussian_filter",
    "apply_gaussian_filter_amplitude",
    "beta_wedge",
    "do_charge_flip",
    "keep_probe_states_orthogonal",
    "reset_history_flag",
    "reset_positions",
    "restart_from_vacuum",
}


@dataclass(frozen=True)
class Timeline:
    """A parameter over the epochs.

    Attributes
    ----------
    first, last : int
        The epochs looked at, `last` exclusive: those of the run, at most `CHECKED_EPOCHS` of them.
    steps : tuple of (epoch, value)
        Each value from its epoch on; the first stands at `first`.
    resets : tuple of int
        Epochs in which the optimiser's history is reset because of this parameter.
    how : "step", "act" or ""
        By what.
    whole : bool
        Whether the run ends at `last`.
    """

    first: int
    last: int
    steps: tuple[tuple[int, Any], ...]
    resets: tuple[int, ...] = ()
    how: Reset = ""
    whole: bool = True


def timeline(preset: Preset, name: str) -> Timeline:
    """What `name` does over the epochs of the run that `preset` describes.

    Raises
    ------
    ParameterError
        Where a schedule gives no value that the parameter accepts; names the epoch.
    """
    name = known_name(name)
    first = preset.epoch_prev
    end = max(preset.epoch_max, first + 1)
    last = min(end, first + CHECKED_EPOCHS)
    steps = _steps(preset, name, first, last)
    how = reset_by(preset, name)
    return Timeline(first, last, steps, _resets(steps, last, how), how, last == end)


def reset_by(preset: Preset, name: str) -> Reset:
    """How a schedule of `name` makes the optimiser forget its history."""
    name = known_name(name)
    if not FIELDS[name].schedulable:
        return ""
    if name == "beta_wedge" and preset.wedge_mu != 0:
        # with a weight it shapes a term of the loss, without one it is a filter by hand
        return "step"
    if name in _ACTING:
        return "act"
    return "step" if name in _ALSO_OBJECTIVE or any(name in table.fields() for table in _OBJECTIVE) else ""


def _steps(preset: Preset, name: str, first: int, last: int) -> tuple[tuple[int, Any], ...]:
    schedule = preset[name]
    if isinstance(schedule, Schedule) and schedule.starts:
        epochs = sorted({first, *(epoch for epoch in schedule.starts if first < epoch < last)})
    else:
        epochs = list(range(first, last)) if isinstance(schedule, Schedule) else [first]
    steps: list[tuple[int, Any]] = []
    for epoch in epochs:
        value = preset.value_at(name, epoch)
        if not steps or not same(steps[-1][1], value):
            steps.append((epoch, value))
    return tuple(steps)


def _resets(steps: tuple[tuple[int, Any], ...], last: int, how: Reset) -> tuple[int, ...]:
    if how == "step":
        # the first epoch has no history to lose
        return tuple(epoch for epoch, _ in steps[1:])
    if how == "act":
        ends = (*steps, (last, None))
        return tuple(epoch for (start, value), (end, _) in pairwise(ends) if value for epoch in range(start, end))
    return ()
