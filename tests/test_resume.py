"""A run taken up from a checkpoint in memory: the same numbers as one never interrupted, and no other run's checkpoint."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pypty_nb import Reconstruction
from tests.test_reconstruction import small

#: Tilt mode 4 takes the stages, and not the compiled kernel.
SLICES: dict[str, Any] = {"num_slices": 3, "slice_distances": [15.0], "tilt_mode": 4, "epoch_max": 9}


@pytest.mark.parametrize(
    "settings",
    [{"lazy_clean": True}, {"skip_preprocessing": True, "obj": np.ones((60, 60, 3, 1))}, {"phase_only_obj": True}],
    ids=lambda settings: next(iter(settings)),
)
def test_several_slices_are_resumed_bit_for_bit(settings: dict[str, Any]) -> None:
    """Sums run in the memory's order, so that what is restored must lie in memory as what was computed."""
    preset = small(**SLICES, **settings)
    run = Reconstruction(preset)
    for _ in range(3):
        next(run)
    checkpoint = run.checkpoint()
    whole = list(run)
    resumed = list(Reconstruction(preset, checkpoint))
    assert [report.loss for report in resumed] == [report.loss for report in whole]
    assert np.array_equal(resumed[-1].point.obj, whole[-1].point.obj)


@pytest.mark.parametrize("why", ["rejected", "zero gradient"])
def test_a_run_that_ended_by_itself_has_ended_where_it_is_resumed(why: str) -> None:
    """Killed after its last epoch, before the end was noted."""
    preset = (
        small(epoch_max=30, min_step=1e9) if why == "rejected" else small(epoch_max=30, update_obj=False, update_probe=False)
    )
    run, checkpoints = Reconstruction(preset), []
    reports = []
    for report in run:
        reports.append(report)
        checkpoints.append(run.checkpoint())
    assert reports[-1].epoch == (7 if why == "rejected" else 1)
    (resumed,) = Reconstruction(preset, checkpoints[-2])
    assert resumed.final and (resumed.epoch, resumed.loss) == (reports[-1].epoch, reports[-1].loss)


def test_what_ended_goes_on_once_something_is_changed() -> None:
    run = Reconstruction(small(epoch_max=30, min_step=1e9))
    for _ in range(7):
        next(run)
    run.change({"min_step": 1e-20, "epoch_max": 9})
    reports = list(run)
    assert [report.epoch for report in reports] == [7, 8, 9]
    assert reports[-1].loss < reports[0].loss
