"""Gatan DigitalMicrograph ``.dm3`` and ``.dm4``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pypty_nb.data.dataset import DataError, Dataset, Stated
from pypty_nb.data.metadata import Facts
from pypty_nb.data.rosetta import open_signals

FORMAT = "DigitalMicrograph"
ENDINGS = (".dm3", ".dm4")


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open `path`."""
    with path.open("rb") as file:
        version = int.from_bytes(file.read(4), "big")
    if version not in (3, 4):
        raise DataError(f"{path}: cannot be read as {path.suffix}: it states version {version}, not 3 or 4")
    return open_signals(path, "digitalmicrograph", stated, describe=_describe)


def _describe(signal: dict[str, Any], facts: Facts) -> None:
    images = signal["original_metadata"].get("ImageList", {}).get("TagGroup0", {}).get("ImageTags", {})
    said = images.get("Microscope Info", {})
    facts.add("acc_voltage", said.get("Voltage"), "Microscope Info/Voltage", 1e-3)
