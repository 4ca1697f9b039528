"""TVIPS streams: ``NAME_000.tvips`` and the files that continue it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np

from pypty_nb.data.dataset import DataError, Dataset, Stated
from pypty_nb.data.metadata import Facts
from pypty_nb.data.rosetta import open_signals

FORMAT = "TVIPS"
ENDINGS = (".tvips",)
#: Bytes of the header; then version, width and height as 32-bit numbers, and further on bits a pixel.
_HEADER = np.dtype([("size", "<u4"), ("version", "<u4"), ("width", "<u4"), ("height", "<u4"), ("bits", "<u4")])


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open the stream that starts with `path`."""
    part = re.search(r"_(\d{3})$", path.stem)
    if part and part[1] != "000" and (first := path.with_name(f"{path.stem[:-3]}000{path.suffix}")).is_file():
        raise DataError(f"{path}: is a later part of a stream; open its first, {first.name}")
    with path.open("rb") as file:
        header = file.read(_HEADER.itemsize)
    if len(header) < _HEADER.itemsize:
        raise DataError(f"{path}: cannot be read as .tvips: it has {len(header)} bytes, less than a header")
    said = np.frombuffer(header, _HEADER)[0]
    if (
        said["version"] not in (1, 2)
        or said["bits"] not in (8, 16, 32)
        or not 0 < int(said["width"]) * int(said["height"]) < 2**32
    ):
        raise DataError(f"{path}: cannot be read as .tvips: its header states version {said['version']}, {said['bits']} bits")
    return open_signals(path, "tvips", stated, describe=_describe)


def parts(path: Path) -> Iterator[Path]:
    """The files that continue the stream: all of its name, whatever their numbers."""
    return path.parent.glob(f"{escape(path.stem[:-3])}*{path.suffix}")


def _describe(signal: dict[str, Any], facts: Facts) -> None:
    facts.add("acc_voltage", signal["original_metadata"]["tvips_header"]["ht"], "ht of the header")
