"""Where a run starts: object large enough for the scan, probe with the data's flux, positions inside the object."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.data import Summary
from pypty_nb.engine.model import Model
from pypty_nb.engine.objective import sequence_of
from pypty_nb.engine.setup import Setup
from pypty_nb.engine.stages.whole_band import WholeBand
from pypty_nb.params import ParameterError, Preset
from pypty_nb.physics import beam
from pypty_nb.physics.aberrations import chi
from pypty_nb.physics.grids import band_limit, q_squared
from pypty_nb.records import Refinables

#: The flux of the starting probe is measured on this many patterns.
_FLUX_PATTERNS = 16
#: px: whole numbers up to here are exact, also in single precision.
_FARTHEST = 2**24


@dataclass(frozen=True)
class Arrays:
    """Object (y, x, slice, mode) and positions (pattern, 2) that fit each other."""

    obj: np.ndarray
    positions: np.ndarray


def object_and_positions(preset: Preset, count: int, window: tuple[int, int], *, exact: bool) -> Arrays:
    """The object, padded to hold every patch, and the positions in it.

    Raises
    ------
    ParameterError
        Where they do not fit each other or the patterns.
    """
    positions = np.asarray(preset.positions, np.float64)
    if len(positions) == 1:
        positions = np.repeat(positions, count, axis=0)
    if len(positions) != count:
        raise ParameterError(f"positions: has {len(positions)} rows for {count} patterns; give one a pattern, or one for all")
    far = float(np.abs(positions).max())
    if far > _FARTHEST:
        raise ParameterError(f"positions: reach {far:.3g} px; they are counted in pixels of the object, not in a length")
    obj = _with_slices(preset)
    corners = np.rint(_seen(preset, positions)).astype(np.int64)
    low, high = corners.min(axis=0), corners.max(axis=0) + window
    if exact and obj.shape[:2] != (1, 1):
        if (low < 0).any() or (high > obj.shape[:2]).any():
            raise ParameterError(
                f"obj: is {obj.shape[0]} × {obj.shape[1]} px, too small for the scan, whose patches "
                f"reach from {low.tolist()} to {high.tolist()} px (y, x)"
            )
        return Arrays(obj, positions)
    space = preset.extra_space_on_side_px
    before = np.maximum(space - low, 0)
    after = np.maximum(high + space - obj.shape[:2], 0)
    widths = [(int(before[axis]), int(after[axis])) for axis in (0, 1)]
    shape = tuple(int(n) for n in obj.shape[:2] + before + after)
    try:
        if obj.itemsize * math.prod((*shape, *obj.shape[2:])) > sys.maxsize:
            raise MemoryError
        return Arrays(_padded(obj, widths, edge=space > 0), positions + before)
    except MemoryError:
        raise ParameterError(
            f"positions: the scan asks for an object of {shape[0]} × {shape[1]} px, more than the memory holds"
        ) from None


def check_counts(preset: Preset, count: int) -> None:
    """Refuse tilts and currents that are not one a pattern.

    Raises
    ------
    ParameterError
    """
    if len(preset.tilts) not in (1, count):
        raise ParameterError(f"tilts: has {len(preset.tilts)} rows for {count} patterns; give one a pattern, or one for all")
    current = preset.beam_current
    if current is not None and len(current) != count:
        raise ParameterError(f"beam_current: has {len(current)} values for {count} patterns; give one a pattern")


def first_point(
    preset: Preset, backend: Backend, setup: Setup, arrays: Arrays, summary: Summary | None, *, exact: bool
) -> Refinables:
    """The point a run starts from; with `exact`, the arrays exactly as they are given."""
    count = len(arrays.positions)
    current = np.ones(count) if preset.beam_current is None else preset.beam_current
    probe = _probe(preset, setup, summary, exact=exact)
    point = Refinables(
        obj=planes_first(arrays.obj, backend),
        probe=planes_first(probe, backend),
        positions=backend.asarray(arrays.positions, backend.real),
        tilts=backend.asarray(preset.tilts, backend.real),
        static_background=backend.asarray(background(preset, setup), backend.real),
        beam_current=backend.asarray(current, backend.real),
        aberrations_array=backend.asarray(preset.aberrations_array, backend.real),
    )
    if exact or summary is None:
        return point
    factor = (summary.mean_total / _flux(point, setup, backend)) ** 0.5
    point = replace(point, probe=point.probe * backend.real(factor))
    return whole_band(preset, backend, point, setup.geometry.window).forward(point)


def whole_band(preset: Preset, backend: Backend, point: Refinables, window: tuple[int, int]) -> WholeBand:
    """The band limit of the whole arrays; `lazy_clean` leaves the object out."""
    radius = max(0.5 * (preset.damping_cutoff_multislice - preset.update_extra_cut), 0.0)
    shape = None if preset.lazy_clean else (point.obj.shape[0], point.obj.shape[1])
    return WholeBand(backend, radius, shape, window)


def planes_first(array: np.ndarray, backend: Backend) -> Any:
    """`array` as (y, x, …), held in memory with y and x last, as the transforms want it."""
    axes = tuple(range(2, array.ndim))
    planes = np.ascontiguousarray(np.moveaxis(array, axes, range(len(axes))))
    return backend.xp.moveaxis(backend.asarray(planes, backend.complex), tuple(range(len(axes))), axes)


def _with_slices(preset: Preset) -> np.ndarray:
    """The given object; a blank one gets `num_slices`."""
    obj = np.asarray(preset.obj)
    if obj.shape[2] == preset.num_slices or preset.num_slices == 1:
        return obj
    if obj.shape[2] == 1:
        return np.repeat(obj, preset.num_slices, axis=2)
    raise ParameterError(f"num_slices: is {preset.num_slices}, but obj has {obj.shape[2]} slices; make them agree")


def _seen(preset: Preset, positions: np.ndarray) -> np.ndarray:
    """The positions the object must hold: all, or those of the sequence."""
    sequence = preset.sequence
    if preset.use_full_FOV or not isinstance(sequence, np.ndarray):
        return positions
    return positions[list(sequence_of(sequence, len(positions)) or ())]


def _padded(obj: np.ndarray, widths: list[tuple[int, int]], *, edge: bool) -> np.ndarray:
    """Ones around a guess; the border's own value where room on the side was asked for."""
    full = [*widths, (0, 0), (0, 0)]
    return np.pad(obj, full, mode="edge") if edge else np.pad(obj, full, constant_values=1)


def background(preset: Preset, setup: Setup) -> np.ndarray:
    """The square root of the offset, (y, x): flat inside the band limit and `static_background` counts a pattern in all."""
    layout = setup.layout
    border = 2 * (layout.pad // layout.upsample) if layout.crop else 0
    shape = (layout.measured[0] + border, layout.measured[1] + border)
    given = preset.static_background
    if isinstance(given, np.ndarray):
        if given.shape != shape:
            raise ParameterError(
                f"static_background: is {given.shape[0]} × {given.shape[1]} px; the patterns ask for {shape[0]} × {shape[1]}"
            )
        return given
    if not setup.variants.background:
        return np.zeros((1, 1))
    geometry, u = setup.geometry, layout.upsample
    band = band_limit(geometry.window, geometry.pixel_size, geometry.cutoff, geometry.rolloff)
    band = band if layout.centred else np.fft.fftshift(band)
    spare = (geometry.window[0] - shape[0] * u) // 2, (geometry.window[1] - shape[1] * u) // 2
    cut = band[spare[0] : spare[0] + shape[0] * u, spare[1] : spare[1] + shape[1] * u]
    averaged = cut.reshape(shape[0], u, shape[1], u).mean(axis=(1, 3))
    return np.where(averaged > 0, np.sqrt(given / averaged.sum()), 0.0)


def _probe(preset: Preset, setup: Setup, summary: Summary | None, *, exact: bool) -> np.ndarray:
    """The given probe, or one made from the mean pattern or the aperture; (y, x, mode[, scenario]) complex128."""
    window = setup.geometry.window
    if isinstance(preset.probe, np.ndarray):
        probe = preset.probe.astype(np.complex128)
        if probe.shape[:2] != window:
            raise ParameterError(
                f"probe: is {probe.shape[0]} × {probe.shape[1]} px; "
                f"the patterns, as binned, upsampled and padded, ask for {window[0]} × {window[1]} px"
            )
        if not probe.any():
            raise ParameterError("probe: is zero everywhere; no light reaches the object")
    else:
        probe = _made_probe(preset, setup, summary)[..., None]
    if not exact:
        probe = _modulated(preset, setup, probe)
    marker = setup.variants.probe_marker
    if marker is not None and probe.ndim == 3:
        probe = np.repeat(probe[..., None], int(marker.max()) + 1, axis=3)
    return probe


def _made_probe(preset: Preset, setup: Setup, summary: Summary | None) -> np.ndarray:
    """Far field: the transform of an aperture's amplitude. Near field: the amplitude itself. (y, x) complex128."""
    amplitude = _on_computed_grid(_amplitude(preset, setup, summary), setup)
    if setup.optics.near_field:
        return amplitude.astype(np.complex128)
    return np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(amplitude)))


def _amplitude(preset: Preset, setup: Setup, summary: Summary | None) -> np.ndarray:
    """Centred modulus on the measured or on the computed grid."""
    if preset.probe == "aperture":
        if preset.aperture_mask is None:
            raise ParameterError('probe: "aperture" needs aperture_mask, the mask of the aperture on the detector')
        amplitude, source = np.asarray(preset.aperture_mask, np.float64), "aperture_mask"
    else:
        pattern = preset.mean_pattern
        if pattern is None:
            if summary is None or setup.masks is not None:
                raise ParameterError(
                    "probe: compressed data tell nothing of the probe; give probe, mean_pattern or aperture_mask"
                )
            pattern = summary.mean_pattern
        pattern = np.asarray(pattern, np.float64)
        if (pattern < 0).any():
            raise ParameterError("mean_pattern: holds negative counts")
        threshold = preset.estimate_aperture_based_on_binary
        amplitude = (pattern > threshold * pattern.mean()).astype(np.float64) if threshold else np.sqrt(pattern)
        source = "mean_pattern"
    if amplitude.shape not in {setup.layout.measured, setup.geometry.window}:
        ny, nx = setup.layout.measured
        raise ParameterError(f"{source}: is {amplitude.shape[0]} × {amplitude.shape[1]} px; the patterns are {ny} × {nx} px")
    if not amplitude.any():
        raise ParameterError(f"{source}: no pixel is above zero, so that no probe can be made from it")
    return amplitude


def _on_computed_grid(amplitude: np.ndarray, setup: Setup) -> np.ndarray:
    layout = setup.layout
    if amplitude.shape == layout.window:
        return amplitude
    spread = amplitude.repeat(layout.upsample, axis=0).repeat(layout.upsample, axis=1)
    return np.pad(spread, layout.pad) if layout.crop else spread


def _modulated(preset: Preset, setup: Setup, probe: np.ndarray) -> np.ndarray:
    """Defocus, aberrations, the given phase, and modes, applied to a starting probe."""
    geometry, wavelength = setup.geometry, setup.optics.wavelength
    phase = chi(preset.aberrations, preset.extra_probe_defocus, geometry.window, geometry.pixel_size, wavelength)
    if preset.beam_ctf is not None:
        if preset.beam_ctf.shape != geometry.window:
            raise ParameterError(f"beam_ctf: is {preset.beam_ctf.shape} px; the probe is {geometry.window} px")
        phase = phase + np.fft.ifftshift(preset.beam_ctf)
    if phase.any():
        factor = np.exp(-1j * phase).reshape(*geometry.window, *(1,) * (probe.ndim - 2))
        probe = np.fft.ifft2(np.fft.fft2(probe, axes=(0, 1)) * factor, axes=(0, 1))
    if probe.ndim == 4:
        return probe
    return _with_modes(preset, setup, probe)


def _with_modes(preset: Preset, setup: Setup, probe: np.ndarray) -> np.ndarray:
    geometry, wavelength = setup.geometry, setup.optics.wavelength
    if preset.n_hermite_probe_modes is not None:
        nx, ny = preset.n_hermite_probe_modes
        probe = beam.hermite_modes(probe[..., 0], (int(nx), int(ny)))
    if preset.mc_n_modes:
        grid = tuple(np.fft.fftfreq(n, size) for n, size in zip(geometry.window, geometry.pixel_size, strict=True))
        spread = beam.Coherence(preset.focal_spread, preset.spatial_coh_x_A, preset.spatial_coh_y_A, preset.spatial_coh_xy)
        probe = beam.coherence_modes(
            probe[..., 0],
            spread,
            wavelength,
            (grid[0][:, None], grid[1][None, :]),
            count=preset.mc_n_modes,
            samples=preset.n_mc_samples,
        )
    if preset.defocus_spread_modes is not None:
        q2 = q_squared(geometry.window, geometry.pixel_size)
        probe = beam.defocused_modes(probe, np.asarray(preset.defocus_spread_modes, np.float64), q2, wavelength)
    return probe


def _flux(point: Refinables, setup: Setup, backend: Backend) -> float:
    """Counts a pattern that the probe alone, without an object, gives on the detector's good pixels."""
    xp = backend.xp
    ny, nx = setup.geometry.window
    count = len(setup.geometry.corners)
    chosen = np.unique(np.linspace(0, count - 1, min(count, _FLUX_PATTERNS)).astype(np.int64))
    flat = replace(
        setup,
        geometry=replace(setup.geometry, corners=np.zeros_like(setup.geometry.corners)),
        optics=replace(setup.optics, slices=1),
        variants=replace(setup.variants, background=False),
    )
    empty = replace(point, obj=xp.ones((ny, nx, 1, 1), backend.complex), positions=xp.zeros_like(point.positions))
    model = Model(backend, flat)
    signals = model.signals(model.prepare(empty), chosen)
    if setup.left_out is not None:
        signals = signals * backend.asarray(~setup.left_out)
    flux = float(signals.sum() / len(chosen))
    if flux <= 0:
        raise ParameterError("probe: none of it lies inside the band limit; raise damping_cutoff_multislice or check the probe")
    return flux
