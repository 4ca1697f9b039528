"""The common case in one compiled kernel: far field, multislice, any probe modes and slices; object, probe, positions refined.

The arithmetic is the stages'; the tests hold the two together. It needs numba (the extra "fast") and a processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import accumulate
from typing import Any

import numpy as np

from pypty_nb.data import Measurements
from pypty_nb.engine.executors.axes import axis, radices
from pypty_nb.engine.executors.serial import Sums
from pypty_nb.engine.model import Model
from pypty_nb.engine.setup import Setup
from pypty_nb.physics.grids import band_limit
from pypty_nb.records import Refinables

_LOSSES = ("lsq_sqrt", "ml", "lsq", "lsq_sqrt_2")
_REFINED = frozenset({"obj", "probe", "positions"})
#: Bytes of patterns given to the kernel at once, at least: between calls threads wait for each other.
_AT_ONCE = 2**22


def supports(model: Model, method: str, loss: str) -> bool:
    """Whether this executor can stand in for the stages."""
    setup, variants = model.setup, model.setup.variants
    plain = not (variants.current or variants.aberrations or variants.background or variants.plates or setup.masks is not None)
    return (
        not model.backend.on_device
        and find_spec("numba") is not None
        and all(radices(length) for length in setup.geometry.window)
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


class Fused:
    """Sums over patterns, on as many threads as there are shares of the batches.

    Every thread takes fixed batches and the shares are added in order, so that the same point gives the same numbers again.
    """

    def __init__(self, model: Model, measurements: Measurements, loss: str, batch: int, threads: int):
        from pypty_nb.engine.executors import kernels, lanes

        self._kernels, self._measurements = kernels, measurements
        self._threads, self._which = max(1, threads), _LOSSES.index(loss)
        self._backend, self._setup, self._real = model.backend, model.setup, model.backend.real
        geometry = model.setup.geometry
        one = geometry.window[0] * geometry.window[1] * np.dtype(self._real).itemsize
        self._batch = max(batch, _AT_ONCE // one)
        self._band = band_limit(geometry.window, geometry.pixel_size, geometry.cutoff, geometry.rolloff)
        self._vector = lanes.BYTES // np.dtype(self._real).itemsize
        inside = self._band > 0
        along_y, along_x = np.asarray(inside.any(axis=1)), np.asarray(inside.any(axis=0))
        self._y = axis(geometry.window[0], along_y, self._vector, self._real)
        self._x = axis(geometry.window[1], along_x, self._vector, self._real)
        self._frequencies = self._y.frequencies[:, None], self._x.frequencies
        self._dark = np.full((measurements.count, 2), np.nan)
        self._plan: Any = None
        self._work: list[Any] = []

    def run(
        self, point: Refinables, wanted: frozenset[str], weight: float = 1.0, sequence: Sequence[int] | None = None
    ) -> Sums:
        """As `Serial.run`; `wanted` may name obj, probe and positions."""
        self._prepare(point)
        geometry, count = self._setup.geometry, self._measurements.count
        remainders = (point.positions - geometry.corners).astype(np.float64)
        chosen = np.arange(count) if sequence is None else np.asarray(sequence)
        # as many for each thread
        rounds = -(-len(chosen) // (self._batch * self._threads))
        batches = [part for part in np.array_split(chosen, rounds * self._threads) if len(part)]
        losses, errors, moved = np.zeros(count), np.zeros(count), np.zeros((count, 2))
        flags = self._kernels.Wanted(*(name in wanted for name in self._kernels.Wanted._fields))

        def work(share: int) -> None:
            for indices in batches[share :: self._threads]:
                places = geometry.corners[indices], remainders[indices]
                data = np.ascontiguousarray(self._measurements.batch(indices))
                out = np.empty(len(indices)), np.empty(len(indices)), np.zeros((len(indices), 2)), self._dark[indices]
                self._kernels.patterns(self._plan, self._work[share], places, data, self._which, flags, out)
                losses[indices], errors[indices], moved[indices], self._dark[indices] = out

        if self._threads == 1:
            work(0)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(work, range(self._threads)))
        return Sums(losses, errors, self._gradient(point, moved, wanted, weight))

    def _prepare(self, point: Refinables) -> None:
        """Give every thread object and probe, and an empty gradient."""
        height, width, slices = point.obj.shape[:3]
        modes = point.probe.shape[2]
        row = height + self._vector
        if self._plan is None or self._plan[2:4] + self._plan[5:7] != (modes, slices, width, row):
            self._plan = self._planned(modes, slices, width, row)
        planes = self._work[0].planes
        parts, of_slices = self._slices(planes), np.transpose(point.obj[..., 0], (2, 1, 0))
        parts[:, 0], parts[:, 1] = np.real(of_slices), np.imag(of_slices)
        probe = np.array(np.moveaxis(point.probe, 2, 0), order="C")
        spectra = self._packed(self._backend.fft2(probe) * (self._band / self._band.size).astype(self._real))
        for work in self._work:
            work.of_planes[:] = 0
            work.memory[self._plan.probes :][: len(spectra)] = spectra
            work.memory[self._plan.of_probes :][: len(spectra)] = 0

    def _planned(self, modes: int, slices: int, width: int, row: int) -> Any:
        """Lay the threads' memory out and fill in what a run holds fixed."""
        (ny, nx), limited, y, x = self._setup.geometry.window, self._setup.geometry.limit_patches, self._y, self._x
        band = np.pad(self._band[self._frequencies], ((0, 0), (0, x.lanes - x.kept))).ravel()
        wave, spectrum = 2 * x.length * y.padded, 2 * (y.lanes + 2) * x.lanes
        fixed = {
            "mask": np.arange(y.padded) < ny,
            "band": band / (ny * nx),
            "squared": band**2 / modes,
            "propagators": self._packed(_propagators(self._setup, self._band) / (ny * nx)),
            "ky": self._frequencies[0].ravel() / ny,
            "kx": self._frequencies[1] / nx,
        }
        sizes = {name: len(values) for name, values in fixed.items()} | {
            "probes": spectrum * modes, "of_probes": spectrum * modes,
            "waves": wave * modes * slices, "patches": wave * slices if limited else 0, "field": wave * modes, "of_patch": wave,
            "spectra": spectrum * modes, "half": 2 * y.padded * x.lanes, "back": 2 * (x.lanes + 1) * y.padded,
            "intensity": len(band), "slope": len(band), "counts": len(band),
            "ramp_y": 2 * y.kept, "ramp_x": 2 * x.lanes, "moments": 2 * x.lanes,
        }  # fmt: skip
        ends = list(accumulate(-(-size // self._vector) * self._vector for size in sizes.values()))
        starts = dict(zip(sizes, [0, *ends[:-1]], strict=True))
        longest, planes = max(ny, nx), np.zeros(2 * slices * width * row + self._vector, self._real)
        self._work = [
            self._kernels.Work(
                self._aligned(ends[-1]), self._aligned(2 * longest * self._vector), np.empty(longest // 2 + 1, np.complex128),
                planes, np.zeros_like(planes),
            )
            for _ in range(self._threads)
        ]  # fmt: skip
        for work in self._work:
            for name, values in fixed.items():
                work.memory[starts[name] :][: len(values)] = values
        return self._kernels.Plan(x, y, modes, slices, limited, width, row, self._left_out(), **starts)

    def _left_out(self) -> np.ndarray:
        """Where bad pixels lie among the packed frequencies."""
        if self._setup.left_out is None:
            return np.empty(0, np.int64)
        row, lane = np.nonzero(self._setup.left_out[self._frequencies])
        return row * self._x.lanes + lane

    def _aligned(self, size: int) -> np.ndarray:
        """Zeros that begin at a vector's boundary."""
        memory = np.zeros(size + self._vector, self._real)
        first = -memory.ctypes.data // memory.itemsize % self._vector
        return memory[first : first + size]

    def _packed(self, spectra: np.ndarray) -> np.ndarray:
        """Spectra (n, ky, kx) as the kernels have them."""
        y, x = self._y, self._x
        kept = spectra[:, *self._frequencies]
        out = np.zeros((len(spectra), y.lanes + 2, 2, x.lanes), self._real)
        out[:, : y.kept, 0, : x.kept], out[:, : y.kept, 1, : x.kept] = np.real(kept), np.imag(kept)
        return out.reshape(*out.shape[:3], x.lanes // self._vector, self._vector).swapaxes(2, 3).ravel()

    def _unpacked(self, packed: np.ndarray) -> np.ndarray:
        y, x = self._y, self._x
        parts = packed.reshape(-1, y.lanes + 2, x.lanes // self._vector, 2, self._vector).swapaxes(2, 3)
        parts = parts.reshape(*parts.shape[:3], x.lanes)[:, : y.kept, :, : x.kept]
        out = np.zeros((len(parts), y.length, x.length), self._backend.complex)
        out[:, *self._frequencies] = parts[:, :, 0] + 1j * parts[:, :, 1]
        return out

    def _slices(self, planes: np.ndarray) -> np.ndarray:
        """A view of planes, (slice, real and imaginary part, x, y)."""
        # vectors that begin within a plane may end behind it
        slices, width, row = self._plan.slices, self._plan.width, self._plan.row
        return planes[: -self._vector].reshape(slices, 2, width, row)[..., : row - self._vector]

    def _gradient(self, point: Refinables, moved: np.ndarray, wanted: frozenset[str], weight: float) -> Refinables:
        obj = probe = positions = None
        if "obj" in wanted:
            parts = self._slices(_total([work.of_planes for work in self._work]))
            planes = (parts[:, 0] + 1j * parts[:, 1]) * self._real(weight)
            # in memory as the stages have it, and a checkpoint brings it back: slice by slice
            obj = np.moveaxis(np.ascontiguousarray(planes.swapaxes(1, 2)), 0, 2)[..., None]
        if "probe" in wanted:
            first, last = self._plan.of_probes, self._plan.waves
            spectra = self._unpacked(_total([work.memory[first:last] for work in self._work]))
            probe = self._backend.ifft2(spectra * self._band.astype(self._real)) * self._real(weight)
            probe = np.moveaxis(probe, 0, 2)
        if "positions" in wanted:
            positions = (moved * (2 * np.pi * weight)).astype(self._real)
        fixed = {name: np.zeros_like(getattr(point, name)) for name in wanted - _REFINED}
        return Refinables(obj=obj, probe=probe, positions=positions, **fixed)


def _total(arrays: list[np.ndarray]) -> np.ndarray:
    return sum(arrays[1:], arrays[0])


def _propagators(setup: Setup, band: np.ndarray) -> np.ndarray:
    """P(d) of every gap between slices, (gap, y, x) complex128."""
    optics, geometry = setup.optics, setup.geometry
    qy, qx = (np.fft.fftfreq(n, size) for n, size in zip(geometry.window, geometry.pixel_size, strict=True))
    q2 = qy[:, None] ** 2 + qx[None, :] ** 2
    kernels = [np.exp(-1j * np.pi * optics.wavelength * d * q2) * band for d in optics.steps("multislice")]
    return np.array(kernels).reshape(-1, *q2.shape)
