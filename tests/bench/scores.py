"""How near a reconstruction is to a truth that is known."""

from __future__ import annotations

import numpy as np

from pypty_nb.physics.frc import aligned
from pypty_nb.physics.phases import fitted_plane

#: Pixels inside the outermost probe centres that are left out: fewer patterns saw them.
_MARGIN = 4


class Field:
    """The part of an object that all around a scan saw.

    Parameters
    ----------
    obj : complex array, (y, x, slice, mode)
        The truth.
    positions : float array, (pattern, 2)
        Its scan, px.
    window : int
        Width of the patches, px.
    """

    def __init__(self, obj: np.ndarray, positions: np.ndarray, window: int):
        self._positions = positions
        self._first = np.floor(positions.min(axis=0) + window // 2).astype(int) + _MARGIN
        self._last = np.ceil(positions.max(axis=0) + window // 2).astype(int) - _MARGIN
        self._right = self._of(obj, np.zeros(2, int))

    def _of(self, obj: np.ndarray, off: np.ndarray) -> np.ndarray:
        (top, left), (bottom, right) = self._first + off, self._last + off
        return obj[top:bottom, left:right, :, 0]

    def _found(self, obj: np.ndarray, positions: np.ndarray) -> np.ndarray:
        # an object that was padded lies further down and to the right, and its positions with it
        return self._of(obj, np.rint((positions - self._positions).mean(axis=0)).astype(int))

    def phase_error(self, obj: np.ndarray, positions: np.ndarray) -> float:
        """Root mean square, rad, of the phase through all slices; registered, plane and offset removed."""
        right, found, _ = aligned(self._right.prod(axis=2), self._found(obj, positions).prod(axis=2))
        return float(np.angle(right * found.conj()).std())

    def likeness(self, obj: np.ndarray, positions: np.ndarray) -> np.ndarray:
        """Correlation of the phase of every true slice (row) with every found one (column)."""
        right, found = (np.angle(part) for part in (self._right, self._found(obj, positions)))
        count = right.shape[2]
        flat = [(part[..., n] - fitted_plane(part[..., n])).ravel() for part in (right, found) for n in range(count)]
        return np.corrcoef(flat)[:count, count:]


def jitter(found: np.ndarray, right: np.ndarray) -> float:
    """Root mean square distance of positions, px, but for a common affine map, which an object can take up."""
    grid = np.column_stack([right, np.ones(len(right))])
    fitted = grid @ np.linalg.lstsq(grid, found - right, rcond=None)[0]
    return float(np.sqrt(((found - right - fitted) ** 2).sum(axis=1).mean()))
