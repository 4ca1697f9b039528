"""Constraints in the loss: each passes central differences, has its name in the report, and does its job in a run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pypty_nb import Reconstruction, evaluate
from pypty_nb.engine import regularisers
from pypty_nb.engine.regularisers.probe_space import penalised
from pypty_nb.params import FIELDS, ParameterError
from tests.test_model import problem
from tests.test_reconstruction import small

N = 12
MASK = (np.hypot(*np.mgrid[-6:6, -6:6]) < 3).astype(float)
WINDOW = np.random.default_rng(0).uniform(0, 1, (N, N))
SCAN: dict[str, Any] = {"scan_size": (4, 4)}

CASES: dict[str, dict[str, Any]] = {
    "fast_axis_reg_weight_positions": SCAN,
    "fast_axis_reg_weight_tilts": SCAN,
    "slow_axis_reg_weight_positions": SCAN,
    "slow_axis_reg_weight_tilts": {**SCAN, "slow_axis_reg_coeff_tilts": 3.0},
    "deformation_reg_weight_positions": SCAN,
    "deformation_reg_weight_tilts": SCAN,
    "phase_norm_weight": {},
    "abs_norm_weight": {},
    "atv_weight": {"atv_p": 1.5, "atv_q": 2.0},
    "mixed_variance_weight": {"obj_modes": 3, "mixed_variance_sigma": 0.3},
    "wedge_mu": {"slices": 3, "beta_wedge": 0.7, "slice_distances": [4.0, 6.0]},
    "probe_reg_constraint_weight": {"probe_constraint_mask": MASK},
    "window_weight": {"window": WINDOW, "probe_modes": 2},
    "probe_mod_reg_weight": {"scan_step_A": 1.1, "probe_mod_tol": 0.3},
}


def posed(weight: str, value: float = 1.0) -> dict[str, Any]:
    """A random generic point of 16 scan points with one constraint."""
    settings = {**CASES[weight]}
    if not value:
        # without its weight this one is a filter applied by hand
        settings.pop("beta_wedge", None)
    random = np.random.default_rng(9)
    params = problem(**settings)
    many = {
        "dataset": np.tile(params["dataset"], (4, 1, 1)),
        "positions": random.uniform(0, 5.5, (16, 2)),
        "tilts": 2e-3 * random.standard_normal((16, 6)),
        "beam_current": random.uniform(0.7, 1.3, 16),
        "aberration_marker": np.arange(16) % 2,
    }
    return {**params, **many, weight: value}


def of(weight: str) -> str:
    return next(term.of for term in regularisers.available() if term.weight == weight)


def test_every_weight_of_the_tables_has_its_term() -> None:
    weights = {term.weight for term in regularisers.available()}
    assert weights == set(CASES)
    assert weights <= set(FIELDS)
    names = [term.name for term in regularisers.available()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("weight", CASES)
def test_gradients_pass_central_differences(weight: str) -> None:
    params, without, name = posed(weight), posed(weight, 0.0), of(weight)
    with_term, plain = evaluate(params), evaluate(without)
    gradient = getattr(with_term.gradient, name) - getattr(plain.gradient, name)
    assert gradient.any()
    random = np.random.default_rng(1)
    direction = random.standard_normal(gradient.shape)
    if np.iscomplexobj(gradient):
        direction = direction + 1j * random.standard_normal(gradient.shape)
    (term,) = set(with_term.terms) - {"data"}
    # small where the term has kinks, large where it is quadratic
    step = {"phase_norm_weight": 1e-8, "abs_norm_weight": 1e-8}.get(weight, 1e-4)

    def at(factor: float) -> float:
        return evaluate({**params, name: params[name] + factor * step * direction}).terms[term]

    expected = (-at(2) + 8 * at(1) - 8 * at(-1) + at(-2)) / (12 * step)
    assert float((np.conj(gradient) * direction).real.sum()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("weight", CASES)
def test_the_share_is_the_weight_times_the_term(weight: str) -> None:
    one, three, none = (evaluate(posed(weight, value)) for value in (1.0, 3.0, 0.0))
    (term,) = set(one.terms) - {"data"}
    assert three.terms[term] == pytest.approx(3 * one.terms[term])
    assert one.loss == pytest.approx(one.terms["data"] + one.terms[term])
    assert set(none.terms) == {"data"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fast_axis_reg_weight_positions": 1}, "scan_size: constraints on the scan grid need one that holds 4 points; none"),
        ({"window_weight": 1}, "window: window_weight needs"),
        ({"window_weight": 1, "window": [0.8, 0.5]}, "0 ≤ inner < outer"),
        ({"window_weight": 1, "window": np.ones((3, 3))}, "window: is 3 × 3 px"),
        ({"probe_reg_constraint_weight": 1}, "needs this mask"),
        ({"probe_reg_constraint_weight": 1, "aperture_mask": np.ones((5, 5))}, "is 5 × 5 px"),
        ({"probe_mod_reg_weight": 1}, "scan_step_A"),
    ],
)
def test_what_a_constraint_needs_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words.replace("[", r"\[")):
        evaluate({**problem(), **change})


def test_a_window_of_two_radii() -> None:
    window = penalised(np.array([0.4, 0.8]), (21, 21))
    assert window[10, 10] == 0
    assert window[0, 10] == 1
    assert 0 < window[10 - 6, 10] < 1
    assert np.allclose(window, window[::-1].T)


def test_total_variation_smooths_the_object() -> None:
    def roughness(weight: float) -> float:
        phase = np.angle(list(Reconstruction(small(epoch_max=15, atv_weight=weight)))[-1].point.obj[:, :, 0, 0])
        return float(np.abs(np.diff(phase, axis=0)).mean())

    assert roughness(3000.0) < 0.7 * roughness(0.0)


def test_a_constraint_that_starts_late_resets_the_history_and_is_reported() -> None:
    reports = list(Reconstruction(small(epoch_max=6, phase_norm_weight="lambda x: 0.1 * (x >= 3)")))
    assert [set(report.terms) - {"data"} for report in reports] == [set()] * 3 + [{"L1, phase"}] * 4
    assert reports[3].search.initial_step < 1
