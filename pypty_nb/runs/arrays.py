"""Arrays on disk by name, written and read as a whole."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from pypty_nb.files import atomic
from pypty_nb.params import ParameterError


class _Plain:
    """A file that NumPy writes to piece by piece: its own way past the buffer cannot say why it failed."""

    def __init__(self, file: IO[bytes]):
        self.write = file.write


def save_array(path: Path, array: np.ndarray) -> None:
    """Write one ``.npy``, atomically."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array(_Plain(file), np.ascontiguousarray(array), allow_pickle=False)  # pyright: ignore[reportArgumentType]


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray], *, durable: bool = True) -> None:
    """Write one ``.npz``, atomically."""
    with atomic(path, durable=durable) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.asanyarray(array), allow_pickle=False)


def read_arrays(path: Path) -> dict[str, np.ndarray] | None:
    """The arrays that `write_arrays` wrote; ``None`` where there is no file.

    Raises
    ------
    ParameterError
        Where the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                name.removesuffix(".npy"): np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)
                for name in archive.namelist()
            }
    # RuntimeError is what zipfile raises where a damaged byte says that a password is needed
    except (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ParameterError(f"{path} is damaged ({error})") from error
