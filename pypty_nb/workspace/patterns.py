"""Measured, modelled and residual patterns of a run's scan points, one at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np

from pypty_nb.engine import PatternModel, Reconstruction
from pypty_nb.params import ParameterError, Preset
from pypty_nb.physics.units import electron_wavelength
from pypty_nb.records import Refinables
from pypty_nb.runs import RunFolder
from pypty_nb.workspace.scene import scene_of


@dataclass(frozen=True)
class Patterns:
    """One scan point's patterns.

    Attributes
    ----------
    index : int
        The pattern's place in the data.
    measured, model : float64 array, (ky, kx)
        Counts, zero frequency in the middle.
    mrad : (float, float)
        Size of a pixel along ky and kx.
    left_out : bool array, (ky, kx), or None
        Bad pixels, which say nothing.
    """

    index: int
    measured: np.ndarray
    model: np.ndarray
    mrad: tuple[float, float]
    left_out: np.ndarray | None = None

    @property
    def residual(self) -> np.ndarray:
        """√measured − √model, (ky, kx): with counting noise alone its deviation is about ½ everywhere; 0 in bad pixels."""
        difference = np.sqrt(np.maximum(self.measured, 0)) - np.sqrt(np.maximum(self.model, 0))
        return difference if self.left_out is None else np.where(self.left_out, 0, difference)

    def radial(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean counts measured and modelled against the distance from the zero frequency, whole pixels: (radius,) each."""
        y, x = (np.arange(length) - length // 2 for length in self.measured.shape)
        radius = np.rint(np.hypot(y[:, None], x)).astype(int)
        inside = radius <= min(self.measured.shape) // 2
        if self.left_out is not None:
            inside &= ~self.left_out
        pixels = np.maximum(np.bincount(radius[inside]), 1)
        measured, model = (np.bincount(radius[inside], values[inside]) / pixels for values in (self.measured, self.model))
        return measured, model


class PatternReader:
    """Patterns of one run; what its model allocates is kept from one to the next. Blocks: call it in a thread.

    Parameters
    ----------
    preset : Preset
        The one that drives the run.

    Raises
    ------
    ParameterError, DataError, BackendError
        `ValueError` each: what is wrong with the preset, the measurements or the machine.
    """

    def __init__(self, preset: Preset):
        self.preset = preset
        self._model = PatternModel(preset)

    @property
    def count(self) -> int:
        """How many patterns were measured."""
        return self._model.count

    def at(self, point: Refinables, index: int, epoch: int = 0) -> Patterns:
        """Patterns of scan point `index`, the model's from `point`.

        Raises
        ------
        ParameterError
            Where the data are signals of virtual detectors.
        DataError
            Where there is no such pattern.
        """
        if self._model.compressed:
            raise ParameterError("masks: the data are signals of virtual detectors; there are no patterns to look at")
        indices = np.array([index])
        measured, model = self._model.measured(indices)[0], self._model.modelled(point, indices, epoch)[0]
        return Patterns(index, measured, model, self._mrad(point), self._model.left_out)

    def residual(self, point: Refinables, epoch: int = 0) -> np.ndarray:
        """The data term of every pattern at `point`, unweighted: (pattern,) float64."""
        return self._model.residual(point, epoch)

    def _mrad(self, point: Refinables) -> tuple[float, float]:
        """A measured pixel is `upsample_pattern` computed ones, each 1 / (window · pixel size) wide."""
        wavelength, up = electron_wavelength(self.preset.acc_voltage), self.preset.upsample_pattern
        sizes = self.preset.pixel_size_y_A, self.preset.pixel_size_x_A
        y, x = (1e3 * wavelength * up / (length * size) for length, size in zip(point.probe.shape, sizes, strict=False))
        return y, x


def pattern_at(
    run: Preset | Reconstruction | RunFolder | str | os.PathLike[str], index: int, point: Refinables | None = None
) -> Patterns:
    """Patterns of scan point `index` of `run`, the model's from `point`; without it from the run's own arrays.

    Raises
    ------
    ParameterError, DataError, RunFolderError
        `ValueError` or `OSError`: where there is no such run or pattern, or it has no arrays yet.
    """
    scene = scene_of(run)
    if point is None:
        point = run.point if isinstance(run, Reconstruction) else scene.point
    if point is None or point.obj is None:
        raise ParameterError("the run has no arrays yet; give them as point")
    return PatternReader(scene.preset).at(point, index, scene.report.epoch if scene.report else scene.preset.epoch_prev)
