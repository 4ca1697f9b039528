"""Seconds a pass (loss and gradient of object and probe over all patterns) beside the bare transforms of the same run.

``python -m tests.bench [S] [M]``: process CPU seconds of one thread, the best of seven; then the gain of two threads in
wall-clock seconds, the median over passes that take turns with those of one thread, and the middle half of them.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from pypty_nb import Preset
from pypty_nb.backend import Backend, choose_backend
from pypty_nb.engine.build import build
from tests.bench.problems import SIZES, problem

REPEATS = 7
#: Pairs of passes of one and of two threads: the machine's clock and its other users change slower than they follow each other.
TURNS = 15


def best(function: Callable[[], object], clock: Callable[[], float]) -> float:
    """The shortest of several runs, after one that compiles and fills caches."""
    function()
    times = []
    for _ in range(REPEATS):
        began = clock()
        function()
        times.append(clock() - began)
    return min(times)


def one_pass(preset: Preset, threads: int) -> Callable[[], object]:
    """A pass of `threads` threads; compiled, its buffers made."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    made = build(preset, exact=False)
    terms = made.objective.terms_at(0)
    # the number of threads is read here, and not again
    made.objective.evaluate(made.point, terms)
    return lambda: made.objective.evaluate(made.point, terms)


def gains(one: Callable[[], object], two: Callable[[], object]) -> np.ndarray:
    """How many times as fast `two` is as `one`, wall-clock: first quartile, median, third quartile."""
    ratios = []
    for _ in range(TURNS):
        began = time.perf_counter()
        one()
        between = time.perf_counter()
        two()
        ratios.append((between - began) / (time.perf_counter() - between))
    return np.percentile(ratios, (25, 50, 75))


def transforms(name: str, *, limited: bool) -> int:
    """Two-dimensional transforms that a pattern cannot do without: shifts, slices, detector, there and back."""
    size = SIZES[name]
    waves = 2 + 2 * (size.slices - 1) + 2
    return size.modes * (waves + 2 * (size.slices - 1)) + (4 * size.slices if limited else 0)


def floor_seconds(name: str, precision: str, *, limited: bool) -> float:
    """The bare transforms alone, in place, in batches that stay in cache."""
    size, backend = SIZES[name], choose_backend("auto", precision)
    arrays = backend.asarray(np.ones((8, size.window, size.window)), backend.complex)
    count = transforms(name, limited=limited) * size.scan**2 // 8

    def run() -> None:
        nonlocal arrays
        for index in range(count):
            # there and back, so that the numbers stay what they are
            arrays = backend.ifft2(arrays) if index % 2 else backend.fft2(arrays)
        _synchronise(backend)

    return best(run, time.process_time if not backend.on_device else time.perf_counter)


def _synchronise(backend: Backend) -> None:
    if backend.on_device:
        backend.xp.cuda.Device().synchronize()


def processor() -> str:
    """The processor's name, as far as the system tells, and its cores."""
    found = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        found = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), found)
    return f"{found}, {os.cpu_count()} cores"


def main() -> None:
    names = [argument for argument in sys.argv[1:] if argument in SIZES] or list(SIZES)
    print(f"{choose_backend('auto', 'double').name}; {processor()}; NumPy {np.__version__}\n")
    print("| problem | precision | patch band limit | pass, s | bare transforms, s | ratio | 1 thread / 2 threads, wall |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in names:
        for precision in ("double", "single"):
            for limited in (True, False):
                preset = problem(name, precision, patch_band_limit=limited)
                one = one_pass(preset, 1)
                floor = floor_seconds(name, precision, limited=limited)
                took = best(one, time.process_time)
                low, middle, high = gains(one, one_pass(preset, 2))
                cells = (
                    name, precision, "on" if limited else "off", f"{took:.3f}", f"{floor:.3f}", f"{took / floor:.2f}",
                    f"{middle:.2f} ({low:.2f} to {high:.2f})",
                )  # fmt: skip
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
