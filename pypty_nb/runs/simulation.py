"""Simulated data on disk."""

from __future__ import annotations

from pathlib import Path

from pypty_nb.engine import Reconstruction
from pypty_nb.files import atomic_hdf5, require_writable
from pypty_nb.params import Preset
from pypty_nb.runs.errors import RunFolderError


def require_room_for_simulated(preset: Preset) -> None:
    """Refuse a file that `write_simulated` could not write, before a run is spent on it.

    Raises
    ------
    RunFolderError
    """
    if preset.data_simulation_flag:
        try:
            require_writable(preset.data_simulation_flag)
        except OSError as error:
            raise _refused(preset, error) from error


def write_simulated(reconstruction: Reconstruction) -> str:
    """Write what `data_simulation_flag` asks for to its file, batch by batch.

    The dataset ``data`` is (pattern, ky, kx), as a run reads it; ``exitwave`` (pattern, y, x, probe mode, object mode) complex.
    Patterns that the object does not hold are 0, which the dataset's attribute ``note`` says.

    Returns
    -------
    str
        Why the file could not be written, which is no fault of the run's; empty where it was, or none is asked for.
    """
    preset = reconstruction.preset
    if not preset.data_simulation_flag:
        return ""
    path, name = Path(preset.data_simulation_flag), "exitwave" if preset.data_simulation_exitwave else "data"
    count, done = len(reconstruction.point.positions), 0
    try:
        with atomic_hdf5(path) as file:
            for indices, batch in reconstruction.simulated():
                stored = file.require_dataset(name, (count, *batch.shape[1:]), batch.dtype)
                stored[indices] = batch
                done += len(indices)
            if done < count:
                file[name].attrs["note"] = f"{count - done} patterns are 0: their patches reach out of the object"
    except OSError as error:
        return str(_refused(preset, error))
    return ""


def _refused(preset: Preset, error: OSError) -> RunFolderError:
    return RunFolderError(f"data_simulation_flag: {preset.data_simulation_flag} cannot be written: {error.strerror or error}")
