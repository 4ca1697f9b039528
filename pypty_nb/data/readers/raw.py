"""Plain numbers, whose layout a person states: shape, type, and the bytes before the first."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pypty_nb.data.dataset import DataError, Dataset, SourceDataset, Stated, import_command
from pypty_nb.data.mapped import MappedFile

FORMAT = "raw binary"
ENDINGS = (".raw", ".bin")


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open `path`."""
    if stated.shape is None or stated.dtype is None:
        beside = sorted(path.parent.glob("*.xml"))
        hint = f"; an EMPAD scan is opened by its .xml, perhaps {beside[0].name}" if beside else ""
        command = import_command(str(path), "--shape 64,64,128,128 --dtype uint16", "shape=…, dtype=…")
        raise DataError(
            f"{path}: nothing in it says how it is laid out: state shape and dtype{hint}; for instance {command} for 64 × 64 "
            "patterns of 128 × 128 numbers of 16 bits"
        )
    try:
        dtype = np.dtype(stated.dtype)
        shape = tuple(int(n) for n in stated.shape)
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: dtype {stated.dtype!r}, shape {stated.shape!r} cannot be used: {error}") from error
    if dtype.kind not in "iufb":
        raise DataError(f"{path}: dtype {dtype} is none of real numbers, such as 'uint16' or '>u2'")
    offset = stated.offset or 0
    if not shape or min(shape) < 1 or offset < 0:
        raise DataError(
            f"{path}: shape {shape} and offset {offset} cannot be used: lengths are at least 1, an offset at least 0"
        )
    return SourceDataset(MappedFile(path, dtype, shape, offset), str(path), stated)
