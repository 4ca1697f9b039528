"""NeXus and CXI of X-ray beamlines: patterns with positions, photon energy, distance and mask (NXptycho, cxidb.org)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pypty_nb.data.dataset import Dataset, Stated
from pypty_nb.data.hdf5 import arrays, open_hdf5, peeked, text
from pypty_nb.data.metadata import Facts, as_number

FORMAT = "NeXus or CXI"
ENDINGS = (".nxs", ".cxi", ".h5", ".hdf5")
_TO_ANGSTROM = {"m": 1e10, "mm": 1e7, "um": 1e4, "µm": 1e4, "nm": 10.0, "angstrom": 1.0, "A": 1.0, "Å": 1.0}


def recognises(path: Path) -> bool:
    """Whether `path` holds an entry of NeXus or the mark of CXI."""
    with peeked(path) as file:
        return file is not None and ("cxi_version" in file or any(_class(item) == "NXentry" for item in file.values()))


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open `path`."""
    return open_hdf5(path, stated, pick=_signal, describe=_describe)


def _class(item: Any) -> str:
    return text(item.attrs.get("NX_class", "")) if isinstance(item, h5py.Group) else ""


def _signal(file: Any) -> str | None:
    """The signal of the first NXdata that has one of patterns; else where CXI keeps it."""
    entries: list[Any] = [item for item in file.values() if isinstance(item, h5py.Group)]
    for entry in entries:
        for group in (item for item in entry.values() if _class(item) == "NXdata"):
            signal = group.get(text(group.attrs.get("signal", "data")))
            if isinstance(signal, h5py.Dataset) and signal.ndim >= 3:
                return f"{group.name}/{text(group.attrs.get('signal', 'data'))}"
    for place in ("entry_1/data_1/data", "entry_1/instrument_1/detector_1/data"):
        if isinstance(file.get(place), h5py.Dataset):
            return place
    return None


def _describe(file: Any, found: Any, facts: Facts) -> None:
    named = dict(arrays(file))
    _beam(named, facts)
    _detector(named, facts)
    count = int(np.prod(found.shape[:-2]))
    group = found.parent
    x, y = group.get("x"), group.get("y")
    translation = group.get("translation")
    if isinstance(x, h5py.Dataset) and isinstance(y, h5py.Dataset) and x.size == y.size == count:
        columns = [np.ravel(item[()]) * _angstrom(item) for item in (y, x)]
        facts.add("positions", np.stack(columns, axis=1).astype(float), f"{y.name}, {x.name}{_assumed(x)}")
        return
    if not isinstance(translation, h5py.Dataset):
        translation = next((item for name, item in named.items() if name.endswith("/translation")), None)
    if translation is not None and translation.shape in ((count, 3), (count, 2)):
        # CXI keeps (x, y, z)
        values = np.asarray(translation[()], dtype=float)[:, [1, 0]] * _angstrom(translation)
        facts.add("positions", values, f"{translation.name}, x and y{_assumed(translation)}")


def _beam(named: dict[str, Any], facts: Facts) -> None:
    """Energy and wavelength: of the beam, not of the ring it comes from."""
    for name, item in named.items():
        if name.endswith("/energy") and "source" not in name and as_number(item[()]) is not None:
            facts.add_energy(item[()], item.attrs.get("units", "J"), f"{name}")
        elif name.endswith(("/incident_wavelength", "/wavelength")) and as_number(item[()]) is not None:
            facts.add("wavelength", item[()], name, _TO_ANGSTROM.get(text(item.attrs.get("units", "angstrom")), 1.0))


def _detector(named: dict[str, Any], facts: Facts) -> None:
    pixels = {}
    for name, item in named.items():
        last = name.rsplit("/", 1)[-1]
        if last == "distance" and "detector" in name:
            facts.add("distance", item[()], name, _angstrom(item) * 1e-10)
        elif last in ("x_pixel_size", "y_pixel_size"):
            pixels.setdefault(last[0], as_number(item[()] * _angstrom(item) * 1e-10))
        elif last in ("mask", "pixel_mask") and item.ndim == 2:
            facts.add("mask", item[()] == 0, name)
    pixel, distance = pixels.get("x"), facts.get("distance")
    if pixel and distance is not None:
        other = pixels.get("y") or pixel
        differs = "" if abs(other - pixel) < 1e-3 * pixel else f" (y differs: {other * 1e6:.4g} µm)"
        source = f"detector pixel {pixel * 1e6:.4g} µm{differs} / {distance.value:.4g} m"
        facts.add("rez_pixel_size_mrad", pixel, source, 1e3 / distance.value)


def _angstrom(item: Any) -> float:
    return _TO_ANGSTROM.get(text(item.attrs.get("units", "m")), 1e10)


def _assumed(item: Any) -> str:
    return "" if "units" in item.attrs else ", taken as metres"
