"""The chain of stages from the refined arrays to the loss of some patterns, and the chain read backwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.engine.comparison import Comparison, PatternSums
from pypty_nb.engine.illuminator import Illuminator
from pypty_nb.engine.methods import require_roots
from pypty_nb.engine.setup import Setup
from pypty_nb.engine.stages.detector import Blur, FarField, Intensity, NearField
from pypty_nb.engine.stages.illumination import Tilt
from pypty_nb.engine.stages.patches import Patches
from pypty_nb.engine.stages.propagation import METHODS, Program, Propagate, Propagation, Term
from pypty_nb.engine.stages.readout import Background, PixelSum, VirtualDetectors
from pypty_nb.physics.grids import band_limit
from pypty_nb.records import Array, Refinables


class Prepared(NamedTuple):
    """What all batches of one evaluation share: the arrays as the stages take them."""

    planes: Array
    spectra: Array
    remainder: Array
    tilts: Array
    background: Array
    current: Array
    aberrations: Array


class _Exit(NamedTuple):
    illumination: Any
    patches: Array
    propagation: Any
    after: Any
    inside: Array | None
    exit_waves: Array


class _Trace(NamedTuple):
    illumination: Any
    patches: Array
    propagation: Any
    after: Any
    near: Any
    waves: Array
    signal: Array


@dataclass
class Cotangents:
    """A gradient under construction, in the stages' layout; ``None`` for what is held fixed."""

    planes: Array | None = None
    spectra: Array | None = None
    remainder: Array | None = None
    tilts: Array | None = None
    background: Array | None = None
    current: Array | None = None
    aberrations: Array | None = None


#: The refinable behind each part of `Prepared` and `Cotangents`.
PARTS = {
    "obj": "planes",
    "probe": "spectra",
    "positions": "remainder",
    "tilts": "tilts",
    "static_background": "background",
    "beam_current": "current",
    "aberrations_array": "aberrations",
}


class Model:
    """Illumination, patches, propagation, detection, readout: one method of propagation, one geometry."""

    def __init__(self, backend: Backend, setup: Setup, method: str = "multislice"):
        self.backend, self.setup, self._method = backend, setup, method
        geometry, optics, layout = setup.geometry, setup.optics, setup.layout
        plain_band = band_limit(geometry.window, geometry.pixel_size, geometry.cutoff, geometry.rolloff)
        band = backend.asarray(plain_band, backend.real)
        self._corners = backend.asarray(geometry.corners)
        self._illuminator = Illuminator(backend, setup, band)
        self._patches = Patches(backend, geometry.window, band if geometry.limit_patches else None)
        program = _program(method, setup)
        self._propagation = Propagation(backend, program, band, geometry.pixel_size, optics.wavelength)
        self._after = Tilt(backend, geometry.window, geometry.pixel_size, optics.wavelength) if optics.tilt_after else None
        self._far = FarField(backend, band)
        self._near = NearField(backend, band, geometry.pixel_size, optics.wavelength, optics.cs) if optics.near_field else None
        self._defocus = backend.asarray(optics.defocus, backend.real) if optics.defocus is not None else None
        self._intensity = Intensity(backend)
        blurred = optics.near_field and optics.alpha > 0
        self._blur = Blur(backend, geometry.window, geometry.pixel_size, optics.alpha) if blurred else None
        self._pixels = PixelSum(backend, layout)
        self._background = Background(backend, layout, plain_band) if setup.variants.background else None
        self._detectors = None if setup.masks is None else self._virtual_detectors(setup.masks)

    def prepare(self, point: Refinables) -> Prepared:
        """Once an evaluation.

        Raises
        ------
        ParameterError
            Where the method cannot take the object's powers.
        """
        xp, real = self.backend.xp, self.backend.real
        planes = xp.ascontiguousarray(xp.moveaxis(point.obj, (2, 3), (0, 1)))
        require_roots(planes, self._method, self.backend)
        remainder = point.positions - self._corners
        return Prepared(
            planes,
            self._illuminator.prepare(point.probe),
            remainder.astype(real),
            point.tilts,
            point.static_background,
            point.beam_current,
            point.aberrations_array,
        )

    def zeros(self, prepared: Prepared, wanted: frozenset[str]) -> Cotangents:
        """Empty cotangents for the arrays `wanted`."""
        zeros = self.backend.xp.zeros_like
        return Cotangents(**{part: zeros(getattr(prepared, part)) for name, part in PARTS.items() if name in wanted})

    def signals(self, prepared: Prepared, indices: np.ndarray) -> Array:
        """Modelled signals of patterns `indices`: (pattern, y, x), or (pattern, 1, detector) where data are compressed."""
        return self._forward(prepared, indices, keep=False).signal

    def exit_waves(self, prepared: Prepared, indices: np.ndarray) -> Array:
        """Waves behind the specimen, (pattern, probe mode, object mode, y, x) complex."""
        return self._exit(prepared, indices, keep=False).exit_waves

    def losses(self, prepared: Prepared, indices: np.ndarray, data: Array, comparison: Comparison) -> PatternSums:
        """Sums over the pixels of patterns `indices`."""
        return comparison.sums(self.signals(prepared, indices), data)

    def losses_and_cotangents(
        self, prepared: Prepared, indices: np.ndarray, data: Array, comparison: Comparison, into: Cotangents
    ) -> PatternSums:
        """As `losses`; adds the unweighted gradient to `into`."""
        trace = self._forward(prepared, indices, keep=into.remainder is not None)
        values = comparison.sums(trace.signal, data)
        cotangent = self._detection_adjoint(prepared, indices, trace, comparison.slope(trace.signal, data), into)
        tilted = into.tilts is not None and self.setup.optics.tilt_inside
        of_waves, of_patches, of_tilts = self._propagation.adjoint(trace.propagation, trace.patches, cotangent, tilted=tilted)
        if of_tilts is not None:
            self._add_tilts(into, indices, slice(2, 4), of_tilts)
        if into.planes is not None:
            self._patches.adjoint(self.setup.geometry.corners[indices], of_patches, into.planes)
        of_before = self._illuminator.adjoint(trace.illumination, prepared, indices, of_waves, into)
        if of_before is not None and into.tilts is not None:
            self._add_tilts(into, indices, slice(0, 2), of_before)
        return values

    def gradient(self, into: Cotangents, point: Refinables, weight: float) -> Refinables:
        """The gradient in the refinables' own layout."""
        xp = self.backend.xp
        found = {name: getattr(into, part) for name, part in PARTS.items()}
        if into.planes is not None:
            found["obj"] = xp.moveaxis(into.planes, (0, 1), (2, 3))
        if into.spectra is not None:
            found["probe"] = self._illuminator.gradient(into.spectra, point.probe)
        return Refinables(**{name: None if array is None else array * weight for name, array in found.items()})

    def _forward(self, prepared: Prepared, indices: np.ndarray, *, keep: bool) -> _Trace:
        illumination, patches, propagation, after, inside, exit_waves = self._exit(prepared, indices, keep=keep)
        near = None
        if after is not None:
            # transforms work in place, and what the adjoint of the tilt needs must not change under it
            exit_waves = exit_waves.copy()
        if self._near is not None:
            detected, near = self._near.forward(exit_waves, self._defocus_of(indices), inside)
        else:
            detected = self._far.forward(exit_waves)
        return _Trace(illumination, patches, propagation, after, near, detected, self._read(prepared, indices, detected))

    def _exit(self, prepared: Prepared, indices: np.ndarray, *, keep: bool) -> _Exit:
        """As far as behind the specimen."""
        tilts = self._tilts_of(prepared, indices)
        waves, illumination = self._illuminator.forward(prepared, indices, tilts, keep=keep)
        patches = self._patches.forward(prepared.planes, self.setup.geometry.corners[indices])
        inside = tilts[:, 2:4] if self.setup.optics.tilt_inside else None
        exit_waves, propagation = self._propagation.forward(waves, patches, inside)
        after = None
        if self._after is not None:
            exit_waves, after = self._after.forward(exit_waves, tilts[:, 4:6])
        return _Exit(illumination, patches, propagation, after, inside, exit_waves)

    def _read(self, prepared: Prepared, indices: np.ndarray, waves: Array) -> Array:
        intensity = self._intensity.forward(waves)
        if self._blur is not None:
            intensity = self._blur.forward(intensity, self._defocus_of(indices))
        signal = self._pixels.forward(intensity)
        if self._background is not None:
            signal = self._background.forward(signal, prepared.background)
        return signal if self._detectors is None else self._detectors.forward(signal)[:, None]

    def _detection_adjoint(
        self, prepared: Prepared, indices: np.ndarray, trace: _Trace, cotangent: Array, into: Cotangents
    ) -> Array:
        """From the signal's cotangent to the exit wave's behind the specimen."""
        if self._detectors is not None:
            cotangent = self._detectors.adjoint(cotangent[:, 0])
        if self._background is not None and into.background is not None:
            into.background += self._background.adjoint(prepared.background, cotangent)
        cotangent = self._pixels.adjoint(cotangent)
        if self._blur is not None:
            cotangent = self._blur.adjoint(cotangent, self._defocus_of(indices))
        of_waves = self._intensity.adjoint(trace.waves, cotangent)
        if self._near is not None:
            tilted = into.tilts is not None and self.setup.optics.tilt_inside
            of_waves, of_tilts = self._near.adjoint(trace.near, of_waves, tilted=tilted)
            if of_tilts is not None:
                self._add_tilts(into, indices, slice(2, 4), of_tilts)
        else:
            of_waves = self._far.adjoint(of_waves)
        if self._after is not None:
            of_waves, of_tilts = self._after.adjoint(trace.after, of_waves)
            if into.tilts is not None:
                self._add_tilts(into, indices, slice(4, 6), of_tilts)
        return of_waves

    def _tilts_of(self, prepared: Prepared, indices: np.ndarray) -> Array:
        """(pattern, 6); a common tilt is repeated."""
        tilts = prepared.tilts
        return tilts[indices] if len(tilts) > 1 else self.backend.xp.repeat(tilts, len(indices), axis=0)

    def _add_tilts(self, into: Cotangents, indices: np.ndarray, columns: slice, of_tilts: Array) -> None:
        tilts = into.tilts
        if tilts is None:
            return
        if len(tilts) > 1:
            tilts[indices, columns] += of_tilts
        else:
            tilts[0, columns] += of_tilts.sum(axis=0)

    def _defocus_of(self, indices: np.ndarray) -> Array:
        if self._defocus is None:
            raise ValueError("the near field needs a defocus")
        return self._defocus[indices]

    def _virtual_detectors(self, masks: np.ndarray) -> VirtualDetectors:
        layout = self.setup.layout
        if layout.plain and not layout.centred:
            masks = np.fft.ifftshift(masks, axes=(1, 2))
        return VirtualDetectors(self.backend, self.backend.asarray(masks, self.backend.real))


def _program(method: str, setup: Setup) -> Program:
    optics = setup.optics
    program = METHODS[method](optics.steps(method), optics.slices)
    if optics.tilt_after and optics.slices == 1 and method == "multislice":
        # the one case in which nothing has limited the exit wave before it is tilted
        program = (*program, (Term(1.0, (Propagate(0.0),)),))
    return program
