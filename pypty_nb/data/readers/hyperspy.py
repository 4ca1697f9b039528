"""HyperSpy's ``.hspy`` (HDF5) and ``.zspy`` (Zarr): an array, and for each of its axes a name, a scale and a unit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py

from pypty_nb.data.dataset import DataError, Dataset, SourceDataset, Stated, one_line, which_dataset
from pypty_nb.data.hdf5 import open_hdf5, text
from pypty_nb.data.metadata import Facts

FORMAT = "HyperSpy"
ENDINGS = (".hspy", ".zspy")
#: A store of Zarr is a folder.
FOLDERS = (".zspy",)


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open `path`."""
    if path.suffix.lower() == ".zspy":
        return _open_zarr(path, stated)
    return open_hdf5(path, stated, pick=_pick, describe=lambda file, found, facts: _describe(found.parent, facts))


def parts(path: Path) -> Iterator[Path]:
    """The links inside a store of Zarr, and in folders that they lead to; its own files lie where it does."""
    seen, waiting = set[Path](), [path] if path.is_dir() else []
    while waiting:
        folder = waiting.pop()
        for entry in os.scandir(folder):
            if entry.is_symlink():
                yield Path(entry.path)
            # a link may lead back
            if entry.is_dir() and (place := Path(entry.path).resolve()) not in seen:
                seen.add(place)
                waiting.append(Path(entry.path))


def _pick(file: h5py.File) -> str | None:
    experiments = file.get("Experiments")
    names = list(experiments) if isinstance(experiments, h5py.Group) else []
    return f"Experiments/{names[0]}/data" if len(names) == 1 else None


def _open_zarr(path: Path, stated: Stated) -> Dataset:
    import zarr
    from zarr.errors import BaseZarrError

    try:
        experiments: Any = zarr.open_group(str(path), mode="r")["Experiments"]
        names = sorted(experiments.group_keys())
        if stated.dataset is None and len(names) != 1:
            which = f": {', '.join(names)}; {which_dataset(path, names)}" if names else ""
            raise DataError(f"{path}: holds {len(names)} experiments{which}")
        group = experiments[stated.dataset or names[0]]
        source = group["data"]
    except DataError:
        raise
    except (OSError, KeyError, ValueError, TypeError, BaseZarrError) as error:
        raise DataError(f"{path}: cannot be read as .zspy: {one_line(error)}") from error
    facts = Facts()
    _describe(group, facts)
    return SourceDataset(source, str(path), stated, metadata=facts)


def _describe(group: Any, facts: Facts) -> None:
    """The axes and the microscope; the layout is the same in both kinds of file."""
    scales, names, count = [], [], len(group["data"].shape)
    for axis in range(count):
        said: Mapping[str, Any] = group[f"axis-{axis}"].attrs if f"axis-{axis}" in group else {}
        scales.append((said.get("scale"), text(said.get("units", ""))))
    names = ("scan_y", "scan_x", "ky", "kx")[-count:] if count < 5 else ()
    facts.add_scales(names, scales, "axes of the file")
    where = "metadata/Acquisition_instrument/TEM"
    if where in group:
        said = group[where].attrs
        facts.add("acc_voltage", said.get("beam_energy"), "beam_energy of the metadata")
        facts.add("conv_semiangle_mrad", said.get("convergence_angle"), "convergence_angle of the metadata")
