"""The original program's set of ``.npy`` files."""

from __future__ import annotations

from pathlib import Path

from pypty_nb.runs.arrays import save_array
from pypty_nb.runs.folder import ARRAY_FILES
from pypty_nb.runs.result import Result

ABOUT = "NumPy arrays: object, probe, positions and the rest, as the original program names them"


def write(result: Result, folder: Path) -> list[Path]:
    """``co.npy`` object, ``cp.npy`` probe, ``cg.npy`` positions, and so on."""
    written = []
    for name, file_name in ARRAY_FILES.items():
        array = getattr(result.point, name)
        if array is not None:
            save_array(folder / file_name, array)
            written.append(folder / file_name)
    return written
