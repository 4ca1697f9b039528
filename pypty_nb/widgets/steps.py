"""Which table stands in which step, and how each step stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pypty_nb.params import TABLES, Preset, Table
from pypty_nb.params.tables import (
    Bandwidth,
    Beam,
    Dataset,
    Experiment,
    HandConstraints,
    Illumination,
    LossConstraints,
    Optimisation,
    Propagation,
    Refinable,
    Spatial,
    Updating,
)
from pypty_nb.widgets import text
from pypty_nb.widgets.panels.rail import Standing
from pypty_nb.workspace import Event

_CHOSEN: dict[str, tuple[type[Table], ...]] = {
    "Data": (Dataset,),
    "Calibrate": (Experiment, Spatial),
    "Orient": (),
    "Probe and object": (Beam, Refinable, Illumination, Propagation, Bandwidth),
    "Optimise": (Updating, Optimisation, LossConstraints, HandConstraints),
}
_PLACED = {table for tables in _CHOSEN.values() for table in tables}

#: Title of each step and the tables whose form it holds; a table that no step names is under "Check and run".
STEPS: dict[str, tuple[type[Table], ...]] = {
    **_CHOSEN,
    "Check and run": tuple(table for table in TABLES if table not in _PLACED),
    "Results": (),
}

#: Steps of which nothing can be said before there are data.
_ON_DATA = {"Calibrate", "Orient", "Probe and object", "Check and run"}

#: Steps whose form has long expressions and arrays, and takes a wider column.
WIDE = {"Probe and object", "Optimise"}


@dataclass(frozen=True)
class Facts:
    """What the marks depend on beside the preset."""

    data: str = ""
    data_error: str = ""
    confirmed: bool = True
    errors: frozenset[str] = frozenset()
    waiting: Mapping[str, Event] = field(default_factory=dict)
    run: str = ""
    #: What the pre-flight card said of this preset; ``None`` where it was not asked.
    check: Standing | None = None


def has_data(preset: Preset) -> bool:
    """Whether there are measurements to work on."""
    return bool(preset.data_path) or preset.dataset is not None


def standing(title: str, preset: Preset, facts: Facts) -> Standing:
    """Mark and reason of the step `title`."""
    names = {name for table in STEPS[title] for name in table.fields()}
    if wrong := names & facts.errors:
        return Standing("warn", f"{len(wrong)} field{'s' if len(wrong) > 1 else ''} to correct")
    if waiting := [event for name, event in facts.waiting.items() if name in names]:
        wait = f"{text.plural(len(waiting), 'change')} wait{'s' if len(waiting) == 1 else ''}"
        return Standing("ok", f"{wait} for epoch {waiting[0].epoch}")
    if title == "Data":
        return _data(preset, facts)
    if title == "Results":
        return Standing("ok" if facts.run else "todo", facts.run or "No runs yet")
    if title in _ON_DATA and not has_data(preset):
        return Standing("todo", "Waits for the data")
    if title == "Calibrate":
        return _calibrate(preset)
    if title == "Orient":
        given = preset.is_changed("positions")
        return Standing("ok" if given else "warn", "Positions given" if given else "Positions not set")
    if title == "Probe and object":
        return Standing("ok", f"{_probe(preset)}, {text.plural(_slices(preset), 'slice')}")
    if title == "Check and run":
        return facts.check or Standing("todo", "Not checked")
    changed = sum(preset.is_changed(name) for name in names)
    return Standing("ok", text.plural(changed, "change") if changed else "Defaults")


def unmeasured(preset: Preset) -> str:
    """What a run needs to know and has as a default, in words; "" for nothing."""
    said = [standing(title, preset, Facts()) for title in ("Calibrate", "Orient")]
    return ", ".join(one.words[0].lower() + one.words[1:] for one in said if one.mark == "warn")


def _data(preset: Preset, facts: Facts) -> Standing:
    if facts.data_error:
        return Standing("warn", "File not readable")
    if not has_data(preset):
        return Standing("todo", "Nothing chosen")
    if not facts.confirmed:
        return Standing("warn", "Confirm the scan points")
    if isinstance(preset.dataset, np.ndarray):
        shape, scan = preset.dataset.shape, preset.scan_size
        shape = (*scan, *shape[1:]) if scan is not None and len(shape) == 3 and scan[0] * scan[1] == shape[0] else shape
        return Standing("ok", text.shape(shape))
    name = Path(preset.data_path).name
    return Standing("ok", facts.data.removeprefix(f"{name}: ") if facts.data.startswith(name) else name)


def _calibrate(preset: Preset) -> Standing:
    if not preset.is_changed("pixel_size_x_A") and not preset.is_changed("pixel_size_y_A"):
        return Standing("warn", "Pixel size not set")
    return Standing("ok", f"{preset.acc_voltage:g} kV, {text.number(preset.pixel_size_x_A, 4)} Å per px")


def _probe(preset: Preset) -> str:
    scenarios = isinstance(preset.probe, np.ndarray) and preset.probe.ndim == 4
    if preset.mc_n_modes and not scenarios:
        return text.plural(preset.mc_n_modes, "mode")
    if preset.n_hermite_probe_modes is not None and not scenarios:
        # orders from 0 to the highest
        return text.plural(int(np.prod(np.asarray(preset.n_hermite_probe_modes) + 1)), "mode")
    if isinstance(preset.probe, np.ndarray):
        return text.plural(preset.probe.shape[2], "mode")
    return "Probe from the data"


def _slices(preset: Preset) -> int:
    given = preset.obj.shape[2] if preset.is_changed("obj") else 1
    return given if given > 1 else preset.num_slices
