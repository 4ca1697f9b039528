"""From a preset to the problem it poses: measurements, setup, first point."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pypty_nb.backend import Backend, choose_backend
from pypty_nb.data import Dataset, Measurements, NoSuchData, PhasePlates, open_dataset
from pypty_nb.data.dataset import ArrayDataset
from pypty_nb.data.preprocess import Preprocessing, bad_mask
from pypty_nb.engine import start
from pypty_nb.engine.model import Model
from pypty_nb.engine.objective import Objective, batch_size
from pypty_nb.engine.setup import Geometry, Optics, Setup, Variants
from pypty_nb.engine.stages.propagation import gaps
from pypty_nb.engine.stages.readout import ReadoutLayout
from pypty_nb.engine.subpixel import acting, between_pixels
from pypty_nb.params import ParameterError, Preset, Schedule
from pypty_nb.physics.units import electron_wavelength
from pypty_nb.records import Refinables


@dataclass(frozen=True)
class Outline:
    """What a preset and the shape of its measurements tell, before any pattern is read."""

    backend: Backend
    dataset: Dataset
    preprocessing: Preprocessing
    setup: Setup
    arrays: start.Arrays

    @property
    def centred(self) -> bool:
        """Whether the model's patterns have the zero frequency in the middle."""
        return self.setup.layout.centred or not self.setup.layout.plain


@dataclass(frozen=True)
class Problem:
    """What a run minimises and where it starts."""

    backend: Backend
    setup: Setup
    objective: Objective
    point: Refinables


def build(preset: Preset, *, exact: bool) -> Problem:
    """The problem of `preset`; with `exact`, its first point is exactly the arrays given.

    Raises
    ------
    ParameterError, DataError, BackendError
        `ValueError` each: what is wrong with the preset, the measurements or the machine.
    """
    plan = outline(preset, exact=exact)
    backend, setup = plan.backend, plan.setup
    measurements = Measurements(
        plan.dataset,
        plan.preprocessing,
        backend.real,
        keep=not preset.load_one_by_one or preset.preload_to_cpu or preset.force_pad,
        centred=plan.centred,
        held_out=preset.validation_fraction,
        held_as=preset.force_dataset_dtype,
    )
    point = start.first_point(preset, backend, setup, plan.arrays, measurements.summary, exact=exact)
    return Problem(backend, setup, Objective(preset, backend, setup, measurements), point)


def outline(preset: Preset, *, exact: bool) -> Outline:
    """The problem of `preset` as far as it is known without reading patterns; arguments and errors as those of `build`."""
    backend = choose_backend(preset.backend, preset.default_dtype)
    dataset = open_measurements(preset)
    preprocessing, layout = _layout(preset, dataset)
    setup, arrays = _setup(preset, dataset.shape[0], layout, preprocessing, exact=exact)
    return Outline(backend, dataset, preprocessing, setup, arrays)


def changed(problem: Problem, preset: Preset) -> Problem:
    """`problem` at its present point with the live parameters of `preset`; data, window, patches and slices stay as they are.

    Raises
    ------
    ParameterError
        Where the parameters cannot go with what the run was built with.
    """
    old, obj = problem.setup, problem.point.obj
    count = len(old.geometry.corners)
    setup = replace(
        old,
        optics=_optics(preset, obj.shape, count),
        variants=replace(_variants(preset, count, old.layout), plates=old.variants.plates),
    )
    background = problem.point.static_background
    if setup.variants.background and not old.variants.background:
        # from here on it has a value at every pixel
        background = problem.backend.asarray(start.background(preset, setup), problem.backend.real)
    objective = Objective(preset, problem.backend, setup, problem.objective.measurements)
    return Problem(problem.backend, setup, objective, replace(problem.point, static_background=background))


def simulate(preset: Preset) -> np.ndarray:
    """The patterns a preset's object, probe and positions give, at exactly those arrays.

    Returns
    -------
    float array, (pattern, ky, kx), centred, counts, on the measured grid; (pattern, detector) with `masks`

    Raises
    ------
    ParameterError
        Where object, probe and positions are not all given, or do not fit each other.
    """
    if not isinstance(preset.probe, np.ndarray):
        raise ParameterError("probe: give the probe as an array to simulate patterns with it")
    backend = choose_backend(preset.backend, preset.default_dtype)
    pad, up = preset.data_pad, preset.upsample_pattern
    sides = tuple((length - 2 * pad) // up * preset.data_bin for length in preset.probe.shape[:2])
    if min(sides) < 1:
        size = " × ".join(str(length) for length in preset.probe.shape[:2])
        raise ParameterError(f"data_pad: {pad} px on each side leave no pattern of a probe of {size} px; lower it")
    count = max(len(preset.positions), len(preset.tilts))
    preprocessing, layout = _layout(preset, ArrayDataset(np.broadcast_to(np.uint8(1), (count, *sides))))
    setup, arrays = _setup(preset, count, layout, preprocessing, exact=True)
    point = start.first_point(preset, backend, setup, arrays, None, exact=True)
    model = Model(backend, setup, preset.value_at("propmethod", preset.epoch_prev))
    between = between_pixels(preset, preset.epoch_prev)
    prepared = model.prepare(acting(backend, point, setup.geometry, between_pixels=between))
    size = batch_size(preset, backend, layout.window)
    batches = [np.arange(i, min(i + size, count)) for i in range(0, count, size)]
    signals = np.concatenate([backend.to_host(model.signals(prepared, indices)) for indices in batches])
    return centred(setup, signals)


def centred(setup: Setup, signals: np.ndarray) -> np.ndarray:
    """The model's signals as data are stored: zero frequency in the middle, or (pattern, detector)."""
    if setup.masks is not None:
        return signals[:, 0]
    layout = setup.layout
    return signals if layout.centred or not layout.plain else np.fft.fftshift(signals, axes=(1, 2))


def open_measurements(preset: Preset) -> Dataset:
    """The measurements that `preset` names, opened and not yet read.

    Raises
    ------
    ParameterError, DataError
        Where there are none, they cannot be opened, or they do not fit the virtual detectors.
    """
    signals = preset.masks is not None
    if preset.dataset is None and not preset.data_path:
        raise ParameterError("data_path: no measurements are given; name a file, or give an array as dataset")
    if preset.dataset is not None:
        dataset = ArrayDataset(preset.dataset, signals=signals)
    else:
        try:
            dataset = open_dataset(preset.data_path, axes=preset.data_axes or None, signals=signals)
        except NoSuchData as error:
            raise NoSuchData(f"data_path: {error}") from error
    if signals and dataset.shape[1] != len(preset.masks):
        raise ParameterError(f"masks: has {len(preset.masks)} detectors; the data hold {dataset.shape[1]} signals a pattern")
    return dataset


def _layout(preset: Preset, dataset: Dataset) -> tuple[Preprocessing, ReadoutLayout]:
    """How patterns are processed, and how the computed grid becomes theirs."""
    pad, up, crop = preset.data_pad, preset.upsample_pattern, not preset.use_padded_intensity
    if pad % up and not crop:
        raise ParameterError(
            f"data_pad: must be a multiple of upsample_pattern = {up} so that the padding "
            f"holds whole measured pixels; got {pad}"
        )
    measured_pad = 0 if crop else pad // up
    shift = (int(preset.data_shift_vector[0]), int(preset.data_shift_vector[1]))
    bad = None if preset.bad_pixels is None else bad_mask(preset.bad_pixels, dataset)
    preprocessing = Preprocessing(preset.flip_ky, shift, preset.data_bin, preset.data_multiplier, measured_pad, bad)
    sides = dataset.shape[1:] if preset.masks is None else preset.masks.shape[1:]
    window = tuple(side // preset.data_bin * up + 2 * pad for side in sides)
    near = preset.recon_type == "near_field"
    return preprocessing, ReadoutLayout((window[0], window[1]), pad, up, crop, centred=near)


def _setup(
    preset: Preset, count: int, layout: ReadoutLayout, preprocessing: Preprocessing, *, exact: bool
) -> tuple[Setup, start.Arrays]:
    start.check_counts(preset, count)
    arrays = start.object_and_positions(preset, count, layout.window, exact=exact)
    geometry = Geometry(
        window=layout.window,
        pixel_size=(preset.pixel_size_y_A, preset.pixel_size_x_A),
        corners=np.rint(arrays.positions).astype(np.int64),
        cutoff=preset.damping_cutoff_multislice,
        rolloff=preset.smooth_rolloff,
        limit_patches=preset.patch_band_limit,
    )
    left_out = preprocessing.left_out()
    if left_out is not None and layout.plain and not layout.centred:
        left_out = np.fft.ifftshift(left_out)
    return Setup(geometry, _optics(preset, arrays.obj.shape, count), _variants(preset, count, layout), layout,
                 _masks(preset, preprocessing), left_out), arrays  # fmt: skip


def _optics(preset: Preset, obj_shape: tuple[int, ...], count: int) -> Optics:
    slices = obj_shape[2]
    methods = {preset.value_at("propmethod", epoch) for epoch in _epochs(preset, "propmethod")}
    distances = tuple(float(d) for d in preset.slice_distances)
    most = max(gaps(method, slices) for method in methods)
    if len(distances) not in {1, most}:
        names = " and ".join(sorted(methods))
        raise ParameterError(
            f"slice_distances: has {len(distances)} values; {slices} slices with {names} take one for all, or {most}"
        )
    if preset.edge_slice_thickness and most:
        full = list(distances * most if len(distances) == 1 else distances)
        full[0] = full[-1] = preset.edge_slice_thickness
        distances = tuple(full)
    near = preset.recon_type == "near_field"
    defocus = np.asarray(preset.defocus_array, np.float64)
    if near and len(defocus) not in (1, count):
        raise ParameterError(
            f"defocus_array: has {len(defocus)} values for {count} patterns; give one for all, or one a pattern"
        )
    return Optics(
        wavelength=electron_wavelength(preset.acc_voltage),
        slices=slices,
        distances=distances,
        edge=preset.edge_slice_thickness,
        obj_modes=obj_shape[3],
        tilt_mode=preset.tilt_mode,
        # in modes 1, 3 and 4 a zero tilt still limits the band of a single slice's exit wave
        untilted=not preset.tilts.any() and not _ever(preset, "update_tilts") and preset.tilt_mode in {0, 2},
        near_field=near,
        defocus=np.broadcast_to(defocus, (count,)) if near else None,
        cs=preset.Cs,
        alpha=preset.alpha_near_field,
    )


def _variants(preset: Preset, count: int, layout: ReadoutLayout) -> Variants:
    background = preset.static_background
    rows = len(preset.aberrations_array)
    if rows > 1 and preset.aberration_marker is None:
        raise ParameterError(f"aberration_marker: aberrations_array has {rows} rows; say which row each pattern takes")
    plates = preset.phase_plate_in_h5
    return Variants(
        probe_marker=_marker(preset, "probe_marker", count, _scenarios(preset)),
        aberration_marker=_marker(preset, "aberration_marker", count, rows),
        plates=PhasePlates(plates, count, layout.window) if plates else None,
        current=preset.beam_current is not None or _ever(preset, "update_beam_current"),
        aberrations=bool(preset.aberrations_array.any()) or _ever(preset, "update_aberrations_array"),
        background=isinstance(background, np.ndarray) or background > 0 or _ever(preset, "update_static_background"),
    )


def _scenarios(preset: Preset) -> int | None:
    """How many probes there are to choose from; ``None`` where they are still to be made."""
    probe = preset.probe
    if isinstance(probe, np.ndarray) and probe.ndim == 4:
        if preset.probe_marker is None and probe.shape[3] > 1:
            raise ParameterError(f"probe_marker: the probe has {probe.shape[3]} scenarios; say which one each pattern takes")
        return probe.shape[3]
    return None


def _marker(preset: Preset, name: str, count: int, choices: int | None) -> np.ndarray | None:
    marker = preset[name]
    if marker is None:
        return None
    if len(marker) != count:
        raise ParameterError(f"{name}: has {len(marker)} entries for {count} patterns; give one a pattern")
    low, high = int(marker.min()), int(marker.max())
    # those still to be made can be no more than there are patterns for them
    most = count if choices is None else choices
    if low < 0 or high >= most:
        words = f"there are {most} to choose from" if choices is not None else f"{count} patterns have {count} at most"
        raise ParameterError(f"{name}: holds {low if low < 0 else high}; {words}, numbered from 0")
    return np.asarray(marker, np.int64)


def _masks(preset: Preset, preprocessing: Preprocessing) -> np.ndarray | None:
    if preset.masks is None:
        return None
    # summed pixels are weighted with the mean of their weights
    weights = preprocessing.apply(np.asarray(preset.masks, np.float64), np.float64)
    return weights / (preprocessing.multiplier * preprocessing.binning**2)


def _ever(preset: Preset, switch: str) -> bool:
    """Whether something is, or may come to be, refined."""
    value: Any = preset[switch]
    return True if isinstance(value, Schedule) else bool(value)


def _epochs(preset: Preset, name: str) -> range:
    first = preset.epoch_prev
    last = max(preset.epoch_max, first + 1) if isinstance(preset[name], Schedule) else first + 1
    return range(first, last)
