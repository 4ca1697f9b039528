"""Positions that leave their pixels: refined, cut anew in a growing object, set back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pypty_nb import Reconstruction
from tests.test_reconstruction import small


def jittered(amount: float = 1.0, **settings: Any) -> tuple[dict[str, Any], np.ndarray]:
    """The small problem with wrong starting positions, and the right ones."""
    params = small(update_probe_pos="lambda x: x >= 5", **settings)
    right = params["positions"]
    wrong = right + amount * np.random.default_rng(3).standard_normal(right.shape)
    return {**params, "positions": wrong}, right


def error(found: np.ndarray, right: np.ndarray) -> float:
    """Root mean square distance, px, but for a common affine map, which an object can take up."""
    grid = np.column_stack([right, np.ones(len(right))])
    fitted = grid @ np.linalg.lstsq(grid, found - right, rcond=None)[0]
    return float(np.sqrt(((found - right - fitted) ** 2).sum(axis=1).mean()))


@pytest.mark.parametrize("resize", [False, 1])
def test_jitter_is_corrected(resize: bool | int) -> None:
    params, right = jittered(epoch_max=250, dynamically_resize_yx_object=resize)
    report = list(Reconstruction(params))[-1]
    found = error(report.point.positions, right)
    print(f"{error(params['positions'], right):.2f} px rms became {found:.3f}")
    assert found < 0.1


def test_the_object_grows_with_its_history() -> None:
    params, _ = jittered(4.0, epoch_max=40, dynamically_resize_yx_object=1)
    run = Reconstruction(params)
    first = run.point
    shapes, resized = [first.obj.shape], 0
    losses = []
    for report in run:
        losses.append(report.loss)
        point = report.point
        corners = run._state.corners
        assert (corners >= 0).all()
        assert (corners + 24 <= point.obj.shape[:2]).all()
        resized += point.obj.shape != shapes[-1]
        shapes.append(point.obj.shape)
        for pair in run._state.history.pairs:
            assert pair.step.obj.shape == point.obj.shape == pair.change.obj.shape
    assert resized, "no position left the object: this test shows nothing"
    assert losses[-1] < 0.5 * losses[0]


def test_a_resized_run_resumes_bit_for_bit() -> None:
    params, _ = jittered(4.0, epoch_max=30, dynamically_resize_yx_object=1)
    whole = list(Reconstruction(params))
    for stop in (8, 15, 25):
        run = Reconstruction(params)
        for _ in range(stop):
            next(run)
        resumed = list(Reconstruction(params, run.checkpoint()))
        assert resumed[-1].loss == whole[-1].loss
        assert np.array_equal(resumed[-1].point.obj, whole[-1].point.obj)
        assert np.array_equal(resumed[-1].point.positions, whole[-1].point.positions)


def test_positions_start_afresh() -> None:
    params, _ = jittered(epoch_max=14, dynamically_resize_yx_object=1)
    params |= {"reset_positions": "lambda x: x == 12", "update_probe_pos": "lambda x: 5 <= x < 12"}
    reports = list(Reconstruction(params))
    moved, back = reports[11].point.positions, reports[12].point.positions
    start = Reconstruction(params).point.positions
    assert abs(moved - moved[0] - start + start[0]).max() > 0.3
    assert np.allclose(back - back[0], start - start[0], atol=1e-12)
    assert reports[12].search.initial_step < 1, "the history was not reset"


def test_a_position_passes_the_middle_between_pixels_without_a_jump() -> None:
    """Rounded once, at the start: the loss is smooth where rounding anew would make it jump."""
    params, _ = jittered(1.5, epoch_max=25)
    run = Reconstruction(params)
    corners = run._state.corners.copy()
    reports = list(run)
    assert np.array_equal(run._state.corners, corners)
    assert abs(reports[-1].point.positions - corners).max() > 0.6, "none passed the middle: this test shows nothing"
    losses = [report.loss for report in reports]
    assert losses == sorted(losses, reverse=True)
