"""The metric of the search: how strongly each pixel was illuminated.

A pixel of the object that received little light has little curvature, and a plain gradient step moves it by too little: the dim
rim of the probe's patch and the edge of the scan lag behind. The preconditioner seeds the inverse Hessian with

    D_obj = 1 / (I/max I + δ),   I(r) = Σ_j Σ_m |p_m(r − r_j)|²,   δ = 0.1,

and the probe's with the same of S = Σ_j Σ_o |o(r + r_j)|², in the object's unit: D_probe = max I/max S · 1/(S/max S + δ).
These are the diagonals of the Gauss-Newton Hessian where the exit wave is the product of both, up to one factor for both, as
in the denominators of ePIE (Maiden and Rodenburg, Ultramicroscopy 109, 1256 (2009), eqs. 4 and 6); so a first step moves
both by what each of them asks for. Behind the first slice the probe is propagated through vacuum; max I is that of all slices.
S is the mean over slices, since the wave passes through all of them. Arrays other than object and probe keep the metric 1.
"""

from __future__ import annotations

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.engine.setup import Setup
from pypty_nb.physics.grids import q_squared
from pypty_nb.records import Array, Refinables

#: Share of the brightest intensity below which a pixel counts as dim.
_DELTA = 0.1


class Illumination:
    """Makes the metric of a point: real arrays ≥ 0 that multiply object and probe.

    Both sums over patterns are convolutions with the map of the patches' corners, and so a few transforms of the object's size.
    """

    def __init__(self, backend: Backend, setup: Setup, obj_shape: tuple[int, int]):
        self._backend, self._setup, self._shape = backend, setup, obj_shape
        hits = np.zeros(obj_shape)
        geometry = setup.geometry
        np.add.at(hits, tuple(geometry.corners[geometry.held(obj_shape)].T), 1.0)
        self._hits = backend.xp.fft.rfft2(backend.asarray(hits, backend.real))
        self._kernels = [backend.asarray(kernel) for kernel in _vacuum(setup)]

    def metric(self, point: Refinables) -> Refinables:
        """Object (y, x, slice, 1) and probe (y, x, 1[, 1]) real; ``None`` for all other arrays."""
        lit, seen = self._on_object(point.probe), self._on_probe(point.obj)
        unit = lit.max()
        # plane by plane in memory, as every object lies: a sum over it then adds in the same order after a resume
        obj = self._backend.xp.moveaxis(self._inverse(lit, unit), 0, 2)[..., None]
        probe = self._inverse(seen, unit)
        return Refinables(obj=obj, probe=probe.reshape(*probe.shape, *(1,) * (point.probe.ndim - 2)))

    def _on_object(self, probe: Array) -> Array:
        """I of every slice, (slice, y, x)."""
        xp = self._backend.xp
        spectrum = xp.fft.fft2(probe, axes=(0, 1)) if self._kernels else None
        slices = [self._seen(_power(probe))]
        for kernel in self._kernels:
            waves = xp.fft.ifft2(spectrum * kernel.reshape(*kernel.shape, *(1,) * (probe.ndim - 2)), axes=(0, 1))
            slices.append(self._seen(_power(waves)))
        return xp.stack(slices)

    def _on_probe(self, obj: Array) -> Array:
        """S, (y, x)."""
        xp = self._backend.xp
        power = _power(obj) / obj.shape[2]
        seen = xp.fft.irfft2(xp.conj(self._hits) * xp.fft.rfft2(power), s=self._shape)
        ny, nx = self._setup.geometry.window
        return xp.maximum(seen[:ny, :nx], 0)

    def _seen(self, power: Array) -> Array:
        xp = self._backend.xp
        return xp.maximum(xp.fft.irfft2(self._hits * xp.fft.rfft2(power, s=self._shape), s=self._shape), 0)

    def _inverse(self, power: Array, unit: Array) -> Array:
        return (unit / (power + _DELTA * power.max())).astype(self._backend.real)


def _power(waves: Array) -> Array:
    """Σ |wave|² over all axes behind (y, x)."""
    return (waves.real**2 + waves.imag**2).sum(axis=tuple(range(2, waves.ndim)))


def _vacuum(setup: Setup) -> list[np.ndarray]:
    """Propagators from the first slice to each of the others, (y, x) complex128."""
    optics, geometry = setup.optics, setup.geometry
    distances = optics.distances if len(optics.distances) != 1 else optics.distances * optics.slices
    depths = np.cumsum(distances[: optics.slices - 1])
    q2 = q_squared(geometry.window, geometry.pixel_size)
    return [np.exp(-1j * np.pi * optics.wavelength * depth * q2) for depth in depths]
