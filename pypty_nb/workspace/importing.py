"""A cleaned copy of a data file, made with what the file does not say of itself: which data set, its layout, the scan."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from pypty_nb.data import DataError, Dataset, open_dataset
from pypty_nb.data.hdf5 import arrays, could_be_patterns, peeked
from pypty_nb.data.readers import format_of
from pypty_nb.initialize.create_pypty_data import Imported, create_pypty_data
from pypty_nb.params import ParameterError, Preset
from pypty_nb.workspace import paths
from pypty_nb.workspace.preview import Progress, watched
from pypty_nb.workspace.workspace import Workspace

#: What may become of counts below zero, and of bad pixels, as `create_pypty_data` names it, and in words.
NEGATIVE = {"clip": "set to zero", "refuse": "refuse the file"}
BAD_PIXELS = {"interpolate": "fill from neighbours", "mask": "mark, to leave out", "zero": "set to zero", "keep": "keep"}
#: Types of a number that files of detectors hold.
DTYPES = ("uint8", "uint16", "uint32", "int16", "int32", "float32", "float64", ">u2", ">u4", ">f4")
_RAW = "raw binary"
_ASKS = "say which is meant by dataset"


@dataclass(frozen=True)
class Source:
    """What there is to be said of a file.

    Attributes
    ----------
    path : Path
        In full.
    datasets : mapping of str to str
        The arrays in it that could be patterns: what tells each from the others, with its shape, and its path.
    raw : bool
        Whether it is plain numbers, whose shape and type must be stated.
    named : bool
        Whether it cannot be opened without the name of a data set.
    """

    path: Path
    datasets: dict[str, str]
    raw: bool = False
    named: bool = False

    @property
    def asks(self) -> bool:
        """Whether it cannot be opened before something is said of it."""
        return self.raw or self.named


@dataclass(frozen=True)
class Wanted:
    """What a person says of a file, and wants done with it; empty is as the file says. Names as in `create_pypty_data`.

    Attributes
    ----------
    path : Path
        Of the file, in the project folder.
    dataset, axes : str
    shape : tuple of int
        Of plain numbers; empty for other files.
    dtype : str
    offset : int
        Bytes before the first number.
    scan_size : (int, int), optional
    drop_columns : (int, int)
    negative, bad_pixels : str
        Keys of `NEGATIVE` and of `BAD_PIXELS`.
    bin : int
    """

    path: Path
    dataset: str = ""
    axes: str = ""
    shape: tuple[int, ...] = ()
    dtype: str = ""
    offset: int = 0
    scan_size: tuple[int, int] | None = None
    drop_columns: tuple[int, int] = (0, 0)
    negative: str = "clip"
    bad_pixels: str = "interpolate"
    bin: int = 1


def source_of(workspace: Workspace, path: Path, why_not: str = "") -> Source | None:
    """What there is to be said of the file at `path`; ``None`` where nothing that is said would open it.

    Looks into the file: call it in a thread.

    Parameters
    ----------
    workspace : Workspace
    path : Path
        In the project folder.
    why_not : str
        Why it could not be opened, "" where it could.
    """
    try:
        path = workspace.inside(path)
        paths.check_parts(workspace.root, path)
        kind = format_of(path)
    except (ParameterError, DataError):
        return None
    if kind == _RAW:
        return Source(path, {}, raw=True)
    # one that is not opened for another reason is not opened with a name either
    found = _datasets(path)
    named = bool(why_not) and (_ASKS in why_not or bool(found))
    return Source(path, found, named=named) if named or not why_not else None


def can_import(preset: Preset) -> bool:
    """Whether a copy of what is open can be made: of a file only; data in memory come from a program."""
    return bool(preset.data_path) and preset.dataset is None


def not_filled(dataset: Dataset, points: tuple[int, int]) -> tuple[int, int] | None:
    """The scan that the patterns of `dataset` do not fill: `points` (y, x), or what the file states; else ``None``."""
    said = dataset.metadata.get("scan_size")
    for rows, columns in (points, *([said.value] if said is not None else [])):
        if rows * columns != dataset.shape[0]:
            return int(rows), int(columns)
    return None


def imported(workspace: Workspace, wanted: Wanted, progress: Progress, stopped: Callable[[], bool]) -> Imported:
    """Write the copy that is `wanted` beside its source, under a name that is free: ``NAME_imported.h5``.

    The beam stays where it is, since a pattern that is moved loses an edge; calibration finds its centre.
    Reads and writes the whole file: call it in a thread.

    Raises
    ------
    ParameterError, DataError, OSError
        Where the file cannot be read as stated, or the copy cannot be written; then there is none.
    StoppedError
        Where `stopped`, asked after every block, says so; then there is none.
    """
    path = workspace.inside(wanted.path)
    paths.check_parts(workspace.root, path)
    source = open_dataset(
        path,
        dataset=wanted.dataset or None,
        axes=wanted.axes or None,
        shape=wanted.shape or None,
        dtype=wanted.dtype or None,
        offset=wanted.offset or None,
    )
    # hidden until it is whole; then its name is taken, and never one that is there
    unfinished = path.with_name(f".{path.stem}-{secrets.token_hex(6)}.h5")
    try:
        done = create_pypty_data(
            source,
            unfinished,
            comx=0,
            comy=0,
            bin=wanted.bin,
            scan_size=wanted.scan_size,
            drop_columns=wanted.drop_columns,
            bad_pixels=wanted.bad_pixels,
            negative=wanted.negative,
            progress=watched(progress, stopped),
        )
        return replace(done, path=_named(unfinished, path))
    finally:
        unfinished.unlink(missing_ok=True)


def lengths(typed: str, what: str) -> tuple[int, ...]:
    """The whole numbers typed, such as "16, 130, 128" or "16 × 130 × 128"; none for nothing.

    Raises
    ------
    ParameterError
        Where they are none, or below 1.
    """
    words = typed.replace("×", " ").replace(",", " ").replace("x", " ").strip("() ").split()
    if not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ParameterError(f"{what}: takes whole numbers of at least 1, got {typed!r:.60}")
    return tuple(int(word) for word in words)


def scan_points(rows: str, columns: str) -> tuple[int, int] | None:
    """The scan typed as its rows and its columns; ``None`` where neither is.

    Raises
    ------
    ParameterError
        Where only one is, or one is no whole number of at least 1.
    """
    found = lengths(rows, "scan points, rows"), lengths(columns, "scan points, columns")
    if not any(found):
        return None
    if any(len(part) != 1 for part in found):
        raise ParameterError("scan points: takes one number of rows and one of columns, or neither")
    return found[0][0], found[1][0]


def _named(unfinished: Path, source: Path) -> Path:
    while True:
        target = paths.free(source, "imported")
        # somebody else may just have taken it
        with suppress(FileExistsError):
            target.touch(exist_ok=False)
            return unfinished.replace(target)


def _datasets(path: Path) -> dict[str, str]:
    with peeked(path) as file:
        shapes = {} if file is None else {name: item.shape for name, item in arrays(file) if could_be_patterns(item)}
    short = _told_apart(list(shapes))
    return {f"{short[name]} ({' × '.join(map(str, shape))})": name for name, shape in shapes.items()}


def _told_apart(names: list[str]) -> dict[str, str]:
    """Every path without the folders, and without the end, that all of them share."""
    if len(names) < 2:
        return {name: name.rsplit("/", 1)[-1] for name in names}
    split = [name.strip("/").split("/") for name in names]
    first = _same(split)
    last = _same([parts[first:][::-1] for parts in split])
    return {name: "/".join(parts[first : len(parts) - last]) or name for name, parts in zip(names, split, strict=True)}


def _same(lists: list[list[str]]) -> int:
    """How many things, from the first on, all lists have in common."""
    return len(list(takewhile(lambda things: len(set(things)) == 1, zip(*lists, strict=False))))
