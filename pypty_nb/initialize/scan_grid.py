"""How the scan lies to the detector: rotation, reading, positions.

A point s = [y, x] of the scan lies at p = R(θ)·M·s in the detector's frame, in which object and positions are held: M is
`transform_axis_matrix`, and R(θ) with θ = −`PLRotation_deg` gives x' = x cos θ + y sin θ, y' = −x sin θ + y cos θ.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

#: The eight ways to read a scan, as M on [y, x].
READINGS: dict[str, np.ndarray] = {
    "as read": np.array([[1, 0], [0, 1]]),
    "flip x": np.array([[1, 0], [0, -1]]),
    "flip y": np.array([[-1, 0], [0, 1]]),
    "rotate 180°": np.array([[-1, 0], [0, -1]]),
    "transpose": np.array([[0, 1], [1, 0]]),
    "rotate 90°": np.array([[0, -1], [1, 0]]),
    "rotate 270°": np.array([[0, 1], [-1, 0]]),
    "anti-transpose": np.array([[0, -1], [-1, 0]]),
}

#: How far, in steps, points of a raster may lie off it; and by what share of a step it may be stretched or turned.
_JITTER, _SKEW = 0.25, 0.02


def scan_matrix(rotation_deg: float, axes: np.ndarray | str = "as read") -> np.ndarray:
    """R(−`rotation_deg`)·M, (2, 2) float64 on [y, x]; `axes` is M or the name of a reading."""
    turn = np.deg2rad(-rotation_deg)
    matrix = READINGS[axes] if isinstance(axes, str) else np.asarray(axes, np.float64)
    return np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ matrix


def split(matrix: np.ndarray) -> tuple[str, float]:
    """The reading, and `PLRotation_deg` within ±45°, that `scan_matrix` makes `matrix` from; it is orthogonal."""
    name = max(READINGS, key=lambda name: float(np.trace(matrix @ READINGS[name].T)))
    return name, rotation_of(matrix, READINGS[name])


def rotation_of(matrix: np.ndarray, axes: np.ndarray) -> float:
    """`PLRotation_deg` in (−180, 180] that turns M = `axes` into `matrix` as nearly as can be."""
    turn = matrix @ np.linalg.inv(axes)
    return float(-np.rad2deg(np.arctan2(turn[1, 0] - turn[0, 1], turn[0, 0] + turn[1, 1])))


def grid_positions_A(scan_size: tuple[int, int], step_A: float) -> np.ndarray:
    """Points of a raster in the scan's own axes, (pattern, 2) float64, [y, x] Å."""
    y, x = np.meshgrid(np.arange(scan_size[0]), np.arange(scan_size[1]), indexing="ij")
    return step_A * np.stack([y.ravel(), x.ravel()], axis=1).astype(np.float64)


class Lattice(NamedTuple):
    """The raster that points fill row for row.

    Attributes
    ----------
    matrix : float array, (2, 2)
        What the point [row, column] of the scan is multiplied by, in the unit of the points.
    reading : str or None
        Which of `READINGS` of a raster with the same step both ways that is; ``None`` where it is none of them.
    """

    matrix: np.ndarray
    reading: str | None

    @property
    def steps(self) -> tuple[float, float]:
        """Distance from row to row and from column to column, in the unit of the points."""
        rows, columns = np.linalg.norm(self.matrix, axis=0)
        return float(rows), float(columns)

    @property
    def step(self) -> float:
        """One for both."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))


def lattice_of(points: np.ndarray, scan_size: tuple[int, int]) -> Lattice | None:
    """The raster of `scan_size` that points (pattern, 2) lie on to a quarter of its step; ``None`` where they do not."""
    if min(scan_size) < 2 or scan_size[0] * scan_size[1] != len(points):
        return None
    places = grid_positions_A(scan_size, 1.0)
    middle = points.mean(axis=0)
    matrix = np.linalg.lstsq(places - places.mean(axis=0), points - middle, rcond=None)[0].T
    step = float(np.sqrt(abs(np.linalg.det(matrix))))
    off = np.hypot(*(points - middle - (places - places.mean(axis=0)) @ matrix.T).T)
    if not step or off.max() > _JITTER * min(np.linalg.norm(matrix, axis=0)):
        return None
    near = [name for name, turn in READINGS.items() if np.abs(matrix / step - turn).max() < _SKEW]
    return Lattice(matrix, near[0] if near else None)


def positions_px(points_A: np.ndarray, matrix: np.ndarray, pixel_size_A: tuple[float, float]) -> np.ndarray:
    """Points of the scan (pattern, 2) as the patches' top-left corners, [y, x] px; the smallest of each is 0."""
    turned = points_A @ matrix.T
    return (turned - turned.min(axis=0)) / np.asarray(pixel_size_A)
