"""The original program's set of ``.npy`` files."""

from __future__ import annotations

from pathlib import Path

from pypty_nb.params import Preset
from pypty_nb.records import Refinables
from pypty_nb.runs.arrays import save_array
from pypty_nb.runs.folder import ARRAY_FILES


def write(point: Refinables, preset: Preset, folder: Path) -> list[Path]:
    """``co.npy`` object, ``cp.npy`` probe, ``cg.npy`` positions, and so on."""
    del preset  # arrays alone
    written = []
    for name, file_name in ARRAY_FILES.items():
        array = getattr(point, name)
        if array is not None:
            save_array(folder / file_name, array)
            written.append(folder / file_name)
    return written
