"""Direct Electron movies, ``.mrc``, with the text file of settings that the camera writes beside them."""

from __future__ import annotations

from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np

from pypty_nb.data.dataset import DataError, Dataset, Stated
from pypty_nb.data.metadata import Facts
from pypty_nb.data.rosetta import check_size, open_signals

FORMAT = "Direct Electron or MRC"
ENDINGS = (".mrc",)
_TYPES = {0: 1, 1: 2, 2: 4, 6: 2, 12: 2}


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open `path`."""
    head = np.fromfile(path, "<i4", 24)
    if len(head) < 24 or head[3] not in _TYPES or min(head[:3]) < 1:
        raise DataError(f"{path}: cannot be read as .mrc: its header states no size and type of frames that is known")
    columns, rows, sections, mode = (int(n) for n in head[:4])
    check_size(path, 1024 + int(head[23]) + columns * rows * sections * _TYPES[mode])
    return open_signals(path, "mrc", stated, describe=lambda signal, facts: _describe(path, signal, facts))


def parts(path: Path) -> Iterator[Path]:
    """The settings, and with a movie all of its acquisition, whose names begin with the same date and number."""
    yield from _settings(path)
    if path.stem.endswith("_movie"):
        yield from path.parent.glob(f"{escape('_'.join(path.stem.split('_')[:2]))}_*")


def _settings(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.stem}_info.txt"), path.with_name(path.stem.replace("_movie", "_info") + ".txt")


def _describe(path: Path, signal: dict[str, Any], facts: Facts) -> None:
    said: dict[str, Any] = signal["original_metadata"].get("de_metadata") or {}
    for file in (file for file in _settings(path) if file.is_file()):
        lines = (line.partition("=") for line in file.read_text("utf-8", "replace").splitlines())
        said = {name.strip(): value.strip() for name, _, value in lines}
    facts.add("acc_voltage", said.get("Instrument Project Acceleration Voltage (kV)"), "Acceleration Voltage of the settings")
    facts.add_length(
        "scan_step_A", said.get("Specimen Pixel Size X (nanometers)"), "nm", "Specimen Pixel Size X of the settings"
    )
    facts.add("scan_rotation_deg", said.get("Scan - Rotation (degrees)"), "Scan - Rotation of the settings")
