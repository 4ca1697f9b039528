"""Parts of a scan: markers that give every part a beam of its own, and sequences that choose one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pypty_nb.initialize.copying import Params, with_values
from pypty_nb.params import ParameterError, Preset, as_preset


def create_aberrations_chunks(pypty_params: Params, chop_size: int, n_abs: int) -> Preset:
    """Cut the scan into squares whose beams share a probe and have aberrations of their own.

    Parameters
    ----------
    pypty_params : Preset, mapping or path
        With `scan_size`.
    chop_size : int
        Scan points along each side of a square; those at the far borders may be smaller.
    n_abs : int
        Krivanek coefficients of every square, 0 Å to start from.

    Returns
    -------
    Preset
        A copy with `aberrations_array` and `aberration_marker`.

    Raises
    ------
    ParameterError
        Where `scan_size` is not set, or a number is not positive.
    """
    if n_abs < 1:
        raise ParameterError(f"n_abs: one aberration at least is needed; got {n_abs}")
    marker = _squares(as_preset(pypty_params), chop_size)
    return with_values(pypty_params, aberrations_array=np.zeros((marker.max() + 1, n_abs)), aberration_marker=marker)


def create_probe_marker_chunks(pypty_params: Params, chop_size: int) -> Preset:
    """Cut the scan into squares of `chop_size` points, each with a probe of its own.

    Returns
    -------
    Preset
        A copy with `probe_marker`; a run starts every square with the preset's probe.

    Raises
    ------
    ParameterError
        Where `scan_size` is not set, or `chop_size` is not positive.
    """
    return with_values(pypty_params, probe_marker=_squares(as_preset(pypty_params), chop_size))


def create_sub_sequence(pypty_params: Params, left: int, top: int, width: int, height: int, sub: int = 1) -> Preset:
    """Choose a rectangle of the scan.

    Parameters
    ----------
    pypty_params : Preset, mapping or path
        With `scan_size`.
    left, top, width, height : int
        Scan points; what lies outside the scan is left out.
    sub : int
        Take every `sub`-th point along both axes.

    Returns
    -------
    Preset
        A copy with `sequence`.

    Raises
    ------
    ParameterError
        Where `scan_size` is not set, `sub` is not positive, or no point of the scan is chosen.
    """
    if sub < 1:
        raise ParameterError(f"sub: must be 1 or more; got {sub}")
    rows, columns = _scan_size(as_preset(pypty_params))
    y, x = np.arange(top, top + height, sub), np.arange(left, left + width, sub)
    y, x = y[(y >= 0) & (y < rows)], x[(x >= 0) & (x < columns)]
    return _chosen(pypty_params, np.add.outer(y * columns, x))


def create_sequence_from_points(pypty_params: Params, yf: Sequence[int], xf: Sequence[int], width_roi: int = 20) -> Preset:
    """Choose squares of `width_roi` scan points about the features at rows `yf` and columns `xf`.

    Returns
    -------
    Preset
        A copy with `sequence`; the original gives the indices alone.

    Raises
    ------
    ParameterError
        Where `scan_size` is not set, or no point of the scan is chosen.
    """
    rows, columns = _scan_size(as_preset(pypty_params))
    chosen = np.zeros((rows, columns), bool)
    for y, x in zip(yf, xf, strict=True):
        first = y - width_roi // 2, x - width_roi // 2
        chosen[tuple(slice(max(start, 0), max(start + width_roi, 0)) for start in first)] = True
    return _chosen(pypty_params, np.flatnonzero(chosen))


def _chosen(pypty_params: Params, indices: np.ndarray) -> Preset:
    if not indices.size:
        raise ParameterError("sequence: no point of the scan is chosen")
    return with_values(pypty_params, sequence=np.unique(indices))


def _squares(preset: Preset, side: int) -> np.ndarray:
    """The number of each scan point's square, (pattern,) int64, row by row."""
    if side < 1:
        raise ParameterError(f"chop_size: must be 1 or more scan points; got {side}")
    rows, columns = _scan_size(preset)
    across = -(-columns // side)
    return np.add.outer(np.arange(rows) // side * across, np.arange(columns) // side).ravel()


def _scan_size(preset: Preset) -> tuple[int, int]:
    if preset.scan_size is None:
        raise ParameterError("scan_size: is not set; parts of a scan are counted in its rows and columns")
    return int(preset.scan_size[0]), int(preset.scan_size[1])
