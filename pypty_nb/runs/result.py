"""What a run found, with its lengths: the last complete state as exports, comparisons and the ledger read it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path

import numpy as np

from pypty_nb.engine.stages.propagation import gaps
from pypty_nb.params import ParameterError, Preset, storage
from pypty_nb.physics.phases import unwrapped, without_ramp
from pypty_nb.records import Refinables
from pypty_nb.runs.changes import Changes
from pypty_nb.runs.folder import PRESET, RunFolder
from pypty_nb.runs.frames import point_of

PROGRAM = "pypty_nb"


@dataclass(frozen=True)
class Result:
    """The last complete state of a run.

    Attributes
    ----------
    name : str
        Of the run's folder.
    point : Refinables
    epoch : int
        Complete epochs.
    preset : Preset
        As it was in force in the last of them: that of the start with what was changed since.
    preset_json : str
        The same as a preset's file holds it.
    changes_json : str
        What was changed during the run, as its journal holds it: a list of epochs, and by name the old value and the new one.
    losses : tuple of dict
        The lines of ``loss.csv``, text by column.
    began, ended : str
        ISO 8601 with the zone, "" where the journal says nothing.
    """

    name: str
    point: Refinables
    epoch: int
    preset: Preset
    preset_json: str
    changes_json: str
    losses: tuple[dict[str, str], ...]
    began: str
    ended: str

    @classmethod
    def of(cls, run: RunFolder) -> Result:
        """Read the last complete state of `run`.

        Raises
        ------
        ParameterError
            Where no epoch is complete yet, or a file is damaged.
        """
        state = run.checkpoint()
        if state is None:
            raise ParameterError(f"{run.path}: no epoch is complete yet, so that there is nothing to export")
        times = [str(event["time"]) for event in run.journal() if "time" in event]
        began, ended = (times[0], times[-1]) if times else ("", "")
        epoch = int(state["epoch"])
        preset, text, changes = _in_force(run, epoch)
        name, point = run.path.resolve().name, point_of(state)
        return cls(name, point, epoch, preset, text, changes, tuple(run.losses()), began, ended)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """(y, x) of object and probe, Å. The preset's is that of the computed grid: padded, upsampled and binned already."""
        return self.preset.pixel_size_y_A, self.preset.pixel_size_x_A

    @property
    def is_calibrated(self) -> bool:
        """Whether the pixel size was set; an untouched one, 1 Å, stands for pixels rather than for a length."""
        return self.preset.is_changed("pixel_size_y_A") or self.preset.is_changed("pixel_size_x_A")

    @cached_property
    def centres(self) -> np.ndarray:
        """Where the probe's middle pixel lies on the object, (pattern, 2) float64, [y, x], px."""
        return np.asarray(self.point.positions, np.float64) + np.array(self.point.probe.shape[:2]) // 2

    @cached_property
    def scanned(self) -> tuple[slice, slice]:
        """The part of the object that the probe's middle passed over, (y, x), px."""
        low = np.floor(self.centres.min(axis=0)).astype(int)
        high = np.ceil(self.centres.max(axis=0)).astype(int) + 1
        shape = self.point.obj.shape
        first = [min(max(int(n), 0), length - 1) for n, length in zip(low, shape, strict=False)]
        last = [max(min(int(n), length), start + 1) for n, length, start in zip(high, shape, first, strict=False)]
        return slice(first[0], last[0]), slice(first[1], last[1])

    @cached_property
    def depths(self) -> np.ndarray:
        """Where the slices lie along the beam, the first at 0, (slice,) float64, Å."""
        preset, slices = self.preset, self.point.obj.shape[2]
        method = preset.value_at("propmethod", max(preset.epoch_prev, self.epoch - 1))
        count = gaps(method, slices)
        given = np.asarray(preset.slice_distances, np.float64)
        distances = np.resize(given, count) if len(given) in (1, count) else np.resize(given, max(count, len(given)))[:count]
        if preset.edge_slice_thickness and count:
            distances[[0, -1]] = preset.edge_slice_thickness
        # one distance a slice is its thickness, from face to face
        steps = distances if count < slices else (distances[1:] + distances[:-1]) / 2
        return np.concatenate([[0.0], np.cumsum(steps)])

    def planes(self) -> list[tuple[int, int, np.ndarray]]:
        """Every (slice, mode, plane) of the object, planes (y, x) complex."""
        obj = self.point.obj
        return [(s, m, obj[:, :, s, m]) for s, m in np.ndindex(obj.shape[2:])]

    def probe_planes(self) -> list[tuple[str, np.ndarray]]:
        """Every mode of the probe, and of each scenario where there are several, by name: ``m0``, or ``m0_p1``."""
        probe = self.point.probe
        return [("_".join(f"{letter}{n}" for letter, n in zip("mp", at, strict=False)), probe[:, :, *at])
                for at in np.ndindex(probe.shape[2:])]  # fmt: skip

    def phase(self, plane: np.ndarray) -> np.ndarray:
        """The phase of a `plane` of the object less its mean inside the scan, (y, x) float, rad, far from the wrap."""
        return np.angle(plane * np.exp(-1j * self.mean_phase(plane)))

    def levelled(self, at: int = 0, mode: int = 0, *, ramp: bool = True, unwrap: bool = True, crop: bool = True) -> np.ndarray:
        """The phase of one slice and mode for looking at, (y, x) float, rad; every step can be left out.

        Parameters
        ----------
        at, mode : int
            Slice and mode, from 0.
        ramp : bool
            Take the plane out that a reconstruction leaves open, as it is inside the scan.
        unwrap : bool
            Take the jumps by 2π out, inside the scan where `crop` is on.
        crop : bool
            Leave out what was not scanned.
        """
        plane = self.point.obj[:, :, at, mode]
        plane = without_ramp(plane, self.scanned) if ramp else plane * np.exp(-1j * self.mean_phase(plane))
        phase = np.angle(plane[self.scanned] if crop else plane)
        return unwrapped(phase) if unwrap else phase

    def mean_phase(self, plane: np.ndarray) -> float:
        """The phase of the mean of `plane` inside the scan, rad; a reconstruction leaves a common phase open."""
        return float(np.angle(plane[self.scanned].mean()))


def _in_force(run: RunFolder, epoch: int) -> tuple[Preset, str, str]:
    """The preset that made the state before `epoch`, its JSON, and that of the changes since the start."""
    preset, text = run.preset(), (run.path / PRESET).read_text(encoding="utf-8")
    made = [change for change in Changes(run).in_force() if change.epoch < epoch]
    for change in made:
        preset.update(change.values)
    if made:
        text, _ = storage.as_text(preset.to_dict(), Path(PRESET).with_suffix(".h5").name)
    numbers = {change.number for change in made}
    events = [event for event in run.journal() if event.get("event") == "changed" and event["number"] in numbers]
    shown = [{"epoch": event["epoch"], "values": event["values"]} for event in events]
    return preset, text, json.dumps(shown, ensure_ascii=False)


def version() -> str:
    """The program's version, as installed; "" where it runs without having been."""
    try:
        return metadata.version(PROGRAM)
    except metadata.PackageNotFoundError:
        return ""
