"""What pictures are made of: maps over the scan, the scan's place on the object, the probe in reciprocal space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull, KDTree, QhullError

from pypty_nb.physics.units import electron_wavelength
from pypty_nb.records import Refinables

#: Pixels of a map along the longer side of a scan that is no grid, per scan point along it.
_FINER = 2.0
#: How far, in mean distances of scan points, a pixel may lie from the nearest one.
_REACH = 1.5
#: More pixels of a map per scan point than this has only a scan that lies all but on a line.
_MOST_PIXELS = 64


def raster(grid: tuple[int, int] | None, count: int) -> tuple[int, int] | None:
    """The size of a scan of `count` points where that is a raster: of two rows and columns or more, and filled."""
    if grid is None or min(grid) < 2 or grid[0] * grid[1] != count:
        return None
    return int(grid[0]), int(grid[1])


@dataclass(frozen=True)
class ScanMap:
    """Values of scan points as a picture.

    Attributes
    ----------
    values : float array, (y, x)
        NaN where there is no scan point near.
    index : int array, (y, x)
        The scan point of every pixel; -1 where there is none.
    grid : (int, int) or None
        The scan's size where it is a raster.
    step : float or None
        Size of a pixel in the unit of the positions; ``None`` on a grid.
    """

    values: np.ndarray
    index: np.ndarray
    grid: tuple[int, int] | None
    step: float | None = None

    def place(self, index: int) -> tuple[float, float] | None:
        """The middle (y, x) of scan point `index`, pixels of the map."""
        found = np.argwhere(self.index == index)
        return tuple(found.mean(axis=0) + 0.5) if len(found) else None

    def at(self, y: float, x: float) -> int | None:
        """The scan point at a place of the map; ``None`` where there is none."""
        rows, columns = self.index.shape
        if not (0 <= y < rows and 0 <= x < columns):
            return None
        index = int(self.index[int(y), int(x)])
        return index if index >= 0 else None

    def name(self, index: int) -> str:
        """Scan point `index` in words."""
        return f"row {index // self.grid[1]}, column {index % self.grid[1]}" if self.grid else f"scan point {index}"

    def words(self, row: int, column: int) -> str | None:
        """The scan point at a pixel of the map in words; ``None`` where there is none."""
        index = self.at(row, column)
        return None if index is None else self.name(index)


def scan_map(values: np.ndarray, positions: np.ndarray | None, grid: tuple[int, int] | None) -> ScanMap | None:
    """A value a scan point, as a picture: a raster as it was scanned, any other scan by the nearest point, a line as one.

    Parameters
    ----------
    values : float array, (pattern,)
    positions : float array, (pattern, 2), or None
        [y, x], in any unit.
    grid : (int, int) or None
        `scan_size`.

    Returns
    -------
    ScanMap, or None where neither a grid nor positions that spread over an area are known
    """
    size = raster(grid, len(values))
    scattered = _scattered(values, positions) if size is None else None
    if scattered is not None or grid is None or grid[0] * grid[1] != len(values):
        return scattered
    return ScanMap(np.reshape(values, grid), np.arange(len(values)).reshape(grid), size)


def _scattered(values: np.ndarray, positions: np.ndarray | None) -> ScanMap | None:
    if positions is None or np.shape(positions) != (len(values), 2) or len(values) < 2:
        return None
    positions = np.asarray(positions, float)
    if not np.isfinite(positions).all():
        return None
    first, extent = positions.min(axis=0), np.ptp(positions, axis=0)
    if not extent.all():
        return None
    distance = float(np.sqrt(extent.prod() / len(values)))
    step = distance / _FINER
    shape = np.ceil(extent / step).astype(int) + 1
    if shape.prod() > _MOST_PIXELS * len(values):
        return None
    y, x = np.mgrid[: shape[0], : shape[1]]
    away, index = KDTree(positions).query(first + step * np.stack([y, x], axis=-1))
    index = np.where(away <= _REACH * distance, index, -1)
    return ScanMap(np.where(index >= 0, values[index], np.nan), index, None, step)


def centres(point: Refinables) -> np.ndarray | None:
    """Where the beam's centre met the object, (pattern, 2) as [y, x], object pixels; ``None`` where that is not known."""
    if point.positions is None or point.probe is None:
        return None
    return np.asarray(point.positions, float) + np.array(point.probe.shape[:2]) / 2


def outline(places: np.ndarray) -> np.ndarray:
    """The corners of the scanned area, (corner, 2), closed; none where the points lie on a line."""
    try:
        corners = ConvexHull(places).vertices
    except (QhullError, ValueError):
        return np.zeros((0, 2))
    return places[[*corners, corners[0]]]


def scanned(point: Refinables, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of the object under the beam's centre; all where that is not known."""
    places = centres(point)
    if places is None or len(places) < 2:
        return slice(None), slice(None)
    found = []
    for axis in (0, 1):
        first, last = int(places[:, axis].min()), int(places[:, axis].max()) + 1
        first = min(max(first, 0), shape[axis] - 1)
        found.append(slice(first, max(first + 1, min(last, shape[axis]))))
    return found[0], found[1]


def reciprocal(probe: np.ndarray) -> np.ndarray:
    """The probe (y, x, …) in reciprocal space, zero frequency in the middle."""
    return np.fft.fftshift(np.fft.fft2(np.fft.ifftshift(probe, axes=(0, 1)), axes=(0, 1), norm="ortho"), axes=(0, 1))


def reciprocal_pixel(shape: tuple[int, ...], pixel: tuple[float, float], kilovolts: float) -> tuple[float, float]:
    """Size (y, x) of a pixel of `reciprocal`, mrad."""
    wavelength = electron_wavelength(kilovolts)
    return 1e3 * wavelength / (shape[0] * pixel[0]), 1e3 * wavelength / (shape[1] * pixel[1])
