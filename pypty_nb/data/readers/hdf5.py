"""HDF5 with a dataset called ``data``: (pattern, ky, kx), as `create_pypty_data` writes it, or (scan_y, scan_x, ky, kx)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pypty_nb.data.dataset import DataError, Dataset, check_layout
from pypty_nb.data.metadata import Found, Metadata

ENDINGS = (".h5", ".hdf5")
NAME = "data"
#: Attributes of the dataset or the file that state a fact, and the key of the experiment they propose.
ATTRIBUTES = {
    "voltage_kV": "acc_voltage",
    "semiconvergence_mrad": "conv_semiangle_mrad",
    "scan_step_A": "scan_step_A",
    "detector_pixel_mrad": "rez_pixel_size_mrad",
    "defocus_A_nominal_magnitude": "defocus_magnitude",
}


class HDF5Dataset:
    """The dataset ``data`` of an open file; the file closes with the object."""

    def __init__(self, path: Path, *, signals: bool = False):
        try:
            # locked where that can be: other handles of this process must agree, and a beamline's share may know no locks
            self._file = h5py.File(path, "r", locking="best-effort")
        except PermissionError:
            raise
        except OSError as error:
            raise DataError(f"{path}: cannot be read as HDF5: {error}") from error
        found = self._file.get(NAME)
        if not isinstance(found, h5py.Dataset):
            names = sorted(self._file)
            self._file.close()
            if NAME in names:
                raise DataError(f"{path}: its {NAME!r} is no dataset, or a link that leads nowhere")
            raise DataError(f"{path}: has no dataset {NAME!r}; it holds {', '.join(names) or 'nothing'}")
        self.name = str(path)
        try:
            check_layout(found.shape or (), found.dtype, self.name, signals=signals)
        except DataError:
            self._file.close()
            raise
        self._data = found
        self.metadata: Metadata = _stated({**self._file.attrs, **found.attrs})
        self.scan_shape = (found.shape[0], found.shape[1]) if found.ndim == 4 else None
        self.shape = found.shape if signals else (int(np.prod(found.shape[:-2])), *found.shape[-2:])

    def read(self, indices: np.ndarray) -> np.ndarray:
        try:
            if self.scan_shape is None:
                first, last = int(indices[0]), int(indices[-1])
                consecutive = last - first + 1 == len(indices)
                return self._data[first : last + 1] if consecutive else self._data[indices]
            rows = np.unique(indices // self.scan_shape[1])
            block = self._data[rows[0] : rows[-1] + 1].reshape(-1, *self.shape[1:])
            return block[indices - rows[0] * self.scan_shape[1]]
        except OSError as error:
            raise DataError(f"{self.name}: patterns {indices[0]} to {indices[-1]} cannot be read: {error}") from error


def _stated(attributes: Mapping[str, Any]) -> Metadata:
    """What the attributes say."""
    numbers = {name: np.asarray(attributes[name]) for name in ATTRIBUTES if name in attributes}
    return {
        ATTRIBUTES[name]: Found(float(number), f"attribute {name} of the file")
        for name, number in numbers.items()
        if number.ndim == 0 and number.dtype.kind in "iuf"
    }


def open_file(path: Path, *, signals: bool = False) -> Dataset:
    """Open `path`."""
    return HDF5Dataset(path, signals=signals)
