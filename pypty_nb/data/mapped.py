"""Files of plain numbers, of which a part is mapped while it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from pypty_nb.data.dataset import DataError


class MappedFile:
    """An array in a file, mapped for each reading alone, so that what was read does not stay in memory.

    Parameters
    ----------
    path : Path
    dtype : dtype
        Of one element; with a field "data", of a record whose other fields are headers.
    shape : tuple of int
        Of the elements; the axes of the field "data" follow.
    offset : int
        Bytes before the first.
    order : {"C", "F"}

    Raises
    ------
    DataError
        Where the file is too short for it.
    """

    def __init__(self, path: Path, dtype: np.dtype, shape: tuple[int, ...], offset: int = 0, order: Literal["C", "F"] = "C"):
        self._path, self._record, self._records, self._offset = path, np.dtype(dtype), shape, offset
        self._order: Literal["C", "F"] = order
        field = self._record["data"] if self._record.names else self._record
        self.shape, self.dtype = (*shape, *field.shape), field.base
        needed = offset + self._record.itemsize * int(np.prod(shape, dtype=object))
        found = path.stat().st_size
        if found < needed:
            raise DataError(
                f"{path}: is cut short: {_said(needed)} bytes are needed for {self.shape} {self.dtype}, it has {_said(found)}"
            )

    def __getitem__(self, key: Any) -> np.ndarray:
        mapped = np.memmap(self._path, self._record, "r", self._offset, self._records, order=self._order)
        return np.array((mapped["data"] if self._record.names else mapped)[key])


def _said(count: int) -> str:
    return f"{count:,}".replace(",", " ")
