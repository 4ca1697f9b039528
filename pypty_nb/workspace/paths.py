"""Where the paths that a person may name lead: never out of the project folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from pypty_nb.params import FIELDS, ParameterError, Preset
from pypty_nb.params.fields import Path as PathField

#: Every parameter that holds a path.
PATHS = tuple(name for name, field in FIELDS.items() if isinstance(field, PathField))
_READ = ("data_path", "phase_plate_in_h5")


def inside(root: Path, path: Path) -> Path:
    """`path`, taken from `root`, where it lies in it, symbolic links followed.

    Raises
    ------
    ParameterError
        Where it lies outside, or leads nowhere.
    """
    try:
        resolved = (root / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ParameterError(f"{path} leads nowhere ({error}); choose a path inside the project folder") from None
    if not resolved.is_relative_to(root):
        raise ParameterError(f"{path} lies outside the project folder {root}; choose a path inside it")
    return resolved


def problems(root: Path, preset: Preset) -> dict[str, str]:
    """Parameter and sentence for every path of `preset` that leads out of `root`."""
    found: dict[str, str] = {}
    for name in PATHS:
        try:
            _ = inside(root, Path(preset[name])) if preset[name] else None
        except ParameterError as error:
            found[name] = error.problems[0]
    return found


def located(root: Path, preset: Preset) -> dict[str, Any]:
    """The paths of `preset` in full, links followed.

    Raises
    ------
    ParameterError
        Where one leads out of `root`, or a file to be read has parts that lie outside.
    """
    if wrong := problems(root, preset):
        raise ParameterError(*(f"{name}: {words}" for name, words in wrong.items()))
    full = {name: str(inside(root, Path(preset[name]))) for name in PATHS if preset[name]}
    for name in _READ:
        if name in full:
            check_parts(root, Path(full[name]))
    return full


def check_parts(root: Path, path: Path) -> None:
    """Refuse an HDF5 file whose links or datasets lead to files outside `root`; anything else is left to its reader.

    Raises
    ------
    ParameterError
        Where a part lies outside.
    """
    seen, waiting = {path}, [path]
    while waiting:
        for part in _parts(waiting.pop()):
            if not part.is_relative_to(root):
                raise ParameterError(f"{path} reads from {part}, outside the project folder {root}; copy that file into it")
            if part not in seen:
                seen.add(part)
                waiting.append(part)


def free(source: Path, what: str) -> Path:
    """A path beside `source` that is not taken: ``NAME_WHAT.h5``, then ``NAME_WHAT_2.h5`` and so on."""
    count = 1
    while (found := source.with_name(f"{source.stem}_{what}{'' if count == 1 else f'_{count}'}.h5")).exists():
        count += 1
    return found


def _parts(path: Path) -> Iterator[Path]:
    """The files, links followed, that the HDF5 file at `path` takes parts of itself from."""
    names: set[str] = set()

    def link(_name: str, found: Any) -> None:
        if isinstance(found, h5py.ExternalLink):
            names.add(found.filename)

    def item(_name: str, found: h5py.Group | h5py.Dataset) -> None:
        if isinstance(found, h5py.Dataset):
            names.update(entry[0] for entry in found.external or ())
            names.update(source.file_name for source in (found.virtual_sources() if found.is_virtual else ()))

    try:
        if not h5py.is_hdf5(path):
            return
        with h5py.File(path, "r", locking="best-effort") as file:
            file.visititems_links(link)
            file.visititems(item)
    except (OSError, RuntimeError, ValueError, KeyError):
        return  # no file that could be read from; its reader says so
    for name in names - {"."}:
        part = (path.parent / name).resolve()
        # HDF5 looks for a file that is not where it is said to be beside the first one, by its name alone
        if part.exists():
            yield part
