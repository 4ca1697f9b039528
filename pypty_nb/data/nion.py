"""Metadata of Nion Swift, as it writes them beside its ``.npy``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pypty_nb.data.dataset import DataError
from pypty_nb.data.metadata import SIGNED, Facts, as_number

#: What is said under which names, and the factor to our unit; of several that say the same, the first stands.
_NUMBERS: tuple[tuple[str, str, float], ...] = (
    ("acc_voltage", "instrument.high_tension", 1e-3),
    ("acc_voltage", "instrument.ImageScanned.EHT", 1e-3),
    ("acc_voltage", "hardware_source.high_tension_v", 1e-3),
    ("acc_voltage", "hardware_source.autostem.high_tension_v", 1e-3),
    ("defocus", "instrument.ImageScanned.C10", 1e10),
    ("conv_semiangle_mrad", "instrument.ImageScanned.ProbeHA", 1e3),
    ("scan_rotation_deg", "scan.rotation_deg", 1.0),
)
_AXES = ("scan_y", "scan_x", "ky", "kx")


class NionFacts(NamedTuple):
    """What was found, and what stands where something should and cannot be used, one sentence each."""

    facts: Facts
    problems: tuple[str, ...]


def nion_facts(path: Path, shape: Sequence[int] = ()) -> NionFacts:
    """What the metadata at `path` say of an array of that shape; of any where it is not given.

    Raises
    ------
    DataError
        Where it cannot be read, or is no JSON object.
    """
    try:
        said = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: holds no metadata of Nion Swift: {error}") from None
    if not isinstance(said, dict) or not isinstance(said.get("metadata", {}), dict):
        raise DataError(f"{path}: holds no metadata of Nion Swift, which are a JSON object with an object metadata in it")
    facts, problems = Facts(), []
    metadata, of = said.get("metadata", {}), f"of {path.name}"
    for key, name, factor in _NUMBERS:
        value = _inside(metadata, name)
        number = as_number(value)
        if value is not None and (number is None or not (number > 0 or key in SIGNED)):
            problems.append(_unusable(name, value, "a number" if key in SIGNED else "a number above 0"))
        facts.add(key, value, f"{name} {of}", factor)
    _add_scales(said, len(shape), facts, of)
    _add_scan(metadata, shape, facts, problems, of)
    return NionFacts(facts, tuple(problems))


def _add_scales(said: dict[str, Any], axes: int, facts: Facts, of: str) -> None:
    calibrations = said.get("spatial_calibrations") or said.get("dimensional_calibrations")
    if not isinstance(calibrations, list) or not all(isinstance(axis, dict) for axis in calibrations):
        return
    if len(calibrations) in (3, 4) and axes in (0, len(calibrations)):
        scales = [(axis.get("scale"), axis.get("units")) for axis in calibrations]
        facts.add_scales(_AXES[-len(scales) :], scales, f"spatial_calibrations {of}")


def _add_scan(metadata: dict[str, Any], shape: Sequence[int], facts: Facts, problems: list[str], of: str) -> None:
    """Points of the scan, and the width of its field, which tells the step where nothing else does."""
    size, field = _inside(metadata, "scan.scan_size"), _inside(metadata, "scan.fov_nm")
    columns = shape[1] if len(shape) == 4 else 0
    if isinstance(size, list) and len(size) == 2 and all(isinstance(n, int) and n > 0 for n in size):
        facts.add("scan_size", tuple(size), f"scan.scan_size {of}")
        columns = columns or size[1]
    elif size is not None:
        problems.append(_unusable("scan.scan_size", size, "[rows, columns]"))
    width = as_number(field)
    if field is not None and not (width or 0) > 0:
        problems.append(_unusable("scan.fov_nm", field, "a number above 0"))
    elif width and "scan_step_A" not in facts:
        if columns > 1:
            facts.add("scan_step_A", width, f"scan.fov_nm {of}, {width:g} over {columns} points", 10 / (columns - 1))
        else:
            facts.add("fov_nm", width, f"scan.fov_nm {of}")


def _unusable(name: str, value: Any, needed: str) -> str:
    return f"{name} is {str(value)[:40]!r}; {needed} is needed"


def _inside(said: Any, names: str) -> Any:
    for name in names.split("."):
        said = said.get(name) if isinstance(said, dict) else None
    return said
