"""Presets of the original program: dicts with lambdas, ``.pkl`` files, the parameter group of its NeXus files."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np

from pypty_nb.params.errors import ParameterError
from pypty_nb.params.preset import FIELDS, Preset, known_name

_NEXUS_GROUP = "entry/reconstruction/reconstruction parameters"
_MAX_BYTES = 4 * 2**30

#: Keys of the original's files that say something about the file, not the reconstruction.
_NOT_PARAMETERS = {"pypty_version", "software"}

#: Everything a pickled preset may name: arrays, their types, and Python's own containers.
_BUILTINS = "complex set frozenset bytearray range int float bool str list dict"
_NUMPY = "ndarray dtype float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool_ complex64 complex128"
_INTERNAL = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
_ADMITTED = {
    *(("builtins", name) for name in _BUILTINS.split()),
    *(("numpy", name) for name in _NUMPY.split()),
    *((module, name) for module in _INTERNAL for name in ("_reconstruct", "scalar", "_frombuffer")),
    ("_codecs", "encode"),
    ("collections", "OrderedDict"),
}


@dataclass(frozen=True)
class Carried:
    """A preset of the original's, as far as it could be carried over.

    Attributes
    ----------
    preset : Preset
    left_out : tuple of str
        One sentence on everything that was not carried over.
    """

    preset: Preset
    left_out: tuple[str, ...]


def carry_over(source: Mapping[str, Any] | str | os.PathLike[str]) -> Carried:
    """Read a preset of the original program.

    Parameters
    ----------
    source : mapping, or path of a ``.pkl`` or NeXus (``.nxs``, ``.h5``) file

    Raises
    ------
    ParameterError
        Where the file cannot be read, or names code.
    """
    values = source if isinstance(source, Mapping) else _read(Path(source))
    given = {name: _translated(name, value) for name, value in values.items() if name not in _NOT_PARAMETERS}
    left_out: list[str] = []
    kept: dict[str, Any] = {}
    for name, value in given.items():
        try:
            kept[name] = FIELDS[known_name(name)].accept(value)
        except ParameterError as error:
            left_out.extend(error.problems)
    preset = Preset()
    # what contradicts something else goes too, whichever of the two the sentence is about
    while problems := preset.problems_of(kept):
        left_out.extend(problems)
        named = {name for name in kept if any(problem.startswith(f"{known_name(name)}:") for problem in problems)}
        kept = {name: value for name, value in kept.items() if name not in named} if named else {}
    preset.update(kept)
    return Carried(preset, tuple(left_out))


def _translated(name: str, value: Any) -> Any:
    """`value` as our tables take it."""
    if name == "backend" and isinstance(value, ModuleType):
        return {"cupy": "cp", "numpy": "np"}.get(value.__name__, value.__name__)
    if name == "force_dataset_dtype" and isinstance(value, (type, np.dtype)):
        return np.dtype(value).name
    if name == "probe" and isinstance(value, np.ndarray) and value.ndim == 2:
        return value[:, :, None]
    if name in {"reset_history_flag", "restart_from_vacuum"} and value is False:
        return None
    return value


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise ParameterError(f"{path}: over {_MAX_BYTES >> 30} GiB, too large for a preset")
        return _read_nexus(path) if path.suffix.lower() in {".nxs", ".h5", ".hdf5"} else _read_pickle(path)
    except OSError as error:
        raise ParameterError(f"preset {path} cannot be read: {error.strerror or error}") from error


def _read_nexus(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    with h5py.File(path, "r", locking="best-effort") as file:
        group = file.get(_NEXUS_GROUP)
        if not isinstance(group, h5py.Group):
            raise ParameterError(f"{path}: has no group {_NEXUS_GROUP!r}, where the original program writes its parameters")
        for name, dataset in group.items():
            value = dataset[()] if isinstance(dataset, h5py.Dataset) else None
            values[name] = _text(value.decode("utf-8", "replace")) if isinstance(value, bytes) else value
    return values


def _text(value: str) -> Any:
    """What text in a NeXus file stands for. Ours holds steps and nested pairs as JSON."""
    if value == "None":
        return None
    if value[:1] in {"{", "["}:
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def _read_pickle(path: Path) -> dict[str, Any]:
    try:
        values = _Unpickler(io.BytesIO(path.read_bytes())).load()
    except ParameterError:
        raise
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError,
            MemoryError, UnicodeDecodeError, OverflowError, ImportError, struct.error) as error:  # fmt: skip
        raise ParameterError(f"{path}: is no preset of the original program: {error or type(error).__name__}") from None
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise ParameterError(f"{path}: holds a {type(values).__name__}; a preset is a dict of parameter names")
    return values


class _Unpickler(pickle.Unpickler):
    """Admits numbers, strings, containers and NumPy arrays; anything else is refused by name, and nothing is executed."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise ParameterError(
                f"the file names {module}.{name}; a preset may hold numbers, text, lists and arrays only. Nothing of it was run"
            )
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        raise ParameterError(f"the file refers to something outside itself ({pid!r:.40}); a preset stands alone")
