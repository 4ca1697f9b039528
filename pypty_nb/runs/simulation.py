"""Simulated data on disk."""

from __future__ import annotations

from pathlib import Path

import h5py

from pypty_nb.engine import Reconstruction
from pypty_nb.files import atomic
from pypty_nb.runs.errors import RunFolderError


def write_simulated(reconstruction: Reconstruction) -> Path | None:
    """Write what `data_simulation_flag` asks for to its file, batch by batch; ``None`` where it asks for nothing.

    The dataset ``data`` is (pattern, ky, kx), as a run reads it; ``exitwave`` (pattern, y, x, probe mode, object mode) complex.
    Patterns that the object does not hold are 0, which the dataset's attribute ``note`` says.

    Raises
    ------
    RunFolderError
        Where the file cannot be written.
    """
    preset = reconstruction.preset
    if preset.data_simulation_flag is False or not preset.data_simulation_flag:
        return None
    path, name = Path(preset.data_simulation_flag), "exitwave" if preset.data_simulation_exitwave else "data"
    count, done = len(reconstruction.point.positions), 0
    try:
        with atomic(path) as temporary, h5py.File(temporary, "w") as file:
            for indices, batch in reconstruction.simulated():
                stored = file.require_dataset(name, (count, *batch.shape[1:]), batch.dtype)
                stored[indices] = batch
                done += len(indices)
            if done < count:
                file[name].attrs["note"] = f"{count - done} patterns are 0: their patches reach out of the object"
    except OSError as error:
        raise RunFolderError(f"data_simulation_flag: {path} cannot be written: {error.strerror or error}") from error
    return path
