"""What a data set is: a count of patterns, and a way to read some of them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike

from pypty_nb.data.metadata import Facts, Found, Metadata, as_read
from pypty_nb.params.fields import AXES

_LAYOUTS = {2: ("pattern", "detector"), 3: ("pattern", "ky", "kx"), 4: ("scan_y", "scan_x", "ky", "kx")}


#: What is the matter with a file whose bytes make no sense, and what to do.
DAMAGED = "it is damaged or not complete; copy it again from where it was measured"


class DataError(ValueError):
    """Measurements that cannot be used: which file or array, what is wrong with it, what to do."""


class Dataset(Protocol):
    """Patterns, read when asked for.

    Attributes
    ----------
    name : str
        What messages call it: a path, or "dataset".
    shape : tuple of int
        (pattern, ky, kx), scan axes merged; (pattern, detector) for signals of virtual detectors.
    scan_shape : tuple of int, or None
        (scan_y, scan_x) where the source has two scan axes, or states them.
    metadata : mapping of str to Found
        What the source says of the experiment; the keys are those of `pypty_nb.data.metadata.KEYS`.
    """

    name: str
    shape: tuple[int, ...]
    scan_shape: tuple[int, int] | None
    metadata: Metadata

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Patterns `indices` (increasing), (len(indices), ky, kx) in the source's own dtype, zero frequency centred."""
        ...


class Source(Protocol):
    """Numbers in any layout, of which a part is read by indexing: an array, a mapped file, a dataset of HDF5."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...

    def __getitem__(self, key: Any, /) -> Any: ...


@dataclass(frozen=True)
class Stated:
    """What a person states of a file, where it is silent or wrong.

    Attributes
    ----------
    dataset : str, optional
        Path of the dataset in an HDF5 file.
    axes : tuple of str, optional
        What the axes of the source are, in its order, out of `AXES`, each with a minus before it where it is reversed.
    scan_size : tuple of int, optional
        (y, x) positions.
    shape, dtype, offset : optional
        Layout of a raw file: axes, type of a number, bytes before the first.
    signals : bool
        Whether it holds signals of virtual detectors, (pattern, detector), instead.
    """

    dataset: str | None = None
    axes: tuple[str, ...] | None = None
    scan_size: tuple[int, int] | None = None
    shape: tuple[int, ...] | None = None
    dtype: DTypeLike | None = None
    offset: int | None = None
    signals: bool = False


class SourceDataset:
    """The patterns of a source, whatever the order of its axes.

    Parameters
    ----------
    source : array, mapped file, or dataset of HDF5
        Read only where it is indexed.
    name : str
    stated : Stated
        Its `axes` and `scan_size` win over those proposed.
    axes : sequence of str, optional
        The order that the file proposes; by default (pattern, ky, kx) or (scan_y, scan_x, ky, kx), axes of length 1 aside.
    metadata : mapping of str to Found, optional

    Attributes
    ----------
    axes : tuple of str
        What the axes of the source are, as they are read.
    reversed_axes : frozenset of str
        Those that are read from their end.
    source_shape : tuple of int
        Their lengths.
    scan_axes : tuple of int, or None
        The lengths of (scan_y, scan_x), where it has them.

    Raises
    ------
    DataError
        Where the source has another count of axes, holds no real numbers, or the scan size does not fit.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        stated: Stated | None = None,
        *,
        axes: Sequence[str] | None = None,
        metadata: Metadata | None = None,
    ):
        stated = stated or Stated()
        self.name, self._source = name, source
        self.source_shape, self.dtype = tuple(int(n) for n in source.shape or ()), np.dtype(source.dtype)
        self.axes = self._named(stated, axes)
        self.reversed_axes = frozenset(axis[1:] for axis in stated.axes or () if axis.startswith("-"))
        lengths = dict(zip(self.axes, self.source_shape, strict=True))
        self._grid = "scan_x" in self.axes
        self._order = ("scan_y", "scan_x", "ky", "kx") if self._grid else _LAYOUTS[2 if stated.signals else 3]
        count = lengths["scan_y"] * lengths["scan_x"] if self._grid else lengths["pattern"]
        self.shape = (count, *(lengths[axis] for axis in self._order[-1 if stated.signals else -2 :]))
        self.metadata: Metadata = dict(metadata or {})
        if stated.axes is not None:
            proposed = _proposed(self.source_shape, axes)
            self.metadata = as_read(self.metadata, (proposed, self.source_shape), (self.axes, self.reversed_axes))
        self.scan_axes = (lengths["scan_y"], lengths["scan_x"]) if self._grid else None
        self.scan_shape = self._scan_shape(stated, self.scan_axes)

    def __repr__(self) -> str:
        """One line: the file's name, the shape, the type of a number."""
        scan = "" if self.scan_shape is None else f", scan_shape={self.scan_shape}"
        return f"{type(self).__name__}({Path(self.name).name!r}, shape={self.shape}{scan}, dtype={self.dtype})"

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Patterns `indices` (increasing), (len(indices), ky, kx) in the source's own dtype.

        Raises
        ------
        DataError
            Where the source can no longer be read there.
        """
        indices = np.asarray(indices)
        try:
            return self._read(indices)
        except DataError:
            raise
        except Exception as error:  # what libraries raise on a file damaged or gone cannot be foreseen; it is told
            place = f"patterns {indices[0]} to {indices[-1]}"
            raise DataError(
                f"{self.name}: {place} cannot be read ({one_line(error)}): the file is damaged, or no longer there"
            ) from error

    def _read(self, indices: np.ndarray) -> np.ndarray:
        places, ranks = self._places(indices), slice(None)
        if places is not indices:
            # sources are read in their own order
            order = np.argsort(places)
            places, ranks = places[order], np.argsort(order)
        patterns = self._read_grid(places) if self._grid else self._block({"pattern": as_slice(places)})
        steps = (-1 if axis in self.reversed_axes else 1 for axis in ("ky", "kx"))
        return patterns[ranks][(slice(None), *(slice(None, None, step) for step in steps))[: patterns.ndim]]

    def _places(self, indices: np.ndarray) -> np.ndarray:
        """Where patterns `indices` are, where an axis of the scan is not reversed."""
        back = self.reversed_axes - {"ky", "kx"}
        if not back:
            return indices
        names = ("scan_y", "scan_x") if self._grid else ("pattern",)
        lengths = tuple(self.source_shape[self.axes.index(axis)] for axis in names)
        places = np.unravel_index(indices, lengths)
        turned = [n - 1 - at if axis in back else at for axis, n, at in zip(names, lengths, places, strict=True)]
        return np.ravel_multi_index(turned, lengths)

    def _read_grid(self, indices: np.ndarray) -> np.ndarray:
        columns = self.source_shape[self.axes.index("scan_x")]
        y, x = np.divmod(indices, columns)
        out = np.empty((len(indices), *self.shape[1:]), self.dtype)
        for run in np.split(np.arange(len(indices)), _breaks(x, y, columns)):
            top, bottom, left, right = int(y[run[0]]), int(y[run[-1]]), int(x[run[0]]), int(x[run[-1]])
            block = self._block({"scan_y": slice(top, bottom + 1), "scan_x": slice(left, right + 1)})
            out[run] = block[y[run] - top, x[run] - left]
        return out

    def _block(self, chosen: dict[str, Any]) -> np.ndarray:
        """A part of the source, its axes in our order."""
        key = tuple(0 if axis == "1" else chosen.get(axis, slice(None)) for axis in self.axes)
        named = [axis for axis in self.axes if axis != "1"]
        return np.asarray(self._source[key]).transpose([named.index(axis) for axis in self._order])

    def _named(self, stated: Stated, proposed: Sequence[str] | None) -> tuple[str, ...]:
        """The names of the axes, checked."""
        shape = self.source_shape
        if stated.axes is not None:
            check_axes(stated.axes, shape, self.name)
            check_numbers(shape, self.dtype, self.name)
            return tuple(axis.removeprefix("-") for axis in stated.axes)
        if proposed is not None and len(proposed) == len(shape) and not stated.signals:
            check_numbers(shape, self.dtype, self.name)
            return tuple(proposed)
        usual = _proposed(shape, None)
        if len(shape) < 5 or not usual or stated.signals:
            check_layout(shape, self.dtype, self.name, signals=stated.signals)
            return _LAYOUTS[len(shape)]
        check_numbers(shape, self.dtype, self.name)
        return usual

    def _scan_shape(self, stated: Stated, own: tuple[int, int] | None) -> tuple[int, int] | None:
        found = self.metadata.get("scan_size")
        size, source = stated.scan_size, "stated"
        if size is not None:
            check_scan(size, self.shape[0], self.name)
            check_scan_axes(size, own, self.name)
        elif own is not None:
            size, source = own, "the axes of the data"
        elif found is not None and np.prod(found.value) == self.shape[0]:
            size, source = found.value, found.source
        if size is None:
            return None
        size = (int(size[0]), int(size[1]))
        self.metadata = Facts({**self.metadata, "scan_size": Found(size, source)})
        return size


def _proposed(shape: tuple[int, ...], axes: Sequence[str] | None) -> tuple[str, ...]:
    """The names that a file gives its axes, or the usual ones; none where it has too many or too few."""
    if axes is not None and len(axes) == len(shape):
        return tuple(axes)
    # of many axes, those of length 1 before the detector's mean nothing
    kept = len(shape) - 2 if len(shape) > 4 else 0
    long = [axis for axis, length in enumerate(shape) if length != 1 or axis >= kept]
    names = dict(zip(long, _LAYOUTS.get(len(long), ()), strict=False))
    return tuple(names.get(axis, "1") for axis in range(len(shape))) if names else ()


def _breaks(x: np.ndarray, y: np.ndarray, columns: int) -> np.ndarray:
    """Where another rectangle of the scan begins: whole rows that follow each other are one, else the part of each row."""
    starts = np.flatnonzero(np.diff(y)) + 1
    lengths = np.diff(np.concatenate([[0], starts, [len(y)]]))
    whole = lengths == columns
    return starts[~(whole[1:] & whole[:-1] & (np.diff(y)[starts - 1] == 1))]


class ArrayDataset(SourceDataset):
    """An array in memory.

    Parameters
    ----------
    array : (pattern, ky, kx) or (scan_y, scan_x, ky, kx), integer or float
    name : str
    signals : bool
        Whether it holds signals of virtual detectors, (pattern, detector), instead.

    Raises
    ------
    DataError
        Where the array has another count of axes, or holds no real numbers.
    """

    def __init__(self, array: np.ndarray, name: str = "dataset", *, signals: bool = False):
        check_layout(array.shape, array.dtype, name, signals=signals)
        super().__init__(array, name, Stated(signals=signals))


def check_layout(shape: tuple[int, ...], dtype: np.dtype, name: str, *, signals: bool = False) -> None:
    """Raise a `DataError` where `shape` or `dtype` is not that of patterns, or of `signals` of virtual detectors."""
    axes = "1 axis" if len(shape) == 1 else f"{len(shape)} axes"
    if signals and len(shape) != 2:
        raise DataError(f"{name}: has {axes}, shape {shape}; signals of virtual detectors are (pattern, detector)")
    if not signals and len(shape) not in (3, 4):
        raise DataError(f"{name}: has {axes}, shape {shape}; patterns are (pattern, ky, kx) or (scan_y, scan_x, ky, kx)")
    check_numbers(shape, dtype, name)


def check_numbers(shape: tuple[int, ...], dtype: np.dtype, name: str) -> None:
    """Raise a `DataError` where an array is empty or holds no real numbers."""
    if 0 in shape:
        raise DataError(f"{name}: is empty, shape {shape}")
    if dtype.kind not in "iufb":
        raise DataError(f"{name}: holds {dtype}; patterns are real numbers")


def check_axes(axes: Sequence[str], shape: tuple[int, ...], name: str) -> None:
    """Raise a `DataError` where `axes` cannot name those of an array of `shape`."""
    said = ", ".join(axes)
    axes = [axis.removeprefix("-") for axis in axes]
    if len(axes) != len(shape):
        raise DataError(f"{name}: axes: {said} are {len(axes)}, the data have {len(shape)}, shape {shape}")
    unknown = [axis for axis in axes if axis not in AXES]
    if unknown:
        raise DataError(f"{name}: axes: {unknown[0]!r} is none of {', '.join(AXES)}")
    named = sorted(axis for axis in axes if axis != "1")
    if named not in (sorted(_LAYOUTS[3]), sorted(_LAYOUTS[4])):
        raise DataError(f"{name}: axes: {said} are neither pattern, ky, kx nor scan_y, scan_x, ky, kx, each once")
    long = [length for axis, length in zip(axes, shape, strict=True) if axis == "1" and length != 1]
    if long:
        raise DataError(
            f"{name}: axes: an axis called '1' has length {long[0]}, shape {shape}; only one of length 1 can be left out"
        )


def check_scan(size: Sequence[int], count: int, name: str) -> None:
    """Raise a `DataError` where `size` (y, x) positions are not `count` patterns."""
    if len(size) != 2 or min(size) < 1:
        raise DataError(f"{name}: scan_size: {tuple(size)} is no (y, x) of at least one position each")
    rows, columns = (int(n) for n in size)
    if rows * columns == count:
        return
    fits = [f"{count // n} × {n}" for n in (columns,) if count % n == 0]
    fits += [f"{n} × {count // n}" for n in (rows,) if count % n == 0]
    hint = (
        f"{' or '.join(dict.fromkeys(fits))} would fit" if fits else "neither number divides them; count rows and columns again"
    )
    raise DataError(f"{name}: scan_size: {rows} × {columns} = {rows * columns} positions, but {count} patterns; {hint}")


def check_scan_axes(size: Sequence[int], axes: tuple[int, int] | None, name: str) -> None:
    """Raise a `DataError` where a scan of `size` (y, x) contradicts two `axes` of the data, neither of length 1."""
    if axes is None or min(axes) == 1 or tuple(size) == axes:
        return
    remedy = "leave scan_size out, or give the patterns in one row (pattern, ky, kx) to divide them otherwise"
    if tuple(size) == axes[::-1]:
        remedy = (
            "leave scan_size out; if the scan is stored the other way round, name the file's axes in turn in data_axes "
            "(`pypty-nb import --axes`), such as scan_x, scan_y, ky, kx"
        )
    raise DataError(
        f"{name}: scan_size: {size[0]} × {size[1]} is stated, but the axes of the data are {axes[0]} × {axes[1]}; {remedy}"
    )


def import_command(name: str, options: str, arguments: str) -> str:
    """How data called `name` are written anew: the command for a file, the call for an array."""
    if not Path(name).suffix:
        return f'`create_pypty_data({name}, "new.h5", {arguments})`'
    return f"`pypty-nb import {shlex.quote(name)} new.h5 {options}`"


def which_dataset(path: Path, names: Sequence[str]) -> str:
    """What to do where a file holds several arrays of patterns under `names`."""
    command = import_command(str(path), f"--dataset {shlex.quote(names[0])}", f"dataset={names[0]!r}")
    return f"say which is meant by dataset, for instance {command}"


def as_slice(indices: np.ndarray) -> slice | np.ndarray:
    """A slice where the indices are consecutive, so that a file is not read at random."""
    first, last = int(indices[0]), int(indices[-1])
    return slice(first, last + 1) if last - first + 1 == len(indices) else indices


def one_line(error: BaseException) -> str:
    """What `error` says, in one line."""
    said = " ".join(str(error).split())
    return f"{said[:297]} …" if len(said) > 300 else said or type(error).__name__
