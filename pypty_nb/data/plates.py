"""Phase plates: a complex factor for every pattern and frequency, from an HDF5 file."""

from __future__ import annotations

import os

import h5py
import numpy as np

from pypty_nb.data.dataset import DataError

NAME = "configs"


class PhasePlates:
    """The dataset ``configs`` of a file, (pattern, y, x) complex, unshifted FFT order; read when asked for.

    Raises
    ------
    DataError
        Where the file or the dataset is missing, or its shape is another.
    """

    def __init__(self, path: str | os.PathLike[str], count: int, window: tuple[int, int]):
        try:
            self._file = h5py.File(path, "r", locking="best-effort")
        except OSError as error:
            raise DataError(f"phase_plate_in_h5: {path} cannot be read as HDF5: {error}") from error
        found = self._file.get(NAME)
        if not isinstance(found, h5py.Dataset):
            raise DataError(f"phase_plate_in_h5: {path} has no dataset {NAME!r}")
        if found.shape != (count, *window) or found.dtype.kind not in "fciu":
            raise DataError(
                f"phase_plate_in_h5: {NAME!r} in {path} is {found.dtype} of shape {found.shape}; "
                f"complex numbers of shape {(count, *window)} are needed, one plate a pattern on the probe's grid"
            )
        self._data = found

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Plates `indices` (increasing), (len(indices), y, x) complex."""
        return np.asarray(self._data[indices], np.complex128)
