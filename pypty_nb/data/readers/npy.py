"""NumPy ``.npy``: a 3D or 4D array, mapped, not loaded; with the ``.json`` of Nion Swift beside it, what that says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from pypty_nb.data.dataset import DataError, Dataset, SourceDataset, Stated, check_layout
from pypty_nb.data.mapped import MappedFile
from pypty_nb.data.metadata import Facts

FORMAT = "NumPy"
ENDINGS = (".npy",)


def open_file(path: Path, stated: Stated) -> Dataset:
    """Map the array in `path`."""
    try:
        # not np.load, which also takes archives and pickles
        array = np.lib.format.open_memmap(path, mode="r")
    except PermissionError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as a .npy array: {error}") from error
    if stated.axes is None:
        check_layout(array.shape, array.dtype, str(path), signals=stated.signals)
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    source = MappedFile(path, array.dtype, array.shape, array.offset, order)
    facts = Facts()
    (beside,) = parts(path)
    if beside.is_file():
        describe_nion(beside, array.ndim, facts)
    return SourceDataset(source, str(path), stated, metadata=facts)


def parts(path: Path) -> tuple[Path]:
    """What Nion Swift writes beside an array."""
    return (path.with_suffix(".json"),)


def describe_nion(path: Path, axes: int, facts: Facts) -> None:
    """What the metadata of Nion Swift at `path` say of an array of that many axes."""
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return
    if not isinstance(said, dict):
        return
    metadata, of = _inside(said, "metadata"), f"of {path.name}"
    instrument, scan = _inside(metadata, "instrument"), _inside(metadata, "scan")
    optics = _inside(instrument, "ImageScanned")
    facts.add("acc_voltage", instrument.get("high_tension"), f"instrument.high_tension {of}", 1e-3)
    facts.add("acc_voltage", optics.get("EHT"), f"instrument.ImageScanned.EHT {of}", 1e-3)
    facts.add("defocus", optics.get("C10"), f"instrument.ImageScanned.C10 {of}", 1e10)
    facts.add("conv_semiangle_mrad", optics.get("ProbeHA"), f"instrument.ImageScanned.ProbeHA {of}", 1e3)
    facts.add("scan_rotation_deg", scan.get("rotation_deg"), f"scan.rotation_deg {of}")
    calibrations = said.get("spatial_calibrations") or said.get("dimensional_calibrations")
    if isinstance(calibrations, list) and len(calibrations) == axes and all(isinstance(axis, dict) for axis in calibrations):
        names = ("scan_y", "scan_x", "ky", "kx")[-axes:]
        scales = [(axis.get("scale"), axis.get("units")) for axis in calibrations]
        facts.add_scales(names, scales, f"spatial_calibrations {of}")


def _inside(said: Any, name: str) -> dict[str, Any]:
    found = said.get(name) if isinstance(said, dict) else None
    return found if isinstance(found, dict) else {}
