"""Looking into measurements before anything is set: mean pattern, virtual images, single patterns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pypty_nb.data import DataError, Dataset
from pypty_nb.data.dataset import ArrayDataset
from pypty_nb.initialize import annular_mask, scan_maps, virtual_image
from pypty_nb.workspace.pictures import ScanMap, scan_map

#: Patterns, spread over the scan, from which the disc is guessed before all are read.
_FIRST = 64
#: The ring, at first, begins and ends at these multiples of the disc's radius.
_RING = (1.1, 2.0)
_BINS = 48

Progress = Callable[[int, int], None]


class StoppedError(Exception):
    """Reading was called off."""


@dataclass(frozen=True)
class Detector:
    """A virtual detector: the pixels of the pattern that are summed.

    Attributes
    ----------
    kind : "sum", "disc" or "ring"
    centre : (float, float)
        [y, x], px from the first pixel.
    inner, outer : float
        Radii, px.
    """

    kind: str
    centre: tuple[float, float]
    inner: float
    outer: float

    def mask(self, window: tuple[int, int]) -> np.ndarray:
        """Its weights, (ky, kx) bool.

        Raises
        ------
        DataError
            Where no pixel lies in it.
        """
        if self.kind == "sum":
            return np.ones(window, bool)
        return annular_mask(window, self.inner if self.kind == "ring" else 0.0, self.outer, centre=self.centre)

    @property
    def edges(self) -> tuple[float, ...]:
        """The radii of its edges, px."""
        return {"sum": (), "disc": (self.outer,)}.get(self.kind, (self.inner, self.outer))

    def reaching(self, y: float, x: float) -> Detector:
        """The same with its nearest edge moved to a point of the pattern."""
        radius = max(float(np.hypot(y - self.centre[0], x - self.centre[1])), 0.5)
        if self.kind != "ring":
            return Detector("disc", self.centre, self.inner, radius)
        if abs(radius - self.inner) < abs(radius - self.outer):
            return Detector("ring", self.centre, radius, max(self.outer, radius + 1))
        return Detector("ring", self.centre, min(self.inner, radius - 0.5), radius)


@dataclass(frozen=True)
class Preview:
    """What one pass over the patterns shows.

    Attributes
    ----------
    dataset : Dataset
    mean_pattern : float64 array, (ky, kx)
        Counts.
    totals : float64 array, (pattern,)
        Sum of every pattern, counts.
    detectors : dict of str to Detector
        A disc and a ring that fit the mean pattern, by kind.
    images : dict of str to float64 array, (pattern,)
        Counts under each, and "sum".
    """

    dataset: Dataset
    mean_pattern: np.ndarray
    totals: np.ndarray
    detectors: dict[str, Detector]
    images: dict[str, np.ndarray]

    @property
    def count(self) -> int:
        """Patterns."""
        return self.dataset.shape[0]

    @property
    def window(self) -> tuple[int, int]:
        """Pixels of a pattern."""
        return self.dataset.shape[1], self.dataset.shape[2]

    def over_scan(self, values: np.ndarray, grid: tuple[int, int] | None) -> ScanMap | None:
        """`values`, (pattern,), as a picture of the scan: on its raster, else where the file says that each was taken."""
        facts = self.dataset.metadata
        found = facts.get("positions") or facts.get("positions_px")
        return scan_map(values, None if found is None else np.asarray(found.value), grid)

    def pixel_A(self, shown: ScanMap) -> float | None:
        """Size of a pixel of `over_scan`, Å; ``None`` where the file does not tell."""
        facts = self.dataset.metadata
        if shown.grid is None:
            return shown.step if "positions" in facts else None
        return float(facts["scan_step_A"].value) if "scan_step_A" in facts else None

    def pattern(self, index: int) -> np.ndarray:
        """One pattern, (ky, kx) float64, counts. Reads the file: call it in a thread.

        Raises
        ------
        DataError
            Where it cannot be read.
        """
        return self.dataset.read(np.array([index]))[0].astype(np.float64)

    def histogram(self) -> tuple[np.ndarray, np.ndarray]:
        """Counts of a pattern, and how many patterns have as many: two float arrays."""
        patterns, edges = np.histogram(self.totals, _BINS)
        return (edges[1:] + edges[:-1]) / 2, patterns.astype(float)


def look_into(dataset: Dataset, progress: Progress, stopped: Callable[[], bool]) -> Preview:
    """Read all patterns once. Call it in a thread.

    Parameters
    ----------
    dataset : Dataset
    progress : called with the patterns read and those there are
    stopped : asked after every chunk whether to give up

    Raises
    ------
    DataError
        Where the data are signals of virtual detectors, or cannot be read.
    StoppedError
        Where `stopped` says so.
    """
    if len(dataset.shape) != 3:
        raise DataError(f"{dataset.name}: holds signals of virtual detectors, no patterns to look at")
    chosen = np.unique(np.linspace(0, dataset.shape[0] - 1, _FIRST).astype(int))
    guess = _guessed(scan_maps(ArrayDataset(dataset.read(chosen), dataset.name)).mean_pattern)
    window = (dataset.shape[1], dataset.shape[2])
    kept = {kind: detector for kind, detector in guess.items() if _sees(detector, window)}
    masks = [detector.mask(window) for detector in kept.values()]
    maps = scan_maps(dataset, masks, progress=watched(progress, stopped))
    images = {"sum": maps.totals, **dict(zip(kept, maps.images, strict=True))}
    return Preview(dataset, maps.mean_pattern, maps.totals, guess, images)


def image_under(preview: Preview, detector: Detector, progress: Progress, stopped: Callable[[], bool]) -> np.ndarray:
    """Counts of every pattern under `detector`, (pattern,) float64; arguments and errors as those of `look_into`."""
    return virtual_image(preview.dataset, detector.mask(preview.window), progress=watched(progress, stopped))


def _guessed(pattern: np.ndarray) -> dict[str, Detector]:
    """A disc as large as what is brighter than half the brightest, and a ring around it."""
    # single hot pixels must not decide what half of the brightest is
    bright = pattern > np.percentile(pattern, 99.5) / 2
    y, x = np.nonzero(bright)
    centre = (float(y.mean()), float(x.mean())) if len(y) else ((pattern.shape[0] - 1) / 2, (pattern.shape[1] - 1) / 2)
    radius = max(float(np.sqrt(bright.sum() / np.pi)), 1.0)
    return {
        "disc": Detector("disc", centre, 0.0, radius),
        "ring": Detector("ring", centre, _RING[0] * radius, _RING[1] * radius),
    }


def _sees(detector: Detector, window: tuple[int, int]) -> bool:
    try:
        return bool(detector.mask(window).any())
    except DataError:
        return False


def watched(progress: Progress, stopped: Callable[[], bool]) -> Progress:
    """`progress`, which raises `StoppedError` where `stopped` says so."""

    def told(done: int, of: int) -> None:
        if stopped():
            raise StoppedError
        progress(done, of)

    return told
