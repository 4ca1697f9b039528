"""Shadow images: the specimen as each part of the bright field sees it, and how far they lie apart.

The part of a beam that travels at q meets the specimen at r = ∇χ/2π from its axis, χ being the aberration phase. So the virtual
image of a detector pixel shows the specimen displaced by −r(q), to first order a matrix times the pixel's angle. Tilt-corrected
bright field measures the matrix, and in it lie C10, astigmatism, rotation and handedness at once.
Lupini, Chi and Jesse, J. Microsc. 263, 43 (2016); Varnavides et al., arXiv:2309.05250 (2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import scipy.ndimage as ndi

from pypty_nb.initialize.survey import ScanMaps
from pypty_nb.initialize.virtual import Progress
from pypty_nb.physics.taper import tukey

#: Shares of the disc taken in one after the other, each with how far from its expected place an image is looked for, in points.
_STAGES = ((0.35, None), (0.5, 5.0), (0.65, 4.0), (0.65, 3.0), (0.65, 2.0), (0.65, 2.0))
#: No more scan points than these along each axis are needed, and memory stays small.
_REGION = 128
_SMOOTH = 0.2
_DRIFT = 10.0


@dataclass(frozen=True)
class Shadows:
    """How shadow images lie to each other.

    Attributes
    ----------
    matrix : float array, (2, 2)
        Displacement [y, x] in scan points for an offset [y, x] in detector pixels.
    uncertainty : float
        Standard deviation of each of its entries.
    offsets, shifts : float array, (block, 2)
        What it was fitted to, px and scan points.
    explained : float
        Share of the shifts' squares that the matrix explains, 0 to 1.
    correlation : float
        Median correlation of an image with the mean of the others, as displaced by the matrix.
    images : mapping of str to array
        "bright field" (scan_y, scan_x), the plain sum, and "tilt-corrected", the sum of the images put over each other.
    """

    matrix: np.ndarray
    uncertainty: float
    offsets: np.ndarray
    shifts: np.ndarray
    explained: float
    correlation: float
    images: Mapping[str, np.ndarray] = field(repr=False)

    @property
    def significance(self) -> float:
        """The smaller of the matrix's singular values in standard deviations."""
        return float(np.linalg.svd(self.matrix, compute_uv=False)[1] / self.uncertainty)

    @property
    def clear(self) -> bool:
        """Whether the images are displaced, and as a matrix would have it."""
        return self.significance > 8 and self.explained > 0.6 and self.correlation > 0.05


def shadow_shifts(maps: ScanMaps, *, progress: Progress | None = None) -> Shadows:
    """Displacements of the blocks' images of `maps`, and the matrix that fits them best."""
    spectra, offsets = _spectra(maps)
    shape = (spectra.shape[1], spectra.shape[2])
    qy, qx = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :]
    distance = np.hypot(*offsets.T) / maps.radius
    power = np.sqrt((np.abs(spectra) ** 2).sum(axis=(1, 2)))
    matrix, covariance = np.zeros((2, 2)), np.eye(2)
    used, shifts, heights = offsets, np.zeros_like(offsets), np.zeros(len(offsets))
    for stage, (share, search) in enumerate(_STAGES):
        if progress is not None:
            progress(stage, len(_STAGES))
        chosen = np.flatnonzero((distance <= share) & (power > 0))
        if len(chosen) < 6:
            continue
        used = offsets[chosen]
        expected = used @ matrix.T
        turned = [
            spectra[i] * np.exp(2j * np.pi * (qy * e[0] + qx * e[1])).astype(np.complex64)
            for i, e in zip(chosen, expected, strict=True)
        ]
        mean = np.mean(turned, axis=0)
        reach = min(maps.scan_size) / 3 if search is None else search
        found = [_displacement(t, mean - t / len(turned), p, reach) for t, p in zip(turned, power[chosen], strict=True)]
        shifts = expected + np.array([shift for shift, _ in found])
        heights = np.array([height for _, height in found])
        matrix, covariance = _robust_matrix(used, shifts, heights)
    left = ((shifts - used @ matrix.T) ** 2).sum(axis=1)
    # medians, since a few images show nothing
    explained = 1 - float(np.median(left) / max(np.median((shifts**2).sum(axis=1)), 1e-30))
    return Shadows(
        matrix=matrix,
        uncertainty=float(np.sqrt(np.trace(covariance) / 2)),
        offsets=used,
        shifts=shifts,
        explained=max(explained, 0.0),
        correlation=float(np.median(heights)),
        images=_pictures(maps, matrix),
    )


def _spectra(maps: ScanMaps) -> tuple[np.ndarray, np.ndarray]:
    """Transforms of the blocks' images, levelled, tapered, padded, (block, y, x) complex64, and the blocks' offsets."""
    rows, columns = (_region(maps.bright, axis) for axis in (0, 1))
    means = maps.blocks[:, rows, columns].mean(axis=(1, 2))
    lit = means > 0.2 * np.median(means)
    images = maps.blocks[lit][:, rows, columns] / means[lit, None, None] - 1
    images -= ndi.gaussian_filter(images, (0, _DRIFT, _DRIFT), mode="nearest")
    taper = np.outer(*(tukey(n + 2, 0.5)[1:-1] for n in images.shape[1:]))
    padded = tuple(int(2 * n) for n in images.shape[1:])
    qy, qx = np.fft.fftfreq(padded[0])[:, None], np.fft.fftfreq(padded[1])[None, :]
    smooth = np.exp(-(qy**2 + qx**2) / (2 * _SMOOTH**2))
    return (np.fft.fft2(images * taper, s=padded) * smooth).astype(np.complex64), maps.offsets[lit]


def _region(image: np.ndarray, axis: int) -> slice:
    """The stretch of at most `_REGION` points along `axis` in which the image varies most."""
    length = image.shape[axis]
    if length <= _REGION:
        return slice(0, length)
    roughness = ndi.gaussian_gradient_magnitude(image, 1.0).mean(axis=1 - axis)
    sums = np.convolve(roughness, np.ones(_REGION), "valid")
    first = int(np.argmax(sums))
    return slice(first, first + _REGION)


def _displacement(spectrum: np.ndarray, reference: np.ndarray, power: float, reach: float) -> tuple[np.ndarray, float]:
    """Where the image of `spectrum` lies to that of `reference`, [y, x], and their correlation there."""
    size = np.sqrt((np.abs(reference) ** 2).sum())
    correlation = np.fft.ifft2(spectrum * reference.conj()).real
    correlation *= correlation.size / max(float(power * size), 1e-30)
    y, x = (np.fft.fftfreq(n, 1 / n) for n in correlation.shape)
    near = np.hypot(y[:, None], x[None, :]) <= reach
    i, j = np.unravel_index(int(np.argmax(np.where(near, correlation, -np.inf))), correlation.shape)
    column, row = correlation[:, j], correlation[i]
    return np.array([y[i] + _vertex(column, int(i)), x[j] + _vertex(row, int(j))]), float(correlation[i, j])


def _vertex(values: np.ndarray, at: int) -> float:
    """Where the parabola through three neighbours has its top, from the middle one."""
    before, here, after = values[at - 1], values[at], values[(at + 1) % len(values)]
    bend = before - 2 * here + after
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5)) if bend < 0 else 0.0


def _robust_matrix(offsets: np.ndarray, shifts: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """M with shifts ≈ offsets·Mᵀ, weighted and with outliers played down (Cauchy), and the covariance of a row of it."""
    trust = np.clip(heights, 1e-6, None)
    weights = trust
    matrix, scale = np.zeros((2, 2)), 1.0
    for _ in range(20):
        normal = offsets.T @ (weights[:, None] * offsets)
        matrix = np.linalg.solve(normal, offsets.T @ (weights[:, None] * shifts)).T
        residual = np.hypot(*(shifts - offsets @ matrix.T).T)
        scale = max(float(np.median(residual)) / 1.177, 1e-3)
        weights = trust / (1 + (residual / (2 * scale)) ** 2)
    effective = weights / weights.max()
    return matrix, np.linalg.inv(offsets.T @ (effective[:, None] * offsets)) * scale**2


def _pictures(maps: ScanMaps, matrix: np.ndarray) -> dict[str, np.ndarray]:
    shape = maps.scan_size
    qy, qx = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :]
    total = np.zeros(shape, complex)
    for image, shift in zip(maps.blocks, maps.offsets @ matrix.T, strict=True):
        total += np.fft.fft2(image) * np.exp(2j * np.pi * (qy * shift[0] + qx * shift[1]))
    return {"bright field": maps.blocks.sum(axis=0, dtype=np.float64), "tilt-corrected": np.fft.ifft2(total).real}
