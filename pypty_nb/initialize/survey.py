"""One pass over the patterns for all that orientation and focus are found from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pypty_nb.data import DataError, Dataset
from pypty_nb.initialize.aperture import Disc, disc_mask
from pypty_nb.initialize.scan_grid import READINGS
from pypty_nb.initialize.virtual import Progress, batches

#: The bright field is divided into about this many square blocks of detector pixels.
_BLOCKS = 150
#: Blocks lie within this share of the disc's radius. Towards its rim a wave interferes with one of its two sidebands only, and
#: the phase of that one looks like a further shift: at 0.9 C10 comes out up to a tenth too large, at 0.65 within 3 %.
_INNER = 0.65
#: The bright field is taken up to, the dark field from this multiple of the radius.
RIM = 1.15


@dataclass(frozen=True)
class ScanMaps:
    """Images of the scan.

    Attributes
    ----------
    scan_size : (int, int)
        (scan_y, scan_x).
    com : float array, (scan_y, scan_x, 2)
        Centre of mass of the bright field, [y, x] px of the detector, from the disc's centre.
    bright, dark : float array, (scan_y, scan_x)
        Counts within and beyond 1.15 radii.
    offsets : float array, (block, 2)
        Middle of each block of detector pixels, [y, x] px from the disc's centre.
    blocks : float32 array, (block, scan_y, scan_x)
        Counts in it.
    radius : float
        Of the disc, px.
    """

    scan_size: tuple[int, int]
    com: np.ndarray
    bright: np.ndarray
    dark: np.ndarray
    offsets: np.ndarray
    blocks: np.ndarray
    radius: float

    def read_as(self, reading: str) -> ScanMaps:
        """The same with the axes of the scan lying as the one of `READINGS` says."""
        matrix = READINGS[reading]
        swapped = bool(matrix[0, 1])
        steps = tuple(slice(None, None, int(sign)) for sign in matrix.sum(axis=1))

        def turned(image: np.ndarray) -> np.ndarray:
            return (image.swapaxes(0, 1) if swapped else image)[steps]

        com, bright, dark = (np.ascontiguousarray(turned(image)) for image in (self.com, self.bright, self.dark))
        blocks = np.stack([turned(image) for image in self.blocks])
        return replace(self, scan_size=(bright.shape[0], bright.shape[1]), com=com, bright=bright, dark=dark, blocks=blocks)


def survey(dataset: Dataset, disc: Disc, scan_size: tuple[int, int], *, progress: Progress | None = None) -> ScanMaps:
    """Centre of mass, bright field, dark field, and an image for every block of the bright field, in one pass.

    Raises
    ------
    DataError
        Where the patterns do not fill the scan.
    """
    count, height, width = dataset.shape[0], dataset.shape[1], dataset.shape[2]
    if scan_size[0] * scan_size[1] != count:
        raise DataError(f"{dataset.name}: {count} patterns do not fill a scan of {scan_size[0]} × {scan_size[1]} points")
    side = max(1, round(disc.radius * _INNER * np.sqrt(np.pi / _BLOCKS)))
    window, offsets, inside = _blocks((height, width), disc, side)
    near = disc_mask((height, width), disc.centre, RIM * disc.radius)
    y, x = np.indices((height, width))
    weights = np.stack([near, near * (y - disc.centre[0]), near * (x - disc.centre[1]), 1 - near], axis=-1)
    sums, blocks = np.empty((count, 4)), np.empty((count, len(offsets)), np.float32)
    for indices, read in batches(dataset):
        # what is no number counts as nothing, as in the mean pattern
        patterns = np.where(np.isfinite(read), read, 0) if read.dtype.kind == "f" else read
        sums[indices] = np.tensordot(patterns.astype(np.float64), weights, axes=2)
        cut = patterns[:, window[0], window[1]].astype(np.float64)
        cut = cut.reshape(len(cut), cut.shape[1] // side, side, cut.shape[2] // side, side).sum(axis=(2, 4))
        blocks[indices] = cut[:, inside]
        if progress is not None:
            progress(int(indices[-1]) + 1, count)
    lit = sums[:, 0] > 0
    com = np.where(lit[:, None], sums[:, 1:3] / np.where(lit, sums[:, 0], 1)[:, None], 0.0)
    return ScanMaps(
        scan_size=scan_size,
        com=com.reshape(*scan_size, 2),
        bright=sums[:, 0].reshape(scan_size),
        dark=sums[:, 3].reshape(scan_size),
        offsets=offsets,
        blocks=np.ascontiguousarray(blocks.T).reshape(-1, *scan_size),
        radius=disc.radius,
    )


def _blocks(shape: tuple[int, int], disc: Disc, side: int) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """Rows and columns that hold whole blocks, middles of those within the disc, and which of the blocks they are."""
    reach = int(_INNER * disc.radius // side)
    rows, middles = [], []
    for length, centre in zip(shape, disc.centre, strict=True):
        first = round(centre - (side - 1) / 2) - reach * side
        first += side * max(0, -(first // side))
        last = min(round(centre - (side - 1) / 2) + (reach + 1) * side, length)
        last = first + (last - first) // side * side
        rows.append(slice(first, last))
        middles.append(np.arange(first, last, side) + (side - 1) / 2 - centre)
    offsets = np.stack(np.meshgrid(*middles, indexing="ij"), axis=-1)
    inside = np.hypot(offsets[..., 0], offsets[..., 1]) <= _INNER * disc.radius
    return (rows[0], rows[1]), offsets[inside], inside
