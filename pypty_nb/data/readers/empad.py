"""EMPAD: an ``.xml`` that describes the scan, and the ``.raw`` that it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from pypty_nb.data.dataset import DAMAGED, DataError, Dataset, Stated
from pypty_nb.data.metadata import Facts
from pypty_nb.data.rosetta import check_size, open_signals

FORMAT = "EMPAD"
ENDINGS = (".xml",)
#: Rows of a frame in the file: two more than the detector has.
_ROWS = 130


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open the scan that `path` describes."""
    raw = _raw(path)
    return open_signals(path, "empad", stated, describe=lambda signal, facts: _describe(raw, signal, facts))


def parts(path: Path) -> Iterator[Path]:
    """The patterns, wherever the ``.xml`` says that they are."""
    try:
        tree = ElementTree.parse(path)
    except (OSError, ElementTree.ParseError, ValueError, LookupError):
        return  # what is wrong with it is told where it is opened
    for named in tree.iter("raw_file"):
        for name in (named.get("filename"), *(said.text for said in named.iter("filename"))):
            # as our check of the size takes it, and as RosettaSciIO does
            yield from (path.parent / _last(name), path.parent / name) if name else ()


def _last(name: str) -> str:
    return name.replace("\\", "/").rsplit("/", 1)[-1]


def _raw(path: Path) -> Path:
    try:
        # expat expands no entity from outside the file, and refuses those that grow
        named = ElementTree.parse(path).find("raw_file")
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise DataError(f"{path}: cannot be read as XML ({error}): {DAMAGED}") from error
    name = named.get("filename") if named is not None else None
    if not name:
        raise DataError(f"{path}: is no description of an EMPAD scan: it names no raw_file")
    raw = path.parent / _last(name)
    if not raw.is_file():
        raise DataError(f"{path}: its patterns are in {raw.name}, which is not beside it; copy both")
    return raw


def _describe(raw: Path, signal: dict[str, Any], facts: Facts) -> None:
    frames = int(np.prod(np.shape(signal["data"])[:-2]))
    check_size(raw, frames * _ROWS * np.shape(signal["data"])[-1] * 4)
    said = signal["original_metadata"].get("root", {}).get("iom_measurements", {})
    voltage = said.get("high_voltage", said.get("source", {}).get("get_voltage"))
    facts.add("acc_voltage", voltage, "high voltage in the .xml", 1e-3)
    rotation = said.get("scan_rotation", said.get("column", {}).get("get_scanrotation"))
    facts.add("scan_rotation_deg", rotation, "scan rotation in the .xml")
