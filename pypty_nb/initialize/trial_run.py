"""A short reconstruction of a part of the scan, to see which way round it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pypty_nb.data import Dataset
from pypty_nb.data.preprocess import bad_mask
from pypty_nb.engine import Reconstruction
from pypty_nb.initialize.orientation import common_score
from pypty_nb.initialize.virtual import Progress
from pypty_nb.params import Preset

_EPOCHS = 8
_PIXELS = 6e6
_PATTERNS = (64, 256)
#: A reconstruction's pixels vary together over about this many along each axis.
_GRAIN_PX = 6


@dataclass(frozen=True)
class Trial:
    """What a short reconstruction says.

    Attributes
    ----------
    score : float
        How clearly matter is dense and absorbing where the phase is advanced, in standard deviations. Negative: the reverse;
        the scan is to be turned by 180° and C10 reversed, which would reconstruct the complex conjugate exactly.
    error : float
        Σ(|Ψ| − √D)²/ΣD at the end.
    images : mapping of str to array
        "phase" and "phase turned by 180°", rad.
    """

    score: float
    error: float
    images: Mapping[str, np.ndarray] = field(repr=False)


def try_orientation(preset: Preset, dataset: Dataset, *, progress: Progress | None = None) -> Trial:
    """Reconstruct the middle of the scan of `preset` for a few epochs.

    Parameters
    ----------
    preset : Preset
        Calibrated, with `scan_size` and positions.
    dataset : Dataset
        Its patterns as they are read, before flipping, shifting and padding.
    progress : function, optional
        Called after every epoch with those done and those there are.
    """
    chosen = _middle(preset, dataset)
    patterns = dataset.read(chosen)
    if preset.bad_pixels is not None:
        patterns = np.where(bad_mask(preset.bad_pixels, dataset), 0, patterns)
    trial = preset.copy()
    trial.update(
        dataset=patterns, positions=preset.positions[chosen], scan_size=None, sequence=None, epoch_prev=0, epoch_max=_EPOCHS,
        default_dtype="single", compute_batch="auto", output_folder="", num_slices=1, obj=np.ones((1, 1, 1, 1), complex),
    )  # fmt: skip
    run = Reconstruction(trial)
    losses = []
    for report in run:
        losses.append(report.terms["data"])
        if progress is not None:
            progress(min(len(losses), _EPOCHS), _EPOCHS)
    error = min(losses) / patterns.sum(dtype=np.float64)
    places = run.point.positions + np.array(run.point.probe.shape[:2]) // 2
    (top, left), (bottom, right) = np.floor(places.min(axis=0)).astype(int), np.ceil(places.max(axis=0)).astype(int) + 1
    seen = run.point.obj[top:bottom, left:right, 0, 0]
    phase = np.angle(seen / np.exp(1j * np.angle(seen.mean())))
    return Trial(
        score=_density_score(phase, -np.log(np.maximum(np.abs(seen), 1e-3))),
        error=float(error),
        images={"phase": phase, "phase turned by 180°": -phase},
    )


def _middle(preset: Preset, dataset: Dataset) -> np.ndarray:
    """Indices of a square of patterns in the middle of the scan, as many as a short run can take."""
    pixels = (dataset.shape[1] + 2 * preset.data_pad) * (dataset.shape[2] + 2 * preset.data_pad)
    side = int(np.sqrt(np.clip(_PIXELS / pixels, *_PATTERNS)))
    rows, columns = preset.scan_size
    indices = np.arange(rows * columns).reshape(rows, columns)
    top, left = max(0, (rows - side) // 2), max(0, (columns - side) // 2)
    return indices[top : top + side, left : left + side].ravel()


def _density_score(phase: np.ndarray, absorption: np.ndarray) -> float:
    """Whether absorption goes with phase, and whether what stands out has more of it, not less; in standard deviations."""
    flat = phase - phase.mean()
    independent = phase.size / _GRAIN_PX**2
    skewness = float((flat**3).mean() / max(flat.std() ** 3, 1e-30))
    together = common_score(phase, absorption, (0.0, 0.15))
    return float((together + skewness / np.sqrt(6 / independent)) / np.sqrt(2))
