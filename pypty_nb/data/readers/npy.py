"""NumPy ``.npy``: a 3D or 4D array, mapped, not loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pypty_nb.data.dataset import ArrayDataset, DataError, Dataset

ENDINGS = (".npy",)


def open_file(path: Path, *, signals: bool = False) -> Dataset:
    """Map the array in `path`."""
    try:
        # not np.load, which also takes archives and pickles
        array = np.lib.format.open_memmap(path, mode="r")
    except PermissionError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read as a .npy array: {error}") from error
    return ArrayDataset(array, str(path), signals=signals)
