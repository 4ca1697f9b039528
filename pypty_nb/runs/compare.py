"""Two runs against each other: how far they agree, and halves of a measurement that make an honest pair."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pypty_nb.files import write_text
from pypty_nb.params import ParameterError, Preset, Schedule
from pypty_nb.physics.frc import RingCorrelation, aligned, ring_correlation
from pypty_nb.physics.phases import without_ramp
from pypty_nb.runs.folder import RunFolder
from pypty_nb.runs.result import Result

#: Per cent: black and white of pictures.
_LIMITS = (0.6, 99.4)


def frc_of_runs(a: RunFolder, b: RunFolder, mode: int = 0) -> RingCorrelation:
    """Fourier ring correlation of the objects of two runs, over the part that both scanned.

    Compared are the complex transmissions through all slices, of the object mode `mode`.

    Raises
    ------
    ParameterError
        Where a run has no complete epoch, the pixel sizes differ, or there is no such mode.
    """
    both = _common(a, b, mode)
    return ring_correlation(both.first, both.second, both.size)


@dataclass(frozen=True)
class PhasePair:
    """The phases of two runs on the same pixels.

    Attributes
    ----------
    first, second, difference : float arrays, (y, x)
        rad; registered, without the ramp and the phase between them; difference is first less second, within ±π.
    limits : (float, float)
        Black and white for both, rad.
    reach : float
        The difference's largest size but for single pixels, rad.
    pixel_size : (float, float)
        (y, x), Å.
    scanned : pair of (int, int)
        What each of them scanned, (y, x) px.
    shift : (float, float)
        By how far the second lay off the first, (y, x) px.
    """

    first: np.ndarray
    second: np.ndarray
    difference: np.ndarray
    limits: tuple[float, float]
    reach: float
    pixel_size: tuple[float, float]
    scanned: tuple[tuple[int, int], tuple[int, int]]
    shift: tuple[float, float]


@dataclass(frozen=True)
class PhasePicture:
    """The phase of one run.

    Attributes
    ----------
    values : float array, (y, x)
        rad; through all slices, over the part that was scanned, without the ramp and the offset that a run leaves open.
    limits : (float, float)
        Black and white, rad.
    pixel_size : (float, float)
        (y, x), Å.
    """

    values: np.ndarray
    limits: tuple[float, float]
    pixel_size: tuple[float, float]


def phase_of_run(run: RunFolder, mode: int = 0) -> PhasePicture:
    """The phase of the object of a run, through all slices.

    Raises
    ------
    ParameterError
        Where it has no complete epoch, or there is no such mode.
    """
    return _phase(Result.of(run), mode)


@dataclass(frozen=True)
class RunPictures:
    """What one run found, to look at.

    Attributes
    ----------
    phase : PhasePicture
    modulus : float array, (y, x)
        Of the same part of the object.
    modulus_limits : (float, float)
        Black and white.
    probe : complex array, (y, x)
        Its first mode, of the first scenario.
    """

    phase: PhasePicture
    modulus: np.ndarray
    modulus_limits: tuple[float, float]
    probe: np.ndarray


def pictures_of_run(run: RunFolder, mode: int = 0) -> RunPictures:
    """Phase and modulus of the object of a run, through all slices, and its probe.

    Raises
    ------
    ParameterError
        Where it has no complete epoch, or there is no such mode.
    """
    result = Result.of(run)
    modulus = np.abs(_through(result, mode)[result.scanned])
    probe = result.point.probe
    return RunPictures(_phase(result, mode), modulus, _limits(modulus), probe.reshape(*probe.shape[:2], -1)[..., 0])


def phases_of_runs(a: RunFolder, b: RunFolder, mode: int = 0) -> PhasePair:
    """The phases of the objects of two runs, through all slices, side by side over the part that both scanned.

    Raises
    ------
    ParameterError
        As `frc_of_runs`.
    """
    both = _common(a, b, mode)
    first, second, shift = aligned(both.first, both.second)
    phases = np.angle(first), np.angle(second)
    difference = np.angle(first * second.conj())
    reach = float(np.percentile(abs(difference), _LIMITS[1]))
    return PhasePair(*phases, difference, _limits(np.stack(phases)), reach, both.size, both.scanned, shift)


@dataclass(frozen=True)
class _Common:
    """Both objects through all slices, cut to one shape inside the scans; their pixel size; what each of them scanned."""

    first: np.ndarray
    second: np.ndarray
    size: tuple[float, float]
    scanned: tuple[tuple[int, int], tuple[int, int]]


def _common(a: RunFolder, b: RunFolder, mode: int) -> _Common:
    results = Result.of(a), Result.of(b)
    sizes = results[0].pixel_size, results[1].pixel_size
    if not np.allclose(*sizes, rtol=1e-6):
        words = " and ".join(f"{y:g} × {x:g} Å" for y, x in sizes)
        raise ParameterError(f"the pixels of {a.path} and {b.path} are {words}; only runs with equal pixels are compared")
    planes = [_through(result, mode)[result.scanned] for result in results]
    shapes = planes[0].shape, planes[1].shape
    common = np.min(shapes, axis=0)
    # scans refined apart may differ by some pixels; what shift is left is found by registration
    return _Common(_middle(planes[0], common), _middle(planes[1], common), sizes[0], shapes)


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(values, _LIMITS)
    return float(low), float(high)


def write_csv(path: Path, correlation: RingCorrelation) -> Path:
    """The curve and both thresholds, a line a ring."""
    rows = zip(correlation.frequency, correlation.correlation, correlation.half_bit.threshold, correlation.seventh.threshold,
               correlation.count, strict=True)  # fmt: skip
    lines = ["frequency / (1/A),correlation,half-bit,one seventh,independent samples"]
    lines += [",".join(f"{float(value):.8g}" for value in row) for row in rows]
    write_text(path, "\n".join(lines) + "\n")
    return path


def halves(preset: Preset) -> tuple[Preset, Preset]:
    """Two presets with every second scan point each, so that their results share no pattern.

    On a grid (`scan_size`) they are the fields of a chessboard, else every second point in order. A `sequence` that is given is
    shared out. Both keep the whole field of view; an `output_folder` gets ``-half-1`` and ``-half-2``.

    Raises
    ------
    ParameterError
        Where the patterns cannot be counted, are fewer than two, or the sequence is a schedule.
    """
    if isinstance(preset.sequence, Schedule):
        raise ParameterError("sequence: is a schedule; halves need fixed patterns, so give it as a list of indices, or None")
    chosen = np.arange(_count(preset)) if preset.sequence is None else np.asarray(preset.sequence)
    if len(chosen) < 2:
        raise ParameterError(f"{len(chosen)} pattern cannot be shared out; halves need two or more")
    rank = chosen if preset.scan_size is None else chosen // preset.scan_size[1] + chosen % preset.scan_size[1]
    if preset.scan_size is None and preset.sequence is not None:
        rank = np.arange(len(chosen))
    made = []
    for half in (0, 1):
        part = preset.copy()
        part.update(sequence=chosen[rank % 2 == half], use_full_FOV=True)
        if preset.output_folder:
            part.output_folder = f"{preset.output_folder}-half-{half + 1}"
        made.append(part)
    return made[0], made[1]


def _phase(result: Result, mode: int) -> PhasePicture:
    values = np.angle(without_ramp(_through(result, mode), result.scanned)[result.scanned])
    return PhasePicture(values, _limits(values), result.pixel_size)


def _through(result: Result, mode: int) -> np.ndarray:
    modes = result.point.obj.shape[3]
    if not 0 <= mode < modes:
        raise ParameterError(f"mode: {result.name} has {modes} object modes, numbered from 0; got {mode}")
    return np.asarray(result.point.obj[:, :, :, mode], np.complex128).prod(axis=2)


def _middle(plane: np.ndarray, shape: np.ndarray) -> np.ndarray:
    (y, x), (ny, nx) = (np.array(plane.shape) - shape) // 2, shape
    return plane[y : y + ny, x : x + nx]


def _count(preset: Preset) -> int:
    """How many patterns there are, as far as the preset alone tells."""
    if len(preset.positions) > 1:
        return len(preset.positions)
    if preset.dataset is not None:
        return int(np.prod(preset.dataset.shape[:-1] if preset.masks is not None else preset.dataset.shape[:-2]))
    if preset.scan_size is not None:
        return int(np.prod(preset.scan_size))
    raise ParameterError("positions: the preset does not tell how many patterns there are; give positions or scan_size")
