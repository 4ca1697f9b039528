"""Where a run starts: object large enough for the scan, probe with the data's flux, positions inside the object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.data import Measurements
from pypty_nb.engine.model import Geometry
from pypty_nb.engine.stages.whole_band import WholeBand
from pypty_nb.params import ParameterError, Preset
from pypty_nb.physics.aberrations import chi
from pypty_nb.physics.grids import band_limit
from pypty_nb.physics.units import electron_wavelength
from pypty_nb.records import Refinables


@dataclass(frozen=True)
class Start:
    """The first point and the geometry that belongs to it."""

    point: Refinables
    geometry: Geometry


def make_start(preset: Preset, measurements: Measurements, backend: Backend, *, exact: bool) -> Start:
    """The point a run starts from; with `exact`, the arrays exactly as they are given.

    Raises
    ------
    ParameterError
        Where arrays do not fit each other or the patterns.
    """
    window = measurements.window
    positions = _positions(preset, measurements.count)
    obj, positions = _object(preset, positions, window, exact=exact)
    geometry = _geometry(preset, window, positions)
    probe = _probe(preset, measurements, geometry)
    if not exact:
        probe = probe * np.sqrt(measurements.summary.mean_total / _flux(probe, geometry))
    point = Refinables(
        obj=_planes_first(obj, backend),
        probe=_planes_first(probe, backend),
        positions=backend.asarray(positions, backend.real),
        tilts=backend.asarray(preset.tilts, backend.real),
        static_background=backend.asarray(np.atleast_2d(np.asarray(preset.static_background)), backend.real),
        beam_current=backend.asarray(np.ones(measurements.count), backend.real),
        aberrations_array=backend.asarray(preset.aberrations_array, backend.real),
    )
    return Start(point if exact else whole_band(preset, backend, point, window).forward(point), geometry)


def whole_band(preset: Preset, backend: Backend, point: Refinables, window: tuple[int, int]) -> WholeBand:
    """The band limit of the whole arrays; `lazy_clean` leaves the object out."""
    radius = max(0.5 * (preset.damping_cutoff_multislice - preset.update_extra_cut), 0.0)
    shape = None if preset.lazy_clean else (point.obj.shape[0], point.obj.shape[1])
    return WholeBand(backend, radius, shape, window)


def _positions(preset: Preset, count: int) -> np.ndarray:
    positions = np.asarray(preset.positions, np.float64)
    if len(positions) == 1:
        return np.repeat(positions, count, axis=0)
    if len(positions) != count:
        raise ParameterError(f"positions: has {len(positions)} rows for {count} patterns; give one a pattern, or one for all")
    return positions


def _object(preset: Preset, positions: np.ndarray, window: tuple[int, int], *, exact: bool) -> tuple[np.ndarray, np.ndarray]:
    """The object, padded to hold every patch, and the positions in it."""
    obj = np.asarray(preset.obj)
    given = obj.shape[:2] != (1, 1)
    corners = np.rint(positions).astype(np.int64)
    low, high = corners.min(axis=0), corners.max(axis=0) + window
    if given and exact:
        if (low < 0).any() or (high > obj.shape[:2]).any():
            raise ParameterError(
                f"obj: is {obj.shape[0]} × {obj.shape[1]} px, too small for the scan, whose patches "
                f"reach from {low.tolist()} to {high.tolist()} px (y, x)"
            )
        return obj, positions
    space = preset.extra_space_on_side_px
    before = np.maximum(space - low, 0) if (low < space).any() and (space or (low < 0).any()) else np.zeros(2, np.int64)
    after = np.maximum(high + space - obj.shape[:2], 0)
    widths = [(int(before[axis]), int(after[axis])) for axis in (0, 1)]
    try:
        # ones around a guess; the border's own value where only room on the side was asked for
        obj = np.pad(obj, [*widths, (0, 0), (0, 0)], mode="edge") if space else _padded_with_ones(obj, widths)
    except MemoryError:
        shape = tuple(int(n) for n in obj.shape[:2] + before + after)
        raise ParameterError(
            f"positions: the scan asks for an object of {shape[0]} × {shape[1]} px, more than the memory holds"
        ) from None
    return obj, positions + before


def _padded_with_ones(obj: np.ndarray, widths: list[tuple[int, int]]) -> np.ndarray:
    return np.pad(obj, [*widths, (0, 0), (0, 0)], constant_values=1)


def _geometry(preset: Preset, window: tuple[int, int], positions: np.ndarray) -> Geometry:
    refined = any(preset.value_at("update_probe_pos", epoch) for epoch in range(preset.epoch_prev, preset.epoch_prev + 1))
    return Geometry(
        window=window,
        pixel_size=(preset.pixel_size_y_A, preset.pixel_size_x_A),
        corners=np.rint(positions).astype(np.int64),
        cutoff=preset.damping_cutoff_multislice,
        rolloff=preset.smooth_rolloff,
        limit_patches=preset.patch_band_limit,
        sub_pixel=preset.allow_subPixel_shift or refined,
    )


def _probe(preset: Preset, measurements: Measurements, geometry: Geometry) -> np.ndarray:
    """The given probe, or one made from the mean pattern or the aperture, (y, x, mode) complex128."""
    if isinstance(preset.probe, np.ndarray):
        probe = preset.probe.astype(np.complex128)
        if probe.shape[:2] != geometry.window:
            raise ParameterError(
                f"probe: is {probe.shape[0]} × {probe.shape[1]} px; "
                f"the patterns are {geometry.window[0]} × {geometry.window[1]} px"
            )
        if not probe.any():
            raise ParameterError("probe: is zero everywhere; no light reaches the object")
        return probe
    amplitude = _amplitude(preset, measurements)
    phase = chi(
        preset.aberrations,
        preset.extra_probe_defocus,
        geometry.window,
        geometry.pixel_size,
        electron_wavelength(preset.acc_voltage),
    )
    spectrum = np.fft.ifftshift(amplitude) * np.exp(-1j * phase)
    return np.fft.fftshift(np.fft.ifft2(spectrum))[..., None]


def _amplitude(preset: Preset, measurements: Measurements) -> np.ndarray:
    """Centred modulus of the probe in reciprocal space."""
    window = measurements.window
    if preset.probe == "aperture":
        if preset.aperture_mask is None:
            raise ParameterError('probe: "aperture" needs aperture_mask, the mask of the aperture on the detector')
        amplitude = np.asarray(preset.aperture_mask, np.float64)
        source = "aperture_mask"
    else:
        given = preset.mean_pattern
        pattern = measurements.summary.mean_pattern if given is None else np.asarray(given, np.float64)
        if (pattern < 0).any():
            raise ParameterError("mean_pattern: holds negative counts")
        threshold = preset.estimate_aperture_based_on_binary
        amplitude = (pattern > threshold * pattern.mean()).astype(np.float64) if threshold > 0 else np.sqrt(pattern)
        source = "mean_pattern"
    if amplitude.shape != window:
        raise ParameterError(
            f"{source}: is {amplitude.shape[0]} × {amplitude.shape[1]} px; the patterns are {window[0]} × {window[1]} px"
        )
    if not amplitude.any():
        raise ParameterError(f"{source}: no pixel is above zero, so that no probe can be made from it")
    return amplitude


def _flux(probe: np.ndarray, geometry: Geometry) -> float:
    """Counts a pattern that the probe alone gives within the band limit."""
    band = band_limit(geometry.window, geometry.pixel_size, geometry.cutoff, geometry.rolloff)
    spectrum = np.fft.fft2(probe, axes=(0, 1)) * band[..., None]
    flux = float((np.abs(spectrum) ** 2).sum() / probe.shape[2])
    if flux <= 0:
        raise ParameterError("probe: none of it lies inside the band limit; raise damping_cutoff_multislice or check the probe")
    return flux


def _planes_first(array: np.ndarray, backend: Backend):
    """`array` as (y, x, …), held in memory with y and x last, as the transforms want it."""
    axes = tuple(range(2, array.ndim))
    planes = np.ascontiguousarray(np.moveaxis(array, axes, range(len(axes))))
    return backend.xp.moveaxis(backend.asarray(planes, backend.complex), tuple(range(len(axes))), axes)
