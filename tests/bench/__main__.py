"""Seconds a pass (loss and gradient of object and probe over all patterns) beside the bare transforms of the same run.

``python -m tests.bench [S] [M]``: process CPU seconds, the best of seven, one thread, then two threads in wall-clock seconds.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable

import numpy as np

from pypty_nb.backend import Backend, choose_backend
from pypty_nb.engine.build import build
from tests.bench.problems import SIZES, problem

REPEATS = 7


def best(function: Callable[[], object], clock: Callable[[], float]) -> float:
    """The shortest of several runs, after one that compiles and fills caches."""
    function()
    times = []
    for _ in range(REPEATS):
        began = clock()
        function()
        times.append(clock() - began)
    return min(times)


def pass_seconds(name: str, precision: str, clock: Callable[[], float], *, limited: bool) -> float:
    made = build(problem(name, precision, patch_band_limit=limited), exact=False)
    terms = made.objective.terms_at(0)
    return best(lambda: made.objective.evaluate(made.point, terms), clock)


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


def main() -> None:
    names = [argument for argument in sys.argv[1:] if argument in SIZES] or list(SIZES)
    print(f"{choose_backend('auto', 'double').name}; {platform.processor() or platform.machine()}; NumPy {np.__version__}\n")
    print("| problem | precision | patch band limit | pass, s | bare transforms, s | ratio | 1 thread / 2 threads, wall |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name in names:
        for precision in ("double", "single"):
            for limited in (True, False):
                os.environ["OMP_NUM_THREADS"] = "1"
                floor = floor_seconds(name, precision, limited=limited)
                single = pass_seconds(name, precision, time.process_time, limited=limited)
                one = pass_seconds(name, precision, time.perf_counter, limited=limited)
                os.environ["OMP_NUM_THREADS"] = "2"
                two = pass_seconds(name, precision, time.perf_counter, limited=limited)
                word = "on" if limited else "off"
                print(
                    f"| {name} | {precision} | {word} | {single:.3f} | {floor:.3f} | {single / floor:.2f} | {one / two:.2f} |"
                )


if __name__ == "__main__":
    main()
