"""Before a run: whether it can run, what it will take, and whether the measurement supports it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pypty_nb.backend import GIB
from pypty_nb.initialize.copying import Params
from pypty_nb.initialize.starting import ANGLE_SHARE, Starting, median_step, scanned_places, starting
from pypty_nb.initialize.transforms import on_detector
from pypty_nb.initialize.trial import Trial, free_bytes, memory_bytes, posed, seconds_per_epoch
from pypty_nb.params import ParameterError, as_preset
from pypty_nb.physics.grids import band_limit

Standing = Literal["ok", "amber", "red"]
_WORST_FIRST: tuple[Standing, ...] = ("red", "amber", "ok")

#: Bunk et al., Ultramicroscopy 108, 481 (2008): below about 60 % the reconstruction suffers.
_OVERLAP = 0.6
#: Share of the window's width along each side that is its border, and of the intensity that may lie there.
_BORDER, _BORDER_SHARE = 1 / 16, 0.02
#: Share of the counts that may lie where the model is dark.
_BEYOND_BAND = 0.02
_FEW_COUNTS = 100
_FILLED = 0.8
#: A run longer than this, s, is worth making faster.
_LONG_S = 1800
#: A length from here on is told in nm.
_LONG_A = 1000


@dataclass(frozen=True)
class PreflightLine:
    """One line of the card.

    Attributes
    ----------
    name : str
        What was looked at; the parameter's name where one is at fault.
    value : str
        What was found, in words.
    standing : "ok", "amber" or "red"
        Red cannot run.
    advice : str
        What to change; empty where nothing.
    remedy : mapping of str to value
        Parameters that follow the advice; empty where there is no obvious one.
    """

    name: str
    value: str
    standing: Standing = "ok"
    advice: str = ""
    remedy: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PreflightReport:
    """The card.

    Attributes
    ----------
    lines : tuple of PreflightLine
    seconds_per_epoch : float, or None
        Measured on a few patterns; ``None`` where the preset cannot run.
    memory_bytes : int, or None
        What the run needs where the arithmetic is done.
    starting : Starting, or None
        What it starts with; ``None`` where the preset cannot run, and in the near field.
    """

    lines: tuple[PreflightLine, ...]
    seconds_per_epoch: float | None = None
    memory_bytes: int | None = None
    starting: Starting | None = None

    @property
    def standing(self) -> Standing:
        """The worst of the lines."""
        found = {line.standing for line in self.lines}
        return next(standing for standing in _WORST_FIRST if standing in found)

    @property
    def can_run(self) -> bool:
        """Whether no line is red."""
        return self.standing != "red"


def preflight(pypty_params: Params) -> PreflightReport:
    """Look at a preset as a run would, with a handful of its patterns; nothing is written anywhere.

    What keeps it from running stands first, red, every reason at once in the engine's own words. Counts that cannot be used are
    found in the patterns of the sample only.

    Parameters
    ----------
    pypty_params : Preset, mapping or path of a preset
    """
    try:
        trial, problems = posed(as_preset(pypty_params))
    except ParameterError as error:
        trial, problems = None, error.problems
    if trial is None:
        return PreflightReport(tuple(_problem(problem) for problem in problems))
    seconds, memory = seconds_per_epoch(trial), memory_bytes(trial)
    lines = [_data(trial), _memory(trial, memory), _time(trial, seconds), _wavelength(trial), _object(trial), _dose(trial)]
    start = None if trial.outline.setup.optics.near_field else starting(trial)
    if start is not None:
        lines += _beam(trial, start)
    return PreflightReport(tuple(lines), seconds, memory, start)


def _problem(sentence: str) -> PreflightLine:
    name, _, rest = sentence.partition(": ")
    what, _, advice = (rest or sentence).partition("; ")
    return PreflightLine(name if rest else "preset", what, "red", advice)


def _judged(name: str, words: str, advice: str, *, amber: bool, remedy: Mapping[str, Any] | None = None) -> PreflightLine:
    return PreflightLine(name, words, "amber", advice, remedy or {}) if amber else PreflightLine(name, words)


def _data(trial: Trial) -> PreflightLine:
    shape, totals = trial.outline.dataset.shape, trial.measurements.summary.totals
    kind = f"patterns of {shape[1]} × {shape[2]} px" if len(shape) == 3 else f"rows of {shape[1]} virtual detectors"
    part = "" if trial.count == shape[0] else f"{trial.count} of "
    empty = int((totals <= 0).sum())
    if empty:
        advice = "find them in a virtual image and leave them out with sequence"
        return PreflightLine("Data", f"{empty} of {len(totals)} patterns looked at hold no counts", "amber", advice)
    return PreflightLine("Data", f"{part}{shape[0]} {kind}")


def _memory(trial: Trial, needed: int) -> PreflightLine:
    free, total = free_bytes(trial)
    words = f"{_size(needed)} needed"
    if not total:
        return PreflightLine("Memory", words)
    words += f", {_size(free)} of {_size(total)} free"
    advice = "lower hist_length or compute_batch, set default_dtype to single, or leave load_one_by_one on"
    if needed > total:
        return PreflightLine("Memory", words, "red", advice, _less_memory(trial))
    return _judged("Memory", words, advice, amber=needed > _FILLED * free, remedy=_less_memory(trial))


def _less_memory(trial: Trial) -> dict[str, Any]:
    """What of the parameters can save memory without another result: single precision, data read as needed, small batches."""
    preset = trial.preset
    wanted = {"default_dtype": "single", "load_one_by_one": True, "compute_batch": "auto"}
    saved = {name: value for name, value in wanted.items() if preset[name] != value}
    if preset.compute_batch == "auto" and not saved:
        saved["compute_batch"] = 1
    return saved


def _time(trial: Trial, seconds: float) -> PreflightLine:
    epochs = max(trial.preset.epoch_max - trial.preset.epoch_prev, 0)
    words = f"{_duration(seconds)} an epoch, {_duration(seconds * epochs)} for {epochs} epochs on {trial.outline.backend.name}"
    if not epochs:
        return PreflightLine("Time", words, "amber", "raise epoch_max; the run ends where it starts")
    preset = trial.preset
    faster = {"compute_batch": "auto"} if preset.compute_batch == 1 else {}
    faster |= {"default_dtype": "single"} if preset.default_dtype == "double" else {}
    advice = f"set {' and '.join(f'{name} to {value}' for name, value in faster.items())} for a faster run"
    return _judged("Time", words, advice, amber=bool(faster) and seconds * epochs > _LONG_S, remedy=faster)


def _wavelength(trial: Trial) -> PreflightLine:
    wavelength, preset = trial.outline.setup.optics.wavelength, trial.preset
    words = f"{wavelength:.5f} Å at {preset.acc_voltage:g} kV"
    if preset.is_changed("acc_voltage"):
        return PreflightLine("Wavelength", words)
    return PreflightLine("Wavelength", words, "amber", "this voltage is the default; set acc_voltage to the microscope's")


def _object(trial: Trial) -> PreflightLine:
    y, x, slices, modes = trial.point.obj.shape
    height, width = (0.1 * n * size for n, size in zip((y, x), trial.outline.setup.geometry.pixel_size, strict=True))
    more = f", {slices} slices" * (slices > 1) + f", {modes} modes" * (modes > 1)
    return PreflightLine("Object", f"{y} × {x} px, {height:.3g} × {width:.3g} nm{more}; every position lies inside")


def _dose(trial: Trial) -> PreflightLine:
    counts = trial.measurements.summary.mean_total
    step = median_step(scanned_places(trial))
    dose = f", {counts / step**2:.3g} a square ångström" if step > 0 else ""
    words = f"{float(f'{counts:.3g}'):g} counts a pattern{dose} (electrons, where the detector counts them)"
    remedy = {"algorithm": "ml" if trial.preset.masks is None else "poisson_compressed"}
    if counts < _FEW_COUNTS and trial.preset.algorithm != "ml":
        return PreflightLine("Dose", words, "amber", "so few counts are Poisson's: set algorithm to ml", remedy)
    return PreflightLine("Dose", words)


def _beam(trial: Trial, start: Starting) -> Iterator[PreflightLine]:
    """What the probe tells, far field."""
    yield _overlap(start)
    yield _window(trial, (np.abs(start.probe) ** 2).sum(axis=2))
    if trial.outline.setup.masks is None:
        yield _band(trial)
    yield _slices(trial, start.angle)


def _overlap(start: Starting) -> PreflightLine:
    step, diameter = start.step, start.diameter
    if step <= 0:
        return PreflightLine("Overlap", "all patterns from one place", "amber", "check positions and the scan step")
    overlap = 1 - step / diameter
    if overlap <= 0:
        words = f"none: probe {diameter:.3g} Å across, step {step:.3g} Å"
    else:
        words = f"{100 * overlap:.0f} % of the probe's {diameter:.3g} Å, step {step:.3g} Å"
    advice = (
        f"60 % or more is wanted: a step of {0.4 * diameter:.2g} Å or a probe of {2.5 * step:.2g} Å; check C10 and the step"
    )
    return _judged("Overlap", words, advice, amber=overlap < _OVERLAP)


def _window(trial: Trial, intensity: np.ndarray) -> PreflightLine:
    geometry = trial.outline.setup.geometry
    ny, nx = geometry.window
    by, bx = (max(1, round(n * _BORDER)) for n in (ny, nx))
    share = 1 - intensity[by : ny - by, bx : nx - bx].sum() / intensity.sum()
    height, width = (n * size for n, size in zip((ny, nx), geometry.pixel_size, strict=True))
    words = f"{height:.3g} × {width:.3g} Å, {100 * share:.2g} % of the probe at its border"
    advice = "the detector's pixels are coarse for this probe: raise upsample_pattern, or check C10 and the pixel size"
    return _judged("Window", words, advice, amber=share > _BORDER_SHARE)


def _band(trial: Trial) -> PreflightLine:
    geometry, layout = trial.outline.setup.geometry, trial.outline.setup.layout
    limit = np.fft.fftshift(band_limit(geometry.window, geometry.pixel_size, geometry.cutoff, geometry.rolloff))
    pattern = trial.measurements.summary.mean_pattern
    dark = 1 - on_detector(limit, layout) / layout.upsample**2
    share = float((pattern * dark).sum() / pattern.sum())
    words = f"pixels of {_pair(geometry.pixel_size)} Å; {100 * share:.2g} % of the counts lie beyond the band limit"
    if share <= _BEYOND_BAND:
        return PreflightLine("Sampling", words)
    quarter = layout.upsample * math.ceil(max(layout.window) / 4 / layout.upsample)
    pad = f"raise data_pad to {quarter} px, with the pixel size that goes with it, or" if not layout.pad else "raise"
    advice = f"no model can reach these: {pad} damping_cutoff_multislice towards 1"
    return PreflightLine("Sampling", words, "amber", advice, _wider(trial, 0 if layout.pad else quarter))


def _wider(trial: Trial, pad: int) -> dict[str, Any]:
    """Patterns padded by `pad`, with what is counted in the object's pixels; arrays given on their grid cannot follow."""
    preset, window = trial.preset, trial.outline.setup.layout.window
    if not pad or isinstance(preset.probe, np.ndarray) or preset.obj.shape[:2] != (1, 1) or preset.beam_ctf is not None:
        return {"damping_cutoff_multislice": 1.0}
    scale = np.array([(length + 2 * pad) / length for length in window])
    remedy = {
        "data_pad": pad,
        "pixel_size_y_A": preset.pixel_size_y_A / float(scale[0]),
        "pixel_size_x_A": preset.pixel_size_x_A / float(scale[1]),
        "positions": preset.positions * scale,
    }
    if preset.aperture_mask is not None and preset.aperture_mask.shape == window:
        remedy["aperture_mask"] = np.pad(preset.aperture_mask, pad)
    return remedy


def _slices(trial: Trial, angle: float) -> PreflightLine:
    """λ/α²: half of the depth of field 2λ/α² of Jacobsen, Optics Letters 43, 4811 (2018)."""
    optics = trial.outline.setup.optics
    depth = optics.wavelength / angle**2
    extent = f"{depth:.3g} Å" if depth < _LONG_A else f"{0.1 * depth:.4g} nm"
    words = f"depth of focus λ/α² {extent} at {1e3 * angle:.3g} mrad, within which {100 * ANGLE_SHARE:.0f} % of the probe lies"
    if optics.slices == 1:
        return PreflightLine("Thickness", f"one slice, for a specimen thinner than that; {words}")
    thickest = max(optics.distances)
    words = f"{optics.slices} slices, {thickest:.3g} Å apart; {words}"
    if thickest > depth:
        total = sum(optics.distances) if len(optics.distances) > 1 else optics.slices * thickest
        count = math.ceil(total / depth)
        advice = f"take {count} slices or more for these {total:.3g} Å"
        return PreflightLine("Thickness", words, "amber", advice, _sliced(trial, count, total))
    return PreflightLine("Thickness", words)


def _sliced(trial: Trial, count: int, total: float) -> dict[str, Any]:
    """`count` slices for a thickness of `total` Å; an object given slice by slice is not to be cut anew."""
    if trial.preset.obj.shape[2] > 1:
        return {}
    return {"num_slices": count, "slice_distances": np.array([total / count])}


def _pair(sizes: tuple[float, float]) -> str:
    return f"{sizes[0]:.3g}" if sizes[0] == sizes[1] else f"{sizes[0]:.3g} × {sizes[1]:.3g}"


def _size(size: float) -> str:
    return f"{size / GIB:.2g} GiB" if size >= 0.1 * GIB else f"{size / 2**20:.0f} MiB"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
