"""Every problem of a preset's file at once, with its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from pypty_nb.params import storage
from pypty_nb.params.errors import ParameterError
from pypty_nb.params.preset import Preset


class Problem(NamedTuple):
    """One sentence, and the line it is about where there is one."""

    line: int | None
    message: str


def problems_of_file(path: Path) -> list[Problem]:
    """What keeps the preset at `path` from being used; an empty list where nothing does."""
    try:
        values, problems = storage.read_parts(path)
    except ParameterError as error:
        return [Problem(_line_said(problem), problem) for problem in error.problems]
    problems.extend(Preset().problems_of(values))
    lines = _lines(path.read_text(encoding="utf-8"))
    return [Problem(lines.get(_name(problem)), problem) for problem in problems]


def _lines(text: str) -> dict[str, int]:
    """The line on which each name of the outermost object stands first."""
    found: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        for match in re.finditer(r'"([^"\\]+)"\s*:', line):
            found.setdefault(match[1], number)
    return found


def _name(problem: str) -> str:
    unknown = re.match(r"there is no parameter '([^']*)'", problem)
    return unknown[1] if unknown else problem.split(":", 1)[0]


def _line_said(problem: str) -> int | None:
    said = re.search(r" at line (\d+)$", problem)
    return int(said[1]) if said else None
