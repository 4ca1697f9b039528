"""Hot and dead pixels of the open measurements: found, then left out, compared all the same, or replaced in a copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pypty_nb.data import DataError, Dataset
from pypty_nb.initialize.bad_pixels import SAMPLE, BadPixels, bad_pixels_of
from pypty_nb.initialize.create_pypty_data import create_pypty_data
from pypty_nb.params import ParameterError, Preset
from pypty_nb.workspace import paths
from pypty_nb.workspace.preview import Progress, watched
from pypty_nb.workspace.workspace import Workspace

#: What a person can have done with them where they are: left out of the loss, or compared like all others.
HOW = {"mask": "leave bad pixels out", "keep": "compare bad pixels"}


def find(dataset: Dataset, progress: Progress, stopped: Callable[[], bool]) -> BadPixels:
    """The bad pixels of `dataset`, as a calibration finds them. Reads some of the patterns: call it in a thread.

    Raises
    ------
    DataError
        Where it cannot be read.
    StoppedError
        Where `stopped`, asked after every block, says so.
    """
    return bad_pixels_of(dataset, progress=watched(progress, stopped))


def chosen(workspace: Workspace) -> str:
    """What is done with them at present: a key of `HOW`, or "" where nobody has said and a calibration would leave them out."""
    if workspace.preset.bad_pixels is not None:
        return "mask"
    return "keep" if workspace.opened.bad_pixels == "keep" else ""


def choose(workspace: Workspace, how: str, found: BadPixels) -> None:
    """Have `found` left out or compared, `how` a key of `HOW`, as one step that can be undone.

    Raises
    ------
    ParameterError
        Where the preset refuses them.
    """
    places = found.places if how == "mask" else None
    workspace.history.change({"bad_pixels": places}, HOW[how], replace(workspace.opened, bad_pixels=how))


def can_replace(preset: Preset) -> bool:
    """Whether a copy with them replaced can be written: of a file only; data in memory come from a program."""
    return bool(preset.data_path) and preset.dataset is None


def replaced(workspace: Workspace, progress: Progress) -> Path:
    """Write a copy of the data file beside it, bad pixels the mean of their neighbours, and work on with the copy.

    The copy is in single precision, since a mean is no whole number. Axes are taken as they are stated, all else
    of the preset stays: the patterns are the same but for these pixels.
    Reads and writes the whole file: call it in a thread.

    Raises
    ------
    ParameterError, DataError, OSError
        Where there is no file, or the copy cannot be written.
    """
    preset, dataset = workspace.preset, workspace.dataset()
    if dataset is None or not can_replace(preset):
        raise ParameterError("data_path: only in a file can bad pixels be replaced; open one")
    path = paths.free(Path(workspace.confined().data_path), "repaired")
    # the sample is the one that they were found in
    written = create_pypty_data(
        dataset, path, comx=0, comy=0, comcalc_len=SAMPLE, scan_size=_scan(preset, dataset), progress=progress
    )
    if written.shape != dataset.shape:
        raise DataError(f"{path.name}: has {written.shape} of {dataset.shape} counts; work on with the file as it is")
    values: dict[str, Any] = {
        "data_path": str(path),
        "data_axes": "",
        "bad_pixels": _others(preset.bad_pixels, written.bad_pixels),
    }
    shape = (*(preset.scan_size or dataset.shape[:1]), *dataset.shape[1:])
    found = f"{path.name}: {' × '.join(map(str, shape))}"
    workspace.history.change(values, "replace bad pixels", replace(workspace.opened, found=found, bad_pixels="replaced"))
    return path


def _scan(preset: Preset, dataset: Dataset) -> tuple[int, int] | None:
    size = preset.scan_size
    return size if size is not None and size[0] * size[1] == dataset.shape[0] else None


def _others(stated: np.ndarray | None, found: BadPixels) -> np.ndarray | None:
    """What a person stated beside those that were found; these stay left out."""
    if stated is None:
        return None
    known = {*found.hot, *found.dead, *found.masked}
    rest = [pixel for pixel in stated.tolist() if tuple(pixel) not in known]
    return np.array(rest, np.int64) if rest else None
