"""The bright-field disc: where its centre is, and how large it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import scipy.ndimage as ndi

from pypty_nb.data import DataError

#: What to do where there is nothing in the patterns.
NO_COUNTS = "see whether these are the patterns that are meant, and whether the beam was on"
_DIRECTIONS = 360
#: A pixel within this share of the radius, with less than this share of the counts at the edge, lies in a shadow.
_WELL_INSIDE, _DARK = 0.8, 0.1
_STEP_PX = 0.25
#: Directions whose edge lies further than this many robust deviations off the ellipse see a beam stop, not the aperture.
_OUTLIER = 3.0
#: Below this share of directions with an edge the disc does not fit on the detector.
_NEEDED = 0.35


@dataclass(frozen=True)
class Disc:
    """The bright-field disc of a mean pattern.

    Attributes
    ----------
    centre : (float, float)
        [y, x], px.
    radius : float
        px.
    centre_uncertainty, radius_uncertainty : float
        px; that of the radius is the spread of the edge around the circle, below which a radius means nothing.
    ellipticity : float
        (longest − shortest) / mean radius.
    level : float
        Counts at the edge.
    edges : float array, (direction, 2)
        [y, x] of the edge, px; only directions that took part.
    profile : float array, (n,)
        Mean counts at radius 0, 1, 2, … px.
    images : mapping of str to array
        "mean pattern" (ky, kx), and "aperture" (ky, kx), the mask.
    """

    centre: tuple[float, float]
    radius: float
    centre_uncertainty: float
    radius_uncertainty: float
    ellipticity: float
    level: float
    edges: np.ndarray
    profile: np.ndarray
    images: Mapping[str, np.ndarray] = field(repr=False)


def disc_mask(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> np.ndarray:
    """1 where a pixel's centre lies within `radius` (px) of `centre` ([y, x], px), else 0; (ky, kx) float64."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (np.hypot(y - centre[0], x - centre[1]) <= radius).astype(np.float64)


def hidden(mean_pattern: np.ndarray, disc: Disc) -> np.ndarray:
    """True where a pixel well inside the disc has hardly any of its counts, (ky, kx)."""
    inside = disc_mask(mean_pattern.shape, disc.centre, _WELL_INSIDE * disc.radius) > 0
    return inside & (mean_pattern < _DARK * disc.level)


def fit_disc(mean_pattern: np.ndarray, threshold: float = 0.5) -> Disc:
    """Fit the bright-field disc of `mean_pattern`, (ky, kx) counts.

    The edge is where the counts fall to `threshold` of the way from around the disc to inside it, seen from the centre in 360
    directions; an ellipse through it by least squares leaves out the directions that a beam stop or hot pixels spoil.

    Raises
    ------
    DataError
        Where the pattern is zero, holds no disc, or the disc is larger than the detector; or the threshold is none.
    """
    if not 0 < threshold < 1:
        raise DataError(f"bright_threshold: must be above 0 and below 1, got {threshold!r}")
    if not np.isfinite(mean_pattern).all() or not (mean_pattern > 0).any():
        raise DataError(f"mean pattern: holds no counts, or NaN; no disc can be found in it; {NO_COUNTS}")
    clean = without_hot_pixels(mean_pattern)
    inside = float(np.median(clean[clean >= 0.5 * np.percentile(clean, 99)]))
    around = float(np.percentile(clean, 5))
    if inside - around < 0.2 * inside:
        raise DataError(
            "mean pattern: the counts hardly fall towards the rim, so the bright-field disc is larger than the detector, or "
            "there is none; record with a shorter camera length, or give the aperture as a mask"
        )
    level = around + threshold * (inside - around)
    if not (clean > level).any():
        raise DataError("mean pattern: single pixels apart it holds no counts, so there is no bright-field disc to be found")
    rim = _Rim(_first_centre(clean > level))
    for _ in range(4):
        rim = _fitted_rim(clean, rim.centre, level)
    # r(φ) without the part that makes it an ellipse
    spread = float(np.std(rim.distances[rim.kept] - rim.fit[0]))
    centre, radius = (float(rim.centre[0]), float(rim.centre[1])), float(rim.fit[0])
    room = min(*centre, clean.shape[0] - 1 - centre[0], clean.shape[1] - 1 - centre[1])
    if radius > room + 1:
        raise DataError(
            f"mean pattern: the disc of {radius:.1f} px around [{centre[0]:.1f}, {centre[1]:.1f}] reaches beyond the "
            f"detector of {clean.shape[0]} × {clean.shape[1]} px; record with a shorter camera length, or centre the beam"
        )
    return Disc(
        centre=centre,
        radius=radius,
        centre_uncertainty=spread * float(np.sqrt(2 / rim.kept.sum())),
        radius_uncertainty=spread,
        ellipticity=2 * float(np.hypot(rim.fit[3], rim.fit[4])) / radius,
        level=level,
        edges=rim.edges[rim.kept],
        profile=_profile(clean, rim.centre),
        images={"mean pattern": mean_pattern, "aperture": disc_mask(clean.shape, centre, radius)},
    )


def disc_of_mask(aperture: np.ndarray, mean_pattern: np.ndarray) -> Disc:
    """The disc that a user's binary mask, (ky, kx), stands for: its centroid, and the radius of its area."""
    mask = np.asarray(aperture, bool)
    if mask.shape != mean_pattern.shape or not mask.any():
        raise DataError(f"aperture: is {mask.shape}, {int(mask.sum())} pixels inside; the patterns are {mean_pattern.shape}")
    centre = np.array(ndi.center_of_mass(mask))
    radius = float(np.sqrt(mask.sum() / np.pi))
    images = {"mean pattern": mean_pattern, "aperture": mask.astype(np.float64)}
    profile = _profile(mean_pattern, centre)
    level = float(mean_pattern[mask].mean()) / 2
    # a pixel of the mask more or less along its rim
    return Disc((float(centre[0]), float(centre[1])), radius, 0.5 / radius, 0.5, 0.0, level, np.empty((0, 2)), profile, images)


def without_hot_pixels(pattern: np.ndarray) -> np.ndarray:
    """`pattern` with single pixels far above all their neighbours replaced by the neighbours' median; float64."""
    pattern = np.asarray(pattern, np.float64)
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    median = ndi.median_filter(pattern, footprint=ring, mode="nearest")
    largest = ndi.maximum_filter(pattern, footprint=ring, mode="nearest")
    return np.where(pattern > 3 * largest + 1e-12, median, pattern)


def _first_centre(mask: np.ndarray) -> np.ndarray:
    """The middle of the largest bright patch; a beam stop that cuts into it shifts the middle but little."""
    labels, count = ndi.label(mask)  # pyright: ignore[reportGeneralTypeIssues]
    sizes = np.bincount(np.ravel(labels), minlength=count + 1)[1:]
    where = np.argwhere(np.ravel(labels).reshape(mask.shape) == 1 + np.argmax(sizes))
    return (where.min(axis=0) + where.max(axis=0)) / 2


class _Rim(NamedTuple):
    """Edges seen from a centre: r(φ) = fit · (1, sin φ, cos φ, sin 2φ, cos 2φ), and which of them it fits."""

    centre: np.ndarray
    edges: np.ndarray = np.empty((0, 2))
    distances: np.ndarray = np.empty(0)
    fit: np.ndarray = np.zeros(5)
    kept: np.ndarray = np.empty(0, bool)


def _fitted_rim(pattern: np.ndarray, centre: np.ndarray, level: float) -> _Rim:
    """The rim as seen from `centre`, and the centre that it would have: a shifted ellipse, to first order."""
    edges, angles = _edges(pattern, centre, level)
    if len(edges) < _NEEDED * _DIRECTIONS:
        raise DataError(
            f"mean pattern: an edge of the bright-field disc is seen in {len(edges)} of {_DIRECTIONS} directions only: the "
            "disc is larger than the detector or cut by it; record with a shorter camera length, or give the aperture"
        )
    waves = np.stack([np.ones_like(angles), *(f(n * angles) for n in (1, 2) for f in (np.sin, np.cos))], axis=1)
    distances = np.hypot(*(edges - centre).T)
    fit, kept = _robust_fit(waves, distances)
    return _Rim(centre + fit[1:3], edges, distances - waves[:, 1:3] @ fit[1:3], fit, kept)


def _edges(pattern: np.ndarray, centre: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Outermost fall through `level` in each direction where there is one: [y, x] (n, 2), and the angles (n,)."""
    angles = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    reach = np.hypot(*pattern.shape)
    radii = np.arange(0, reach, _STEP_PX)
    directions = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    points = centre[:, None, None] + directions.T[:, :, None] * radii
    seen = np.all((points >= 0) & (points <= np.array(pattern.shape)[:, None, None] - 1), axis=0)
    counts = np.where(seen, ndi.map_coordinates(pattern, points, order=1, mode="nearest"), np.nan)
    above = np.greater(counts, level)
    last = len(radii) - 1 - np.argmax(above[:, ::-1], axis=1)
    rows = np.arange(_DIRECTIONS)
    outer = np.minimum(last + 1, len(radii) - 1)
    # without a pixel outside, the disc goes beyond the detector in this direction
    found = above.any(axis=1) & seen[rows, outer] & (outer > last)
    high, low = counts[rows, last][found], counts[rows, outer][found]
    distance = radii[last[found]] + _STEP_PX * (high - level) / np.maximum(high - low, 1e-30)
    return centre + directions[found] * distance[:, None], angles[found]


def _robust_fit(waves: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    kept = np.abs(distances - np.median(distances)) < 0.5 * np.median(distances)
    fit = np.zeros(waves.shape[1])
    for _ in range(10):
        fit = np.linalg.lstsq(waves[kept], distances[kept], rcond=None)[0]
        residual = np.abs(distances - waves @ fit)
        bound = _OUTLIER * 1.4826 * float(np.median(residual[kept])) + 0.1
        kept = residual < bound
    return fit, kept


def _profile(pattern: np.ndarray, centre: np.ndarray) -> np.ndarray:
    y, x = np.indices(pattern.shape)
    ring = np.rint(np.hypot(y - centre[0], x - centre[1])).astype(int)
    sums, counts = np.bincount(ring.ravel(), pattern.ravel()), np.bincount(ring.ravel())
    reach = int(min(*centre, *(np.array(pattern.shape) - 1 - centre)))
    return sums[: max(reach, 1)] / np.maximum(counts[: max(reach, 1)], 1)
