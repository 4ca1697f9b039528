"""A run holds no more than twice its data, its optimiser's history and one batch."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction
from pypty_nb.backend import GIB, Backend
from pypty_nb.engine.objective import batch_size
from tests.bench.problems import problem

HISTORY = 5


@pytest.mark.parametrize("load_one_by_one", [True, False])
def test_peak_memory(load_one_by_one: bool) -> None:
    preset = problem("S", "double")
    preset.update(epoch_max=HISTORY + 2, hist_length=HISTORY, load_one_by_one=load_one_by_one, compute_batch=8)
    values = preset.to_dict()
    count, ny, nx = preset.dataset.shape
    # what is imported and compiled once is not the run's
    next(Reconstruction({**values, "epoch_max": 1}))
    tracemalloc.start()
    try:
        run = Reconstruction(Preset.from_dict(values))
        for report in run:
            point = report.point
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    data = count * ny * nx * 8
    history = 2 * HISTORY * (point.obj.nbytes + point.probe.nbytes)
    batch = batch_size(preset, run.backend, (ny, nx)) * ny * nx * np.dtype(complex).itemsize
    assert peak <= 2 * (data + history + batch), f"{peak / 2**20:.0f} MiB"


class Device:
    """As much of CuPy as is asked for its memory."""

    def __init__(self, free: float):
        self.called: list[str] = []
        self._free = free

    def get_default_memory_pool(self) -> Device:
        return self

    def free_all_blocks(self) -> None:
        self.called.append("memory")

    def get_plan_cache(self) -> Device:
        return self

    def clear(self) -> None:
        self.called.append("plans")

    def memGetInfo(self) -> tuple[float, float]:
        return self._free * GIB, 8 * GIB

    def __getattr__(self, name: str) -> Device:
        # cupy.fft.config, cupy.cuda.runtime
        if name in {"fft", "config", "cuda", "runtime"}:
            return self
        raise AttributeError(name)


def test_what_a_device_caches_is_given_back_as_asked() -> None:
    device = Device(1.0)
    backend = Backend(device, "double")
    backend.release()
    backend.release(memory=False, plans=True)
    backend.release(memory=False)
    assert device.called == ["memory", "plans"]
    Backend(np, "double").release(plans=True)


def test_a_run_gives_it_back_after_the_epochs_that_say_so(tiny: Preset, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(Backend, "release", lambda self, **how: asked.append(how))
    tiny.update(smart_memory="lambda x: x % 2 == 0", remove_fft_cache=True, epoch_max=4)
    list(Reconstruction(tiny))
    assert [bool(how["memory"]) for how in asked] == [True, False, True, False]
    assert all(how["plans"] for how in asked)


def test_an_automatic_batch_fills_its_share_of_the_free_memory(tiny: Preset) -> None:
    tiny.compute_batch = "auto"
    sizes = {}
    for share in (0.35, 0.7):
        tiny.memory_saturation = share
        sizes[share] = batch_size(tiny, Backend(Device(0.002), "double"), (16, 16))
    assert sizes[0.7] == pytest.approx(2 * sizes[0.35], abs=1)
    assert sizes[0.35] > 4
    assert batch_size(tiny, Backend(Device(0.0), "double"), (16, 16)) == 1
