"""Which patterns of a source are kept, and in which order: the scan's size, an unfinished last row, fly-back columns, flips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pypty_nb.data import Dataset
from pypty_nb.data.dataset import check_scan, check_scan_axes
from pypty_nb.params import ParameterError


@dataclass(frozen=True)
class ScanOrder:
    """Patterns in the order in which they are to be written.

    Attributes
    ----------
    indices : int array
        Of patterns of the source.
    scan_size : tuple of int, or None
        (y, x) positions that they fill.
    source : str
        Where the scan size stands.
    flipped : bool
        Whether one axis of the scan is reversed.
    notes : tuple of str
        What was left out.
    columns : int
        Of the source, those left out included; 0 where no scan size is known.
    """

    indices: np.ndarray
    scan_size: tuple[int, int] | None
    source: str = ""
    flipped: bool = False
    notes: tuple[str, ...] = ()
    columns: int = 0


def scan_order(
    dataset: Dataset, scan_size: Sequence[int] | None, drop_columns: int | Sequence[int], flips: tuple[bool, bool]
) -> ScanOrder:
    """The patterns of `dataset` to keep.

    Parameters
    ----------
    dataset : Dataset
    scan_size : (int, int), optional
        (y, x) positions; where not given, what the data or the file say.
    drop_columns : int or (int, int)
        Columns to leave out at each row's end, or at its (start, end).
    flips : (bool, bool)
        Reverse the scan's y, x.

    Raises
    ------
    DataError
        Where the scan size does not fit the patterns by more than a last row that is not complete, or contradicts the axes.
    ParameterError
        Where columns or flips are asked for and no scan size is known, or no column remains.
    """
    count = dataset.shape[0]
    start, end = _pair("drop_columns", (0, drop_columns) if isinstance(drop_columns, int | np.integer) else drop_columns)
    if min(start, end) < 0:
        raise ParameterError(f"drop_columns: {drop_columns} is negative")
    said = dataset.metadata.get("scan_size")
    size = (
        _pair("scan_size", scan_size)
        if scan_size is not None
        else dataset.scan_shape or (said.value if said is not None else None)
    )
    if size is None:
        if start or end or any(flips):
            raise ParameterError(f"{dataset.name}: drop_columns, flip_y and flip_x need a scan_size; the file states none")
        return ScanOrder(np.arange(count), None)
    source = "user" if scan_size is not None else said.source if said is not None else "the axes of the data"
    rows, columns = (int(n) for n in size)
    notes = []
    incomplete = rows > 1 and (rows - 1) * columns < count < rows * columns
    if not incomplete:
        check_scan((rows, columns), count, dataset.name)
    check_scan_axes((rows, columns), getattr(dataset, "scan_axes", None), dataset.name)
    if incomplete:
        # an acquisition that was stopped, or lost its last frames
        notes.append(
            f"the scan {rows} × {columns} lacks {rows * columns - count} of its {rows * columns} patterns; its last, "
            f"incomplete row of {count - (rows - 1) * columns} was left out"
        )
        rows -= 1
    if columns - start - end < 1:
        raise ParameterError(f"drop_columns: {start} + {end} of {columns} columns leave none")
    grid = np.arange(rows * columns).reshape(rows, columns)[:, start : columns - end]
    if start or end:
        notes.append(f"fly-back left out: {start + end} of {columns} columns")
    grid = grid[:: -1 if flips[0] else 1, :: -1 if flips[1] else 1]
    return ScanOrder(grid.ravel(), (grid.shape[0], grid.shape[1]), source, any(flips), tuple(notes), columns)


def _pair(name: str, value: Sequence[int]) -> tuple[int, int]:
    if len(value) != 2 or not all(isinstance(part, int | np.integer) for part in value):
        raise ParameterError(f"{name}: {tuple(value)} is no pair of whole numbers")
    return int(value[0]), int(value[1])
