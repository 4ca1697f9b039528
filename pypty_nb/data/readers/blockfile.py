"""NanoMEGAS ``.blo``: patterns of 8 bits, each behind a mark of six bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pypty_nb.data.dataset import DataError, Dataset, Stated
from pypty_nb.data.metadata import Facts
from pypty_nb.data.rosetta import check_size, open_signals

FORMAT = "NanoMEGAS block file"
ENDINGS = (".blo",)
_MARK = 6


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open `path`."""
    with path.open("rb") as file:
        start = file.read(6)
    if start != b"IMGBLO":
        raise DataError(f"{path}: cannot be read as .blo: it starts with {start!r}, not 'IMGBLO'")
    return open_signals(path, "blockfile", stated, describe=lambda signal, facts: _describe(path, signal, facts))


def _describe(path: Path, signal: dict[str, Any], facts: Facts) -> None:
    header = signal["original_metadata"]["blockfile_header"]
    frame = int(header["DP_SZ"]) ** 2 + _MARK
    check_size(path, int(header["Data_offset_2"]) + int(header["NX"]) * int(header["NY"]) * frame)
    facts.add("acc_voltage", header["Beam_energy"], "Beam_energy of the header", 1e-3)
    facts.add("scan_rotation_deg", header["Scan_rotation"], "Scan_rotation of the header", 1e-2)
    length, per_cm = int(header["Camera_length"]), int(header["SDP"])
    if length > 0 and per_cm > 0:
        # pixels per metre on the screen, and millimetres to it
        source = f"SDP {per_cm / 100:.4g} px/cm / Camera_length {length / 10:.4g} cm of the header, nominal"
        facts.add("rez_pixel_size_mrad", 100 / per_cm, source, 1e3 / (length / 10))
