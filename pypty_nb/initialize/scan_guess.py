"""An object to start from, out of images on the scan grid."""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy.interpolate import CloughTocher2DInterpolator
from scipy.spatial import QhullError

from pypty_nb.engine.build import outline
from pypty_nb.initialize.copying import Params, with_values
from pypty_nb.params import ParameterError, Preset, as_preset

Fill = Literal["edge", "median"]

#: Where the number of slices is chosen, none turns the phase further than this, rad.
_MOST_PHASE = 0.75 * np.pi


def get_ptycho_obj_from_scan(
    params: Params,
    num_slices: int | Literal["auto"] | None = None,
    array_phase: np.ndarray | None = None,
    array_abs: np.ndarray | None = None,
    scale_phase: float = 1.0,
    scale_abs: float = 1.0,
    scan_array_A: np.ndarray | None = None,
    fill_value_type: Fill | None = None,
) -> Preset:
    """Make the starting object from images such as those of differential phase contrast, interpolated between scan points.

    Every slice takes its share: phase / slices, and the modulus to the power 1 / slices. The specimen keeps its thickness.

    Parameters
    ----------
    params : Preset, mapping or path
        Calibrated, with data or a probe.
    num_slices : int, "auto" or None
        "auto" takes as many as keep each slice's phase range below 0.75 π; None the preset's.
    array_phase : float array, any shape, optional
        rad, one value a scan point or a row of `scan_array_A`; 0 where not given.
    array_abs : float array, optional
        Modulus of the transmission, likewise; 1 where not given.
    scale_phase, scale_abs : float
        Factors on the two.
    scan_array_A : float array, (pixel, 2), optional
        Where the images' pixels lie, [y, x] Å from where the first pixel of the object sees the window's centre; the scan's
        `positions` where not given.
    fill_value_type : "edge", "median" or None
        What lies outside the scan: the mean of the images' border, their median, or phase 0 and modulus 1.

    Returns
    -------
    Preset
        A copy with `obj`, (y, x, slice, 1) complex128, `num_slices` and `slice_distances`.

    Raises
    ------
    ParameterError
        Where an image does not fit the scan points, or these span no area.
    """
    preset = as_preset(params)
    if fill_value_type not in (None, "edge", "median"):
        raise ParameterError(f"fill_value_type: 'edge', 'median' or None; got {fill_value_type!r}")
    window = outline(preset, exact=False).setup.geometry.window
    places = _places(preset, scan_array_A)
    shape = tuple(int(n) for n in np.rint(preset.positions.max(axis=0)).astype(int) + window)
    phase = _image("array_phase", array_phase, places, (window, shape), fill_value_type, 0.0) * scale_phase
    modulus = _image("array_abs", array_abs, places, (window, shape), fill_value_type, 1.0) * scale_abs
    slices = _slices(preset, num_slices, phase)
    one = np.maximum(modulus, 0) ** (1 / slices) * np.exp(1j * phase / slices)
    thickness = preset.num_slices * np.asarray(preset.slice_distances, np.float64).mean()
    distances = preset.slice_distances if slices == preset.num_slices else np.array([thickness / slices])
    return with_values(
        preset,
        obj=np.repeat(one[:, :, None, None], slices, axis=2),
        num_slices=slices,
        slice_distances=distances,
    )


def _places(preset: Preset, scan_array_a: np.ndarray | None) -> np.ndarray:
    """Where the images' pixels lie, (pixel, 2) px from the corner of the first patch."""
    if scan_array_a is None:
        return np.asarray(preset.positions, np.float64)
    return np.asarray(scan_array_a, np.float64) / (preset.pixel_size_y_A, preset.pixel_size_x_A)


def _slices(preset: Preset, wanted: int | str | None, phase: np.ndarray) -> int:
    if wanted is None:
        return preset.num_slices
    if wanted == "auto":
        return max(1, int(np.ceil(np.ptp(phase) / _MOST_PHASE)))
    if not isinstance(wanted, int) or wanted < 1:
        raise ParameterError(f"num_slices: a positive number or 'auto'; got {wanted!r}")
    return wanted


def _image(
    name: str,
    array: np.ndarray | None,
    places: np.ndarray,
    grid: tuple[tuple[int, int], tuple[int, ...]],
    fill: Fill | None,
    blank: float,
) -> np.ndarray:
    """`array` on the object's pixels, smooth between the points; `grid` is (window, object)."""
    window, shape = grid
    if array is None:
        return np.full(shape, blank)
    array = np.asarray(array, np.float64)
    if array.size != len(places):
        raise ParameterError(f"{name}: has {array.size} pixels for {len(places)} points; give one a point")
    if not np.isfinite(array).all():
        raise ParameterError(f"{name}: holds NaN or infinite numbers")
    try:
        smooth = CloughTocher2DInterpolator(places + np.array(window) // 2, array.ravel())
    except QhullError:
        raise ParameterError("positions: span no area; an image cannot be interpolated between them") from None
    found = smooth(*np.indices(shape))
    outside = np.isnan(found)
    found[outside] = _outside(array, fill, blank)
    return found


def _outside(array: np.ndarray, fill: Fill | None, blank: float) -> float:
    if fill is None:
        return blank
    if fill == "median" or array.ndim < 2:
        return float(np.median(array))
    border = np.ones(array.shape, bool)
    border[1:-1, 1:-1] = False
    return float(array[border].mean())
