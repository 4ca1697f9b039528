"""The parameters as a page of tables, made from their declarations."""

from __future__ import annotations

import numpy as np

from pypty_nb.params.fields import Field
from pypty_nb.params.preset import FIELDS, Preset
from pypty_nb.params.tables import TABLES

_HEAD = """# Parameters

Made by `pypty-nb params --markdown` from the declarations in `pypty_nb/params/tables`; a test keeps it current.
*f(x)*: takes an expression of the epoch, such as `lambda x: x >= 20`, beside a constant. *live*: may be changed during a run.
"""


def markdown() -> str:
    """Every table, in the document's order."""
    parts = [_HEAD]
    for table in TABLES:
        parts.append(f"\n## {table.title}\n\n| parameter | default | accepts | |  |\n| --- | --- | --- | --- | --- |\n")
        parts.extend(_row(name, field) for name, field in table.fields().items())
    return "".join(parts)


def plain(name: str, field: Field) -> str:
    """One parameter in full, for a terminal."""
    lines = [
        f"{name}  ({field.label})",
        f"  {field.doc}",
        f"  accepts  {field.accepted()}",
        f"  default  {shown(field.default)}",
    ]
    if field.unit:
        lines.append(f"  unit     {field.unit}")
    lines.append(f"  during a run  {'may be changed' if field.live else 'fixed'}")
    if field.differs:
        lines.append(f"  {field.differs}")
    return "\n".join(lines)


def shown(value: object) -> str:
    """A default in a few characters."""
    if isinstance(value, np.ndarray):
        return str(value.tolist()).replace("(1+0j)", "1") if value.size <= 6 else f"array {value.shape}"
    if value == "":
        return '""'
    return f"{value:g}" if isinstance(value, float) else str(value)


def differences(preset: Preset, other: Preset | None = None) -> list[tuple[str, str, str]]:
    """What `preset` sets otherwise than `other`, or than the defaults: name, value there, value here, in words."""
    found = []
    for name, (old, new) in preset.diff(other).items():
        words = shown(old), shown(new)
        # arrays of one shape look alike in words
        found.append((name, words[0], words[1] if words[0] != words[1] else f"another {words[1]}"))
    return found


def described(preset: Preset, other: Preset | None = None) -> str:
    """The same as a table of text, a line a parameter, with units."""
    rows = [(name, f"{new}{_unit(preset, name)}", old) for name, old, new in differences(preset, other)]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(2)]
    instead = "default" if other is None else "instead of"
    return "\n".join(f"{name:{widths[0]}}  {value:{widths[1]}}  {instead} {old}" for name, value, old in rows)


def _unit(preset: Preset, name: str) -> str:
    unit, value = FIELDS[name].unit, preset[name]
    return f" {unit}" if unit and isinstance(value, (int, float, tuple, np.ndarray)) and not isinstance(value, bool) else ""


def _row(name: str, field: Field) -> str:
    marks = " ".join(
        mark for mark, there in (("*f(x)*", field.schedulable), ("live", field.live and not field.schedulable)) if there
    )
    doc = f"{field.doc} {field.differs}".strip()
    cells = (f"`{name}`", f"`{shown(field.default)}`", field.accepted(), marks, doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
