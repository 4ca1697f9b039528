"""fpd (Glasgow): Medipix scans in HDF5, after the EMD layout, with an axis for colour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pypty_nb.data.dataset import Dataset, Stated
from pypty_nb.data.hdf5 import open_hdf5, peeked, value_at
from pypty_nb.data.metadata import Facts

FORMAT = "fpd"
ENDINGS = (".hdf5", ".h5")
_PATTERNS = "fpd_expt/fpd_data/data"


def recognises(path: Path) -> bool:
    """Whether `path` was written by fpd."""
    with peeked(path) as file:
        return file is not None and "fpd_version" in file.attrs and _PATTERNS in file


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open `path`."""
    return open_hdf5(path, stated, pick=lambda file: _PATTERNS, describe=_describe)


def _describe(file: Any, found: Any, facts: Facts) -> None:
    group = file["fpd_expt/fpd_data"]
    scales = []
    for axis in range(1, found.ndim + 1):
        values = value_at(group, f"dim{axis}")
        step = (
            values[1] - values[0]
            if getattr(values, "ndim", 0) == 1 and len(values) > 1 and values.dtype.kind in "iuf"
            else None
        )
        scales.append((step, group[f"dim{axis}"].attrs.get("units", "") if f"dim{axis}" in group else ""))
    axes = ("scan_y", "scan_x", "1", "ky", "kx") if found.ndim == 5 else ("scan_y", "scan_x", "ky", "kx")
    facts.add_scales(axes, scales, "dim1 … of fpd_data")
