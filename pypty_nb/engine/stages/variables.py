"""Changes of variable ahead of the model: what the optimiser moves where only a part of an array may change.

`of` gives the variables of a point, `point` the point of variables, `pull` turns the gradient at a point into theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.records import Array, Refinables


class Free:
    """Every array is its own variable."""

    def of(self, point: Refinables) -> Refinables:
        return point

    def point(self, variables: Refinables, base: Refinables) -> Refinables:
        return variables

    def pull(self, gradient: Refinables, point: Refinables) -> Refinables:
        return gradient


class PhaseOnlyObject(Free):
    """The object's phase φ moves, its modulus stays.

    Notes
    -----
    o = |o₀| exp(iφ). pull: g_φ = Im(g conj(o)), since do = i o dφ.
    """

    def __init__(self, backend: Backend):
        self._xp = backend.xp

    def of(self, point: Refinables) -> Refinables:
        return replace(point, obj=self._xp.angle(point.obj))

    def point(self, variables: Refinables, base: Refinables) -> Refinables:
        obj = self._xp.abs(base.obj) * self._xp.exp(1j * variables.obj)
        return replace(variables, obj=obj.astype(base.obj.dtype))

    def pull(self, gradient: Refinables, point: Refinables) -> Refinables:
        if gradient.obj is None:
            return gradient
        return replace(gradient, obj=(gradient.obj * self._xp.conj(point.obj)).imag)


class ProbePhase(Free):
    """The phase θ of the probe's spectrum moves, its modulus stays.

    Notes
    -----
    P = F(p) = |P₀| exp(iθ), p = F⁻¹P. pull: with G = F(g)/N², g_θ = Im(G conj(P)).
    """

    def __init__(self, backend: Backend):
        self._xp = backend.xp

    def of(self, point: Refinables) -> Refinables:
        return replace(point, probe=self._part(self._spectrum(point.probe)))

    def point(self, variables: Refinables, base: Refinables) -> Refinables:
        spectrum = self._whole(variables.probe, self._spectrum(base.probe))
        return replace(variables, probe=self._xp.fft.ifft2(spectrum, axes=(0, 1)).astype(base.probe.dtype))

    def pull(self, gradient: Refinables, point: Refinables) -> Refinables:
        if gradient.probe is None:
            return gradient
        size = point.probe.shape[0] * point.probe.shape[1]
        of_spectrum = self._spectrum(gradient.probe) / size
        return replace(gradient, probe=self._pulled(of_spectrum, self._spectrum(point.probe)))

    def _spectrum(self, probe: Array) -> Array:
        return self._xp.fft.fft2(probe, axes=(0, 1))

    def _part(self, spectrum: Array) -> Array:
        return self._xp.angle(spectrum)

    def _whole(self, part: Array, base: Array) -> Array:
        return self._xp.abs(base) * self._xp.exp(1j * part)

    def _pulled(self, of_spectrum: Array, spectrum: Array) -> Array:
        return (of_spectrum * self._xp.conj(spectrum)).imag


class ProbeModulus(ProbePhase):
    """The modulus a of the probe's spectrum moves, its phase stays.

    Notes
    -----
    P = a exp(iθ₀). pull: g_a = Re(G conj(exp(iθ))).
    """

    def _part(self, spectrum: Array) -> Array:
        return self._xp.abs(spectrum)

    def _whole(self, part: Array, base: Array) -> Array:
        return part * self._xp.exp(1j * self._xp.angle(base))

    def _pulled(self, of_spectrum: Array, spectrum: Array) -> Array:
        return (of_spectrum * self._xp.exp(-1j * self._xp.angle(spectrum))).real


class InMask(Free):
    """The probe's spectrum is zero outside a mask.

    Notes
    -----
    p = F⁻¹ M F p with M of 0 and 1: an orthogonal projection, so that pull: g ← F⁻¹ M F g.
    """

    def __init__(self, backend: Backend, mask: np.ndarray):
        self._xp, self._mask = backend.xp, backend.asarray(mask > 0, backend.real)

    def of(self, point: Refinables) -> Refinables:
        if point.probe is None:
            return point
        mask = self._mask.reshape(*self._mask.shape, *(1,) * (point.probe.ndim - 2))
        masked = self._xp.fft.ifft2(mask * self._xp.fft.fft2(point.probe, axes=(0, 1)), axes=(0, 1))
        return replace(point, probe=masked.astype(point.probe.dtype))

    def point(self, variables: Refinables, base: Refinables) -> Refinables:
        return self.of(variables)

    def pull(self, gradient: Refinables, point: Refinables) -> Refinables:
        return self.of(gradient)


class Together(Free):
    """Several changes at once, of different arrays."""

    def __init__(self, changes: Sequence[Free]):
        self._changes = changes

    def of(self, point: Refinables) -> Refinables:
        for change in self._changes:
            point = change.of(point)
        return point

    def point(self, variables: Refinables, base: Refinables) -> Refinables:
        for change in self._changes:
            variables = change.point(variables, base)
        return variables

    def pull(self, gradient: Refinables, point: Refinables) -> Refinables:
        for change in self._changes:
            gradient = change.pull(gradient, point)
        return gradient


#: The parameter that asks for each change.
CHANGES: dict[str, type[PhaseOnlyObject] | type[ProbePhase]] = {
    "phase_only_obj": PhaseOnlyObject,
    "tune_only_probe_phase": ProbePhase,
    "tune_only_probe_abs": ProbeModulus,
}


def chosen(backend: Backend, names: frozenset[str]) -> Free:
    """The change of variable that the parameters `names` ask for together."""
    return Together([change(backend) for name, change in CHANGES.items() if name in names])
