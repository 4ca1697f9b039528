"""One kind of parameter, one widget: which widget it is, how a value stands in it, what a text typed there means."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import ipywidgets
import numpy as np

from pypty_nb.params import Field, ParameterError, Schedule
from pypty_nb.params.fields import Array, Boolean, Choice, Numbers, Pairs, Path
from pypty_nb.widgets import text

Control = ipywidgets.Checkbox | ipywidgets.Dropdown | ipywidgets.Text

#: Kind of parameter and its widget; the first that fits. What may be scheduled is always text: a number or an expression,
#: with the words to choose from where there are any.
WIDGETS: tuple[tuple[type, type[Control]], ...] = (
    (Boolean, ipywidgets.Checkbox),
    (Choice, ipywidgets.Dropdown),
    (Field, ipywidgets.Text),
)

#: Arrays of at most this many numbers are written out and can be typed; larger ones show their shape.
WRITTEN_OUT = 16

_HEAD = re.compile(r"^lambda\s+(x|e|epoch)\s*:\s*")
_WORDS = {"none": None, "on": True, "yes": True, "true": True, "off": False, "no": False, "false": False, "inf": math.inf}


def make(name: str, field: Field) -> Control:
    """The widget for `field`, empty, with label, unit and help."""
    kind = next(widget for parameter, widget in WIDGETS if isinstance(field, parameter))
    if field.schedulable:
        kind = ipywidgets.Combobox if isinstance(field, Choice) else ipywidgets.Text
    options: dict[str, Any] = {}
    if kind is ipywidgets.Dropdown and isinstance(field, Choice):
        options = {"options": [(shown(field, value), value) for value in (*field.words, *field.choices)]}
    if issubclass(kind, ipywidgets.Text):
        options = {"continuous_update": False}
    if kind is ipywidgets.Combobox and isinstance(field, Choice):
        options["options"] = field.choices
    if kind is ipywidgets.Checkbox:
        options = {"indent": False}
    control = kind(description_allow_html=True, **options)
    explain(control, name, field)
    return control


def explain(control: Control, name: str, field: Field, first: str = "") -> None:
    """Say in label and tooltip what the parameter is for, and before that the sentence `first`."""
    words = f"{first}\n\n{_help(name, field)}" if first else _help(name, field)
    with control.hold_sync():
        # of the tooltip the browser shows nothing beside a label, so that the label has one itself
        control.description, control.tooltip = _label(name, field, words), words


def put(control: Control, field: Field, value: Any) -> None:
    """Show `value` in the widget."""
    if isinstance(control, ipywidgets.Text):
        control.value = shown(field, value)
    else:
        control.set_trait("value", value)


def take(control: Control, field: Field) -> Any:
    """What the widget holds, as a value to give to the preset."""
    return read(field, control.value) if isinstance(control, ipywidgets.Text) else control.value


def shown(field: Field, value: Any) -> str:
    """`value` as text that `read` takes back, arrays too large to write out by shape and type."""
    if isinstance(value, Schedule):
        return _HEAD.sub("", str(value)) if value.text else str(value)
    if isinstance(value, np.ndarray):
        if can_type(field, value):
            return _list(value.tolist())
        return text.shape(value.shape)
    if isinstance(value, bool) and isinstance(field, Boolean):
        return str(int(value))
    if value is None or isinstance(value, bool):
        return {None: "none", True: "on", False: "off"}[value]
    if isinstance(value, float):
        short = f"{value:.12g}"
        return short if float(short) == value else repr(value)
    return _list(list(value)) if isinstance(value, tuple) else str(value)


def can_type(field: Field, value: Any) -> bool:
    """Whether `value` stands in its field in full, so that it can be changed there."""
    if not isinstance(value, np.ndarray):
        return not (isinstance(value, Schedule) and value.function is not None)
    return value.size <= WRITTEN_OUT and value.ndim <= 2 and value.dtype.kind in "iuf"


def read(field: Field, typed: str) -> Any:
    """The value that `typed` stands for; what it cannot read it passes on for the parameter to refuse in its own words.

    Raises
    ------
    ParameterError
        Where a schedulable field holds neither a number nor an expression.
    """
    typed = typed.strip().replace(text.MINUS, "-").replace(text.THIN, "")
    if isinstance(field, Path):
        word = _WORDS.get(typed.lower(), typed)
        return word if any(word is known for known in field.words) else typed
    if isinstance(field, Choice) and (typed in field.choices or typed in field.aliases):
        return typed
    for word in field.words:
        if isinstance(word, str) and typed.lower() == word.lower():
            return word
    if typed.lower() in _WORDS:
        return _WORDS[typed.lower()]
    if (value := _numbers(typed, field)) is not None:
        return value
    if field.schedulable and typed:
        return _schedule(typed)
    return typed


def is_expression(value: Any) -> bool:
    """Whether `value` changes over the epochs."""
    return isinstance(value, Schedule)


def _numbers(typed: str, field: Field) -> Any:
    """A number or a list of numbers; ``None`` where `typed` is neither."""
    several = isinstance(field, (Array, Numbers, Pairs)) and any(sign in typed for sign in ", ;[")
    if several:
        listed = typed if typed.startswith("[") else f"[{', '.join(re.split(r'[,; ]+', typed.strip('()')))}]"
        try:
            value = json.loads(listed)
        except ValueError:
            return None
        return _as_array(value, field) if isinstance(field, Array) else value
    try:
        number = float(typed)
    except ValueError:
        return None
    number = int(typed) if re.fullmatch(r"[+-]?\d+", typed) else number
    return _as_array([number], field) if isinstance(field, Array) and not field.number else number


def _schedule(typed: str) -> Schedule:
    if typed.startswith("steps"):
        try:
            return Schedule.steps(json.loads(typed.removeprefix("steps").strip()))
        except ValueError as error:
            if isinstance(error, ParameterError):
                raise
            raise ParameterError(f"steps are written as [[0, 0], [20, 0.001]], got {typed!r:.80}") from None
    return Schedule.parse(typed)


def _list(values: list[Any]) -> str:
    nested = any(isinstance(value, (list, tuple)) for value in values)
    body = json.dumps(_tidy(values))
    return body if nested else body[1:-1]


def _tidy(value: Any) -> Any:
    """10.0 as 10; nested lists alike."""
    if isinstance(value, (list, tuple)):
        return [_tidy(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else value


def _as_array(value: Any, field: Array) -> Any:
    """Typed numbers of a real array are floats, however they are written; what is no array is left to the field to refuse."""
    try:
        return np.asarray(value, int if field.kind == "integer" else float)
    except (ValueError, TypeError):
        return value


def _label(name: str, field: Field, words: str) -> str:
    unit = f'<span class="pn-u">{text.escape(field.unit)}</span>' if field.unit else ""
    return f'<span class="pn-l" title="{text.escape(words)}">{text.escape(field.label or name)}</span>{unit}'


def _help(name: str, field: Field) -> str:
    parts = [field.doc or "", f"Takes {field.accepted()}.", f"Name: {name}"]
    if field.differs:
        parts.insert(1, field.differs)
    return "\n\n".join(part for part in parts if part)
