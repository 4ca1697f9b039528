"""One NeXus file (``.nxs``) with everything: object, probe, scan, beam, losses, parameters.

All arrays have one orientation: y, then x, as the object lies; (mode, z, y, x). Lengths are in Å on the object's axes, which
start at its first pixel. A viewer that follows ``@default`` shows the object's phase. Groups: NXdata, NXbeam, NXdetector and
NXprocess of the NeXus manual, https://manual.nexusformat.org/classes/base_classes. ``reconstruction parameters`` is where the
original program keeps them, so that such a file opens as a preset.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pypty_nb.files import atomic_hdf5
from pypty_nb.params import Preset
from pypty_nb.physics.units import electron_wavelength
from pypty_nb.runs.folder import VALIDATION, shares_of
from pypty_nb.runs.groups import field, group
from pypty_nb.runs.result import PROGRAM, Result, version

FORMAT = "nxs"
ABOUT = "NeXus file: object, probe, scan, losses and all parameters, with units, for archives and other programs"

_LENGTH = "angstrom"
#: Of a run's log: what the file calls a column where that is not its own name in small letters, and units.
_CALLED = {
    "time / s": "seconds",
    "matching step": "step",
    "N linesearch iterations": "evaluations",
    "Constraints contribution": "constraints",
}
_UNITS = {"time / s": "s", "sse": "counts^2", "Free GiB": "GiB", "Total GiB": "GiB"}


def write(result: Result, folder: Path) -> list[Path]:
    """One file, named after the run's folder."""
    path = folder / f"{result.name}.nxs"
    with atomic_hdf5(path) as file:
        file.attrs.update({"NX_class": "NXroot", "default": "entry", "file_name": path.name, "creator": PROGRAM})
        entry = group(file, "entry", "NXentry", default="object")
        entry["title"] = result.name
        if result.began:
            entry["start_time"], entry["end_time"] = result.began, result.ended
        entry["program_name"] = PROGRAM
        entry["program_name"].attrs["version"] = version()
        _object(entry, result)
        instrument = group(entry, "instrument", "NXinstrument", default="probe")
        _beam(instrument, result.preset)
        _probe(instrument, result)
        _scan(instrument, result)
        _detector(instrument, result)
        _reconstruction(entry, result)
    return [path]


def _object(entry: h5py.Group, result: Result) -> None:
    """Transmission (mode, z, y, x), its phase and modulus."""
    data = group(entry, "object", "NXdata", signal="phase", axes=["mode", "z", "y", "x"])
    turned = result.point.obj.transpose(3, 2, 0, 1)
    size_y, size_x = result.pixel_size
    modes, _, ny, nx = turned.shape
    means = np.array([[result.mean_phase(plane) for plane in mode] for mode in turned])
    phase = np.angle(turned * np.exp(-1j * means)[..., None, None]).astype(turned.real.dtype)
    field(data, "phase", phase, "rad", long_name="phase less the slice's mean inside the scan")
    field(data, "modulus", np.abs(turned), long_name="modulus of the transmission")
    field(data, "transmission", turned, long_name="complex transmission, exp(i phase) times modulus")
    field(data, "mean_phase", means, "rad", long_name="what the phase is less, (mode, z)")
    data.attrs["auxiliary_signals"] = ["modulus"]
    field(data, "mode", np.arange(modes))
    field(data, "z", result.depths, _LENGTH, long_name="along the beam")
    field(data, "y", np.arange(ny) * size_y, _LENGTH)
    field(data, "x", np.arange(nx) * size_x, _LENGTH)
    field(data, "pixel_size", np.array([size_y, size_x]), _LENGTH, long_name="(y, x)")
    data.attrs["is_calibrated"] = result.is_calibrated
    if not result.is_calibrated:
        data["pixel_size"].attrs["comment"] = "never set: the 1 angstrom that the program takes then"


def _beam(instrument: h5py.Group, preset: Preset) -> None:
    beam = group(instrument, "beam", "NXbeam")
    field(beam, "incident_energy", preset.acc_voltage, "keV", long_name="kinetic energy of the electrons")
    field(beam, "incident_wavelength", electron_wavelength(preset.acc_voltage), _LENGTH)


def _probe(instrument: h5py.Group, result: Result) -> None:
    """Illumination ([scenario,] mode, y, x), its modulus and phase."""
    probe = np.asarray(result.point.probe)
    names = ["mode", "scenario"][: probe.ndim - 2]
    turned = probe.transpose(*range(probe.ndim - 1, 1, -1), 0, 1)
    data = group(instrument, "probe", "NXdata", signal="modulus", axes=[*names[::-1], "y", "x"])
    data.attrs["auxiliary_signals"] = ["phase"]
    field(data, "modulus", np.abs(turned), long_name="modulus, square root of counts")
    field(data, "phase", np.angle(turned), "rad")
    field(data, "wave", turned, long_name="complex illumination in real space")
    for name, count in zip(names, probe.shape[2:], strict=True):
        field(data, name, np.arange(count))
    for name, length, size in zip("yx", probe.shape, result.pixel_size, strict=False):
        field(data, name, (np.arange(length) - length // 2) * size, _LENGTH)
    aberrations = result.point.aberrations_array
    if aberrations is not None:
        field(data, "aberrations", aberrations, _LENGTH, long_name="Krivanek coefficients, (scan, coefficient)")


def _scan(instrument: h5py.Group, result: Result) -> None:
    """Where the probe stood on the object."""
    point, size = result.point, np.array(result.pixel_size)
    data = group(instrument, "scan", "NXdata", signal="y", axes=["x"])
    centres = result.centres * size
    field(data, "y", centres[:, 0], _LENGTH, long_name="middle of the probe, from the object's first pixel")
    field(data, "x", centres[:, 1], _LENGTH, long_name="middle of the probe, from the object's first pixel")
    field(data, "positions", centres, _LENGTH, long_name="(pattern, [y, x]), middle of the probe")
    field(data, "corners", point.positions, "pixel", long_name="(pattern, [y, x]), the patches' top-left corners")
    if point.tilts is not None:
        field(data, "tilts", point.tilts, long_name="tangents, [y, x] before, inside and after the object")
    if point.beam_current is not None:
        field(data, "beam_current", point.beam_current, long_name="factor on the probe's amplitude")
    if result.preset.scan_size is not None:
        field(data, "scan_size", np.array(result.preset.scan_size), long_name="scan points, [y, x]")


def _detector(instrument: h5py.Group, result: Result) -> None:
    detector = group(instrument, "detector", "NXdetector")
    background = result.point.static_background
    if background is not None:
        field(
            detector,
            "static_background",
            background,
            "counts^0.5",
            long_name="square root of a constant offset in counts, centred",
        )
    if result.preset.data_path:
        field(detector, "data_path", str(result.preset.data_path))


def _reconstruction(entry: h5py.Group, result: Result) -> None:
    process = group(entry, "reconstruction", "NXprocess", default="loss")
    process["program"], process["version"] = PROGRAM, version()
    if result.ended:
        process["date"] = result.ended
    _losses(group(process, "loss", "NXdata", signal="loss", axes=["epoch"]), result.losses)
    held = group(process, "reconstruction parameters", "NXcollection")
    for name, value in result.preset.to_dict().items():
        # patterns belong to the measurement's own file
        if name != "dataset" or not result.preset.strip_dataset_from_params:
            held.create_dataset(name, data=_storable(value))
    about = "the parameters as JSON; arrays that it refers to lie in 'reconstruction parameters'"
    field(process, "preset", result.preset_json, long_name=about)
    about = "what was changed during the run, as JSON: epochs, and by name [old value, new value]; the preset is that after it"
    field(process, "changes", result.changes_json, long_name=about)


def _losses(log: h5py.Group, rows: tuple[dict[str, str], ...]) -> None:
    """The log, a field a column, and the data's own term."""
    epochs = np.array([int(row["epoch"]) for row in rows], np.int64)
    field(log, "epoch", epochs)
    for column in rows[0] if rows else ["loss"]:
        if column == "Warnings":
            log.create_dataset("warnings", data=[row[column] for row in rows], dtype=h5py.string_dtype())
        elif column != "epoch":
            values = np.array([float(row[column]) for row in rows])
            field(log, _called(column), values, _UNITS.get(column, ""), long_name=column)
    if rows:
        shares = shares_of(rows[0])
        data = [float(row["loss"]) - math.fsum(float(row[column]) for column in shares) for row in rows]
        field(log, "data", np.array(data), long_name="the data's term: the loss less the constraints")
        held_out = [VALIDATION] if VALIDATION in rows[0] else []
        log.attrs["auxiliary_signals"] = ["data", *(_called(column) for column in (*shares, *held_out))]


def _called(column: str) -> str:
    """A column's name with nothing in it that NeXus does not allow."""
    return _CALLED.get(column) or re.sub(r"\W+", "_", column).strip("_").lower()


def _storable(value: Any) -> Any:
    """`value` as the original's file holds it: numbers and arrays as such, the rest as text; JSON where steps or pairs nest."""
    if value is None:
        return "None"
    if isinstance(value, float) and math.isinf(value):
        return "inf"
    if isinstance(value, Mapping):
        return value["schedule"] if "schedule" in value else json.dumps(value)
    if isinstance(value, tuple) and not all(isinstance(item, (int, float)) for item in value):
        return json.dumps(value)
    return value
