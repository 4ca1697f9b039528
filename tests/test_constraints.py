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


@pytest.mark.parametrize("size", [(1, 16), (16, 1), (2, 8)])
def test_a_line_is_held_to_the_best_line(size: tuple[int, int]) -> None:
    """On a scan of one row or column the affine grid has one slope fewer."""
    params = posed("deformation_reg_weight_positions") | {"scan_size": size}
    positions = params["positions"]
    grid = np.stack([np.ones(16), *np.mgrid[: size[0], : size[1]].reshape(2, -1)], axis=1)
    rest = positions - grid @ np.linalg.lstsq(grid, positions, rcond=None)[0]

    def at(step: float) -> float:
        return evaluate({**params, "positions": positions + step * direction}).terms["deformation, positions"]

    direction = np.random.default_rng(1).standard_normal(positions.shape)
    assert at(0) == pytest.approx((rest**2).sum())
    free = evaluate({**params, "deformation_reg_weight_positions": 0.0}).gradient.positions
    gradient = evaluate(params).gradient.positions - free
    assert (gradient * direction).sum() == pytest.approx((at(1e-3) - at(-1e-3)) / 2e-3, rel=1e-6)


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


@pytest.mark.parametrize("of_what", ["positions", "tilts"])
def test_the_slow_axis_coefficient_multiplies_its_weight_where_it_is_not_zero(of_what: str) -> None:
    weight, coefficient = f"slow_axis_reg_weight_{of_what}", f"slow_axis_reg_coeff_{of_what}"
    name = f"slow axis, {of_what}"
    plain, zero, three = (evaluate({**posed(weight), coefficient: value}).terms[name] for value in (1.0, 0.0, 3.0))
    assert zero == plain
    assert three == pytest.approx(3 * plain)


@pytest.mark.parametrize(
    ("weight", "value", "of_what"),
    [("fast_axis_reg_weight_positions", 1e5, "fast"), ("deformation_reg_weight_positions", 1e5, "affine")],
)
def test_wrong_positions_are_pulled_into_line(weight: str, value: float, of_what: str) -> None:
    """Positions that jump about are smooth again long before the data alone would have them so."""
    wrong = small()["positions"] + 0.8 * np.random.default_rng(2).standard_normal((36, 2))

    def bent(**settings: Any) -> float:
        run = Reconstruction(small(epoch_max=12, positions=wrong, scan_size=(6, 6), update_probe_pos=1, **settings))
        found = list(run)[-1].point.positions
        if of_what == "fast":
            return float(np.abs(np.diff(found.reshape(6, 6, 2), n=2, axis=1)).mean())
        grid = np.column_stack([np.indices((6, 6)).reshape(2, -1).T, np.ones(36)])
        return float(np.abs(found - grid @ np.linalg.lstsq(grid, found, rcond=None)[0]).mean())

    assert bent(**{weight: value}) < 0.5 * bent()


def test_the_probe_leaves_what_is_penalised() -> None:
    """A window around the probe in real space, and a mask in reciprocal space."""
    window = np.array([0.3, 0.6])

    def outside(**settings: Any) -> float:
        power = abs(list(Reconstruction(small(epoch_max=10, **settings)))[-1].point.probe[..., 0]) ** 2
        return float((penalised(window, power.shape) * power).sum() / power.sum())

    def beyond(**settings: Any) -> float:
        probe = list(Reconstruction(small(epoch_max=20, **settings)))[-1].point.probe
        spectrum = abs(np.fft.fft2(probe, axes=(0, 1)))
        q = np.hypot(*np.meshgrid(np.fft.fftfreq(24), np.fft.fftfreq(24), indexing="ij"))
        return float(spectrum[q > 0.2].sum() / spectrum.sum())

    assert outside(window=window, window_weight=1e4) < 0.5 * outside()
    assert beyond(probe_constraint_mask=0.4, probe_reg_constraint_weight=1e3) < 0.5 * beyond()


def test_sparse_phases_and_modes_that_share_their_coarse_features() -> None:
    def phases(weight: float) -> float:
        return float(abs(np.angle(list(Reconstruction(small(epoch_max=10, phase_norm_weight=weight)))[-1].point.obj)).mean())

    assert phases(1e4) < 0.7 * phases(0.0)
    two = np.exp(0.2j * np.random.default_rng(3).standard_normal((45, 45, 1, 2)))

    def apart(weight: float) -> float:
        run = Reconstruction(small(epoch_max=10, obj=two, mixed_variance_weight=weight, mixed_variance_sigma=0.2))
        obj = list(run)[-1].point.obj
        q2 = np.add.outer(np.fft.fftfreq(45) ** 2, np.fft.fftfreq(45) ** 2)
        low = np.fft.ifft2(np.fft.fft2(obj[:, :, 0, 0] - obj[:, :, 0, 1]) * np.exp(-q2 / 0.2**2))
        return float(abs(low).mean())

    assert apart(1e4) < 0.5 * apart(0.0)


def test_constraints_on_the_scan_grid_see_every_position() -> None:
    """A sequence chooses what is compared, in whatever order, not what must be smooth."""
    params = posed("fast_axis_reg_weight_positions")
    whole, part, turned = (evaluate({**params, "sequence": sequence}) for sequence in (None, [2, 5, 11], np.array([11, 2, 5])))
    name = "fast axis, positions"
    assert part.terms[name] == whole.terms[name]
    assert part.terms["data"] < whole.terms["data"]
    assert turned.loss == part.loss
    data_alone = evaluate({**params, "sequence": [2, 5, 11], "fast_axis_reg_weight_positions": 0.0})
    assert not data_alone.gradient.positions[0].any()
    assert part.gradient.positions[0].any()
