"""The illumination of every pattern: scenario, current, phase plate, aberrations, tilt before the specimen, sub-pixel shift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.engine.setup import Setup
from pypty_nb.engine.stages.illumination import Aberrations, BeamCurrent, PhasePlates, Tilt
from pypty_nb.engine.stages.shift import Shift, ShiftResidual, Spectra
from pypty_nb.physics.aberrations import basis
from pypty_nb.records import Array

if TYPE_CHECKING:
    from pypty_nb.engine.model import Cotangents, Prepared


class Illumination(NamedTuple):
    """What the adjoint needs of each stage that acted."""

    current: Array | None
    plates: Array | None
    aberrations: Any
    tilt: Any
    shift: ShiftResidual


class Illuminator:
    """All stages ahead of the specimen, in the order they act; those without effect are left out."""

    def __init__(self, backend: Backend, setup: Setup, band: Array):
        geometry, optics, variants = setup.geometry, setup.optics, setup.variants
        self._backend, self._variants = backend, variants
        # everything ahead of the shift is diagonal in Fourier space unless the beam is tilted, so the band limit can come first
        self._spectra = Spectra(backend, None if optics.tilt_before else band)
        self._shift = Shift(backend, geometry.window, band if optics.tilt_before else None)
        scale = 1.0 / (geometry.window[0] * geometry.window[1])
        self._current = BeamCurrent(backend, scale) if variants.current else None
        self._plates = PhasePlates(backend) if variants.plates is not None else None
        self._aberrations: Aberrations | None = None
        self._scale, self._geometry, self._wavelength = scale, geometry, optics.wavelength
        self._tilt = Tilt(backend, geometry.window, geometry.pixel_size, optics.wavelength) if optics.tilt_before else None

    def prepare(self, probe: Array) -> Array:
        """Spectra (scenario, mode, y, x) of `probe`, (y, x, mode[, scenario])."""
        xp = self._backend.xp
        stacked = probe if probe.ndim == 4 else probe[..., None]
        return self._spectra.forward(xp.ascontiguousarray(xp.moveaxis(stacked, (2, 3), (1, 0))))

    def gradient(self, cotangent: Array, probe: Array) -> Array:
        """The probe's cotangent in its own layout."""
        moved = self._backend.xp.moveaxis(self._spectra.adjoint(cotangent), (1, 0), (2, 3))
        return moved if probe.ndim == 4 else moved[..., 0]

    def forward(self, prepared: Prepared, indices: np.ndarray, tilts: Array, *, keep: bool) -> tuple[Array, Illumination]:
        """Waves (pattern, mode, y, x) that fall on the specimen."""
        spectra = prepared.spectra[self._scenarios(indices)]
        before_current = plates = aberrations = tilt = None
        if self._current is not None:
            before_current = spectra
            spectra = self._current.forward(spectra, prepared.current[indices])
        if self._plates is not None and self._variants.plates is not None:
            plates = self._backend.asarray(self._variants.plates.read(indices), self._backend.complex)
            spectra = self._plates.forward(spectra, plates)
        if self._variants.aberrations:
            coefficients = prepared.aberrations[self._aberration_rows(indices)]
            spectra, aberrations = self._aberration_stage(prepared).forward(spectra, coefficients)
        if self._tilt is not None:
            waves, tilt = self._tilt.forward(self._backend.ifft2(spectra.copy()), tilts[:, 0:2])
            spectra = self._backend.fft2(waves.copy())
        waves, shift = self._shift.forward(spectra, prepared.remainder[indices], keep=keep)
        return waves, Illumination(before_current, plates, aberrations, tilt, shift)

    def adjoint(
        self, residual: Illumination, prepared: Prepared, indices: np.ndarray, cotangent: Array, into: Cotangents
    ) -> Array | None:
        """Add to `into` what the waves' cotangent says of probe, remainder, current and aberrations.

        Gives the cotangent of the tilts before the specimen, (pattern, 2), or ``None`` where they do not act.
        """
        needed = (into.spectra, into.remainder, into.tilts, into.current, into.aberrations)
        if all(part is None for part in needed):
            return None
        of_tilts = None
        g, moved = self._shift.adjoint(residual.shift, cotangent)
        if into.remainder is not None and moved is not None:
            into.remainder[indices] += moved
        if self._tilt is not None:
            # between here and there the cotangent of the spectra carries N²
            of_waves, of_tilts = self._tilt.adjoint(residual.tilt, self._backend.ifft2(g))
            g = self._backend.fft2(of_waves)
        if self._variants.aberrations:
            g, of_coefficients = self._aberration_stage(prepared).adjoint(residual.aberrations, g)
            if into.aberrations is not None:
                self._backend.scatter_add(into.aberrations, self._aberration_rows(indices), of_coefficients)
        if self._plates is not None:
            g = self._plates.adjoint(residual.plates, g)
        if self._current is not None:
            g, of_current = self._current.adjoint(residual.current, prepared.current[indices], g)
            if into.current is not None:
                into.current[indices] += of_current
        if into.spectra is not None:
            self._add_spectra(into.spectra, indices, g)
        return of_tilts

    def _add_spectra(self, into: Array, indices: np.ndarray, cotangent: Array) -> None:
        marker = self._variants.probe_marker
        if marker is None:
            into[0] += cotangent.sum(axis=0)
        else:
            self._backend.scatter_add(into, marker[indices], cotangent)

    def _scenarios(self, indices: np.ndarray) -> np.ndarray | slice:
        marker = self._variants.probe_marker
        return slice(0, 1) if marker is None else marker[indices]

    def _aberration_rows(self, indices: np.ndarray) -> np.ndarray:
        marker = self._variants.aberration_marker
        return np.zeros(len(indices), np.int64) if marker is None else marker[indices]

    def _aberration_stage(self, prepared: Prepared) -> Aberrations:
        if self._aberrations is None:
            geometry = self._geometry
            functions = basis(prepared.aberrations.shape[1], geometry.window, geometry.pixel_size, self._wavelength)
            self._aberrations = Aberrations(self._backend, self._backend.asarray(functions, self._backend.real), self._scale)
        return self._aberrations
