"""Without sub-pixel shifts positions act rounded until they are refined, and from then on as they are."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction, evaluate
from pypty_nb.engine import PatternModel
from pypty_nb.records import EpochReport
from pypty_nb.runs.recorded import RecordedRun

#: Refined in epochs 2 and 3, and held fixed afterwards.
FOR_A_WHILE = "lambda x: x >= 2 and x < 4"


def whole(preset: Preset, **settings: Any) -> Preset:
    return Preset.from_dict(
        {**preset.to_dict(), "allow_subPixel_shift": False, "update_probe_pos": FOR_A_WHILE, "epoch_max": 7, **settings}
    )


def loss_at(preset: Preset, report: EpochReport, **settings: Any) -> float:
    point = report.point
    arrays = {"obj": point.obj, "probe": point.probe, "positions": point.positions, "skip_preprocessing": True}
    return evaluate({**preset.to_dict(), "sequence": None, **arrays, **settings}).loss


@pytest.mark.parametrize("validation_fraction", [0.0, 0.1], ids=["fused", "stages"])
def test_shifts_act_from_the_first_refined_epoch_on(tiny: Preset, validation_fraction: float) -> None:
    preset = whole(tiny, validation_fraction=validation_fraction)
    reports = list(Reconstruction(preset))
    pixels = [np.rint(report.point.positions) for report in reports]
    same_pixels = [np.array_equal(pixels[0], found) for found in pixels]
    assert all(same_pixels[:2])
    for before, report in itertools.pairwise(reports):
        rounded, exact = (
            loss_at(preset, before, update_probe_pos=0, allow_subPixel_shift=allowed, epoch_prev=0) for allowed in (False, True)
        )
        assert abs(rounded - exact) > 1e-3 * exact
        # a run given the refined positions rounds some of them to another pixel
        near = 1e-9 * exact if same_pixels[report.epoch - 1] else 0.1 * abs(rounded - exact)
        assert report.loss == pytest.approx(rounded if report.epoch < 2 else exact, abs=near)
    moved = [not np.array_equal(report.point.positions, reports[0].point.positions) for report in reports]
    assert moved == [False, False, True, True, True, True, True, True]


def test_the_gradient_of_positions_is_that_of_the_loss(tiny: Preset) -> None:
    run = Reconstruction(whole(tiny))
    [next(run) for _ in range(2)]
    point, objective = run._state.point, run._problem.objective
    terms = objective.terms_at(2)
    direction = np.random.default_rng(0).standard_normal(point.positions.shape)
    slope = (objective.evaluate(point, terms).gradient.positions * direction).sum()
    step = 1e-5
    losses = []
    for sign in (1, -1):
        moved = type(point)(**{**vars(point), "positions": point.positions + sign * step * direction})
        losses.append(objective.evaluate(moved, terms).loss)
    assert slope == pytest.approx((losses[0] - losses[1]) / (2 * step), rel=1e-5)


@pytest.mark.parametrize("stop", [1, 2, 3, 4, 6])
def test_resumed_it_is_the_same_bit_for_bit(tiny: Preset, stop: int) -> None:
    preset = whole(tiny)
    expected = list(Reconstruction(preset))[-1]
    run = Reconstruction(preset)
    for _ in range(stop):
        next(run)
    found = list(Reconstruction(preset, run.checkpoint()))[-1]
    assert found.loss == expected.loss
    np.testing.assert_array_equal(found.point.obj, expected.point.obj)


def test_switched_off_during_the_run_and_resumed(tiny: Preset, tmp_path: Path) -> None:
    def begun(path: Path) -> RecordedRun:
        run = RecordedRun.start(whole(tiny, update_probe_pos="lambda x: x >= 2"), path)
        for _ in range(4):
            next(run)
        run.change({"update_probe_pos": 0})
        return run

    expected = list(begun(tmp_path / "whole"))[-1]
    begun(tmp_path / "run").close()
    found = list(RecordedRun.resume(tmp_path / "run"))[-1]
    assert found.loss == expected.loss
    np.testing.assert_array_equal(found.point.obj, expected.point.obj)


@pytest.mark.parametrize("update_probe_pos", [0, FOR_A_WHILE, "lambda x: x >= 2 and x < 4 or x >= 20"])
def test_what_is_looked_at_is_what_the_run_computed(tiny: Preset, update_probe_pos: Any) -> None:
    preset = whole(tiny, update_probe_pos=update_probe_pos)
    run = Reconstruction(preset)
    *_, last = run
    model = PatternModel(preset)
    np.testing.assert_allclose(model.residual(last.point, last.epoch), last.residual, rtol=1e-9)
    simulated = np.concatenate([batch for _, batch in run.simulated()])
    np.testing.assert_allclose(model.modelled(last.point, np.arange(25), last.epoch), simulated, rtol=1e-9)


def test_back_at_the_start_they_act_rounded_again(tiny: Preset) -> None:
    preset = whole(tiny, reset_positions="lambda x: x == 5")
    reports = list(Reconstruction(preset))
    np.testing.assert_array_equal(reports[5].point.positions, reports[0].point.positions)
    assert reports[6].loss == pytest.approx(loss_at(preset, reports[5], update_probe_pos=0), rel=1e-9)
