"""One array from a file of the project folder: a ``.npy``, or a dataset of an HDF5 file."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np

from pypty_nb.params import FIELDS, ParameterError
from pypty_nb.params.fields import Array

#: Endings of files that arrays are read from.
SUFFIXES = (".npy", ".h5", ".hdf5", ".nxs")
_HDF5 = re.compile(r"(?i)(?P<file>.+?\.(?:h5|hdf5|nxs))(?:[:/]+(?P<dataset>.*))?")
_MOST_BYTES = 8 * 2**30
_NAMED = 6


def split(typed: str) -> tuple[Path, str]:
    """File and dataset of ``folder/scan.h5:probe``; the dataset is "" where none is given."""
    if found := _HDF5.fullmatch(typed.strip()):
        return Path(found["file"]), found["dataset"] or ""
    return Path(typed.strip()), ""


def read_array(path: Path, dataset: str, name: str) -> np.ndarray:
    """The array for the parameter `name`.

    Parameters
    ----------
    path : Path
        Where the file really lies.
    dataset : str
        In an HDF5 file; "" takes the only one whose shape the parameter accepts.
    name : str

    Raises
    ------
    ParameterError
        Where there is no such array, or it is too large to be held.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ParameterError(f"{path.name}: arrays are read from {', '.join(SUFFIXES)} files")
    if not path.is_file():
        raise ParameterError(f"there is no file {path}")
    try:
        return _read_npy(path) if path.suffix.lower() == ".npy" else _read_hdf5(path, dataset, name)
    except ParameterError:
        raise
    except (OSError, ValueError, EOFError, RuntimeError) as error:
        raise ParameterError(f"{path}: cannot be read: {error}") from error


def _read_npy(path: Path) -> np.ndarray:
    # mapped first, which takes neither archives nor pickles
    mapped = np.lib.format.open_memmap(path, mode="r")
    _check(path, mapped.nbytes, mapped.dtype)
    return np.array(mapped)


def _read_hdf5(path: Path, dataset: str, name: str) -> np.ndarray:
    with h5py.File(path, "r", locking="best-effort") as file:
        chosen = dataset.strip("/") or _only_one(file, path, name)
        found = file.get(chosen)
        if not isinstance(found, h5py.Dataset) or found.shape is None:
            raise ParameterError(f"{path}: has no dataset {chosen!r}; it holds {_listed(_names(file))}")
        if found.file.filename != file.filename or found.external or found.is_virtual:
            # a link could lead out of the project folder
            raise ParameterError(f"{path}: {chosen!r} lies in another file; choose that one")
        _check(path, found.nbytes, found.dtype)
        return np.asarray(found[()])


def _only_one(file: h5py.File, path: Path, name: str) -> str:
    field = FIELDS[name]
    names = _names(file)
    fitting = [known for known, shape in names.items() if isinstance(field, Array) and field.axes_of(shape)]
    if len(fitting) != 1:
        held = {known: names[known] for known in fitting} or names
        raise ParameterError(f"{path}: name the dataset, as {path.name}:{next(iter(held), 'name')}; it holds {_listed(held)}")
    return fitting[0]


def _names(file: h5py.File) -> dict[str, tuple[int, ...]]:
    """Every dataset of numbers in the file itself, with its shape; links to other files are not followed."""
    found: dict[str, tuple[int, ...]] = {}

    def look(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset) and item.shape is not None and item.dtype.kind in "iufcb":
            found[name] = item.shape

    file.visititems(look)
    return found


def _listed(names: dict[str, tuple[int, ...]]) -> str:
    said = [f"{name} ({' × '.join(map(str, shape)) or 'a number'})" for name, shape in list(names.items())[:_NAMED]]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(said) + more if said else "none"


def _check(path: Path, size: int, dtype: np.dtype) -> None:
    if dtype.kind not in "iufcb":
        raise ParameterError(f"{path}: holds {dtype}; an array is of numbers")
    if size > _MOST_BYTES:
        raise ParameterError(f"{path}: {size / 2**30:.1f} GiB, over the {_MOST_BYTES >> 30} GiB that an array may take; "
                             "patterns are best left in their file and given as Data file")  # fmt: skip
