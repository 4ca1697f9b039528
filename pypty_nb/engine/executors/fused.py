"""The common case in one compiled kernel: far field, multislice, any probe modes and slices; object, probe, positions refined.

The arithmetic is the stages'; the tests hold the two together. It needs numba (the extra "fast") and a processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
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
#: Patterns given to the kernel at once, at least: it works on one at a time, and a call costs as much as several.
_AT_ONCE = 16


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
        self._batch, self._threads, self._which = max(batch, _AT_ONCE), max(1, threads), _LOSSES.index(loss)
        self._backend, self._setup = model.backend, model.setup
        self._real = model.backend.real
        self._lanes = lanes.BYTES // np.dtype(self._real).itemsize
        geometry = model.setup.geometry
        self._band = band_limit(geometry.window, geometry.pixel_size, geometry.cutoff, geometry.rolloff)
        self._grid = self._fixed()
        self._work: list[Any] = []

    def run(
        self, point: Refinables, wanted: frozenset[str], weight: float = 1.0, sequence: Sequence[int] | None = None
    ) -> Sums:
        """As `Serial.run`; `wanted` may name obj, probe and positions."""
        shared = self._shared(point)
        corners = self._setup.geometry.corners
        remainders = point.positions - corners if self._setup.geometry.sub_pixel else np.zeros(corners.shape)
        remainders = remainders.astype(np.float64)
        chosen = np.arange(self._measurements.count) if sequence is None else np.asarray(sequence)
        batches = [chosen[start : start + self._batch] for start in range(0, len(chosen), self._batch)]
        losses, errors = np.zeros((2, self._measurements.count))
        moved = np.zeros((self._measurements.count, 2))
        parts = [self._kernels.Part(np.zeros_like(shared.planes), np.zeros_like(shared.spectra)) for _ in range(self._threads)]
        flags = self._kernels.Wanted(*(name in wanted for name in self._kernels.Wanted._fields))
        self._fit_work(shared)

        def work(share: int) -> None:
            for indices in batches[share :: self._threads]:
                places = corners[indices], remainders[indices]
                data = np.ascontiguousarray(self._measurements.batch(indices))
                out = np.empty(len(indices)), np.empty(len(indices)), np.zeros((len(indices), 2))
                self._kernels.patterns(
                    self._grid, shared, self._work[share], parts[share], places, data, self._which, flags, out
                )
                losses[indices], errors[indices], moved[indices] = out

        if self._threads == 1:
            work(0)
        else:
            with ThreadPoolExecutor(self._threads) as pool:
                list(pool.map(work, range(self._threads)))
        return Sums(losses, errors, self._gradient(point, parts, moved, wanted, weight))

    def _fixed(self) -> Any:
        (ny, nx), lanes, real, inside = self._setup.geometry.window, self._lanes, self._real, self._band > 0
        y, x = axis(ny, inside.any(axis=1), lanes, real), axis(nx, inside.any(axis=0), lanes, real)
        limited = np.pad(self._band[np.ix_(y.frequencies, x.frequencies)], ((0, 0), (0, x.lanes - x.kept)))
        self._axes = y, x
        return self._kernels.Grid(
            x, y, lanes, self._setup.geometry.limit_patches,
            mask=(np.arange(y.padded) < ny).astype(real),
            band=(limited / (ny * nx)).astype(real).ravel(),
            squared=(limited**2).astype(real).ravel(),
            propagators=self._packed(_propagators(self._setup, self._band) / (ny * nx)),
            ky=(y.frequencies / ny).astype(real),
            kx=(x.frequencies / nx).astype(real),
        )  # fmt: skip

    def _shared(self, point: Refinables) -> Any:
        height, width, slices = point.obj.shape[:3]
        padded = height + self._lanes
        # vectors that begin within a plane may end behind it
        planes = np.zeros(2 * slices * width * padded + self._lanes, self._real)
        parts = planes[: -self._lanes].reshape(slices, 2, width, padded)[..., :height]
        of_slices = np.transpose(point.obj[..., 0], (2, 1, 0))
        parts[:, 0], parts[:, 1] = of_slices.real, of_slices.imag
        probe = np.array(np.moveaxis(point.probe, 2, 0), order="C")
        spectra = self._backend.fft2(probe) * self._scaled_band()
        return self._kernels.Shared(planes, (width, padded), self._packed(spectra), slices, len(spectra))

    def _scaled_band(self) -> np.ndarray:
        return (self._band / self._band.size).astype(self._real)

    def _packed(self, spectra: np.ndarray) -> np.ndarray:
        """Spectra (…, ky, kx) as the kernels have them."""
        y, x = self._axes
        blocks = x.lanes // self._lanes
        out = np.zeros((len(spectra), y.lanes + 2, blocks, 2, self._lanes), self._real)
        kept = spectra[:, y.frequencies[:, None], x.frequencies]
        kept = np.pad(kept, ((0, 0), (0, 0), (0, x.lanes - x.kept))).reshape(len(spectra), y.kept, blocks, self._lanes)
        out[:, : y.kept, :, 0], out[:, : y.kept, :, 1] = kept.real, kept.imag
        return out.ravel()

    def _unpacked(self, packed: np.ndarray) -> np.ndarray:
        y, x = self._axes
        rows = packed.reshape(-1, y.lanes + 2, x.lanes // self._lanes, 2, self._lanes)[:, : y.kept]
        kept = (rows[:, :, :, 0] + 1j * rows[:, :, :, 1]).reshape(len(rows), y.kept, x.lanes)[..., : x.kept]
        out = np.zeros((len(rows), y.length, x.length), self._backend.complex)
        out[:, y.frequencies[:, None], x.frequencies] = kept
        return out

    def _fit_work(self, shared: Any) -> None:
        """Make the working arrays when the number of modes or slices is new."""
        wave = 2 * self._grid.x.length * self._grid.y.padded
        if self._work and (len(self._work[0].waves), len(self._work[0].field)) == (
            wave * shared.modes * shared.slices,
            wave * shared.modes,
        ):
            return
        y, x, of_spectra = *self._axes, len(shared.spectra)
        sizes = {
            "waves": wave * shared.modes * shared.slices,
            "patches": wave * shared.slices if self._grid.limited else 0,
            "field": wave * shared.modes,
            "of_patch": wave,
            "spectra": of_spectra,
            "half": 2 * y.padded * x.lanes,
            "back": 2 * (x.lanes + 1) * y.padded,
            "scratch_x": 2 * x.length * self._lanes,
            "scratch_y": 2 * y.length * self._lanes,
            "intensity": y.kept * x.lanes,
            "slope": y.kept * x.lanes,
            "counts": y.kept * x.lanes,
            "ramp_y": 2 * y.kept,
            "ramp_x": 2 * x.lanes,
            "moments": 2 * x.lanes,
        }
        powers = max(y.length, x.length) // 2 + 1
        self._work = [
            self._kernels.Work(
                **{name: self._aligned(size) for name, size in sizes.items()}, powers=np.empty(powers, np.complex128)
            )
            for _ in range(self._threads)
        ]

    def _aligned(self, size: int) -> np.ndarray:
        """Zeros that begin at a vector's boundary."""
        item = np.dtype(self._real).itemsize
        memory = np.zeros(size + self._lanes, self._real)
        first = -memory.ctypes.data // item % self._lanes
        return memory[first : first + size]

    def _gradient(
        self, point: Refinables, parts: list[Any], moved: np.ndarray, wanted: frozenset[str], weight: float
    ) -> Refinables:
        obj = probe = positions = None
        if "obj" in wanted:
            planes = sum((part.planes for part in parts[1:]), parts[0].planes)
            obj = self._object(planes * self._real(weight), point.obj.shape)
        if "probe" in wanted:
            spectra = sum((part.spectra for part in parts[1:]), parts[0].spectra)
            spectra = self._backend.ifft2(self._unpacked(spectra) * self._band.astype(self._real))
            probe = np.moveaxis(spectra * self._real(weight), 0, 2)
        if "positions" in wanted:
            positions = (moved * (2 * np.pi * weight)).astype(self._real)
        fixed = {name: np.zeros_like(getattr(point, name)) for name in wanted - _REFINED}
        return Refinables(obj=obj, probe=probe, positions=positions, **fixed)

    def _object(self, planes: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        height, width, slices = shape[:3]
        parts = planes[: -self._lanes].reshape(slices, 2, width, -1)[..., :height]
        out = np.empty(shape, self._backend.complex)
        of_slices = np.transpose(out[..., 0], (2, 1, 0))
        of_slices.real, of_slices.imag = parts[:, 0], parts[:, 1]
        return out


def _propagators(setup: Setup, band: np.ndarray) -> np.ndarray:
    """P(d) of every gap between slices, (gap, y, x) complex128."""
    optics, geometry = setup.optics, setup.geometry
    qy, qx = (np.fft.fftfreq(n, size) for n, size in zip(geometry.window, geometry.pixel_size, strict=True))
    q2 = qy[:, None] ** 2 + qx[None, :] ** 2
    gaps = optics.slices - 1
    distances = optics.distances if len(optics.distances) != 1 else optics.distances * gaps
    return np.array([np.exp(-1j * np.pi * optics.wavelength * d * q2) * band for d in distances[:gaps]]).reshape(-1, *q2.shape)
