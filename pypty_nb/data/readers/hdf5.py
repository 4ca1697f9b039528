"""HDF5: the dataset ``data``, as `create_pypty_data` writes it, one that is named, or the only array of patterns there is."""

from __future__ import annotations

from pathlib import Path

from pypty_nb.data.dataset import Dataset, Stated
from pypty_nb.data.hdf5 import open_hdf5

FORMAT = "HDF5"
ENDINGS = (".h5", ".hdf5", ".de5")


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open `path`."""
    return open_hdf5(path, stated)
