"""Where the paths that a person may name lead: never out of the project folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py

from pypty_nb.data.dataset import one_line
from pypty_nb.data.hdf5 import peeked
from pypty_nb.data.readers import parts_of
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


def run_folders(root: Path, runs: str = "runs") -> list[Path]:
    """What lies under ``root/runs``, or another folder in it, without links that lead out of `root`, which is given in full.

    Raises
    ------
    OSError
        Where there is no such folder.
    """
    folder = root / runs
    # a look every second at hundreds of runs must cost next to nothing
    return [path for path in folder.iterdir() if not path.is_symlink() or stays(root, path)] if stays(root, folder) else []


def stays(root: Path, path: Path) -> bool:
    """Whether `path`, links followed, lies in `root`, which is given in full."""
    try:
        return path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):
        return False  # a circle of links


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
    """Refuse a file that takes parts of itself from outside `root`: what HDF5 links to, and what its reader reads beside it.

    Raises
    ------
    ParameterError
        Where a part lies outside, or what HDF5 links to cannot be found out.
    """
    seen, waiting = {path}, [path]
    while waiting:
        holder = waiting.pop()
        for part in (*_linked(root, holder), *parts_of(holder)):
            try:
                # a folder's links are followed, the file's own is not yet: HDF5 looks for further parts beside either
                place, target = part.parent.resolve() / part.name, part.resolve()
            except (OSError, RuntimeError, ValueError) as error:
                raise ParameterError(f"{path} reads from {part}, which leads nowhere ({error})") from None
            if not target.is_relative_to(root):
                raise ParameterError(f"{path} reads from {target}, outside the project folder {root}; copy that file into it")
            if place not in seen and target.is_file():
                seen.add(place)
                waiting.append(place)


def free(source: Path, what: str) -> Path:
    """A path beside `source` that is not taken: ``NAME_WHAT.h5``, then ``NAME_WHAT_2.h5`` and so on."""
    count = 1
    while (found := source.with_name(f"{source.stem}_{what}{'' if count == 1 else f'_{count}'}.h5")).exists():
        count += 1
    return found


def _linked(root: Path, path: Path) -> Iterator[Path]:
    """Every place where HDF5 may look for the parts of the file at `path`, whether something is there or not.

    A name is taken from the file's folder, then from the current one, which is `root` for a run; raw storage from the current
    folder alone; a full name that is not there by its last part. The folder that this process is in may lie outside `root`
    and nobody can put a file there through the page: it counts only where such a file is.
    Source: HDF5 reference manual, H5Lcreate_external, H5Pset_external, H5Pset_virtual.
    """
    for name in _names(path) if path.is_file() else ():
        for folder in (path.parent, path.resolve().parent, root):
            yield folder / name
            yield folder / Path(name).name
        if (here := Path.cwd() / name).exists():
            yield here


def _names(path: Path) -> set[str]:
    """What the HDF5 file at `path` calls the files that it takes parts of itself from; none where it is no such file."""
    names: set[str] = set()

    def link(_name: str, found: Any) -> None:
        if isinstance(found, h5py.ExternalLink):
            names.add(found.filename)

    def item(_name: str, found: h5py.Group | h5py.Dataset) -> None:
        if not isinstance(found, h5py.Dataset):
            return
        names.update(entry[0] for entry in found.external or ())
        sources = {source.file_name for source in (found.virtual_sources() if found.is_virtual else ())} - {"."}
        if counted := next((name for name in sources if "%" in name), None):
            raise ParameterError(
                f"{path} reads from files numbered as {counted}, which cannot be checked; join them in one file"
            )
        names.update(sources)

    with peeked(path) as file:
        if file is None:
            return names  # its reader says why
        try:
            file.visititems_links(link)
            file.visititems(item)
        except ParameterError:
            raise
        except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
            raise ParameterError(
                f"{path} is damaged: what it takes from other files cannot be told ({one_line(error)})"
            ) from None
    return names
