"""Held-out pixels: the loss does not see them, the report does, and a run can end by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction, evaluate
from pypty_nb.data import Measurements
from pypty_nb.data.dataset import ArrayDataset
from pypty_nb.data.preprocess import Preprocessing
from tests.test_model import problem
from tests.test_reconstruction import small

COUNTS = np.random.default_rng(1).poisson(3.0, (200, 10, 12)).astype(float)


def held(keep: bool = True, pad: int = 0, share: float = 0.2) -> np.ndarray:
    measurements = Measurements(
        ArrayDataset(COUNTS), Preprocessing(pad=pad), np.float64, keep=keep, centred=True, held_out=share
    )
    batches = [measurements.batch(np.arange(i, i + 50)) for i in range(0, 200, 50)]
    return np.concatenate(batches)


def test_the_share_is_drawn_once_and_for_all() -> None:
    found = held()
    assert np.array_equal(np.abs(found), COUNTS)
    assert np.signbit(found).mean() == pytest.approx(0.2, abs=0.01)
    assert np.array_equal(np.signbit(held(keep=False)), np.signbit(found))
    assert not np.array_equal(np.signbit(found[0]), np.signbit(found[1]))


def test_padding_is_no_measurement() -> None:
    found = held(pad=3)
    assert np.array_equal(np.signbit(found[:, 3:-3, 3:-3]), np.signbit(held()))
    assert np.signbit(found).sum() == np.signbit(held()).sum()


@pytest.mark.parametrize("algorithm", ["lsq_sqrt", "ml", "lsq", "lsq_sqrt_2"])
@pytest.mark.parametrize("extra", [{}, {"data_pad": 2}, {"upsample_pattern": 2}])
def test_the_loss_does_not_see_them(algorithm: str, extra: dict[str, Any]) -> None:
    params = problem(algorithm=algorithm, **extra)
    reference = evaluate({**params, "validation_fraction": 0.3})
    measurements = Measurements(
        ArrayDataset(params["dataset"]), Preprocessing(), np.float64, keep=True, centred=True, held_out=0.3
    )
    chosen = np.signbit(measurements.batch(np.arange(len(params["dataset"]))))
    other = np.where(chosen, params["dataset"] * 3 + 1, params["dataset"])
    found = evaluate({**params, "dataset": other, "validation_fraction": 0.3})
    assert found.loss == reference.loss
    assert found.sse == reference.sse
    assert np.array_equal(found.gradient.obj, reference.gradient.obj)
    assert found.validation != reference.validation
    whole = evaluate(params)
    # what is seen and what is held out make up the whole
    assert reference.loss + reference.validation * 0.3 / 0.7 == pytest.approx(whole.loss, rel=1e-12)
    assert whole.validation is None


def noisy(**settings: Any) -> dict[str, Any]:
    params = small(**settings)
    return {**params, "dataset": np.random.default_rng(4).poisson(params["dataset"] * 0.05).astype(float)}


def test_a_run_ends_with_its_best_state() -> None:
    settings = {"validation_fraction": 0.1, "epoch_max": 150, "hist_length": 20}
    whole = list(Reconstruction(noisy(**settings)))
    values = [report.validation for report in whole]
    best = int(np.argmin(values))
    assert values[-1] > values[best], "the problem must overfit, or this test shows nothing"
    stopped = list(Reconstruction(noisy(**settings, stop_on_validation=5)))
    assert stopped[-1].final
    assert len(stopped) < len(whole)
    assert stopped[-1].validation == min(report.validation for report in stopped)
    kept = min(range(len(stopped) - 1), key=lambda epoch: stopped[epoch].validation)
    assert stopped[-1].epoch - kept == 5
    assert np.array_equal(stopped[-1].point.obj, stopped[kept - 1].point.obj)
    assert f"not fallen since epoch {kept}" in stopped[-1].warnings[0]


def test_resumed_it_ends_alike() -> None:
    settings = noisy(validation_fraction=0.1, epoch_max=150, stop_on_validation=5)
    whole = list(Reconstruction(settings))
    run = Reconstruction(settings)
    for _ in range(len(whole) - 4):
        next(run)
    resumed = list(Reconstruction(settings, run.checkpoint()))
    assert resumed[-1].loss == whole[-1].loss
    assert resumed[-1].epoch == whole[-1].epoch
    assert np.array_equal(resumed[-1].point.obj, whole[-1].point.obj)


def test_nothing_is_held_out_unless_asked() -> None:
    assert all(report.validation is None for report in Reconstruction(Preset.from_dict(small(epoch_max=2))))
