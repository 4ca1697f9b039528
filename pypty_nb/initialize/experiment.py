"""What a person says of an experiment: the keys of `append_exp_params`, checked."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from pypty_nb.params.errors import ParameterError, UnknownParameterError, describe

#: Names as the original program, its guides and its older versions write them.
ALIASES = {"special_postions_A": "special_positions_A", "data_is_numpy_and_flip_ky": "flip_ky"}
AUTO = "auto"
#: No angle is larger: at this one, 57°, angles and spatial frequencies are no longer proportional by a sixth.
_WIDEST_MRAD = 1000.0


@dataclass(frozen=True)
class Experiment:
    """What is known of a measurement beforehand; ``None`` is "not known", and left to the file, the data or a default.

    Attributes
    ----------
    data_path : path
    data_axes : str
        What the axes of the file are, in its order, a reversed one with a minus: "ky, kx, scan_y, -scan_x".
    dataset : array, (pattern, ky, kx) or (scan_y, scan_x, ky, kx)
        Wins over the path.
    masks : float array, (detector, ky, kx)
        Virtual detectors, where the data are their signals.
    output_folder : path
    path_json : path
        Metadata as Nion Swift writes them beside its ``.npy``; where the file of patterns says otherwise, that is taken.
    acc_voltage : float
        kV; of photons, that at which electrons have their wavelength, which a file that states energy or wavelength tells.
    rez_pixel_size_A, rez_pixel_size_mrad, conv_semiangle_mrad : float
        Detector pixel in Å⁻¹ or mrad, or the semi-angle of the disc, whose radius is then measured.
    aperture : bool array, (ky, kx)
        The disc, where it is not to be fitted.
    bright_threshold : float
        Height of the disc's edge, as a share of its counts; 0.5.
    defocus : float
        C10 of the beam beside that of `aberrations`, Å; ``None`` estimates it.
    aberrations : float array
        Krivanek coefficients, Å.
    scan_size : (int, int)
        (slow, fast), points.
    scan_step_A, fov_nm : float
        Step, Å; or width of the field along the fast axis, first to last point, nm.
    special_positions_A : float array, (pattern, 2)
        [y, x] Å where the scan is no raster; where not given, the positions that the file holds, or a raster.
    transform_axis_matrix : float array, (2, 2)
        Acts on [y, x] before the rotation; ``None`` decides it with the rotation.
    PLRotation_deg : float or "auto"
    flip_ky : bool
    bad_pixels : "mask", "keep", or int array, (pixel, 2)
        Which pixels of the detector are left out: those that the file marks and those found hot or dead, as when ``None``;
        none; or these, [y, x] as the data are stored.
    data_pad : int
        px; ``None`` is a quarter of the pattern's width.
    upsample_pattern : int
    total_thickness : float
        Å.
    num_slices, num_obj_modes : int
    obj_phase_sigma : float
        Random phase of the starting object, rad, the same every time.
    plot : bool
        Accepted; the pictures are in the calibration's `images`.
    print_flag : int
    save_preprocessing_files : bool
        Write ``calibration.json`` to the output folder.
    chemical_formula, sample_name : str
    """

    data_path: Any = None
    data_axes: str | None = None
    dataset: Any = None
    masks: Any = None
    output_folder: Any = None
    path_json: Any = None
    acc_voltage: float | None = None
    rez_pixel_size_A: float | None = None
    rez_pixel_size_mrad: float | None = None
    conv_semiangle_mrad: float | None = None
    aperture: Any = None
    bright_threshold: float | None = None
    defocus: float | None = None
    aberrations: Any = None
    scan_size: tuple[int, int] | None = None
    scan_step_A: float | None = None
    fov_nm: float | None = None
    special_positions_A: Any = None
    transform_axis_matrix: Any = None
    PLRotation_deg: float | str | None = None
    flip_ky: bool | None = None
    bad_pixels: Any = None
    data_pad: int | None = None
    upsample_pattern: int | None = None
    total_thickness: float | None = None
    num_slices: int | None = None
    num_obj_modes: int | None = None
    obj_phase_sigma: float | None = None
    plot: bool | None = None
    print_flag: int | None = None
    save_preprocessing_files: bool | None = None
    chemical_formula: str | None = None
    sample_name: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Experiment:
        """Check a mapping of keys to values.

        Raises
        ------
        UnknownParameterError
            A key there is not; the message gives the nearest one.
        ParameterError
            A value of the wrong kind or range; every fault at once.
        """
        if not isinstance(given, Mapping):
            raise ParameterError(f"an experiment is a mapping of keys to values, got {describe(given)}")
        accepted: dict[str, Any] = {}
        problems: list[str] = []
        unknown = False
        for key, value in given.items():
            name = ALIASES.get(key, key) if isinstance(key, str) else key
            if name not in KEYS:
                unknown = True
                problems.append(_unknown(key))
            elif name in accepted:
                problems.append(f"{name}: given twice, also under its older name")
            elif value is not None:
                try:
                    accepted[name] = _CHECKS[name](value)
                except (ValueError, TypeError, OverflowError) as error:
                    problems.append(f"{name}: {error}, got {describe(value)}")
        if problems:
            raise (UnknownParameterError if unknown else ParameterError)(*problems)
        return cls(**accepted)


KEYS = tuple(field.name for field in fields(Experiment))


def _unknown(key: object) -> str:
    near = difflib.get_close_matches(str(key)[:100], [*KEYS, *ALIASES], n=1, cutoff=0.6)
    return f"an experiment has no key {str(key)[:80]!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def _number(low: float = -math.inf, high: float = math.inf, *, above: bool = False) -> Callable[[Any], float]:
    def check(value: Any) -> float:
        if isinstance(value, (bool, str)) or not math.isfinite(number := float(value)):
            raise ValueError("a number is needed")
        if number < low or (above and number == low):
            raise ValueError(f"must be {'above' if above else 'at least'} {low:g}")
        if number > high:
            raise ValueError(f"must be at most {high:g}")
        return number

    return check


def _whole(low: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        number = _number(low)(value)
        if number != int(number):
            raise ValueError("a whole number is needed")
        return int(number)

    return check


def _array(*shape: int | None) -> Callable[[Any], np.ndarray]:
    def check(value: Any) -> np.ndarray:
        array = np.asarray(value, np.float64)
        fits = array.ndim == len(shape) and all(n is None or n == m for n, m in zip(shape, array.shape, strict=False))
        if not fits or not np.isfinite(array).all():
            wanted = " × ".join("n" if n is None else str(n) for n in shape)
            raise ValueError(f"{wanted} finite numbers are needed")
        return array

    return check


def _size(value: Any) -> tuple[int, int]:
    rows, columns = (_whole(1)(n) for n in value)
    return rows, columns


def _matrix(value: Any) -> np.ndarray:
    array = _array(2, 2)(value)
    if abs(np.linalg.det(array)) < 1e-6:
        raise ValueError("a matrix that can be inverted is needed")
    return array


def _rotation(value: Any) -> float | str:
    return AUTO if isinstance(value, str) and value == AUTO else _number()(value)


def _pixels(value: Any) -> str | np.ndarray:
    if isinstance(value, str):
        if value not in ("mask", "keep"):
            raise ValueError("'mask', 'keep', or n × 2 whole numbers are needed")
        return value
    places = _array(None, 2)(value)
    if (places != places.astype(np.int64)).any() or (places < 0).any():
        raise ValueError("n × 2 whole numbers of at least 0 are needed")
    return places.astype(np.int64)


def _share(value: Any) -> float:
    if not 0 < (number := _number()(value)) < 1:
        raise ValueError("must be above 0 and below 1")
    return number


def _text(value: Any) -> str:
    return os.fspath(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_, int)):
        raise ValueError("true or false is needed")
    return bool(value)


_positive = _number(0, above=True)
_CHECKS: dict[str, Callable[[Any], Any]] = {
    "data_path": _text,
    "data_axes": str,
    "dataset": np.asarray,
    "masks": _array(None, None, None),
    "output_folder": _text,
    "path_json": _text,
    "acc_voltage": _positive,
    "rez_pixel_size_A": _positive,
    "rez_pixel_size_mrad": _number(0, _WIDEST_MRAD, above=True),
    "conv_semiangle_mrad": _number(0, _WIDEST_MRAD, above=True),
    "aperture": _array(None, None),
    "bright_threshold": _share,
    "defocus": _number(),
    "aberrations": _array(None),
    "scan_size": _size,
    "scan_step_A": _positive,
    "fov_nm": _positive,
    "special_positions_A": _array(None, 2),
    "transform_axis_matrix": _matrix,
    "PLRotation_deg": _rotation,
    "flip_ky": _truth,
    "bad_pixels": _pixels,
    "data_pad": _whole(0),
    "upsample_pattern": _whole(1),
    "total_thickness": _positive,
    "num_slices": _whole(1),
    "num_obj_modes": _whole(1),
    "obj_phase_sigma": _number(0),
    "plot": _truth,
    "print_flag": _whole(0),
    "save_preprocessing_files": _truth,
    "chemical_formula": str,
    "sample_name": str,
}
