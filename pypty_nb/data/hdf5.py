"""HDF5 files of every maker: opened for reading, searched, described, and read as patterns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5o, h5p  # pyright: ignore[reportAttributeAccessIssue]

from pypty_nb.data.dataset import DataError, SourceDataset, Stated, check_numbers, one_line, which_dataset
from pypty_nb.data.metadata import KEYS, Facts, Metadata

NAME = "data"
_DEEPEST = 12
#: Memory that decompressed chunks of one dataset may take, so that several open files stay far below a gigabyte.
_CACHE_BYTES = 256 * 2**20
#: Attributes by which other programs and people say what we call by another name.
_ALIASES = {
    "voltage_kV": "acc_voltage",
    "semiconvergence_mrad": "conv_semiangle_mrad",
    "convergence_semiangle_mrad": "conv_semiangle_mrad",
    "detector_pixel_mrad": "rez_pixel_size_mrad",
    "detector_pixel_inv_A": "rez_pixel_size_A",
    "C10_A": "defocus",
    "defocus_A_nominal_magnitude": "defocus_magnitude",
    "wavelength_A": "wavelength",
    "energy_eV": "energy",
    "distance_m": "distance",
}

#: Gives the path of the patterns in an open file; None where it cannot tell.
Pick = Callable[[Any], str | None]
#: Gathers what an open file says of the experiment.
Describe = Callable[[Any, Any, Facts], None]


def opened(path: Path) -> Any:
    """The file at `path`, for reading.

    Raises
    ------
    DataError
        Where it is no HDF5 file, or a damaged one.
    """
    try:
        # locked where that can be: other handles of this process must agree, and a beamline's share may know no locks
        return h5py.File(path, "r", locking="best-effort")
    except PermissionError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read as HDF5: {_why_not(path, error)}") from error


def _why_not(path: Path, error: OSError) -> str:
    """What is wrong with a file that the library refused."""
    size = path.stat().st_size if path.is_file() else None
    if size == 0:
        return "the file is empty"
    if size and "truncated file" in str(error):
        return f"the file is cut off after {size} bytes; copy it again"
    if size and not h5py.is_hdf5(path):
        return "this is no HDF5 file, whatever its name says"
    return one_line(error)


@contextmanager
def opening(path: Path) -> Iterator[Any]:
    """The file at `path`, which stays open for what is made of it, and is closed where that fails.

    Raises
    ------
    DataError
        As `opened`.
    """
    with ExitStack() as failed:
        yield failed.enter_context(opened(path))
        failed.pop_all()


@contextmanager
def peeked(path: Path) -> Iterator[Any]:
    """The file at `path` for a glance at whose it is; None where it cannot be opened, which is said elsewhere."""
    try:
        file = opened(path)
    except (DataError, OSError):
        yield None
        return
    with file:
        yield file


class HDF5Dataset(SourceDataset):
    """Patterns in an open file; the file closes with the object."""

    def __init__(self, file: Any, source: Any, name: str, stated: Stated, axes: Any, metadata: Metadata):
        self._file = file
        super().__init__(source, name, stated, axes=axes, metadata=metadata)


def open_hdf5(
    path: Path,
    stated: Stated,
    *,
    pick: Pick | None = None,
    describe: Describe | None = None,
    axes: tuple[str, ...] | None = None,
) -> HDF5Dataset:
    """The patterns in the file at `path`: those stated, else those that `pick` finds, else the only ones there are.

    Raises
    ------
    DataError
        Where it is no HDF5 file, or holds none or several arrays that could be patterns; the message lists them.
    """
    with opening(path) as file:
        holder, name, access = _access(chosen(file, path, stated, pick))
        # anew, since a dataset that is open keeps the cache it has
        found = h5py.Dataset(h5d.open(holder.id, name, access))
        # registers the filters of detectors' makers (bitshuffle, LZ4, Zstandard, Blosc) with the library
        register_filters(found)
        facts = Facts()
        if describe is not None:
            _gather(describe, file, found, facts)
        _gather(attributes, file, found, facts)
        return HDF5Dataset(file, found, str(path), stated, axes, facts)


def chosen(file: Any, path: Path, stated: Stated, pick: Pick | None) -> Any:
    """The dataset of patterns in `file`."""
    if stated.dataset is not None:
        found = _at(file, stated.dataset)
        if found is None:
            raise DataError(f"{path}: has no dataset {stated.dataset!r}; {_holdings(file)}")
        return found
    picked = pick(file) if pick is not None else None
    found = _at(file, picked or NAME)
    if found is not None:
        return found
    candidates = {name: item for name, item in arrays(file) if could_be_patterns(item)}
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    if NAME in file and not candidates:
        raise DataError(f"{path}: its {NAME!r} is no dataset, or a link that leads nowhere; {_holdings(file)}")
    if not candidates:
        raise DataError(f"{path}: has no dataset {NAME!r} and no other array of patterns; {_holdings(file)}")
    listed = ", ".join(f"{name} {item.shape}" for name, item in candidates.items())
    raise DataError(
        f"{path}: holds {len(candidates)} arrays that could be patterns: {listed}; {which_dataset(path, list(candidates))}"
    )


def arrays(group: Any, *, depth: int = 0, seen: set[Any] | None = None) -> Iterator[tuple[str, Any]]:
    """Every dataset under `group` with its path, once; links are followed, those that lead nowhere passed over."""
    seen = set() if seen is None else seen
    for name in group:
        item = _at(group, name, kind=(h5py.Dataset, h5py.Group))
        if item is None:
            continue
        info = h5o.get_info(item.id)
        if (info.fileno, info.addr) in seen:
            continue
        seen.add((info.fileno, info.addr))
        path = f"{group.name.rstrip('/')}/{name}"
        if isinstance(item, h5py.Dataset):
            yield path, item
        elif depth < _DEEPEST:
            yield from (
                (f"{path}{inner[len(item.name) :]}", found) for inner, found in arrays(item, depth=depth + 1, seen=seen)
            )


def could_be_patterns(item: Any) -> bool:
    """Whether the array has three or four axes longer than 1 (a detector's may be of any length) and holds real numbers."""
    shape = item.shape or ()
    long = [length for length in shape[:-2] if length != 1]
    if len(shape) < 3 or len(long) not in (1, 2) or min(shape[-2:]) < 2:
        return False
    try:
        check_numbers(shape, item.dtype, "")
    except DataError:
        return False
    return True


def attributes(file: Any, found: Any, facts: Facts) -> None:
    """What attributes of the data and of the file say, by our names or by others' (`create_pypty_data` writes ours)."""
    for holder, where in ((found, "the data"), (file, "the file")):
        for name in holder.attrs:
            key = _ALIASES.get(name, name)
            if key not in KEYS:
                continue
            value = holder.attrs[name]
            source = text(holder.attrs.get(f"{name}_source", f"attribute {name} of {where}"))
            if key == "energy":
                facts.add_energy(value, "eV", source)
            else:
                facts.add(key, tuple(int(n) for n in value) if key == "scan_size" else value, source)
    for key in ("positions", "positions_px", "mask"):
        array = _at(file, key)
        if array is not None:
            facts.add(
                key, array[()].astype(bool if key == "mask" else float), text(array.attrs.get("source", f"dataset {key}"))
            )


def write_metadata(file: Any, data: Any, metadata: Metadata) -> None:
    """Write facts as `attributes` reads them: numbers as attributes of `data`, arrays as datasets beside it."""
    for key, fact in metadata.items():
        if isinstance(fact.value, np.ndarray):
            file.create_dataset(key, data=fact.value).attrs["source"] = fact.source
        else:
            data.attrs[key], data.attrs[f"{key}_source"] = fact.value, fact.source


def value_at(file: Any, path: str) -> Any:
    """The value of the dataset at `path`; None where there is none."""
    found = _at(file, path)
    return None if found is None or found.shape is None else found[()]


def text(value: Any) -> str:
    """A string of HDF5, however it is kept."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _access(found: Any) -> tuple[Any, bytes, Any]:
    """File, name and way of opening a dataset: with room for the chunks of a row of the scan.

    So each is decompressed once, not once for every batch that has a part of it.
    """
    access = h5p.create(h5p.DATASET_ACCESS)
    if found.chunks and len(found.shape) > 2:
        row = math.prod(-(-length // chunk) for length, chunk in zip(found.shape[1:], found.chunks[1:], strict=True))
        one = math.prod(found.chunks) * found.dtype.itemsize
        room = max(min(row * one, _CACHE_BYTES), one)
        # HDF5 wants a hundred slots a chunk; 1: chunks that were read in full go first
        access.set_chunk_cache(100 * (room // one) + 1, room, 1.0)
    return found.file, found.name.encode(), access


def _at(group: Any, path: str, kind: Any = h5py.Dataset) -> Any:
    try:
        item = group.get(path)
    except (OSError, RuntimeError, KeyError, ValueError):
        return None
    return item if isinstance(item, kind) else None


def _gather(describe: Describe, file: Any, found: Any, facts: Facts) -> None:
    # what is only proposed must not keep the patterns from being read
    with suppress(OSError, KeyError, ValueError, TypeError, IndexError, RuntimeError, AttributeError):
        describe(file, found, facts)


def _holdings(file: Any) -> str:
    listed = [f"{name} {item.shape}" for name, item in arrays(file) if item.shape is not None and len(item.shape) > 1]
    return f"it holds {', '.join(listed[:12]) or ', '.join(sorted(file)) or 'nothing'}"


def register_filters(found: Any) -> None:
    count = found.id.get_create_plist().get_nfilters()
    if any(found.id.get_create_plist().get_filter(index)[0] >= 256 for index in range(count)):
        import hdf5plugin  # noqa: F401  importing it is what registers them
