"""NanoMEGAS TopSpin ``.app5``: a series is a group of HDF5 with one group a pattern, numbered along the rows of the scan."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import h5py
import numpy as np

from pypty_nb.data.dataset import DataError, Dataset, Stated, which_dataset
from pypty_nb.data.hdf5 import HDF5Dataset, opening, text, value_at
from pypty_nb.data.metadata import Facts

FORMAT = "TopSpin"
ENDINGS = (".app5",)


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open the series of patterns in `path`."""
    with opening(path) as file:
        series = {name: group for name, group in _series(file).items() if stated.dataset in (None, name)}
        if len(series) != 1:
            listed = f": {', '.join(series)}; {which_dataset(path, list(series))}" if series else ""
            raise DataError(f"{path}: holds {len(series)} series of patterns{listed}")
        group = next(iter(series.values()))
        facts = Facts()
        with suppress(ElementTree.ParseError, KeyError, TypeError, ValueError):
            _describe(group, facts)
        return HDF5Dataset(file, _Frames(group), str(path), stated, None, facts)


class _Frames:
    """Patterns kept one by one."""

    def __init__(self, group: Any):
        self._group = group
        first: Any = group["0/Data"]
        self.shape, self.dtype = (len(_frames(group)), *first.shape), first.dtype

    def __getitem__(self, key: Any) -> np.ndarray:
        frames = np.arange(self.shape[0])[key[0]]
        return np.stack([self._group[f"{frame}/Data"][key[1:]] for frame in frames])


def _frames(group: Any) -> list[str]:
    return [name for name in group if name.isdigit() and f"{name}/Data" in group]


def _series(file: Any) -> dict[str, Any]:
    groups: list[Any] = [group for document in file.values() if isinstance(document, h5py.Group) for group in document.values()]
    return {str(group.name): group for group in groups if isinstance(group, h5py.Group) and "0" in _frames(group)}


def _describe(group: Any, facts: Facts) -> None:
    """Voltage of the procedure; pixel and grid from the frames, each of which states where its beam was sent."""
    for item in _xml(group.parent).iter("Item"):
        if item.findtext("Name") in ("HighVoltage", "GunHighVoltage"):
            facts.add("acc_voltage", item.findtext("Value"), f"{item.findtext('Name')} of the procedure", 1e-3)
        elif item.findtext("Name") == "ScanRotation":
            facts.add("scan_rotation_deg", item.findtext("Value"), "ScanRotation of the procedure")
    for axis in _xml(group["0"]).iter("X"):
        if axis.findtext("Type/Text") == "Angle":
            facts.add("rez_pixel_size_mrad", axis.findtext("Scale"), "calibration of the first pattern, an angle", 1e3)
    count, first = len(_frames(group)), _position(group["0"])
    row = next((frame for frame in range(1, count) if _position(group[f"{frame}"])[0] != first[0]), count)
    if row > 1:
        source = "the beam's positions in the first row of the scan"
        facts.add("scan_step_A", abs(_position(group["1"])[1] - first[1]), source, 1e10)
        if count % row == 0:
            facts.add("scan_size", (count // row, row), source)


def _xml(group: Any) -> ElementTree.Element:
    # its declaration speaks of an encoding that the text no longer has
    return ElementTree.fromstring(text(value_at(group, "Metadata")).partition("?>")[2])


def _position(frame: Any) -> tuple[float, float]:
    """Where the beam was sent, (y, x) in metres."""
    for item in _xml(frame).iter("Item"):
        if item.findtext("Name") == "RequestedBeamPosition":
            return float(item.findtext("Value/Y") or "nan"), float(item.findtext("Value/X") or "nan")
    return 0.0, 0.0
