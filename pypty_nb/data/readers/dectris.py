"""DECTRIS ARINA and its kin: a ``_master.h5`` that links to files of frames, and a microscope's ``.h5`` beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pypty_nb.data.dataset import DataError, Dataset, Stated, one_line
from pypty_nb.data.hdf5 import HDF5Dataset, arrays, opening, peeked, register_filters, value_at
from pypty_nb.data.metadata import Facts

FORMAT = "DECTRIS master"
ENDINGS = (".h5",)
_DETECTOR = "entry/instrument/detector"


def recognises(path: Path) -> bool:
    """Whether `path` is a master file."""
    with peeked(path) as file:
        if file is None or not isinstance(file.get(_DETECTOR), h5py.Group):
            return False
        data = file.get("entry/data")
        return isinstance(data, h5py.Group) and any(str(name).startswith("data_") for name in data)


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open the frames that the master at `path` links to, one file after the other."""
    with opening(path) as file:
        source = Joined([_linked(file, path, name) for name in sorted(file["entry/data"])])
        facts = Facts()
        _microscope(path, facts)
        _detector(file, facts)
        return HDF5Dataset(file, source, str(path), stated, None, facts)


def parts(path: Path) -> tuple[Path, ...]:
    """The file of the microscope, ``NAME.h5`` beside ``NAME_master.h5``."""
    beside = path.with_name(path.name.replace("_master.h5", ".h5"))
    return () if beside == path else (beside,)


class Joined:
    """Stacks of frames, one behind the other."""

    def __init__(self, stacks: list[Any]):
        self._stacks = stacks
        self._ends = np.cumsum([stack.shape[0] for stack in stacks])
        self.shape, self.dtype = (int(self._ends[-1]), *stacks[0].shape[1:]), stacks[0].dtype

    def __getitem__(self, key: Any) -> np.ndarray:
        frames = np.arange(self.shape[0])[key[0]]
        number = np.searchsorted(self._ends, frames, side="right")
        parts = []
        for index in np.unique(number):
            inside = frames[number == index] - (self._ends[index] - self._stacks[index].shape[0])
            first, last = int(inside[0]), int(inside[-1])
            parts.append(self._stacks[index][(slice(first, last + 1), *key[1:])][inside - first])
        return np.concatenate(parts)


def _linked(file: Any, path: Path, name: str) -> Any:
    link = file["entry/data"].get(name, getlink=True)
    where = f"{link.filename}" if isinstance(link, h5py.ExternalLink) else name
    try:
        found = file[f"entry/data/{name}"]
    except (KeyError, OSError) as error:
        raise DataError(
            f"{path}: its frames in {where} cannot be read: {one_line(error)}; the files of frames lie beside it"
        ) from error
    if not isinstance(found, h5py.Dataset) or found.ndim != 3:
        raise DataError(f"{path}: {where} holds no stack of frames")
    register_filters(found)
    return found


def _microscope(path: Path, facts: Facts) -> None:
    """What the file of the microscope says."""
    beside = next(iter(parts(path)), None)
    if beside is None or not beside.is_file():
        return
    with peeked(beside) as file:
        group = file.get("STEM Metadata") if file is not None else None
        if not isinstance(group, h5py.Group):
            return
        said: dict[str, Any] = {name: group.attrs[name] for name in group.attrs}
        of = f"STEM Metadata of {beside.name}"
        facts.add("acc_voltage", said.get("High Tension"), f"High Tension, {of}", 1e-3)
        if {"NumPixelsX", "NumPixelsY"} <= set(said):
            facts.add("scan_size", (int(said["NumPixelsY"]), int(said["NumPixelsX"])), f"NumPixelsY, NumPixelsX, {of}")
        calibrated = "" if np.any(said.get("IsPixelSizeCalibrated", 1)) else ", marked as not calibrated"
        facts.add_length("scan_step_A", said.get("Pixel Size"), "nm", f"Pixel Size, {of}{calibrated}")
        facts.add("scan_rotation_deg", said.get("Rotation"), f"Rotation, {of}")
        facts.add("distance", said.get("Camera Length"), f"nominal Camera Length, {of}")


def _detector(file: Any, facts: Facts) -> None:
    """What the master file says of the detector."""
    detector = file[_DETECTOR]
    facts.add("acc_voltage", value_at(detector, "detectorSpecific/photon_energy"), "photon_energy of the detector", 1e-3)
    facts.add("distance", value_at(detector, "detector_distance"), "detector_distance")
    pixel, distance = value_at(detector, "x_pixel_size"), facts.get("distance")
    if pixel is not None and distance is not None:
        source = f"detector pixel {float(pixel) * 1e6:.4g} µm / {distance.value:.4g} m ({distance.source})"
        facts.add("rez_pixel_size_mrad", pixel, source, 1e3 / distance.value)
    for name, item in arrays(detector):
        if name.endswith("/pixel_mask") and item.ndim == 2:
            facts.add("mask", item[()] == 0, "pixel_mask of the detector")
