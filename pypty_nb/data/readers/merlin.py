"""Merlin (Quantum Detectors) ``.mib``: frames of a Medipix behind their headers, with an ``.hdr`` beside it.

The rows come as they are stored (RosettaSciIO's own reader turns them over). A scan size is only proposed where the header file
has one; it cannot be told from the frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pypty_nb.data.dataset import DAMAGED, DataError, Dataset, SourceDataset, Stated
from pypty_nb.data.mapped import MappedFile
from pypty_nb.data.metadata import Facts

FORMAT = "Merlin"
ENDINGS = (".mib",)
#: Bytes in which all that is read of a header stands, and the longest ones end.
_LONGEST = 768
_TYPES = {"U08": "u1", "U16": ">u2", "U32": ">u4"}


@dataclass(frozen=True)
class _Header:
    """What the first frame's header states: bytes of a header, (ky, kx), type of a number, its chips and bits of a counter."""

    size: int
    shape: tuple[int, int]
    kind: str
    chips: str
    depth: str


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open `path`."""
    header = _header(path)
    if header.kind == "R64":
        source = _raw_bits(path, header)
    else:
        source = _frames(path, header, _TYPES[header.kind], header.shape)
    facts = Facts()
    (beside,) = parts(path)
    if beside.is_file():
        _describe(beside, source.shape[0], facts)
    return SourceDataset(source, str(path), stated, metadata=facts)


def parts(path: Path) -> tuple[Path]:
    """The header file."""
    return (path.with_suffix(".hdr"),)


def _header(path: Path) -> _Header:
    with path.open("rb") as file:
        start = file.read(_LONGEST)
    if start[:3] != b"MQ1":
        raise DataError(f"{path}: cannot be read as .mib: a frame starts with 'MQ1', this file with {start[:3]!r}")
    try:
        size = int(start[:20].split(b",")[2])
        if len(start) < min(size, _LONGEST):
            raise ValueError(f"it ends after {len(start)} of {size} bytes")
        fields = start[:size].decode("latin1").rstrip("\0 ,").split(",")
        header = _Header(size, (int(fields[5]), int(fields[4])), fields[6], fields[7].strip(), fields[-1].strip())
    except (ValueError, IndexError) as error:
        raise DataError(f"{path}: cannot be read as .mib: its first header is damaged ({error}); copy it again") from error
    if header.size < 128 or min(header.shape) < 1 or header.kind not in (*_TYPES, "R64"):
        raise DataError(f"{path}: cannot be read as .mib: its first header states frames of {header.shape} {header.kind!r}")
    return header


def _frames(path: Path, header: _Header, dtype: str, shape: tuple[int, ...]) -> MappedFile:
    record = np.dtype([("header", "V", header.size), ("data", dtype, shape)])
    whole, rest = divmod(path.stat().st_size, record.itemsize)
    if whole == 0 or rest:
        raise DataError(
            f"{path}: is cut short: {whole} whole frames of {record.itemsize} bytes and {rest} bytes of another: {DAMAGED}"
        )
    return MappedFile(path, record, (whole,))


class _Bits:
    """Frames of one bit a pixel in the readout's own order: words of 64 bits, the last byte first, the lowest bit first."""

    def __init__(self, frames: MappedFile, shape: tuple[int, int]):
        self._frames, self.shape, self.dtype = frames, (frames.shape[0], *shape), np.dtype(np.uint8)

    def __getitem__(self, key: Any) -> np.ndarray:
        words = self._frames[key[0]]
        bits = np.unpackbits(words[..., ::-1], axis=-1, bitorder="little")
        return bits.reshape(*words.shape[:-2], *self.shape[1:])[(slice(None), *key[1:])]


def _raw_bits(path: Path, header: _Header) -> _Bits:
    if header.depth != "1" or header.chips != "1x1":
        raise DataError(
            f"{path}: is in the raw mode of the readout, {header.depth} bits, {header.chips} chips; save it as processed frames"
        )
    ky, kx = header.shape
    return _Bits(_frames(path, header, "u1", (ky * kx // 64, 8)), header.shape)


def _describe(header: Path, frames: int, facts: Facts) -> None:
    """The scan size of the header file: stated, or a trigger for each row."""
    said = {}
    for line in header.read_text("latin1").splitlines():
        name, _, value = line.partition(":\t")
        said[name.strip()] = value.strip()
    if said.get("ScanX", "").isdigit() and said.get("ScanY", "").isdigit():
        facts.add("scan_size", (int(said["ScanY"]), int(said["ScanX"])), f"ScanY, ScanX of {header.name}")
        return
    row = said.get("Frames per Trigger (Number)", "")
    if row.isdigit() and 1 < int(row) < frames and frames % int(row) == 0:
        facts.add(
            "scan_size", (frames // int(row), int(row)), f"Frames per Trigger of {header.name}, taken as one row of the scan"
        )
