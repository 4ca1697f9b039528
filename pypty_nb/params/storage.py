"""A preset on disk: JSON, and beside it one HDF5 file with the arrays over 64 numbers."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from pypty_nb.files import atomic_hdf5, write_text
from pypty_nb.params.errors import ParameterError

SCHEMA_VERSION = 1
#: A sentence on the preset, for people.
ABOUT = "about"
#: From each older version to the next: a function from the mapping as that version wrote it. None has been needed yet.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
#: Arrays up to this many real numbers stand in the JSON itself.
INLINE_NUMBERS = 64
_MAX_BYTES = 16 * 2**20
#: What the .h5 says of itself, so that no other file is ever taken for it and replaced.
_HOLDS = "arrays of a preset"


def check_place(path: Path) -> None:
    """Raise a `ParameterError` where a preset with arrays cannot be written to `path`."""
    beside = _beside(path)
    if beside.exists() and not _holds_arrays(beside):
        raise ParameterError(
            f"{path}: its arrays go to {beside.name} beside it, which is there with something else in it; "
            "give the preset another name"
        )


def write(path: Path, values: Mapping[str, Any], *, about: str = "") -> Path:
    """Write `values` (as `Preset.to_dict` gives them) to `path` and its ``.h5``; each file atomically."""
    beside = _beside(path)
    text, arrays = as_text(values, beside.name, about=about)
    if arrays:
        check_place(path)
        with atomic_hdf5(beside) as file:
            file.attrs["holds"] = _HOLDS
            for name, array in arrays.items():
                file.create_dataset(name, data=array)
    write_text(path, text)
    if not arrays and beside.exists() and _holds_arrays(beside):
        beside.unlink(missing_ok=True)
    return path


def as_text(values: Mapping[str, Any], beside: str, *, about: str = "") -> tuple[str, dict[str, np.ndarray]]:
    """The JSON of `values` (as `Preset.to_dict` gives them), and the arrays that it refers to in the file `beside`."""
    plain: dict[str, Any] = {"schema_version": SCHEMA_VERSION, **({ABOUT: about} if about else {})}
    arrays: dict[str, np.ndarray] = {}
    for name, value in values.items():
        if isinstance(value, np.ndarray) and not _stands_inline(value):
            arrays[name] = value
            plain[name] = {
                "array": {
                    "file": beside,
                    "dataset": name,
                    "shape": list(value.shape),
                    "dtype": value.dtype.str,
                    "sha256": _digest(value),
                }
            }
        else:
            plain[name] = _plain(value)
    return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n", arrays


def _beside(path: Path) -> Path:
    """The file of the arrays of a preset at `path`."""
    beside = path.with_suffix(".h5")
    if beside == path:
        raise ParameterError(f"{path}: a preset's JSON cannot end in .h5, which is for its arrays; call it {path.stem}.json")
    return beside


def _holds_arrays(path: Path) -> bool:
    """Whether the file is one that `write` made, and not, say, the measurements."""
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            return file.attrs.get("holds") == _HOLDS
    except OSError:
        return False


def read(path: Path) -> dict[str, Any]:
    """The values of the preset at `path`, arrays loaded.

    Raises
    ------
    ParameterError
        What is wrong with the file, its arrays, or one of its values.
    """
    values, problems = read_parts(path)
    if problems:
        raise ParameterError(*problems)
    return values


def read_parts(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The values that can be read, and a sentence on each array that cannot.

    Raises
    ------
    ParameterError
        Where the file as a whole is no preset.
    """
    plain = _migrated(path, _load(path))
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, value in plain.items():
        try:
            values[name] = _revived(path, name, value)
        except ParameterError as error:
            problems.extend(error.problems)
    return values, problems


def read_outline(path: Path) -> tuple[dict[str, Any], dict[str, tuple[tuple[int, ...], str]]]:
    """The values of the preset at `path` that stand in the JSON itself; of every array beside it its shape and its digest.

    Raises
    ------
    ParameterError
        What is wrong with the file, or one of its values.
    """
    values: dict[str, Any] = {}
    arrays: dict[str, tuple[tuple[int, ...], str]] = {}
    for name, value in _migrated(path, _load(path)).items():
        reference = value.get("array") if isinstance(value, dict) else None
        if isinstance(reference, dict) and "sha256" in reference:
            shape = reference.get("shape")
            if not isinstance(shape, list) or not all(isinstance(length, int) for length in shape):
                raise ParameterError(f"{name}: a reference to an array names its shape, got {shape!r:.60}")
            arrays[name] = tuple(shape), str(reference["sha256"])
        else:
            values[name] = _revived(path, name, value)
    return values, arrays


def _migrated(path: Path, plain: dict[str, Any]) -> dict[str, Any]:
    """`plain` as this version writes it, without what is not a parameter."""
    version = plain.pop("schema_version", SCHEMA_VERSION)
    if not isinstance(version, int) or version > SCHEMA_VERSION or version < 1:
        raise ParameterError(f"{path}: written with schema_version {version!r:.40}; this program reads 1 to {SCHEMA_VERSION}")
    for older in range(version, SCHEMA_VERSION):
        plain = MIGRATIONS[older](plain)
    plain.pop(ABOUT, None)
    return plain


def _load(path: Path) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file():
            raise ParameterError(f"preset {path} is no file; a preset is a JSON file")
        if path.stat().st_size > _MAX_BYTES:
            raise ParameterError(f"{path}: over {_MAX_BYTES >> 20} MiB, too large for a preset; arrays belong in its .h5")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ParameterError(f"preset {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ParameterError(f"preset {path} is no text file; a preset is JSON") from None
    try:
        plain = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_no_duplicates)
    except json.JSONDecodeError as error:
        raise ParameterError(f"preset {path} is no valid JSON: {error.msg} at line {error.lineno}") from None
    except (RecursionError, ValueError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ParameterError(f"preset {path} cannot be used: {reason}") from None
    if not isinstance(plain, dict):
        raise ParameterError(f"preset {path} holds a {type(plain).__name__}; a preset is a JSON object of parameter names")
    return plain


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a number of JSON")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        seen = [name for name, _ in pairs]
        twice = next(name for name in seen if seen.count(name) > 1)
        raise ValueError(f"{twice[:60]!r} stands there twice")
    return names


def _revived(path: Path, name: str, value: Any) -> Any:
    if not isinstance(value, dict) or set(value) != {"array"}:
        return value
    reference = value["array"]
    if isinstance(reference, dict) and "values" in reference:
        return _inline(name, reference)
    wanted = {"file", "dataset", "shape", "dtype", "sha256"}
    if not isinstance(reference, dict) or set(reference) != wanted:
        raise ParameterError(f"{name}: a reference to an array names {', '.join(sorted(wanted))}")
    file_name, dataset = reference["file"], reference["dataset"]
    # only a file beside the preset: a preset from elsewhere must not read the rest of the disk
    if not isinstance(file_name, str) or not isinstance(dataset, str) or Path(file_name).name != file_name:
        raise ParameterError(f"{name}: the file of an array must be a plain name beside the preset, got {file_name!r:.60}")
    place = path.parent / file_name
    try:
        if place.resolve().parent != path.parent.resolve():
            raise ValueError("it leads elsewhere; put the arrays themselves beside the preset")
        with h5py.File(place, "r", locking="best-effort") as file:
            stored = file[dataset]
            if not isinstance(stored, h5py.Dataset) or stored.dtype.kind not in "iufcb" or stored.shape is None:
                raise ValueError(f"{dataset!r:.60} is no array of numbers")
            if stored.file.filename != file.filename or stored.external or stored.is_virtual:
                raise ValueError(f"{dataset!r:.60} lies in another file")
            array = np.asarray(stored)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as error:
        raise ParameterError(f"{name}: its array in {place} cannot be read: {error}") from error
    if (
        list(array.shape) != reference["shape"]
        or array.dtype.str != reference["dtype"]
        or _digest(array) != reference["sha256"]
    ):
        raise ParameterError(f"{name}: the array in {file_name} is not the one this preset was written with")
    return array


def _stands_inline(array: np.ndarray) -> bool:
    return array.size * (2 if array.dtype.kind == "c" else 1) <= INLINE_NUMBERS and bool(np.isfinite(array).all())


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype in (np.float64, np.int64):
            return value.tolist()
        if value.dtype == np.complex128 and not value.imag.any():
            return value.real.tolist()
        # shape and dtype with the numbers, so that the array that is read is the one that was written
        numbers = np.ascontiguousarray(value).view(value.real.dtype) if value.dtype.kind == "c" else value
        return {"array": {"values": numbers.ravel().tolist(), "shape": list(value.shape), "dtype": value.dtype.str}}
    if isinstance(value, float) and math.isinf(value):
        return "inf"
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _inline(name: str, reference: dict[str, Any]) -> np.ndarray:
    try:
        dtype = np.dtype(reference["dtype"])
        if dtype.kind not in "iufcb":
            raise ValueError(f"dtype {dtype}")
        numbers = np.asarray(reference["values"], dtype=np.real(np.zeros(0, dtype)).dtype)
        return numbers.view(dtype).reshape(reference["shape"]).copy()
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        raise ParameterError(f"{name}: the array in the preset cannot be read: {error}") from None


def _digest(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def about(path: Path) -> str:
    """The sentence that the preset at `path` says of itself, "" where it has none."""
    return str(_load(path).get(ABOUT, ""))
