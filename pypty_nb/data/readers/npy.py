"""NumPy ``.npy``: a 3D or 4D array, mapped, not loaded; with the ``.json`` of Nion Swift beside it, what that says."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np

from pypty_nb.data.dataset import DataError, Dataset, SourceDataset, Stated, check_layout
from pypty_nb.data.mapped import MappedFile
from pypty_nb.data.metadata import Facts
from pypty_nb.data.nion import nion_facts

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
    (beside,), facts = parts(path), Facts()
    # what is only proposed must not keep the patterns from being read
    with suppress(DataError):
        facts = nion_facts(beside, array.shape).facts if beside.is_file() else facts
    return SourceDataset(source, str(path), stated, metadata=facts)


def parts(path: Path) -> tuple[Path]:
    """What Nion Swift writes beside an array."""
    return (path.with_suffix(".json"),)
