"""Bad pixels: whatever they hold, neither loss nor gradient nor the held-out loss sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction, evaluate
from pypty_nb.data.preprocess import Preprocessing
from pypty_nb.engine import PatternModel
from pypty_nb.workspace.patterns import PatternReader
from tests.test_model import COUNT, PLAIN, N, assert_gradients, problem
from tests.test_reconstruction import small

BAD = np.array([[0, 3], [5, 5], [6, 5], [11, 11]])
NEAR = {"recon_type": "near_field", "defocus_array": [250.0]}
SETTINGS = [
    {},
    PLAIN,
    {**PLAIN, "flip_ky": True, "data_pad": 2},
    {"data_shift_vector": (2, -1)},
    {"upsample_pattern": 2, "data_pad": 2},
    {"data_pad": 2, "use_padded_intensity": False},
    NEAR,
    {"validation_fraction": 0.3},
]


def holding(params: dict[str, Any], value: float) -> dict[str, Any]:
    """`params` with `value` in the bad pixels of the data."""
    data = np.array(params["dataset"], float)
    data[:, BAD[:, 0], BAD[:, 1]] = value
    return {**params, "dataset": data, "bad_pixels": BAD}


def binned() -> dict[str, Any]:
    """A problem whose data, twice as fine, are binned to its window."""
    params = problem(data_bin=2)
    return {**params, "dataset": np.random.default_rng(2).poisson(8.0, (COUNT, 2 * N, 2 * N)).astype(float)}


@pytest.mark.parametrize("algorithm", ["lsq_sqrt", "ml", "lsq", "lsq_sqrt_2"])
@pytest.mark.parametrize("settings", SETTINGS)
def test_what_they_hold_is_not_seen(algorithm: str, settings: dict[str, Any]) -> None:
    params = problem(algorithm=algorithm, **settings)
    first, *others = (evaluate(holding(params, value)) for value in (0.0, 70.0, np.nan, -5.0, np.inf))
    whole = evaluate(params)
    for other in others:
        assert (other.loss, other.sse, other.validation) == (first.loss, first.sse, first.validation)
        for name in ("obj", "probe", "positions"):
            assert np.array_equal(getattr(other.gradient, name), getattr(first.gradient, name))
    assert first.loss != whole.loss
    assert not np.allclose(first.gradient.obj, whole.gradient.obj)
    assert (first.validation is None) == ("validation_fraction" not in settings)


#: Pixels that are compared with each of the settings: four are bad, and a shift moves one of them out.
COMPARED = [12**2 - 4, 12**2 - 4, 16**2 - 4, 12**2 - 3, 14**2 - 4, 12**2 - 4, 12**2 - 4, 12**2 - 4]


@pytest.mark.parametrize(("settings", "compared"), list(zip(SETTINGS, COMPARED, strict=True)))
def test_the_mean_over_all_values_is_over_those_compared(settings: dict[str, Any], compared: int) -> None:
    params = holding(problem(**settings), 70.0)
    found = evaluate({**params, "loss_weight": "mean_full"})
    assert found.terms["data"] == pytest.approx(evaluate(params).terms["data"] / (COUNT * compared), rel=1e-12)


@pytest.mark.parametrize("algorithm", ["lsq_sqrt", "ml", "lsq", "lsq_sqrt_2"])
@pytest.mark.parametrize("settings", [SETTINGS[0], *SETTINGS[3:-1]])
def test_the_gradient(algorithm: str, settings: dict[str, Any]) -> None:
    assert_gradients(holding(problem(algorithm=algorithm, slices=2, slice_distances=[20.0], **settings), np.nan))


@pytest.mark.parametrize("value", [0.0, 900.0, np.nan])
def test_a_binned_pixel_with_one_of_them_in_it(value: float) -> None:
    params = binned()
    reference = evaluate({**params, "bad_pixels": BAD})
    found = evaluate(holding(params, value))
    assert found.loss == reference.loss
    left_out = Preprocessing(binning=2, bad=_mask((2 * N, 2 * N))).left_out()
    assert left_out is not None and left_out.sum() == 4
    # the whole of it is left out, not only the bad part
    data = np.array(params["dataset"])
    data[:, 1, 2] += 1000
    assert evaluate({**params, "dataset": data, "bad_pixels": BAD}).loss == reference.loss
    data[:, 1, 0] += 1000
    assert evaluate({**params, "dataset": data, "bad_pixels": BAD}).loss != reference.loss
    assert_gradients(holding(params, value))


def test_they_move_with_the_pattern() -> None:
    bad = _mask((12, 12))
    steps = Preprocessing(flip_ky=True, shift=(2, -1), pad=3, bad=bad)
    data = np.where(bad, np.nan, 1.0)[None]
    expected = np.pad(np.zeros((12, 12), bool), 3)
    for y, x in BAD:
        row, column = 11 - y + 2, x - 1
        if row < 12 and column >= 0:
            expected[row + 3, column + 3] = True
    left_out = steps.left_out()
    assert np.array_equal(left_out, expected)
    assert expected.sum() == 3
    out = steps.apply(data, np.float64)[0]
    assert np.isfinite(out).all() and not out[expected].any()


def test_the_sum_over_good_pixels_is_the_loss() -> None:
    """Against a formula written out: the loss of all pixels, summed over those that are good."""
    params = {**problem(), **PLAIN, "algorithm": "lsq"}
    model = PatternModel(Preset.from_dict({**params, "skip_preprocessing": True}))
    point = next(iter(Reconstruction({**params, "skip_preprocessing": True, "epoch_max": 0}))).point
    difference = model.modelled(point, np.arange(COUNT)) - model.measured(np.arange(COUNT))
    expected = (difference**2)[:, ~_mask((N, N))].sum()
    assert evaluate({**params, "bad_pixels": BAD}).loss == pytest.approx(expected, rel=1e-12)


def test_a_run_goes_past_them() -> None:
    """Hot pixels spoil a run that compares them; left out, they do no harm."""
    clean = small(epoch_max=20)
    spots = np.array([[1, 2], [7, 9]])
    spoilt = np.array(clean["dataset"])
    spoilt[:, spots[:, 0], spots[:, 1]] += 10 * spoilt.max()
    results = {
        name: list(Reconstruction({**clean, **extra}))[-1]
        for name, extra in {
            "clean": {"bad_pixels": spots},
            "left out": {"dataset": spoilt, "bad_pixels": spots},
            "compared": {"dataset": spoilt},
        }.items()
    }
    # the start's flux too is told from good pixels alone
    assert results["left out"].loss == results["clean"].loss
    assert np.array_equal(results["left out"].point.obj, results["clean"].point.obj)
    assert results["compared"].loss > 10 * results["left out"].loss


def test_a_pattern_that_is_looked_at() -> None:
    preset = Preset.from_dict(holding({**problem(), "skip_preprocessing": True}, np.nan))
    reader, model = PatternReader(preset), PatternModel(preset)
    point = next(iter(Reconstruction({**dict(preset.items()), "epoch_max": 0}))).point
    shown = reader.at(point, 1)
    assert np.isfinite(shown.measured).all()
    assert not shown.residual[_mask((N, N))].any()
    assert all(np.isfinite(curve).all() for curve in shown.radial())
    report = evaluate(preset)
    assert np.allclose(reader.residual(point), report.residual, rtol=1e-10)
    assert np.array_equal(model.left_out, _mask((N, N)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bad_pixels": [[0, 12]]}, "bad_pixels: \\[0, 12\\] lies outside patterns of 12 × 12 px"),
        ({"bad_pixels": [[0, -1]]}, "bad_pixels: \\[0, -1\\] is no pixel"),
        ({"bad_pixels": np.argwhere(np.ones((12, 12)))}, "names every pixel"),
        ({"bad_pixels": [[0, 1]], "detectors": 3, "algorithm": "lsq_compressed"}, "bad_pixels: signals of virtual detectors"),
    ],
)
def test_bad_pixels_that_cannot_be(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        evaluate(problem(**settings))


def _mask(shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[tuple(BAD.T)] = True
    return mask
