"""A run taken up from a checkpoint in memory: the same numbers as one never interrupted, and no other run's checkpoint."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pypty_nb import Reconstruction
from pypty_nb.engine.fingerprint import _FREE
from pypty_nb.params import FIELDS, ParameterError
from tests.test_reconstruction import small

SLICES: dict[str, Any] = {"num_slices": 3, "slice_distances": [15.0], "epoch_max": 9}


# tilt mode 0 takes the compiled kernel, where there is one, and 4 the stages
@pytest.mark.parametrize("tilt_mode", [0, 4])
@pytest.mark.parametrize(
    "settings",
    [{"lazy_clean": True}, {"skip_preprocessing": True, "obj": np.ones((60, 60, 3, 1))}, {"phase_only_obj": True}],
    ids=lambda settings: next(iter(settings)),
)
def test_several_slices_are_resumed_bit_for_bit(settings: dict[str, Any], tilt_mode: int) -> None:
    """Sums run in the memory's order, so that what is restored must lie in memory as what was computed."""
    preset = small(**SLICES, **settings, tilt_mode=tilt_mode, abs_norm_weight=0.01)
    run = Reconstruction(preset)
    for _ in range(3):
        next(run)
    checkpoint, strides = run.checkpoint(), run.point.obj.strides
    whole = list(run)
    again = Reconstruction(preset, checkpoint)
    assert again.point.obj.strides == strides
    resumed = list(again)
    assert [report.terms for report in resumed] == [report.terms for report in whole]
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


# ---- of another run
def checkpoint_of(preset: dict[str, Any], epochs: int = 1) -> dict[str, np.ndarray]:
    run = Reconstruction(preset)
    for _ in range(epochs):
        next(run)
    return run.checkpoint()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"acc_voltage": 300.0}, "another preset: acc_voltage is not what it was"),
        ({"pixel_size_x_A": 2.0, "lazy_clean": True}, "another preset: pixel_size_x_A, lazy_clean are not what they were"),
        ({"probe": small()["probe"] * 1j}, "another preset: probe is not"),
        ({"dataset": 2 * small()["dataset"]}, r"other measurements: to \S+ counts in all, and these hold"),
    ],
)
def test_a_checkpoint_of_another_run_of_the_same_shapes_is_refused(values: dict[str, Any], words: str) -> None:
    checkpoint = checkpoint_of(small())
    with pytest.raises(ParameterError, match=f"the checkpoint belongs to {words}"):
        Reconstruction(small(**values), checkpoint)
    run = Reconstruction(small(**values))
    before = run.checkpoint()
    with pytest.raises(ParameterError, match="belongs to"):
        run.restore(checkpoint)
    assert run.epoch == 0 and np.array_equal(run.checkpoint()["point/obj"], before["point/obj"])


def test_what_may_differ_does_not_matter() -> None:
    checkpoint = checkpoint_of(small())
    others = {"epoch_max": 3, "loss_weight": 2.0, "compute_batch": 3, "save_loss_log": 2, "output_folder": "elsewhere"}
    assert [report.epoch for report in Reconstruction(small(**others), checkpoint)] == [1, 2, 3]
    # one that an earlier version wrote, or a version with other parameters
    old = {name: array for name, array in checkpoint.items() if not name.startswith("preset/")}
    assert Reconstruction(small(acc_voltage=300.0), old).epoch == 1
    names = checkpoint["preset/names"].copy()
    names[names == "acc_voltage"] = "unheard_of"
    assert Reconstruction(small(acc_voltage=300.0), {**checkpoint, "preset/names": names}).epoch == 1


def test_what_is_fixed_and_not_compared_are_parameters() -> None:
    assert {name for name in _FREE if FIELDS[name].live} == set()


@pytest.mark.parametrize("missing", ["epoch", "rejected", "seconds", "best/validation"])
def test_a_checkpoint_without_one_of_its_numbers_is_damaged(missing: str) -> None:
    checkpoint = checkpoint_of(small(validation_fraction=0.1))
    del checkpoint[missing]
    with pytest.raises(ParameterError, match=rf"the checkpoint is damaged \(it has no {missing}\); delete it to start"):
        Reconstruction(small(validation_fraction=0.1), checkpoint)
