"""NumPy or CuPy behind one small object: the only place that knows which."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import scipy.fft

from pypty_nb.records import Array

GIB = 2.0**30
_CACHE_FILE = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")


class BackendError(ValueError):
    """The arithmetic asked for is not to be had on this machine."""


def _installed_ducc() -> Any:
    if find_spec("ducc0") is None:
        return None
    import ducc0.fft

    return ducc0.fft


@dataclass(frozen=True)
class Backend:
    """The array library of a run.

    Attributes
    ----------
    xp : module
        ``numpy`` or ``cupy``.
    precision : "double" or "single"
    ducc : module or None
        ``ducc0.fft`` where it is installed: the fastest transforms on a processor.
    """

    xp: Any
    precision: Literal["double", "single"]
    ducc: Any = field(default_factory=_installed_ducc, repr=False, compare=False)

    @property
    def real(self) -> Any:
        """The dtype of real numbers."""
        return np.float64 if self.precision == "double" else np.float32

    @property
    def complex(self) -> Any:
        """The dtype of complex numbers."""
        return np.complex128 if self.precision == "double" else np.complex64

    @property
    def on_device(self) -> bool:
        """Whether arrays lie on a CUDA device."""
        return self.xp is not np

    @property
    def name(self) -> str:
        """For the page's top bar and the journal."""
        if not self.on_device:
            return f"CPU · {_threads()} threads" if _threads() > 1 else "CPU · 1 thread"
        device = self.xp.cuda.Device()
        return f"GPU {device.id} · {self.xp.cuda.runtime.getDeviceProperties(device.id)['name'].decode()}"

    @property
    def threads(self) -> int:
        """Threads the engine may use: OMP_NUM_THREADS where that is set, else one a core."""
        return 1 if self.on_device else _threads()

    @property
    def cache(self) -> int:
        """Bytes of a core's second-level cache, as the machine says; 1 MiB where it does not."""
        try:
            text = _CACHE_FILE.read_text(encoding="ascii").strip()
            return int(text.removesuffix("K")) * 1024 if text.endswith("K") else int(text.removesuffix("M")) * 2**20
        except (OSError, ValueError):
            return 2**20

    def asarray(self, array: Any, dtype: Any = None) -> Array:
        """`array` where the arithmetic is done."""
        return self.xp.asarray(array, dtype=dtype)

    def to_host(self, array: Array) -> np.ndarray:
        """`array` as NumPy's."""
        return self.xp.asnumpy(array) if self.on_device else np.asarray(array)

    def fft2(self, array: Array) -> Array:
        """Unnormalised forward transform of the last two axes; may overwrite `array`, which is not to be used after."""
        return self._transform(array, forward=True)

    def ifft2(self, array: Array) -> Array:
        """Inverse transform (1/N²) of the last two axes; may overwrite `array`, which is not to be used after."""
        return self._transform(array, forward=False)

    def scatter_add(self, into: Array, rows: np.ndarray, values: Array) -> None:
        """Add each of `values` to the row of `into` that `rows` names, repeated rows all counted."""
        if self.on_device:
            import cupyx

            cupyx.scatter_add(into, self.xp.asarray(rows), values)
            return
        for row, value in zip(rows.tolist(), values, strict=True):
            into[row] += value

    def memory(self) -> tuple[float, float]:
        """Free and total memory where the arithmetic is done, GiB."""
        if self.on_device:
            free, total = self.xp.cuda.runtime.memGetInfo()
            return free / GIB, total / GIB
        return _host_memory()

    def release(self, *, memory: bool = True, plans: bool = False) -> None:
        """Give cached device memory back, and that of the plans of Fourier transforms."""
        if not self.on_device:
            return
        if plans:
            self.xp.fft.config.get_plan_cache().clear()
        if memory:
            self.xp.get_default_memory_pool().free_all_blocks()

    def _transform(self, array: Array, *, forward: bool) -> Array:
        if self.on_device:
            transform = self.xp.fft.fft2 if forward else self.xp.fft.ifft2
            return transform(array, axes=(-2, -1))
        ducc = self.ducc
        if ducc is not None and array.flags.writeable:
            # in place: without `out` the library is three to four times slower
            inorm = 0 if forward else 2
            return ducc.c2c(array, axes=(array.ndim - 2, array.ndim - 1), forward=forward, inorm=inorm, out=array, nthreads=1)
        transform = scipy.fft.fft2 if forward else scipy.fft.ifft2
        return transform(array, axes=(-2, -1), overwrite_x=True)


def choose_backend(name: str, precision: Literal["double", "single"]) -> Backend:
    """The backend of the parameter `backend`.

    Raises
    ------
    BackendError
        Where ``"cupy"`` is asked for and there is no CuPy or no device.
    """
    if name == "numpy":
        return Backend(np, precision)
    cupy, reason = _cupy()
    if cupy is not None:
        return Backend(cupy, precision)
    if name == "cupy":
        raise BackendError(f"backend: 'cupy' was asked for, but {reason}; use 'auto' or 'numpy'")
    return Backend(np, precision)


def _cupy() -> tuple[ModuleType | None, str]:
    if find_spec("cupy") is None:
        return None, "CuPy is not installed (pip install 'pypty_nb[cuda12]' or '[cuda13]')"
    import cupy

    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return None, f"no CUDA device answers ({error})"
    return (cupy, "") if count else (None, "no CUDA device was found")


def _threads() -> int:
    said = os.environ.get("OMP_NUM_THREADS", "")
    return (
        int(said)
        if said.isdigit() and int(said) > 0
        else len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1
    )


def _host_memory() -> tuple[float, float]:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123  a kernel file, read once a line
            kib = {line.split(":")[0]: int(line.split()[1]) for line in file}
        return kib["MemAvailable"] * 1024 / GIB, kib["MemTotal"] * 1024 / GIB
    except (OSError, KeyError, ValueError):
        return 0.0, 0.0  # elsewhere than Linux the column stays empty
