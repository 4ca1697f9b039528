"""What a chosen file holds: patterns, a preset, a preset with its arrays, or one of the original program."""

from __future__ import annotations

import copy
import shutil
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pypty_nb.data import DataError, open_dataset
from pypty_nb.params import FIELDS, ParameterError, Preset
from pypty_nb.params.fields import Array
from pypty_nb.params.legacy import carry_over

#: Axes along which an array follows the measurement: another one has other lengths there.
_MEASURED = {"pattern", "ky", "kx", "y", "x", "scan_y", "scan_x", "scan", "index", "detector"}
#: What describes the measurement without being an array.
_ALSO_MEASURED = ("dataset", "sequence", "scan_size", "phase_plate_in_h5")
#: Paths that a preset may give from where it stands.
_BESIDE = ("data_path", "phase_plate_in_h5")
_MOST_UNPACKED = 16 * 2**30


@dataclass(frozen=True)
class Content:
    """What a file brings.

    Attributes
    ----------
    values : dict
        For the preset.
    found : str
        A sentence on what it is.
    left_out : tuple of str
        One sentence on everything that could not be taken.
    proposes : bool
        Whether the file's own idea of its shape stands among the values.
    """

    values: dict[str, Any]
    found: str
    left_out: tuple[str, ...] = field(default_factory=tuple)
    proposes: bool = False


def content_of(path: Path, preset: Preset) -> Content:
    """What the file at `path` brings to `preset`.

    Raises
    ------
    ParameterError, DataError, OSError
        Where it holds nothing that can be taken.
    """
    readers: dict[str, Callable[[Path], Content]] = {
        ".json": _preset, ".zip": _packed, ".pkl": _originals,
    }  # fmt: skip
    if reader := readers.get(path.suffix.lower()):
        return reader(path)
    if path.suffix.lower() == ".nxs":
        # the original program writes its parameters, and the patterns with them
        with suppress(ParameterError):
            return _originals(path)
    try:
        return patterns_of(path, preset)
    except DataError:
        # and into other HDF5 files as well
        with suppress(ParameterError):
            return _originals(path)
        raise


def defaults_for_other_data(preset: Preset) -> dict[str, Any]:
    """The defaults of everything in `preset` that belongs to the measurement at hand.

    Those are the arrays with an axis of patterns, scan points or pixels longer than one. Settings such as voltage, pixel
    size or slice distances stay, and so does one value that serves all patterns.
    """
    names = {name for name, value in preset.items() if name in _ALSO_MEASURED or _is_measured(name, value)}
    if "masks" in names:
        # only virtual detectors go with a compressed loss
        names.add("algorithm")
    return {name: copy.deepcopy(FIELDS[name].default) for name in names}


def _is_measured(name: str, value: Any) -> bool:
    field = FIELDS[name]
    if not isinstance(field, Array) or not isinstance(value, np.ndarray):
        return False
    axes = zip(field.axes_of(value.shape), value.shape, strict=False)
    return any(axis in _MEASURED and length > 1 for axis, length in axes)


def patterns_of(path: Path, preset: Preset, axes: str = "") -> Content:
    """What the patterns in the file at `path` bring to `preset`, its axes as stated in `axes`, where any are.

    Raises
    ------
    DataError
        Where it holds no patterns, or none that the axes fit.
    """
    dataset = open_dataset(path, axes=axes or None)
    scan = dataset.scan_shape
    shape = dataset.shape if scan is None else (*scan, *dataset.shape[1:])
    values: dict[str, Any] = {"data_path": str(path), "dataset": None, "data_axes": axes}
    if preset.dataset is not None or (preset.data_path, preset.data_axes) != (str(path), axes):
        values |= {"bad_pixels": None, **defaults_for_other_data(preset), "dataset": None}
    if scan is not None:
        values["scan_size"] = scan
    return Content(values, f"{path.name}: {' × '.join(map(str, shape))}", proposes=True)


def _preset(path: Path) -> Content:
    return Content(_located(Preset.from_json(path), path.parent), f"Preset {path.name}")


def _originals(path: Path) -> Content:
    carried = carry_over(path)
    count = sum(carried.preset.is_changed(name) for name in FIELDS)
    words = f"Preset {path.name} of the original program, {count} value{'' if count == 1 else 's'} changed"
    return Content(_located(carried.preset, path.parent), words, carried.left_out)


def _packed(path: Path) -> Content:
    """The preset in a ``.zip`` as the page exports it: one JSON, and its arrays beside it."""
    try:
        with TemporaryDirectory() as scratch, zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            names = sorted(member.filename for member in members)
            presets = [name for name in names if name.endswith(".json")]
            plain = all(Path(name).name == name and Path(name).suffix in {".json", ".h5"} for name in names)
            if not plain or len(presets) != 1 or len(names) > 2:
                raise ParameterError(f"{path}: a packed preset holds one .json and its .h5; this holds {', '.join(names[:4])}")
            if sum(member.file_size for member in members) > _MOST_UNPACKED:
                raise ParameterError(f"{path}: over {_MOST_UNPACKED >> 30} GiB unpacked, too large for a preset")
            for member in members:
                with archive.open(member) as packed, (Path(scratch) / member.filename).open("wb") as file:
                    shutil.copyfileobj(packed, file)
            values = _located(Preset.from_json(Path(scratch) / presets[0]), path.parent)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise ParameterError(f"{path}: cannot be unpacked: {error}") from error
    return Content(values, f"Preset {path.name}")


def _located(preset: Preset, folder: Path) -> dict[str, Any]:
    """The preset's values, a file named without its folder looked for beside the preset."""
    values = dict(preset.items())
    for name in _BESIDE:
        given = values[name]
        if given and not Path(given).is_absolute() and (folder / given).is_file():
            values[name] = str(folder / given)
    return values
