"""Raw 4D data to a centred file of patterns, in chunks: what `append_exp_params` and the reconstruction start from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

import pypty_nb.data.hdf5 as hdf5
from pypty_nb.data import DataError, Dataset, open_dataset
from pypty_nb.data.dataset import ArrayDataset
from pypty_nb.data.metadata import KEYS, Found, Metadata, as_number
from pypty_nb.files import atomic_hdf5
from pypty_nb.initialize.aperture import NO_COUNTS
from pypty_nb.initialize.bad_pixels import (
    BLOCK_BYTES,
    BadPixels,
    PixelStatistics,
    find_bad_pixels,
    listed,
    no_number,
    pixel_statistics,
    spread,
)  # fmt: skip
from pypty_nb.initialize.centring import BeamCentre, beam_centre
from pypty_nb.initialize.recipe import Recipe, check_window
from pypty_nb.initialize.scan_order import ScanOrder, scan_order
from pypty_nb.initialize.virtual import Progress
from pypty_nb.params import ParameterError

#: What may become of bad pixels, and the words for it.
_BAD_PIXELS = {
    "interpolate": "replaced by the mean of the pixels around",
    "mask": "marked, for reconstructions to leave out",
    "zero": "set to zero",
    "keep": "kept",
}


@dataclass(frozen=True)
class Imported:
    """What `create_pypty_data` did.

    Attributes
    ----------
    path : Path
    shape : tuple of int
        (pattern, ky, kx) as written.
    scan_size : tuple of int, or None
        (y, x) positions as written.
    shift : tuple of int
        [y, x] px by which the beam lay off the centre, and every pattern was moved back.
    centre : BeamCentre, or None
        Where the beam was found, in patterns flipped and transposed as asked; ``None`` where it was not looked for.
    bad_pixels : BadPixels
    negative : int
        Counts below zero, made zero.
    empty : tuple of int
        Patterns without any count, by their place in the new file.
    metadata : mapping of str to Found
        What is written beside the patterns.
    notes : tuple of str
        What was changed and what is odd, one sentence each.
    written : bool
        False where the file was there and was left as it is.
    """

    path: Path
    shape: tuple[int, ...]
    scan_size: tuple[int, int] | None
    shift: tuple[int, int] = (0, 0)
    centre: BeamCentre | None = None
    bad_pixels: BadPixels = field(default_factory=BadPixels)
    negative: int = 0
    empty: tuple[int, ...] = ()
    metadata: Metadata = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    written: bool = True


def create_pypty_data(
    data: str | os.PathLike[str] | np.ndarray | Dataset,
    path_output: str | os.PathLike[str],
    swap_axes: bool = False,
    flip_ky: bool = False,
    flip_kx: bool = False,
    flip_y: bool = False,
    flip_x: bool = False,
    comcalc_len: int | None = 1000,
    comx: int | None = None,
    comy: int | None = None,
    bin: int = 1,
    crop_left: int | None = None,
    crop_right: int | None = None,
    crop_top: int | None = None,
    crop_bottom: int | None = None,
    normalize: bool = False,
    cutoff_ratio: float | None = None,
    pad_k: int = 0,
    data_dtype: DTypeLike | None = np.float32,
    rescale: float = 1,
    exist_ok: bool = True,
    *,
    dataset: str | None = None,
    axes: Any = None,
    scan_size: Sequence[int] | None = None,
    drop_columns: int | Sequence[int] = 0,
    bad_pixels: str = "interpolate",
    negative: str = "clip",
    experiment: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Imported:
    """Write an ``.h5`` with a dataset ``data`` (pattern, ky, kx), every pattern's beam in the middle.

    Names and order of the arguments are the original's. What is done, in turn: flips, transposition, centring, cutoff,
    normalisation, cropping, binning, padding. The middle is where the zero frequency of an FFT is put, pixel N//2. The data are
    read and written in blocks; a file of any size needs a few hundred megabytes of memory. The file appears as a whole.

    Parameters
    ----------
    data : path, array or Dataset
        Any format that `open_dataset` reads; (scan_y, scan_x, ky, kx) or (pattern, ky, kx).
    path_output : path
        Ends in ``.h5``.
    swap_axes : bool
        Transpose the patterns, after the flips.
    flip_ky, flip_kx : bool
        Reverse the detector's axes.
    flip_y, flip_x : bool
        Reverse the scan's axes.
    comcalc_len : int or None
        Patterns, evenly spread, whose mean gives the centre and the bad pixels; None takes all.
    comx, comy : int or None
        By how many pixels the beam is off the middle; where not given, the middle of the mean pattern's bright-field disc, or
        its centre of mass where there is none; 0 leaves it.
    bin : int
        Sum bin × bin pixels; a remainder is cut.
    crop_left, crop_right, crop_top, crop_bottom : int or None
        Pixels to cut, after centring.
    normalize : bool
        Divide all patterns by one number so that the mean sum over a pattern is 1.
    cutoff_ratio : float or None
        Zero what is farther than this fraction of half the width from the middle.
    pad_k : int
        Zeros on each side.
    data_dtype : dtype or None
        Of the file; None keeps the source's. Integers are rounded.
    rescale : float
        Divide all patterns by it.
    exist_ok : bool
        Leave a file that is there as it is (as the original does); False writes it anew.
    dataset, axes : optional
        As in `open_dataset`.
    scan_size : (int, int), optional
        (y, x) positions, those to be dropped included. Where the last row is not complete, it is left out.
    drop_columns : int or (int, int)
        Columns of the fly-back to leave out: at each row's end, or at its (start, end).
    bad_pixels : {"interpolate", "mask", "zero", "keep"}
        What becomes of hot, dead and masked pixels; "mask" writes which they are beside the patterns, and zero into them.
    negative : {"clip", "refuse"}
        What becomes of counts below zero.
    experiment : mapping, optional
        Facts of the experiment that win over the file's, by the keys of `pypty_nb.data.metadata.KEYS`.
    progress : function, optional
        Called after every block with the patterns done and those there are.

    Returns
    -------
    Imported
        What was found and done; facts of the file go along, changed where cropping, binning or dropping changes them.

    Raises
    ------
    DataError
        Where the data cannot be read, or hold NaN in some patterns, nothing at all, or what the type cannot hold.
    ParameterError
        Where an argument cannot be used.
    OSError
        Where the file cannot be written.
    """
    path = _output(path_output)
    if path.exists() and exist_ok:
        kept = open_dataset(path)
        notes = (f"{path} is there and was left as it is",)
        return Imported(path, kept.shape, kept.scan_shape, metadata=kept.metadata, notes=notes, written=False)
    crop = (crop_top or 0, crop_bottom or 0, crop_left or 0, crop_right or 0)
    _check(bin, pad_k, comcalc_len, cutoff_ratio, rescale, crop, bad_pixels, negative, experiment)
    source = _source(data, dataset, axes, path)
    order = scan_order(source, scan_size, drop_columns, (flip_y, flip_x))
    statistics = pixel_statistics(source, spread(order.indices, comcalc_len))
    if not statistics.total.any():
        raise DataError(f"{source.name}: {statistics.count} patterns spread over the scan are all zero; {NO_COUNTS}")
    good = source.metadata.get("mask")
    found = find_bad_pixels(statistics, None if good is None else good.value)
    pixels = BadPixels() if bad_pixels == "keep" else found
    bad = pixels.mask(statistics.shape)
    believed = bad if bad.any() else None
    filled = bad_pixels == "interpolate"
    recipe = Recipe(believed, filled, (flip_ky, flip_kx), swap_axes, (0, 0), cutoff_ratio, rescale, crop, bin, pad_k)
    check_window(recipe, statistics.shape, source.name)
    centre = _centre(recipe, statistics, found) if comx is None or comy is None else None
    recipe = replace(recipe, shift=_off_middle(centre, recipe, statistics.shape, (comy, comx)))
    if normalize:
        uncut = replace(recipe, divisor=1.0, crop=(0, 0, 0, 0), binning=1, pad=0)
        recipe = replace(recipe, divisor=rescale * float(uncut.apply(statistics.mean[None]).sum()))
    said = {key: fact for key, fact in source.metadata.items() if key != "mask" or bad_pixels == "keep"}
    if bad_pixels == "mask" and believed is not None:
        said["mask"] = Found(~believed, f"bad pixels marked in the file, or found in {Path(source.name).name}")
    metadata = _metadata(said, experiment, (recipe, statistics.shape), order)
    writer = _Writer(source, order, recipe, negative, data_dtype)
    done = writer.write(path, metadata, progress)
    notes = (*order.notes, *_notes(recipe, pixels, bad_pixels, done, centre))
    return Imported(
        path, done.shape, order.scan_size, recipe.shift, centre, pixels, done.negative, tuple(done.empty), metadata, notes
    )


class _Writer:
    """Blocks of patterns, from the source to the file."""

    def __init__(self, source: Dataset, order: ScanOrder, recipe: Recipe, negative: str, dtype: DTypeLike | None):
        self._source, self._order, self._recipe, self._refuse = source, order, recipe, negative == "refuse"
        first = source.read(order.indices[:1])
        self._dtype = np.dtype(first.dtype if dtype is None else dtype)
        if self._dtype.kind not in "iuf":
            raise ParameterError(f"data_dtype: {self._dtype} is no type of real numbers, such as 'float32' or 'uint16'")
        window = recipe.apply(np.zeros((1, *first.shape[1:]))).shape[1:]
        self.shape = (len(order.indices), *window)
        self.negative, self.empty = 0, []

    def write(self, path: Path, metadata: Metadata, progress: Progress | None) -> _Writer:
        """Write the file as a whole; itself, with what was counted."""
        needed = int(np.prod(self.shape, dtype=object)) * self._dtype.itemsize
        free = shutil.disk_usage(path.parent).free
        if needed > free:
            raise DataError(f"{path}: needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free there; choose another folder")
        count = self.shape[0]
        step = max(1, BLOCK_BYTES // (8 * int(np.prod(self._source.shape[1:]))))
        with atomic_hdf5(path) as file:
            target = file.create_dataset("data", self.shape, self._dtype)
            for start in range(0, count, step):
                target[start : start + step] = self._block(start, min(start + step, count))
                if progress is not None:
                    progress(min(start + step, count), count)
            hdf5.write_metadata(file, target, metadata)
            target.attrs["made_from"] = Path(self._source.name).name
            if len(self.empty) == count:
                raise DataError(f"{self._source.name}: every pattern is zero after cropping and cutting; crop less")
        return self

    def _block(self, start: int, end: int) -> np.ndarray:
        wanted = self._order.indices[start:end]
        # sources are read in their own order, whatever that of the scan
        ranks = np.argsort(wanted)
        patterns = self._source.read(wanted[ranks])
        if (np.diff(wanted) < 0).any():
            patterns = patterns[np.argsort(ranks)]
        out = self._recipe.apply(self._numbers(patterns, wanted))
        self.empty += [start + int(index) for index in np.flatnonzero(out.max(axis=(1, 2)) == 0)]
        return self._cast(out)

    def _numbers(self, patterns: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """Counts as float64: none negative, and a number in every pixel that is believed."""
        missing = no_number(patterns)
        if missing.any():
            believed = missing if self._recipe.bad is None else missing & ~self._recipe.bad
            if believed.any():
                self._say(
                    believed, indices, "holds no number (NaN, infinity or the detector's largest)", "mask or replace them"
                )
            patterns = np.where(missing, 0, patterns)
        below = patterns < 0
        if below.any():
            if self._refuse:
                self._say(below, indices, "holds negative counts", "subtract the detector's offset first, or clip them")
            self.negative += int(below.sum())
        return np.maximum(patterns, 0, dtype=np.float64)

    def _say(self, where: np.ndarray, indices: np.ndarray, what: str, remedy: str) -> None:
        pattern, y, x = (int(place[0]) for place in np.nonzero(where))
        place = f"{int(where.sum())} pixels, the first in pattern {indices[pattern]} at ky {y}, kx {x}"
        raise DataError(f"{self._source.name}: {what} in {place}; {remedy}")

    def _cast(self, patterns: np.ndarray) -> np.ndarray:
        if self._dtype.kind in "iu":
            patterns = np.rint(patterns)
            limit = np.iinfo(self._dtype.str).max
        else:
            limit = np.finfo(self._dtype.str).max
        if patterns.size and patterns.max() > limit:
            raise DataError(
                f"{self._source.name}: counts up to {patterns.max():.6g} do not fit data_dtype {self._dtype}; take a larger one"
            )
        return patterns.astype(self._dtype)


def _source(data: Any, dataset: str | None, axes: Any, output: Path) -> Dataset:
    if isinstance(data, str | os.PathLike):
        data = open_dataset(data, dataset=dataset, axes=axes)
    source = ArrayDataset(data) if isinstance(data, np.ndarray) else data
    if output.exists() and Path(source.name).exists() and output.samefile(source.name):
        raise ParameterError(f"path_output: {output} is the file to be read; name another")
    return source


def _output(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    if path.suffix.lower() not in (".h5", ".hdf5"):
        raise ParameterError(f"path_output: {path.name!r} does not end in .h5")
    if not path.parent.is_dir():
        raise ParameterError(f"path_output: there is no folder {path.parent}")
    if path.is_dir():
        raise ParameterError(f"path_output: {path} is a folder")
    return path


def _check(
    binning: Any, pad: Any, length: Any, cutoff: Any, rescale: Any, crop: Any, bad: Any, negative: Any, experiment: Any
) -> None:
    """Raise a `ParameterError` where an argument cannot be used."""
    integers = {"bin": (binning, 1), "pad_k": (pad, 0), "comcalc_len": (length, 1)}
    integers |= {f"crop_{side}": (value, 0) for side, value in zip(("top", "bottom", "left", "right"), crop, strict=True)}
    for name, (value, least) in integers.items():
        if value is not None and (not isinstance(value, int | np.integer) or value < least):
            raise ParameterError(f"{name}: {value!r} is no whole number of at least {least}")
    for name, value in {"cutoff_ratio": cutoff, "rescale": rescale}.items():
        if value is not None and not (as_number(value) or 0) > 0:
            raise ParameterError(f"{name}: {value!r} is no number above 0")
    if bad not in _BAD_PIXELS:
        raise ParameterError(f"bad_pixels: {bad!r} is none of {', '.join(map(repr, _BAD_PIXELS))}")
    if negative not in ("clip", "refuse"):
        raise ParameterError(f"negative: {negative!r} is none of 'clip', 'refuse'")
    for key in experiment or ():
        if key not in KEYS:
            raise ParameterError(f"experiment: {key!r} is none of {', '.join(KEYS)}")


def _centre(recipe: Recipe, statistics: PixelStatistics, found: BadPixels) -> BeamCentre | None:
    """Where the beam is, in patterns turned as `recipe` does; bad pixels do not count, kept ones neither."""
    bad = found.mask(statistics.shape)
    turned = Recipe(bad if bad.any() else None, True, recipe.flips, recipe.swap, (0, 0), None, 1.0, (0, 0, 0, 0), 1, 0)
    mean, error = (turned.apply(image[None])[0] for image in (statistics.mean, statistics.error))
    return beam_centre(mean, error) if mean.any() else None


def _off_middle(
    centre: BeamCentre | None, recipe: Recipe, shape: tuple[int, int], given: tuple[int | None, int | None]
) -> tuple[int, int]:
    """By how many pixels [y, x] the beam is off pixel N//2: as given, else as measured."""
    lengths = shape[::-1] if recipe.swap else shape
    measured = (0, 0) if centre is None else (round(at - n // 2) for at, n in zip(centre.place, lengths, strict=True))
    y, x = (int(by) if said is None else int(said) for by, said in zip(measured, given, strict=True))
    return y, x


def _metadata(
    said: Metadata, experiment: Mapping[str, Any] | None, done: tuple[Recipe, tuple[int, int]], order: ScanOrder
) -> Metadata:
    """What the file says, as it holds for what is written, and what the user says.

    `done` is the recipe, and the shape of the patterns that it is for.
    """
    out = {}
    recipe, shape = done
    turned = recipe.swap or any(recipe.flips) or order.flipped
    for key, fact in said.items():
        if key == "positions":
            out[key] = Found(np.asarray(fact.value)[order.indices], fact.source)
        elif key == "positions_px":
            # a pixel of the object is the inverse of the pattern's width
            window = recipe.apply(np.zeros((1, *shape))).shape[1:]
            scale = recipe.binning * np.array(window) / shape
            how = "" if (scale == 1).all() else ", in pixels of the object as written here"
            out[key] = Found(np.asarray(fact.value)[order.indices] * scale, f"{fact.source}{how}")
        elif key == "fov_nm":
            # the width no longer holds where columns are left out, the step does
            if order.columns > 1:
                step = 10 * float(fact.value) / (order.columns - 1)
                out.setdefault("scan_step_A", Found(step, f"{fact.source}, {fact.value:g} over {order.columns} points"))
        elif key in ("rez_pixel_size_A", "rez_pixel_size_mrad") and recipe.binning > 1:
            out[key] = Found(fact.value * recipe.binning, f"{fact.source}, binned by {recipe.binning}")
        elif key == "mask":
            moved = replace(recipe, bad=None, divisor=1.0, cutoff=None)
            out[key] = Found(moved.apply(~np.asarray(fact.value, bool)[None] * 1.0)[0] == 0, fact.source)
        elif key != "scan_size" and not (key == "PLRotation_deg" and turned):
            out[key] = fact
    if order.scan_size is not None:
        out["scan_size"] = Found(order.scan_size, order.source)
    return out | {key: Found(value, "user") for key, value in (experiment or {}).items()}


def _notes(recipe: Recipe, pixels: BadPixels, how: str, done: _Writer, centre: BeamCentre | None) -> list[str]:
    """What was found and done, one sentence each."""
    notes = pixels.sentences(_BAD_PIXELS[how])
    if done.negative:
        notes.append(f"{done.negative} negative counts set to zero")
    if done.empty:
        patterns = f"{len(done.empty)} pattern{'s' * (len(done.empty) > 1)}"
        notes.append(f"no counts in {patterns}: {listed([str(index) for index in done.empty])}")
    if centre is not None and centre.no_disc:
        notes.append(f"{centre.how} is taken for the beam's, where it is not give comx and comy: {centre.no_disc}")
    if any(recipe.shift):
        y, x = recipe.shift
        notes.append(f"the beam lay (y {y:+d}, x {x:+d}) px off the middle; every pattern was moved back")
    if recipe.crop[0] != recipe.crop[1] or recipe.crop[2] != recipe.crop[3]:
        notes.append("cropped unevenly: the beam is no longer in the middle")
    return notes
