"""A schedule drawn over the epochs, 24 pixels high: one HTML widget with an SVG that takes its colours from the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import ipywidgets
import numpy as np

from pypty_nb.params import ParameterError, Preset
from pypty_nb.params.timeline import Timeline, timeline
from pypty_nb.widgets import text

_WIDTH, _HEIGHT, _TOP, _BOTTOM = 400, 24, 4, 20
#: More steps than the strip has pixels are thinned out; more resets than this are told, not drawn.
_STEPS, _RESETS = 200, 12
_NAMED = 3


class Strip(ipywidgets.HTML):
    """One parameter's schedule over the epochs.

    Parameters
    ----------
    preset : Preset
    name : str
    """

    def __init__(self, preset: Preset, name: str):
        super().__init__()
        self.add_class("pn-over")
        self._preset, self._name = preset, name
        self._line: Timeline | None = None
        self.now: int | None = None

    @property
    def warning(self) -> str:
        """What it does to the optimiser's history; "" where it does nothing."""
        return resets(self._line) if self._line is not None else ""

    def refresh(self) -> None:
        """Look at the preset again."""
        try:
            self._line = timeline(self._preset, self._name)
        except ParameterError as error:
            # a notebook's function may refuse an epoch that it gave a value for before
            self._line = None
            self.value = f'<span class="m">{text.escape(text.sentence(str(error), self._name))}</span>'
        else:
            self._draw(self._line)

    def show_epoch(self, now: int | None) -> None:
        """Mark the epoch that a run has reached; ``None`` where none is going."""
        if now != self.now:
            self.now = now
            if self._line is not None:
                self._draw(self._line)

    def _draw(self, line: Timeline) -> None:
        said = text.escape(words(line))
        part = "" if line.whole else f", epochs {line.first} to {line.last - 1} only"
        self.value = f'<span class="pn-said" title="{said}{part}">{said}</span>{svg(line, self.now, said)}'


def words(line: Timeline) -> str:
    """The schedule in a few words: "off until 30", "0 to 0.001"."""
    values = [value for _, value in line.steps]
    if len(values) == 1:
        return f"{_shown(values[0])} throughout"
    later = line.steps[1][0]
    if all(value is None or isinstance(value, bool) for value in values):
        if len(values) == 2:
            return f"{'on' if values[0] else 'off'} until {later}"
        ends = [*(epoch for epoch, _ in line.steps[1:]), line.last]
        on = sum(end - start for (start, value), end in zip(line.steps, ends, strict=True) if value)
        return f"on in {on} of {line.last - line.first}"
    if _numbers(values):
        low, high = values if len(values) == 2 else (min(values, key=_size), max(values, key=_size))
        return f"{_shown(low)} to {_shown(high)}"
    return f"changes at {later}" if len(values) == 2 else text.plural(len(values) - 1, "change")


def resets(line: Timeline) -> str:
    """Which epochs reset the optimiser's history, as a sentence; "" where none does."""
    count = len(line.resets)
    if not count:
        return ""
    if count > _NAMED:
        what = "steps" if line.how == "step" else "epochs"
        return f"{text.count(count)} {what} reset the history, the first at epoch {line.resets[0]}."
    named = " and ".join(filter(None, [", ".join(map(str, line.resets[:-1])), str(line.resets[-1])]))
    epochs = f"epoch{'s' if count > 1 else ''} {named}"
    if line.how == "act":
        return f"The history is reset in {epochs}."
    return f"The step{'s' if count > 1 else ''} at {epochs} reset{'' if count > 1 else 's'} the history."


def svg(line: Timeline, now: int | None, said: str) -> str:
    """The step line over all epochs, the resets, and where a run is; `said` is its text, escaped."""

    def across(epoch: float) -> str:
        return f"{_WIDTH * (epoch - line.first) / (line.last - line.first):.1f}"

    marks = "".join(f'<path class="r" d="M{across(epoch)} 1V{_HEIGHT - 1}"/>' for epoch in line.resets[: _RESETS + 1])
    if len(line.resets) > _RESETS:
        marks = f'<path class="r" d="M{across(line.resets[0])} 1.5H{across(line.resets[-1] + 1)}"/>'
    here = f'<path class="n" d="M{across(now)} 0V{_HEIGHT}"/>' if now is not None and line.first <= now <= line.last else ""
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{said}">'
        f'<path class="b" d="M0 {_BOTTOM}H{_WIDTH}"/><path class="l" d="{_path(line, across)}"/>{marks}{here}</svg>'
    )


def _path(line: Timeline, across: Any) -> str:
    every = max(1, -(-len(line.steps) // _STEPS))
    steps = line.steps[::every]
    heights = _heights([value for _, value in steps])
    points = [f"M0 {heights[0]:.1f}"]
    points += [f"H{across(epoch)}V{height:.1f}" for (epoch, _), height in zip(steps[1:], heights[1:], strict=True)]
    return "".join([*points, f"H{_WIDTH}"])


def _heights(values: Sequence[Any]) -> list[float]:
    """Where each value stands in the strip: numbers by size, anything else by order of appearance."""
    numbers = levels(values)
    low, high = min(numbers), max(numbers)
    if low == high:
        return [_BOTTOM if high == 0 else _TOP] * len(numbers)
    return [_BOTTOM - (_BOTTOM - _TOP) * (number - low) / (high - low) for number in numbers]


def levels(values: Sequence[Any]) -> list[float]:
    """`values` as finite numbers to draw: numbers by size, infinity above the rest, anything else by order of appearance."""
    return _numbers(values) or _ranks(values)


def _numbers(values: Sequence[Any]) -> list[float]:
    """Finite numbers to draw; empty where the values are no numbers. Infinity stands above the rest."""
    if any(not (value is None or isinstance(value, (bool, int, float))) for value in values):
        return []
    numbers = [_size(value) for value in values]
    top = max((number for number in numbers if math.isfinite(number)), default=0.0)
    return [number if math.isfinite(number) else 1.25 * top + 1 for number in numbers]


def _size(value: Any) -> float:
    return float(value or 0)


def _ranks(values: Sequence[Any]) -> list[float]:
    if any(isinstance(value, np.ndarray) for value in values):
        return [index % 2 for index in range(len(values))]
    seen: dict[str, int] = {}
    return [seen.setdefault(str(value), len(seen)) for value in values]


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return text.shape(value.shape)
    if value is None or isinstance(value, bool):
        return "on" if value else "off"
    return (f"{value:g}" if isinstance(value, float) else str(value)).replace("-", text.MINUS)
