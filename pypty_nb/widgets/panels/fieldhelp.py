"""All that is declared about one parameter, as a person reads it."""

from __future__ import annotations

import re

from pypty_nb.params import FIELDS, Field
from pypty_nb.params.fields import Array, Axes, Boolean, Choice, Integer, Number, Numbers, Pairs, Path
from pypty_nb.widgets import controls, text

#: What each kind is called; the first that fits.
_KINDS: tuple[tuple[type, str], ...] = (
    (Boolean, "switch"), (Integer, "whole number"), (Number, "number"), (Choice, "word"), (Array, "array"),
    (Numbers, "numbers"), (Pairs, "pairs of numbers"), (Path, "path"), (Axes, "names of axes"),
)  # fmt: skip

#: A power in a formula: of one sign, or of several in brackets.
_POWER = re.compile(r"\^(?:\(([^()]*)\)|(\w))")


def described(name: str) -> str:
    """Label, name, help, and a table of what the parameter `name` takes, HTML."""
    field = FIELDS[name]
    cells = {
        "Default": controls.shown(field, field.default) or "none",
        "Range": _range(field),
        "Type": _kind(field),
        "May change during a run": "yes, from the next epoch" if field.live else "no",
        "Against the original PyPty": field.differs or "the same",
    }
    head = "".join(f"<th>{text.escape(title)}</th>" for title in cells)
    body = "".join(f"<td>{text.escape(cell)}</td>" for cell in cells.values())
    return (
        f"<div><b>{text.escape(field.label)}</b> <code>{text.escape(name)}</code></div><div>{_raised(str(field.doc))}</div>"
        f"<table><tr>{head}</tr><tr>{body}</tr></table>"
    )


def _raised(words: str) -> str:
    """`words` with the powers of their formulas raised."""
    return _POWER.sub(lambda found: f"<sup>{found[1] or found[2]}</sup>", text.escape(words))


def _kind(field: Field) -> str:
    kind = next((words for sort, words in _KINDS if isinstance(field, sort)), "value")
    unit = f" in {field.unit}" if field.unit else ""
    return f"{kind}{unit}, or expression in x" if field.schedulable else f"{kind}{unit}"


def _range(field: Field) -> str:
    """The values that it takes, without its kind where that says no more."""
    if isinstance(field, Boolean):
        return "0 or 1"
    if isinstance(field, Number):
        more = [controls.shown(field, word) for word in field.words if not isinstance(word, bool)]
        return ", ".join([field.limits() or "any", *more])
    if isinstance(field, Choice):
        return ", ".join(field.choices)
    if isinstance(field, (Path, Axes)):
        return "text"
    return field.accepted(schedules=False)
