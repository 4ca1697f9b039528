"""From what is stated of an experiment to a calibrated preset, as the page does it: measured, looked at, then taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pypty_nb.data import Dataset
from pypty_nb.initialize.calibrate import Calibration, calibrate_experiment
from pypty_nb.initialize.orientation import Candidate, curl_against_rotation, orientation_candidates
from pypty_nb.initialize.preset_values import quarter
from pypty_nb.initialize.scan_grid import READINGS
from pypty_nb.initialize.survey import ScanMaps
from pypty_nb.initialize.virtual import Progress
from pypty_nb.params import FIELDS, ParameterError, Preset, same
from pypty_nb.physics.units import electron_wavelength

#: What a detector's pixel may be stated in.
PIXEL_UNITS = ("mrad", "Å⁻¹", "Å, object", "px, disc radius")


@dataclass(frozen=True)
class Geometry:
    """What ties a detector's pixel to the other ways of stating it.

    Attributes
    ----------
    span : float
        Pixels of the detector that the padded pattern is wide, along x.
    voltage : float or None
        kV.
    semiangle : float or None
        mrad.
    """

    span: float
    voltage: float | None = None
    semiangle: float | None = None

    @classmethod
    def of(cls, preset: Preset, dataset: Dataset, stated: Mapping[str, Any]) -> Geometry:
        """As it is before anything is measured, from what is `stated`, else in the preset, else in the file."""
        known = experiment_of(preset, dataset, stated)
        up = preset.upsample_pattern
        width = dataset.shape[-1] // preset.data_bin * up
        facts = (dataset.metadata.get(name) for name in ("acc_voltage", "conv_semiangle_mrad"))
        voltage, angle = (None if fact is None else float(fact.value) for fact in facts)
        return cls(
            (width + 2 * quarter(width, up)) * preset.data_bin / up,
            known.get("acc_voltage", voltage),
            known.get("conv_semiangle_mrad", angle),
        )

    def stated(self, value: float, unit: str) -> dict[str, float]:
        """A detector's pixel, `value` in one of `PIXEL_UNITS`, as the experiment takes it.

        Raises
        ------
        ParameterError
            Where the semi-angle is needed for it and not known.
        """
        if unit == "mrad":
            return {"rez_pixel_size_mrad": value}
        if unit == "Å⁻¹":
            return {"rez_pixel_size_A": value}
        if unit == "Å, object":
            return {"rez_pixel_size_A": 1 / (value * self.span)}
        if self.semiangle is None:
            raise ParameterError("A disc radius needs the semi-angle, below")
        return {"rez_pixel_size_mrad": self.semiangle / value}

    def told(self, stated: Mapping[str, float]) -> dict[str, float]:
        """A pixel, as `stated` gives it, in each of `PIXEL_UNITS` that can be told."""
        wavelength = None if self.voltage is None else electron_wavelength(self.voltage)
        mrad, inverse = stated.get("rez_pixel_size_mrad"), stated.get("rez_pixel_size_A")
        if mrad is None and wavelength is not None and inverse is not None:
            mrad = 1e3 * inverse * wavelength
        if inverse is None and wavelength is not None and mrad is not None:
            inverse = 1e-3 * mrad / wavelength
        radius = self.semiangle / mrad if mrad is not None and self.semiangle is not None else None
        values = (mrad, inverse, None if inverse is None else 1 / (inverse * self.span), radius)
        return {unit: value for unit, value in zip(PIXEL_UNITS, values, strict=True) if value is not None}


def pixel_found(found: Calibration) -> dict[str, float]:
    """The detector's pixel as it was calibrated, in each of `PIXEL_UNITS`."""
    mrad, inverse, size, angle = (
        float(found.values[name].value)
        for name in ("rez_pixel_size_mrad", "rez_pixel_size_A", "pixel_size_A", "conv_semiangle_mrad")
    )
    return dict(zip(PIXEL_UNITS, (mrad, inverse, size, angle / mrad), strict=True))


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
