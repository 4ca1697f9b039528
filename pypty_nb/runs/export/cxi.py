"""CXI-style HDF5 (``.cxi``), as programs for coherent X-ray imaging read it: SI units, names that count from 1.

The CXI file format, version 1.6 (Maia, Nat. Methods 9, 854 (2012); https://www.cxidb.org/cxi.html). An object mode is an
``image_N``, (y, x), or (z, y, x) where there are several slices. Vectors are (x, y, z). PyNX looks for ``entry_1/object`` and
``entry_1/probe``, SHARP for ``illumination`` under the source.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from scipy import constants

from pypty_nb.files import atomic_hdf5
from pypty_nb.physics.units import electron_wavelength
from pypty_nb.runs.groups import field, group
from pypty_nb.runs.result import PROGRAM, Result, version

ABOUT = "CXI-style HDF5: object, probe and positions in SI units, for programs of coherent X-ray imaging"

_VERSION = 160
_M = 1e-10


def write(result: Result, folder: Path) -> list[Path]:
    """One file, named after the run's folder."""
    path = folder / f"{result.name}.cxi"
    with atomic_hdf5(path) as file:
        file["cxi_version"] = _VERSION
        entry = file.create_group("entry_1")
        file.attrs["default"], entry.attrs["NX_class"], entry.attrs["default"] = "entry_1", "NXentry", "image_1"
        entry["program_name"] = f"{PROGRAM} {version()}".strip()
        entry["title"] = result.name
        if result.began:
            entry["start_time"], entry["end_time"] = result.began, result.ended
        _source(entry, result)
        _sample(entry, result)
        _images(entry, result)
    return [path]


def _source(entry: h5py.Group, result: Result) -> None:
    instrument = group(entry, "instrument_1", "NXinstrument")
    source = group(instrument, "source_1", "NXsource")
    kilovolts = result.preset.acc_voltage
    field(source, "energy", 1e3 * kilovolts * constants.e, "J", comment="kinetic energy of each electron, not of a photon")
    field(source, "wavelength", electron_wavelength(kilovolts) * _M, "m")
    source["probe"] = "electron"
    probe = np.asarray(result.point.probe)
    turned = probe.transpose(*range(probe.ndim - 1, 1, -1), 0, 1)
    field(source, "illumination", turned, comment="([scenario,] mode, y, x), real space, square root of counts")
    beside = group(entry, "probe", "NXdata", signal="data")
    beside["data"] = h5py.SoftLink(source["illumination"].name)
    _pixels(beside, result)


def _sample(entry: h5py.Group, result: Result) -> None:
    """Where the beam stood on the object, (pattern, 3)."""
    geometry = group(group(entry, "sample_1", "NXsample"), "geometry_1", "NXgeometry")
    places = np.zeros((len(result.centres), 3))
    places[:, :2] = (result.centres * np.array(result.pixel_size))[:, ::-1] * _M
    field(geometry, "translation", places, "m",
           comment="(x, y, z) of the beam on the object from its first pixel: x along columns, y along rows")  # fmt: skip


def _images(entry: h5py.Group, result: Result) -> None:
    size_y, size_x = result.pixel_size
    ny, nx, slices, modes = result.point.obj.shape
    for mode in range(modes):
        image = group(entry, f"image_{mode + 1}", "NXdata", signal="data")
        planes = result.point.obj[:, :, :, mode].transpose(2, 0, 1)
        data = planes if slices > 1 else planes[0]
        image["data"] = data
        image["data_space"], image["data_type"] = "real", "transmission function"
        image["dimensionality"], image["is_fft_shifted"] = data.ndim, 0
        field(image, "image_size", np.array([nx * size_x, ny * size_y, result.depths[-1]]) * _M, "m")
        field(image, "image_center", np.array([nx * size_x, ny * size_y, result.depths[-1]]) * (_M / 2), "m")
        _pixels(image, result)
        if slices > 1:
            field(image, "z", result.depths * _M, "m")
        image["source_1"] = h5py.SoftLink(f"{entry.name}/instrument_1/source_1")
        process = group(image, "process_1", "NXprocess")
        process["program"], process["version"] = PROGRAM, version()
        process["command"] = "reconstruction by L-BFGS; the preset follows"
        process["preset"], process["changes"] = result.preset_json, result.changes_json
    entry["object"] = h5py.SoftLink(f"{entry.name}/image_1")


def _pixels(image: h5py.Group, result: Result) -> None:
    size_y, size_x = result.pixel_size
    field(image, "y_pixel_size", size_y * _M, "m")
    field(image, "x_pixel_size", size_x * _M, "m")
    if not result.is_calibrated:
        image["x_pixel_size"].attrs["comment"] = "never set: the 1 angstrom that the program takes then"
