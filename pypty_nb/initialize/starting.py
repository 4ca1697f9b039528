"""What a run starts with, to be looked at before it: the probe, the scan points in its reach, the mean pattern."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from pypty_nb.initialize.copying import Params
from pypty_nb.initialize.trial import Trial, pose
from pypty_nb.params import as_preset

#: Share of the probe's intensity in the circle that is called its diameter, and of its spectrum in its angle.
PROBE_SHARE, ANGLE_SHARE = 0.9, 0.95
#: Scan points around the middle of the scan that are told of.
_NEIGHBOURS = 25


@dataclass(frozen=True)
class Starting:
    """What a run starts with.

    Attributes
    ----------
    probe : complex array, (y, x, mode)
        Of the first scenario.
    pixel_size : (float, float)
        (y, x) of the probe, Å.
    wavelength : float
        Å.
    places : float array, (point, 2)
        [y, x] of the scan points around the middle of the scan, against the one in the middle, Å.
    step : float
        The median distance of a scan point to its nearest neighbour, Å; 0 where there is one place only.
    mean_pattern : float array, (ky, kx)
        Over a handful of patterns, counts, as the model sees them.
    """

    probe: np.ndarray
    pixel_size: tuple[float, float]
    wavelength: float
    places: np.ndarray
    step: float
    mean_pattern: np.ndarray

    @property
    def power(self) -> np.ndarray:
        """Share of every mode, (mode,)."""
        power = (np.abs(self.probe) ** 2).sum(axis=(0, 1))
        return power / (power.sum() or 1.0)

    @property
    def diameter(self) -> float:
        """Of the circle about its centre that holds `PROBE_SHARE` of the probe, Å."""
        return 2 * radius((np.abs(self.probe) ** 2).sum(axis=2), self.pixel_size, PROBE_SHARE)

    @property
    def angle(self) -> float:
        """Of the cone that holds `ANGLE_SHARE` of the probe, from its axis, rad."""
        spectrum = np.fft.fftshift((np.abs(np.fft.fft2(self.probe, axes=(0, 1))) ** 2).sum(axis=2))
        ny, nx = spectrum.shape
        steps = (1 / (ny * self.pixel_size[0]), 1 / (nx * self.pixel_size[1]))
        return self.wavelength * radius(spectrum, steps, ANGLE_SHARE)


def starting_point(pypty_params: Params) -> Starting:
    """What a run of a preset would start with; reads a handful of its patterns, and writes nothing.

    Parameters
    ----------
    pypty_params : Preset, mapping or path of a preset

    Raises
    ------
    ParameterError, DataError, BackendError
        As the engine does when a run starts.
    """
    return starting(pose(as_preset(pypty_params)))


def starting(trial: Trial) -> Starting:
    """What the run of a trial starts with."""
    backend, geometry = trial.outline.backend, trial.outline.setup.geometry
    probe = backend.to_host(trial.point.probe)
    probe = probe.reshape(*probe.shape[:3], -1)[..., 0]
    places = scanned_places(trial)
    middle = KDTree(places).query(places.mean(axis=0))[1]
    near = KDTree(places).query(places[middle], k=min(_NEIGHBOURS, len(places)))[1]
    return Starting(
        probe, geometry.pixel_size, trial.outline.setup.optics.wavelength, places[np.atleast_1d(near)] - places[middle],
        median_step(places), trial.measurements.summary.mean_pattern,
    )  # fmt: skip


def scanned_places(trial: Trial) -> np.ndarray:
    """Where the patterns of the first epoch were taken, (pattern, 2), [y, x], Å."""
    places = trial.outline.backend.to_host(trial.point.positions) * np.array(trial.outline.setup.geometry.pixel_size)
    return places if trial.terms.sequence is None else places[list(trial.terms.sequence)]


def median_step(places: np.ndarray) -> float:
    """The median distance of `places`, (n, 2), to their nearest neighbours, in their unit; 0 for one."""
    return float(np.median(KDTree(places).query(places, k=2)[0][:, 1])) if len(places) > 1 else 0.0


def radius(image: np.ndarray, pixel_size: tuple[float, float], share: float) -> float:
    """Of the circle about the centre of mass that holds `share` of `image`, in the unit of `pixel_size`."""
    y, x = (np.arange(n) * size for n, size in zip(image.shape, pixel_size, strict=True))
    total = image.sum()
    centre = (image.sum(axis=1) @ y) / total, (image.sum(axis=0) @ x) / total
    away = np.hypot.outer(y - centre[0], x - centre[1]).ravel()
    order = np.argsort(away)
    held = np.cumsum(image.ravel()[order])
    # a pixel is no point: one alone has half its side
    return max(float(away[order][np.searchsorted(held, share * total)]), 0.5 * max(pixel_size))
