"""The plan of a run, drawn: bars over the epochs, and one parameter's course below; HTML in the colours of the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from pypty_nb.params import FIELDS, Field, Schedule
from pypty_nb.params.timeline import Timeline
from pypty_nb.widgets import controls, text
from pypty_nb.widgets.strip import levels, words
from pypty_nb.widgets.views.loss import linear_ticks
from pypty_nb.workspace.plan import Plan, Row, Span

#: More than these are told, not all drawn: places where the history is reset, steps of a course, words at its axis.
_RESETS, _STEPS, _WORDS = 60, 400, 4
_NAMED = 6
_TICKS = 7


def epochs(plan: Plan) -> str:
    """How many epochs there are, and how many of them are looked at."""
    count = text.plural(plan.end - plan.first, "epoch")
    return count if plan.last == plan.end else f"the first {text.count(plan.last - plan.first)} of {count}"


def rows(plan: Plan) -> str:
    """A row for each parameter, the axis below, and the sentence on the dashed lines."""
    across = _across(plan.first, plan.last)
    marks = "".join(f'<u style="left:{across(start)}%"></u>' for start, _ in plan.resets[:_RESETS])
    body = "".join(_row(row, across, marks) for row in plan.rows)
    warning = resets(plan.resets)
    said = f'<div></div><div class="warnw s">{text.mark("warn")} {text.escape(warning)}</div><div></div>' if warning else ""
    return (
        f'<div class="gt" role="table" aria-label="What happens when" style="--n:{len(plan.rows)}">{body}'
        f'<div></div><div class="gax" aria-hidden="true">{_axis(plan.first, plan.last, across)}</div>'
        f'<div class="s m">epoch</div>{said}</div>'
    )


def resets(spans: Sequence[Span]) -> str:
    """Where the optimiser's history is reset, as a sentence; "" where nowhere."""
    if not spans:
        return ""
    if len(spans) > _NAMED:
        count = sum(end - start for start, end in spans)
        where = f"at {text.count(count)} epochs between {spans[0][0]} and {spans[-1][1] - 1}"
    else:
        named = [str(start) if end == start + 1 else f"{start} to {end - 1}" for start, end in spans]
        several = len(named) > 1 or spans[0][1] > spans[0][0] + 1
        where = f"at epoch{'s' if several else ''} {' and '.join(filter(None, [', '.join(named[:-1]), named[-1]]))}"
    return f"Dashed: the optimiser's history is reset {where}."


def course(name: str, line: Timeline) -> str:
    """The values of the parameter `name` as steps over the epochs."""
    field, across = FIELDS[name], _across(line.first, line.last)
    values = [value for _, value in line.steps]
    heights = levels(values)
    ticks = _upward(field, values, heights)
    places = [*heights, *(place for place, _ in ticks)]
    low, high = min(places), max(places)
    # the line stays clear of the upper edge
    high = low + 1.1 * ((high - low) or 1.0)

    def down(level: float) -> str:
        return f"{100 * (high - level) / (high - low):.2f}"

    grid = "".join(f'<path class="g" d="M0 {down(place)}H100"/>' for place, _ in ticks)
    marks = "".join(f'<path class="r" d="M{across(epoch)} 0V100"/>' for epoch in line.resets[:_RESETS])
    every = max(1, -(-len(line.steps) // _STEPS))
    steps = list(zip(line.steps, heights, strict=True))[::every]
    path = f"M0 {down(steps[0][1])}" + "".join(f"H{across(epoch)}V{down(height)}" for (epoch, _), height in steps[1:])
    named = "".join(f'<i class="y" style="top:{down(place)}%">{text.escape(word)}</i>' for place, word in ticks)
    said = text.escape(f"{field.label}: {words(line)}")
    return (
        f'<div class="lab"><b>{text.escape(field.label)}</b> <span class="m">over the epochs</span></div>'
        f'<div class="plot"><svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="{said}">'
        f'{grid}{marks}<path class="a" d="M0 0V100H100"/><path class="d" d="{path}H100"/></svg>{named}<u class="n"></u></div>'
    )


def _row(row: Row, across: Callable[[float], str], marks: str) -> str:
    name, label = text.escape(row.name), text.escape(row.label)
    said = text.escape(_said(row))
    title = text.escape(text.sentence(row.wrong, row.name)) if row.wrong else said
    bars = "".join(f'<i style="left:{across(start)}%;right:{100 - float(across(end)):.3f}%"></i>' for start, end in row.bars)
    heard = text.escape(_heard(row))
    last = f"{text.mark('err')} cannot be read" if row.line is None else said
    return (
        f'<div role="row"><div role="rowheader" class="gn"><button type="button" data-pn-go="{name}" title="Go to its field">'
        f'{label}</button></div><div role="cell" class="gb" data-pn-go="{name}" aria-label="{heard}">{bars}{marks}'
        f'<u class="n"></u></div><div role="cell" class="gx {"err" if row.wrong else ""}" title="{title}">{last}</div></div>'
    )


def _said(row: Row) -> str:
    """When it is on and what it is, in a few characters."""
    if row.line is None:
        return "cannot be read"
    field, values = FIELDS[row.name], [value for _, value in row.line.steps]
    switch = all(value is None or isinstance(value, bool) for value in values)
    if len(values) == 1:
        return ("every epoch" if values[0] else "off") if switch else shown(field, values[0])
    if len(values) == 2 and not switch:
        return f"{shown(field, values[0])}, then {shown(field, values[1])}"
    expression = isinstance(row.value, Schedule) and row.value.text
    return controls.shown(field, row.value) if expression else words(row.line)


def _heard(row: Row) -> str:
    """The bars, for those who hear them."""
    spans = [f"{start} to {end - 1}" if end > start + 1 else str(start) for start, end in row.bars[:_NAMED]]
    more = f" and {len(row.bars) - _NAMED} times more" if len(row.bars) > _NAMED else ""
    return f"on at epochs {', '.join(spans)}{more}" if spans else "never on" if row.line is not None else "unknown"


def shown(field: Field, value: Any) -> str:
    """A value in a few characters, a switch as on or off."""
    if value is None or isinstance(value, bool):
        return "on" if value else "off"
    return controls.shown(field, value).replace("-", text.MINUS)


def _upward(field: Field, values: list[Any], heights: list[float]) -> list[tuple[float, str]]:
    """What is written at the axis on the left: round numbers, or the values themselves where they are none."""
    numbers = [value for value in values if isinstance(value, (int, float)) and not isinstance(value, bool)]
    finite = [float(value) for value in numbers if np.isfinite(value)]
    if len(numbers) < len(values) or len(finite) < len(numbers) or not any(finite):
        named = {height: shown(field, value) for value, height in zip(values, heights, strict=True)}
        if all(value is None or isinstance(value, bool) for value in values):
            named = {0.0: "off", 1.0: "on"}
        return list(named.items())[:_WORDS]
    low, high = min(0.0, *finite), max(0.0, *finite)
    return [(tick, text.plain(tick)) for tick in linear_ticks(low, high, 3)]


def _axis(first: int, last: int, across: Callable[[float], str]) -> str:
    whole = [int(tick) for tick in linear_ticks(first, last, _TICKS) if tick == int(tick)]
    return "".join(f'<span style="left:{across(tick)}%">{text.count(tick)}</span>' for tick in whole)


def _across(first: int, last: int) -> Callable[[float], str]:
    return lambda epoch: f"{100 * (epoch - first) / (last - first):.3f}"
