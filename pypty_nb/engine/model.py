"""The chain of stages from the refined arrays to the loss of some patterns, and the chain read backwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.engine.losses import Loss
from pypty_nb.engine.stages.detector import FarField, Intensity
from pypty_nb.engine.stages.patches import Patches
from pypty_nb.engine.stages.shift import Shift, ShiftResidual, Spectrum
from pypty_nb.engine.stages.transmission import Transmission, TransmissionResidual
from pypty_nb.physics.grids import band_limit
from pypty_nb.records import Array, Refinables


@dataclass(frozen=True)
class Geometry:
    """What a model is built from.

    Attributes
    ----------
    window : (int, int)
        Pattern and probe, (y, x) px.
    pixel_size : (float, float)
        (y, x), Å.
    corners : int array, (pattern, 2)
        Rounded positions: the patches' top-left corners. They stay while a run refines the remainder.
    cutoff, rolloff : float
        `damping_cutoff_multislice` and `smooth_rolloff`.
    limit_patches : bool
        `patch_band_limit`.
    sub_pixel : bool
        Whether the positions' remainders act.
    """

    window: tuple[int, int]
    pixel_size: tuple[float, float]
    corners: np.ndarray
    cutoff: float = 2 / 3
    rolloff: float = 0.0
    limit_patches: bool = True
    sub_pixel: bool = True


class Prepared(NamedTuple):
    """What all batches of one evaluation share: the object's planes, the probe's spectrum, the remainders."""

    planes: Array
    spectrum: Array
    remainder: Array


class _Trace(NamedTuple):
    shift: ShiftResidual
    transmission: TransmissionResidual
    waves: Array
    intensity: Array


@dataclass
class Cotangents:
    """Gradient under construction; ``None`` for what is held fixed. Planes are (slice, mode, Y, X), spectrum (mode, y, x)."""

    planes: Array | None
    spectrum: Array | None
    remainder: Array | None


class Model:
    """Single-slice far field: probe shifts, patches, transmission, propagation, intensity."""

    def __init__(self, backend: Backend, geometry: Geometry):
        self.backend, self.geometry = backend, geometry
        band = band_limit(geometry.window, geometry.pixel_size, geometry.cutoff, geometry.rolloff)
        band = backend.asarray(band, backend.real)
        self._corners = backend.asarray(geometry.corners)
        self._spectrum = Spectrum(backend, band)
        self._shift = Shift(backend, geometry.window)
        self._patches = Patches(backend, geometry.window, band if geometry.limit_patches else None)
        self._transmission = Transmission(backend)
        self._far_field = FarField(backend, band)
        self._intensity = Intensity(backend)

    def prepare(self, point: Refinables) -> Prepared:
        """Once an evaluation."""
        xp = self.backend.xp
        planes = xp.ascontiguousarray(xp.moveaxis(point.obj, (2, 3), (0, 1)))
        probe = xp.ascontiguousarray(xp.moveaxis(point.probe, 2, 0))
        remainder = point.positions - self._corners
        if not self.geometry.sub_pixel:
            remainder = xp.zeros_like(remainder)
        return Prepared(planes, self._spectrum.forward(probe), remainder.astype(self.backend.real))

    def zeros(self, prepared: Prepared, wanted: frozenset[str]) -> Cotangents:
        """Empty cotangents for the arrays `wanted`."""
        xp = self.backend.xp
        return Cotangents(
            xp.zeros_like(prepared.planes) if "obj" in wanted else None,
            xp.zeros_like(prepared.spectrum) if "probe" in wanted else None,
            xp.zeros_like(prepared.remainder) if "positions" in wanted else None,
        )

    def patterns(self, prepared: Prepared, indices: np.ndarray) -> Array:
        """Modelled intensities of patterns `indices`, (pattern, y, x), unshifted."""
        return self._forward(prepared, indices, keep=False).intensity

    def losses(self, prepared: Prepared, indices: np.ndarray, data: Array, loss: Loss) -> tuple[Array, Array]:
        """Loss and squared error of patterns `indices`, (pattern,) float64 each."""
        intensity = self.patterns(prepared, indices)
        return loss.value(self.backend, intensity, data), _squared_error(intensity, data)

    def losses_and_cotangents(
        self, prepared: Prepared, indices: np.ndarray, data: Array, loss: Loss, into: Cotangents
    ) -> tuple[Array, Array]:
        """As `losses`; adds the unweighted gradient to `into`."""
        trace = self._forward(prepared, indices, keep=into.remainder is not None)
        values = loss.value(self.backend, trace.intensity, data), _squared_error(trace.intensity, data)
        slope = loss.slope(self.backend, trace.intensity, data)
        cotangent = self._far_field.adjoint(self._intensity.adjoint(trace.waves, slope))
        of_waves, of_patches = self._transmission.adjoint(trace.transmission, cotangent)
        if into.planes is not None:
            self._patches.adjoint(self.geometry.corners[indices], of_patches, into.planes)
        if into.spectrum is not None or into.remainder is not None:
            of_spectrum, of_remainder = self._shift.adjoint(trace.shift, of_waves)
            if into.spectrum is not None:
                into.spectrum += of_spectrum
            if into.remainder is not None:
                into.remainder[indices] += of_remainder
        return values

    def gradient(self, into: Cotangents, weight: float) -> Refinables:
        """The gradient in the refinables' own layout."""
        xp = self.backend.xp
        obj = probe = positions = None
        if into.planes is not None:
            obj = xp.moveaxis(into.planes * weight, (0, 1), (2, 3))
        if into.spectrum is not None:
            probe = xp.moveaxis(self._spectrum.adjoint(into.spectrum) * weight, 0, 2)
        if into.remainder is not None:
            positions = into.remainder * weight
        return Refinables(obj=obj, probe=probe, positions=positions)

    def _forward(self, prepared: Prepared, indices: np.ndarray, *, keep: bool) -> _Trace:
        waves, shift = self._shift.forward(prepared.spectrum, prepared.remainder[indices], keep=keep)
        patches = self._patches.forward(prepared.planes, self.geometry.corners[indices])
        exit_waves, transmission = self._transmission.forward(waves, patches)
        detected = self._far_field.forward(exit_waves)
        return _Trace(shift, transmission, detected, self._intensity.forward(detected))


def _squared_error(intensity: Array, data: Array) -> Array:
    difference = intensity - data
    return (difference * difference).sum(axis=(-2, -1), dtype="float64")
