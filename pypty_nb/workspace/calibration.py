"""From what is stated of an experiment to a calibrated preset, as the page does it: measured, looked at, then taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pypty_nb.data import Dataset
from pypty_nb.initialize.calibrate import Calibration, calibrate_experiment
from pypty_nb.initialize.orientation import Candidate, curl_against_rotation, orientation_candidates
from pypty_nb.initialize.scan_grid import READINGS
from pypty_nb.initialize.survey import ScanMaps
from pypty_nb.initialize.virtual import Progress
from pypty_nb.params import FIELDS, Preset, same
from pypty_nb.physics.units import electron_wavelength

#: What a detector's pixel may be stated in, and the key of the experiment that takes it (none: it is converted).
PIXEL_UNITS: dict[str, str] = {
    "mrad": "rez_pixel_size_mrad",
    "Å⁻¹": "rez_pixel_size_A",
    "Å, object": "",
    "px, disc radius": "",
}


@dataclass(frozen=True)
class Geometry:
    """What ties a detector's pixel to the other ways of stating it.

    Attributes
    ----------
    voltage : float
        kV.
    window : int
        Pixels of the padded pattern along x.
    semiangle : float or None
        mrad.
    """

    voltage: float
    window: int
    semiangle: float | None = None

    def mrad(self, value: float, unit: str) -> float | None:
        """A detector's pixel in mrad, from `value` in one of `PIXEL_UNITS`; ``None`` where the semi-angle is needed for it."""
        wavelength = electron_wavelength(self.voltage)
        if unit == "mrad":
            return value
        if unit == "Å⁻¹":
            return 1e3 * value * wavelength
        if unit == "Å, object":
            return 1e3 * wavelength / (value * self.window)
        return None if self.semiangle is None else self.semiangle / value

    def told(self, mrad: float) -> dict[str, float]:
        """A pixel of `mrad` in each of `PIXEL_UNITS` that can be told."""
        inverse = 1e-3 * mrad / electron_wavelength(self.voltage)
        found = {"mrad": mrad, "Å⁻¹": inverse, "Å, object": 1 / (inverse * self.window)}
        return found if self.semiangle is None else {**found, "px, disc radius": self.semiangle / mrad}


@dataclass(frozen=True)
class Orientations:
    """The eight readings, and the curl over all rotations of one of them.

    Attributes
    ----------
    candidates : tuple of Candidate
    angles, curl : float arrays, (n,)
        Degrees, and px per scan point.
    """

    candidates: tuple[Candidate, ...]
    angles: np.ndarray
    curl: np.ndarray


def experiment_of(preset: Preset, dataset: Dataset, stated: Mapping[str, Any]) -> dict[str, Any]:
    """What is known beforehand, with the keys of `append_exp_params`: `stated`, and what the preset has that no file says."""
    known: dict[str, Any] = {"scan_size": preset.scan_size, "data_path": preset.data_path or None, "dataset": preset.dataset}
    for name in ("acc_voltage", "scan_step_A"):
        fact = dataset.metadata.get(name)
        if preset.is_changed(name) and (fact is None or float(fact.value) != preset[name]):
            known[name] = preset[name]
    return {name: value for name, value in {**known, **stated}.items() if value is not None}


def measured(
    preset: Preset,
    dataset: Dataset,
    stated: Mapping[str, Any],
    progress: Progress | None = None,
    begun: Callable[[str], None] | None = None,
) -> Calibration:
    """Calibrate `preset` to its measurements. Takes seconds to minutes: call it in a thread.

    `progress` and `begun` are told how far it is, as `calibrate_experiment` tells them.

    Raises
    ------
    ParameterError, DataError
        What contradicts itself, is missing or cannot be told, and what to do.
    """
    return calibrate_experiment(experiment_of(preset, dataset, stated), preset, progress=progress, begun=begun)


def changes(preset: Preset, calibration: Calibration, start: Preset | None = None) -> dict[str, Any]:
    """What `preset` has to take over to be calibrated: of what was found different from `start`, the preset measured with.

    Everything else may have been edited since, and stays.
    """
    found, begun = calibration.preset, start if start is not None else preset
    names = (name for name in FIELDS if name != "dataset" and not same(found[name], begun[name]))
    return {name: found[name] for name in names if not same(found[name], preset[name])}


def orientations(
    maps: ScanMaps, rotation_deg: float, reading: str, trying: Callable[[str, int, int], None] | None = None
) -> Orientations:
    """All eight readings at a rotation, and the curl of `reading` against it; `trying` as in `orientation_candidates`."""
    angles, curl = curl_against_rotation(maps, reading)
    return Orientations(orientation_candidates(maps, rotation_deg, trying=trying), angles, curl)


def reading_stated(reading: str, rotation_deg: float) -> dict[str, Any]:
    """A reading and a rotation as a person states them."""
    return {"transform_axis_matrix": READINGS[reading].astype(float), "PLRotation_deg": rotation_deg}
