"""A run holds no more than twice its data, its optimiser's history and one batch."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction
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
