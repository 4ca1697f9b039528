"""The parameters as a page of tables, made from their declarations."""

from __future__ import annotations

import numpy as np

from pypty_nb.params.fields import Field
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


def _row(name: str, field: Field) -> str:
    marks = " ".join(
        mark for mark, there in (("*f(x)*", field.schedulable), ("live", field.live and not field.schedulable)) if there
    )
    doc = f"{field.doc} {field.differs}".strip()
    cells = (f"`{name}`", f"`{shown(field.default)}`", field.accepted(), marks, doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
