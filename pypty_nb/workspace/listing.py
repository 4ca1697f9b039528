"""What the project folder offers to open: data and presets, not what runs have written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pypty_nb.data.readers import endings
from pypty_nb.runs.folder import JOURNAL, PRESET

#: Files that are listed at most.
MANY = 500
#: Presets: ours, packed with their arrays, and the original program's.
_PRESETS = (".json", ".zip", ".pkl", ".nxs")
_DEEP = 4
_SKIPPED = {"node_modules", "__pycache__"}


def opened_suffixes() -> tuple[str, ...]:
    """Endings of everything that can be opened: patterns and presets."""
    return tuple(dict.fromkeys((*endings(), *_PRESETS)))


def find(root: Path, suffixes: tuple[str, ...] = ()) -> Iterator[Path]:
    """Files with one of `suffixes` (those that can be opened where none is given) below `root`, relative to it.

    Links that lead out of `root` are left out, and so is what lies in the folder of a run.
    """
    wanted = suffixes or opened_suffixes()
    seen = 0
    for folder, names, files in os.walk(root):
        here = Path(folder)
        if here != root and {PRESET, JOURNAL} <= set(files):
            names.clear()
            continue
        deep = len(here.relative_to(root).parts)
        names[:] = sorted(name for name in names if deep < _DEEP and name not in _SKIPPED and not name.startswith("."))
        for name in sorted(files):
            path = here / name
            if path.suffix.lower() in wanted and not name.startswith(".") and path.resolve().is_relative_to(root):
                yield path.relative_to(root)
                seen += 1
                if seen == MANY:
                    return
