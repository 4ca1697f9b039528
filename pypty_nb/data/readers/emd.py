"""EMD: the layout of Berkeley (NCEM, Prismatic, py4DSTEM), and Velox's, which shares nothing but the ending."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pypty_nb.data.dataset import Dataset, Stated
from pypty_nb.data.hdf5 import arrays, open_hdf5, peeked, text, value_at
from pypty_nb.data.metadata import Facts, as_number

FORMAT = "EMD"
ENDINGS = (".emd", ".h5")
_VELOX = "Data/Image"
_AXES = {4: ("scan_y", "scan_x", "ky", "kx"), 3: ("pattern", "ky", "kx")}


def recognises(path: Path) -> bool:
    """Whether `path` holds groups of EMD."""
    with peeked(path) as file:
        return file is not None and (is_velox(file) or "emd_group_type" in file.attrs or _first_group(file) is not None)


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open `path`."""
    with peeked(path) as file:
        velox = file is not None and is_velox(file)
    if velox:
        # the frames of Velox come last
        return open_hdf5(path, stated, pick=_velox_stack, describe=_describe_velox, axes=("ky", "kx", "pattern"))
    return open_hdf5(path, stated, describe=_describe)


def is_velox(file: Any) -> bool:
    """Whether Velox wrote the file."""
    return isinstance(file.get(_VELOX), h5py.Group)


def _first_group(file: Any) -> h5py.Group | None:
    return next((item for item in file.values() if isinstance(item, h5py.Group) and "emd_group_type" in item.attrs), None)


def _velox_stack(file: Any) -> str | None:
    """The only stack of more than one frame."""
    stacks = [name for name, item in arrays(file[_VELOX]) if item.dtype.kind in "iuf" and item.ndim == 3 and item.shape[2] > 1]
    return stacks[0] if len(stacks) == 1 else None


def _describe_velox(file: Any, found: Any, facts: Facts) -> None:
    raw = value_at(found.parent, "Metadata")
    said: Any = json.loads(bytes(raw[:, 0]).split(b"\0")[0])
    facts.add("acc_voltage", said.get("Optics", {}).get("AccelerationVoltage"), "Optics/AccelerationVoltage", 1e-3)
    angle = said.get("Optics", {}).get("BeamConvergence")
    facts.add("conv_semiangle_mrad", angle, "Optics/BeamConvergence", 1e3)
    result = said.get("BinaryResult", {})
    facts.add_pixel(result.get("PixelSize", {}).get("width"), result.get("PixelUnitX"), "BinaryResult/PixelSize")


def _describe(file: Any, found: Any, facts: Facts) -> None:
    scales = [_scale(found.parent, axis, found.ndim) for axis in range(found.ndim)]
    facts.add_scales(_AXES.get(found.ndim, ()), scales, "axes of the EMD group")
    for name, item in arrays(file):
        if name.endswith("/calibration/Q_pixel_size"):
            facts.add_pixel(item[()], text(value_at(item.parent, "Q_pixel_units")), "Q_pixel_size of the calibration")
        elif name.endswith("/calibration/R_pixel_size"):
            facts.add_length(
                "scan_step_A", item[()], text(value_at(item.parent, "R_pixel_units")), "R_pixel_size of the calibration"
            )
    file.visititems(lambda name, item: _simulated(item, facts) if name.endswith("simulation_parameters") else None)


def _scale(group: Any, axis: int, count: int) -> tuple[Any, Any]:
    """Step and unit of an axis: ``dim1`` … as in EMD 0.2 (numbers or two of them), ``dim0`` … as py4DSTEM writes them."""
    name = f"dim{axis}" if "dim0" in group else f"dim{axis + 1}"
    values = value_at(group, name)
    if values is None or np.ndim(values) != 1 or len(values) < 2:
        return None, ""
    return values[1] - values[0], group[name].attrs.get("units", "")


def _simulated(item: Any, facts: Facts) -> None:
    """Prismatic's parameters: E is the voltage in kV, sa the probe's semi-angle in mrad."""
    facts.add("acc_voltage", item.attrs.get("E"), "parameter E of the simulation")
    if as_number(item.attrs.get("sa")) is not None:
        facts.add("conv_semiangle_mrad", item.attrs.get("sa"), "parameter sa of the simulation")
