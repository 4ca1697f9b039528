"""One file a format. A reader says which endings are its own and opens them; it is found by being in this folder.

A reader has `FORMAT`, its name for a person; `ENDINGS`; `open_file(path, stated) -> Dataset`; where several share an ending,
`recognises(path) -> bool` (the one without it takes what the others do not); `FOLDERS`, endings of folders that are files; and
`parts(path) -> iterable of Path`, the files beside `path` that it reads as well, where there are any.
What is needed for one format alone is imported when a file of it is opened.
"""

from __future__ import annotations

import os
import pkgutil
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from numpy.typing import DTypeLike

from pypty_nb.data.dataset import DAMAGED, DataError, SourceDataset, Stated, one_line


class NoSuchData(DataError):
    """A path that leads to no file of patterns."""


def open_dataset(
    path: str | os.PathLike[str],
    *,
    dataset: str | None = None,
    axes: Sequence[str] | str | None = None,
    scan_size: Sequence[int] | None = None,
    shape: Sequence[int] | None = None,
    dtype: DTypeLike | None = None,
    offset: int | None = None,
    signals: bool = False,
) -> SourceDataset:
    """The measurements in the file at `path`, read when asked for.

    What the file says of itself is in `metadata`, each fact with its source; what is stated here wins over it.

    Parameters
    ----------
    path : path
    dataset : str, optional
        Path of the patterns in an HDF5 file; where not given ``data``, the format's own place, or the only 3D or 4D array.
    axes : sequence of str, or str, optional
        What the axes of the source are, in turn: "scan_y, scan_x, ky, kx" or "pattern, ky, kx" in any order; "1" for
        one of length 1. A minus before a name reverses that axis. Where not given, as the file proposes.
    scan_size : (int, int), optional
        (y, x) positions, where patterns are in one row.
    shape, dtype, offset : optional
        Layout of a file of plain numbers, whatever its ending: axes, type of a number (``">u2"``), bytes before the first.
    signals : bool
        Whether it holds signals of virtual detectors, (pattern, detector), instead.

    Raises
    ------
    NoSuchData
        Where there is no such file, it may not be read, or there is no reader for it.
    DataError
        Where there is nothing in it that could be patterns, or what is stated does not fit.
    """
    path = Path(path)
    named = tuple(part.strip() for part in axes.split(",")) if isinstance(axes, str) else axes
    stated = Stated(
        dataset,
        None if named is None else tuple(named),
        None if scan_size is None else _pair(scan_size, path),
        None if shape is None else tuple(shape),
        dtype,
        offset,
        signals,
    )
    reader = _reader(path, stated)
    if path.is_file() and path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty: {DAMAGED}")
    try:
        return reader.open_file(path, stated)
    except DataError:
        raise
    except PermissionError as error:
        raise NoSuchData(f"{path} may not be read: {error.strerror}") from error
    except ModuleNotFoundError as error:
        package = _package(error)
        raise DataError(
            f"{path}: reading {reader.FORMAT} needs the package {package}, which is missing here or too old; "
            f"install it with: pip install --upgrade {package}"
        ) from error
    except Exception as error:  # what parsers raise on damaged bytes cannot be foreseen; it is told
        raise DataError(f"{path}: cannot be read as {reader.FORMAT} ({one_line(error)}): {DAMAGED}") from error


def formats() -> dict[str, tuple[str, ...]]:
    """The name of every format that can be read, and its endings."""
    return {reader.FORMAT: reader.ENDINGS for reader in _readers()}


def format_of(path: str | os.PathLike[str]) -> str:
    """The name of the format of the file at `path`; a `DataError` where none is known."""
    return _reader(Path(path), Stated()).FORMAT


def _reader(path: Path, stated: Stated) -> ModuleType:
    """The reader for `path`, which is there."""
    try:
        found = path.exists()
    except OSError as error:
        raise NoSuchData(f"{path} cannot be looked up: {error.strerror}") from error
    if not found:
        raise NoSuchData(f"there is no file {path}")
    readers, ending = _readers(), path.suffix.lower()
    folders = [reader for reader in readers if ending in getattr(reader, "FOLDERS", ())]
    if not path.is_file() and not (path.is_dir() and folders):
        kind = "a folder" if path.is_dir() else "a device or a pipe"
        raise NoSuchData(f"{path} is {kind}, not a file of patterns")
    if stated.shape is not None or stated.dtype is not None:
        return import_module(f"{__name__}.raw")
    readers = [reader for reader in readers if ending in reader.ENDINGS]
    if not readers:
        endings = sorted({ending for reader in _readers() for ending in reader.ENDINGS})
        raise NoSuchData(f"no reader for {path.name!r}; files may end in {', '.join(endings)}")
    special = [reader for reader in readers if hasattr(reader, "recognises")]
    general = [reader for reader in readers if not hasattr(reader, "recognises")]
    if not general and len(special) == 1:
        return special[0]
    return next((reader for reader in special if _recognised(reader, path)), (general or special)[0])


def _recognised(reader: ModuleType, path: Path) -> bool:
    try:
        return reader.recognises(path)
    except Exception:  # noqa: BLE001  a damaged file is nobody's; what is wrong with it is told by the reader for all
        return False


def parts_of(path: Path) -> Iterator[Path]:
    """The files beside `path` that a reader of its ending reads with it; parts that HDF5 itself links to aside.

    They need not be there.
    """
    for reader in _readers():
        if path.suffix.lower() in reader.ENDINGS and hasattr(reader, "parts"):
            yield from reader.parts(path)


def folder_endings() -> tuple[str, ...]:
    """Endings of folders that are opened as one file."""
    return tuple(sorted({ending for reader in _readers() for ending in getattr(reader, "FOLDERS", ())}))


def endings() -> tuple[str, ...]:
    """Endings of the files that there are readers for."""
    return tuple(sorted({ending for reader in _readers() for ending in reader.ENDINGS}))


def _readers() -> list[ModuleType]:
    return [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]


def _package(error: ModuleNotFoundError) -> str:
    """What to install for the module that was not found, which one package calls otherwise than itself."""
    module = (error.name or "").partition(".")[0]
    return {"rsciio": "rosettasciio"}.get(module, module)


def _pair(size: Sequence[int], path: Path) -> tuple[int, int]:
    if len(size) != 2:
        raise DataError(f"{path}: scan_size: {tuple(size)} is no pair (y, x)")
    return int(size[0]), int(size[1])
