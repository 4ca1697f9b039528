"""Smoothness of positions and tilts along the scan.

Fast axis: Σ (a[y, x+1] − 2 a[y, x] + a[y, x−1])² over interior points and all columns, a on the scan grid.
Slow axis: the same along y on r[y] = Σ_x a[y, x]; its coefficient multiplies the weight where it is not zero.
Gradient: twice the second difference's adjoint applied to the second difference.
Deformation: the squared distance to the best affine grid, Σ |(1 − Π) a|², Π the projection on {1, y, x}; gradient 2 (1 − Π) a.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pypty_nb.engine.regularisers import Regulariser, Surroundings
from pypty_nb.params import ParameterError
from pypty_nb.records import Array


def fast_axis(array: Array, values: Mapping[str, Any], around: Surroundings) -> tuple[float, Array]:
    """See the module; `array` (pattern, column)."""
    grid, back = _on_grid(array, around)
    value, gradient = _bending(around.backend.xp.moveaxis(grid, 1, 0), around)
    return value, back(around.backend.xp.moveaxis(gradient, 0, 1))


def slow_axis(array: Array, values: Mapping[str, Any], around: Surroundings) -> tuple[float, Array]:
    """See the module; `array` (pattern, column)."""
    xp = around.backend.xp
    grid, back = _on_grid(array, around)
    value, gradient = _bending(grid.sum(axis=1), around)
    (coefficient,) = values.values()
    factor = coefficient or 1.0
    return factor * value, factor * back(xp.broadcast_to(gradient[:, None], grid.shape))


def deformation(array: Array, values: Mapping[str, Any], around: Surroundings) -> tuple[float, Array]:
    """See the module; `array` (pattern, column)."""
    xp = around.backend.xp
    ny, nx = _scan_size(array, around)
    # along an axis of one point there is no slope to fit: it would only repeat the constant
    slopes = [axis for axis, length in zip(np.mgrid[:ny, :nx].reshape(2, -1), (ny, nx), strict=True) if length > 1]
    basis, _ = np.linalg.qr(np.stack([np.ones(ny * nx), *slopes], axis=1))
    basis = xp.asarray(basis, array.dtype)
    rest = array - basis @ (basis.T @ array)
    return float((rest * rest).sum(dtype="float64")), 2 * rest


def _bending(grid: Array, around: Surroundings) -> tuple[float, Array]:
    """Σ of squared second differences along the first axis, and its gradient."""
    bend = grid[2:] - 2 * grid[1:-1] + grid[:-2]
    gradient = around.backend.xp.zeros_like(grid)
    gradient[2:] += 2 * bend
    gradient[1:-1] -= 4 * bend
    gradient[:-2] += 2 * bend
    return float((bend * bend).sum(dtype="float64")), gradient


def _on_grid(array: Array, around: Surroundings):
    ny, nx = _scan_size(array, around)
    return array.reshape(ny, nx, -1), lambda gradient: gradient.reshape(array.shape)


def _scan_size(array: Array, around: Surroundings) -> tuple[int, int]:
    size = around.preset.scan_size
    if size is None or size[0] * size[1] != len(array):
        given = "none is given" if size is None else f"{size[0]} × {size[1]} is given"
        raise ParameterError(f"scan_size: constraints on the scan grid need one that holds {len(array)} points; {given}")
    return int(size[0]), int(size[1])


TERMS = (
    Regulariser("fast axis, positions", "fast_axis_reg_weight_positions", "positions", fast_axis),
    Regulariser("fast axis, tilts", "fast_axis_reg_weight_tilts", "tilts", fast_axis),
    Regulariser(
        "slow axis, positions", "slow_axis_reg_weight_positions", "positions", slow_axis, ("slow_axis_reg_coeff_positions",)
    ),
    Regulariser("slow axis, tilts", "slow_axis_reg_weight_tilts", "tilts", slow_axis, ("slow_axis_reg_coeff_tilts",)),
    Regulariser("deformation, positions", "deformation_reg_weight_positions", "positions", deformation),
    Regulariser("deformation, tilts", "deformation_reg_weight_tilts", "tilts", deformation),
)
