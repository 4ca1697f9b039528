"""What the project folder offers to open: data and presets, not what runs have written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from pypty_nb.data.readers import endings, folder_endings
from pypty_nb.runs.folder import JOURNAL, PRESET
from pypty_nb.workspace.paths import stays

#: Files that are listed at most.
MANY = 500
#: Presets: ours, packed with their arrays, and the original program's.
_PRESETS = (".json", ".zip", ".pkl", ".nxs")
_DEEP = 4
_SKIPPED = {"node_modules", "__pycache__"}


def opened_suffixes() -> tuple[str, ...]:
    """Endings of everything that can be opened: patterns and presets."""
    return tuple(dict.fromkeys((*endings(), *_PRESETS)))


def find(root: Path, suffixes: tuple[str, ...] = (), words: Sequence[str] = ()) -> Iterator[Path]:
    """Files with one of `suffixes` (those that can be opened where none is given) below `root`, relative to it; `MANY` at most.

    Only those with all of `words`, in small letters, in their path. A folder that is opened as one file counts as one. Links
    that lead out of `root` are left out, and so is what lies in the folder of a run.
    """
    wanted = suffixes or opened_suffixes()
    return islice(_below(root, wanted, words), MANY)


def holds(path: Path, words: Sequence[str]) -> bool:
    """Whether all of `words`, in small letters, are in `path`."""
    return all(word in path.as_posix().lower() for word in words)


def _below(root: Path, wanted: tuple[str, ...], words: Sequence[str]) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        here = Path(folder)
        if here != root and {PRESET, JOURNAL} <= set(files):
            names.clear()
            continue
        deep = len(here.relative_to(root).parts)
        shown = sorted(name for name in names if name not in _SKIPPED and not name.startswith("."))
        whole = [name for name in shown if Path(name).suffix.lower() in folder_endings()]
        names[:] = [name for name in shown if deep < _DEEP and name not in whole]
        for name in sorted([*files, *whole]):
            path = (here / name).relative_to(root)
            if path.suffix.lower() in wanted and not name.startswith(".") and holds(path, words) and stays(root, root / path):
                yield path
