"""The common case in compiled passes: far field, multislice, any probe modes and slices; object, probe and positions refined.

The arithmetic is the stages'; the tests hold the two together. It needs ducc0 and numba (the extra "fast") and a processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from pypty_nb.data import Measurements
from pypty_nb.engine.executors.serial import Sums
from pypty_nb.engine.model import Model
from pypty_nb.engine.setup import Setup
from pypty_nb.physics.grids import band_limit
from pypty_nb.records import Refinables

_LOSSES = ("lsq_sqrt", "ml", "lsq", "lsq_sqrt_2")
_REFINED = frozenset({"obj", "probe", "positions"})


def supports(model: Model, method: str, loss: str) -> bool:
    """Whether this executor can stand in for the stages."""
    setup, variants = model.setup, model.setup.variants
    plain = not (variants.current or variants.aberrations or variants.background or variants.plates or setup.masks is not None)
    return (
        not model.backend.on_device
        and model.backend.ducc is not None
        and find_spec("numba") is not None
        and plain
        and variants.probe_marker is None
        and loss in _LOSSES
        and method == "multislice"
        and not setup.optics.near_field
        and setup.layout.plain
        and setup.optics.obj_modes == 1
        # tilt mode 0 acts between slices alone
        and (setup.optics.untilted or (setup.optics.tilt_mode == 0 and setup.optics.slices == 1))
    )


@dataclass
class _Buffers:
    """What one thread works in, made once."""

    waves: np.ndarray
    patches: np.ndarray
    of_patches: np.ndarray
    field: np.ndarray
    row: np.ndarray


@dataclass
class _Part:
    """One thread's share of the gradient."""

    planes: np.ndarray
    spectrum: np.ndarray


class Fused:
    """Sums over patterns, batch after batch, on as many threads as there are shares of the batches.

    Every thread takes fixed batches and the shares are added in order, so that the same point gives the same numbers again.
    """

    def __init__(self, model: Model, measurements: Measurements, loss: str, batch: int, threads: int):
        from pypty_nb.engine.executors import kernels

        self._kernels, self._measurements, self._batch, self._threads = kernels, measurements, batch, max(1, threads)
        self._which = _LOSSES.index(loss)
        backend, setup = model.backend, model.setup
        self._real, self._complex, self._setup = backend.real, backend.complex, setup
        geometry = setup.geometry
        window, self._size = geometry.window, geometry.window[0] * geometry.window[1]
        band = band_limit(window, geometry.pixel_size, geometry.cutoff, geometry.rolloff)
        self._band = band.astype(self._real)
        self._scaled_band = (band / self._size).astype(self._real)
        self._propagators = [(kernel / self._size).astype(self._complex) for kernel in _propagators(setup, band)]
        self._conjugates = [np.conj(kernel) for kernel in self._propagators]
        self._ky, self._kx = (np.fft.fftfreq(n).astype(self._real) for n in window)
        self._transform = backend.ducc.c2c
        self._buffers: list[_Buffers] = []

    def run(
        self, point: Refinables, wanted: frozenset[str], weight: float = 1.0, sequence: Sequence[int] | None = None
    ) -> Sums:
        """As `Serial.run`; `wanted` may name obj, probe and positions."""
        shared = self._prepare(point)
        chosen = np.arange(self._measurements.count) if sequence is None else np.asarray(sequence)
        batches = [chosen[start : start + self._batch] for start in range(0, len(chosen), self._batch)]
        losses, errors = np.zeros((2, self._measurements.count))
        moved = np.zeros((self._measurements.count, 2))
        shares = [batches[share :: self._threads] for share in range(self._threads)]
        parts = [_Part(np.zeros_like(shared.planes), np.zeros_like(shared.spectrum)) for _ in shares]
        self._fit_buffers(shared)

        def work(share: int) -> None:
            for indices in shares[share]:
                self._one_batch(indices, shared, self._buffers[share], parts[share], (losses, errors, moved), bool(wanted))

        if self._threads == 1:
            work(0)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(work, range(self._threads)))
        return Sums(losses, errors, self._gradient(point, parts, moved, wanted, weight))

    def _prepare(self, point: Refinables) -> _Shared:
        planes = np.ascontiguousarray(np.moveaxis(point.obj[..., 0], 2, 0))
        probe = np.ascontiguousarray(np.moveaxis(point.probe, 2, 0))
        spectrum = self._transform(probe, axes=(1, 2)) * self._band
        corners = self._setup.geometry.corners
        remainder = point.positions - corners if self._setup.geometry.sub_pixel else np.zeros_like(point.positions)
        ramps = [
            np.exp(-2j * np.pi * remainder[:, axis : axis + 1] * k).astype(self._complex)
            for axis, k in ((0, self._ky.astype(np.float64)), (1, self._kx.astype(np.float64)))
        ]
        return _Shared(planes, spectrum, spectrum / self._complex(self._size), ramps[0], ramps[1], corners)

    def _fit_buffers(self, shared: _Shared) -> None:
        modes, slices, window = shared.spectrum.shape[0], shared.planes.shape[0], self._setup.geometry.window
        if self._buffers and self._buffers[0].waves.shape[2] == modes:
            return
        self._buffers = [
            _Buffers(
                waves=np.empty((slices, self._batch, modes, *window), self._complex),
                patches=np.empty((self._batch, slices, *window), self._complex),
                of_patches=np.empty((self._batch, slices, *window), self._complex),
                field=np.empty((self._batch, modes, *window), self._complex),
                row=np.empty((2, window[1]), self._real),
            )
            for _ in range(self._threads)
        ]

    def _one_batch(
        self,
        indices: np.ndarray,
        shared: _Shared,
        buffers: _Buffers,
        part: _Part,
        out: tuple[np.ndarray, ...],
        with_gradient: bool,
    ) -> None:
        count = len(indices)
        waves, patches = buffers.waves[:, :count], buffers.patches[:count]
        field, losses, errors = buffers.field[:count], np.empty(count), np.empty(count)
        ramp_y, ramp_x, corners = shared.ramp_y[indices], shared.ramp_x[indices], shared.corners[indices]
        self._forward(shared, waves, patches, field, (ramp_y, ramp_x, corners))
        data = self._measurements.batch(indices)
        self._kernels.detect(field, self._band, data, self._which, losses, errors, buffers.row)
        out[0][indices], out[1][indices] = losses, errors
        if not with_gradient:
            return
        of_patches = buffers.of_patches[:count]
        self._inverse(field)
        self._backward(waves, patches, field, of_patches)
        self._kernels.scatter(of_patches, corners, part.planes)
        self._forwards(field)
        moved = np.empty((count, 2))
        self._kernels.shift_adjoint(field, shared.spectrum, ramp_y, ramp_x, self._ky, self._kx, part.spectrum, moved)
        out[2][indices] = moved

    def _forward(self, shared: _Shared, waves: np.ndarray, patches: np.ndarray, field: np.ndarray, at: tuple[Any, ...]) -> None:
        ramp_y, ramp_x, corners = at
        self._kernels.shift(shared.scaled_spectrum, ramp_y, ramp_x, waves[0])
        self._inverse(waves[0])
        self._kernels.gather(shared.planes, corners, patches)
        self._limit(patches)
        last = len(waves) - 1
        for s in range(last):
            self._kernels.transmit(waves[s], patches, s, waves[s + 1])
            self._forwards(waves[s + 1])
            self._kernels.multiply(self._propagators[s], waves[s + 1])
            self._inverse(waves[s + 1])
        self._kernels.transmit(waves[last], patches, last, field)
        self._forwards(field)

    def _backward(self, waves: np.ndarray, patches: np.ndarray, field: np.ndarray, of_patches: np.ndarray) -> None:
        for s in reversed(range(len(waves))):
            self._kernels.transmit_adjoint(waves[s], patches, s, field, of_patches)
            if s:
                self._forwards(field)
                self._kernels.multiply(self._conjugates[s - 1], field)
                self._inverse(field)
        self._limit(of_patches)

    def _limit(self, patches: np.ndarray) -> None:
        if self._setup.geometry.limit_patches:
            self._forwards(patches)
            self._kernels.multiply(self._scaled_band, patches)
            self._inverse(patches)

    def _forwards(self, arrays: np.ndarray) -> None:
        self._transform(arrays, axes=(2, 3), forward=True, inorm=0, out=arrays, nthreads=1)

    def _inverse(self, arrays: np.ndarray) -> None:
        self._transform(arrays, axes=(2, 3), forward=False, inorm=0, out=arrays, nthreads=1)

    def _gradient(
        self, point: Refinables, parts: list[_Part], moved: np.ndarray, wanted: frozenset[str], weight: float
    ) -> Refinables:
        obj = probe = positions = None
        if "obj" in wanted:
            planes = sum((part.planes for part in parts[1:]), parts[0].planes)
            obj = np.moveaxis(planes * self._real(weight), 0, 2)[..., None]
        if "probe" in wanted:
            spectrum = sum((part.spectrum for part in parts[1:]), parts[0].spectrum) * self._band
            probe = np.moveaxis(self._transform(spectrum, axes=(1, 2), forward=False, inorm=2) * self._real(weight), 0, 2)
        if "positions" in wanted:
            positions = (moved * (2 * np.pi / self._size * weight)).astype(self._real)
        fixed = {name: np.zeros_like(getattr(point, name)) for name in wanted - _REFINED}
        return Refinables(obj=obj, probe=probe, positions=positions, **fixed)


@dataclass(frozen=True)
class _Shared:
    """What all batches of one evaluation read."""

    planes: np.ndarray
    spectrum: np.ndarray
    scaled_spectrum: np.ndarray
    ramp_y: np.ndarray
    ramp_x: np.ndarray
    corners: np.ndarray


def _propagators(setup: Setup, band: np.ndarray) -> list[np.ndarray]:
    """P(d) of every gap between slices, (y, x) complex128."""
    optics, geometry = setup.optics, setup.geometry
    qy, qx = (np.fft.fftfreq(n, size) for n, size in zip(geometry.window, geometry.pixel_size, strict=True))
    q2 = qy[:, None] ** 2 + qx[None, :] ** 2
    gaps = optics.slices - 1
    distances = optics.distances if len(optics.distances) != 1 else optics.distances * gaps
    return [np.exp(-1j * np.pi * optics.wavelength * d * q2) * band for d in distances[:gaps]]
