"""The whole chain: central differences of every refined array, in many settings; what batches and layouts must not change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypty_nb import evaluate
from pypty_nb.engine import simulate
from pypty_nb.params import ParameterError, Preset


def problem(**settings: Any) -> dict[str, Any]:
    """A random generic point: nothing flat, nothing real, positions between pixels."""
    random = np.random.default_rng(3)
    n, modes, states = 14, settings.pop("probe_modes", 1), settings.pop("obj_modes", 1)

    def complex_of(*shape: int) -> np.ndarray:
        return random.standard_normal(shape) + 1j * random.standard_normal(shape)

    return {
        "dataset": random.poisson(30.0, (5, n, n)).astype(float),
        "obj": 1 + 0.3 * complex_of(20, 21, 1, states),
        "probe": complex_of(n, n, modes),
        "positions": random.uniform(0, 5.5, (5, 2)),
        "pixel_size_x_A": 0.3,
        "pixel_size_y_A": 0.3,
        "acc_voltage": 80,
        "update_probe_pos": 1,
        **settings,
    }


COMBINATIONS = st.fixed_dictionaries(
    {
        "algorithm": st.sampled_from(["lsq_sqrt", "ml", "lsq", "lsq_sqrt_2"]),
        "probe_modes": st.integers(1, 3),
        "obj_modes": st.integers(1, 2),
        "damping_cutoff_multislice": st.sampled_from([0.5, 2 / 3, 1.0]),
        "smooth_rolloff": st.sampled_from([0.0, 0.15]),
        "patch_band_limit": st.booleans(),
        "pixel_size_y_A": st.sampled_from([0.3, 0.25]),
        "loss_weight": st.sampled_from([1.0, 0.3, "mean", "mean_full"]),
        "compute_batch": st.sampled_from([1, 2, "auto"]),
        "flip_ky": st.booleans(),
    }
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(COMBINATIONS)
def test_gradients_pass_central_differences(chosen: dict[str, Any]) -> None:
    params = problem(**chosen)
    gradient = evaluate(params).gradient
    random = np.random.default_rng(4)
    for name in ("obj", "probe", "positions"):
        direction = random.standard_normal(params[name].shape)
        if np.iscomplexobj(params[name]):
            direction = direction + 1j * random.standard_normal(params[name].shape)
        step = 1e-6
        ahead, behind = (
            evaluate({**params, name: params[name] + sign * step * direction, "update_obj": 0, "update_probe": 0}).loss
            for sign in (1, -1)
        )
        expected = (ahead - behind) / (2 * step)
        found = float((np.conj(getattr(gradient, name)) * direction).real.sum())
        assert found == pytest.approx(expected, rel=2e-6, abs=1e-9 * abs(ahead) / step), name


def test_batches_and_sources_give_the_same(tmp_path) -> None:
    params = problem(probe_modes=2)
    reference = evaluate({**params, "compute_batch": 1})
    np.save(tmp_path / "data.npy", params["dataset"].reshape(5, 1, 14, 14))
    others = [
        {**params, "compute_batch": 3},
        {**params, "compute_batch": "auto", "load_one_by_one": False},
        {**params, "dataset": None, "data_path": str(tmp_path / "data.npy")},
        {**params, "dataset": params["dataset"].astype(np.uint16)},
    ]
    for other in others:
        found = evaluate(other)
        assert found.loss == pytest.approx(reference.loss, rel=1e-13)
        assert np.allclose(found.gradient.obj, reference.gradient.obj, rtol=1e-11, atol=1e-11)


def test_the_same_twice_is_the_same_to_the_bit() -> None:
    first, second = evaluate(problem()), evaluate(problem())
    assert first.loss == second.loss
    assert np.array_equal(first.gradient.obj, second.gradient.obj)


def test_what_is_simulated_has_no_loss() -> None:
    params = problem()
    patterns = simulate(Preset.from_dict({**params, "dataset": None}))
    evaluation = evaluate({**params, "dataset": patterns})
    assert evaluation.loss == pytest.approx(0, abs=1e-20 * patterns.sum())
    assert np.abs(evaluation.gradient.obj).max() < 1e-9


def test_simulated_patterns_are_the_formula() -> None:
    """One pattern written out with NumPy alone."""
    params = problem(patch_band_limit=False, damping_cutoff_multislice=1.0)
    patterns = simulate(Preset.from_dict({**params, "dataset": None}))
    n, (y, x) = 14, params["positions"][0]
    iy, ix = round(y), round(x)
    frequency = np.fft.fftfreq(n)
    q2 = (frequency[:, None] ** 2 + frequency[None, :] ** 2) / 0.3**2
    band = q2 <= (frequency.max() / 0.3) ** 2 * (1 + 1e-9)
    ramp = np.exp(-2j * np.pi * (frequency[:, None] * (y - iy) + frequency[None, :] * (x - ix)))
    probe = np.fft.ifft2(np.fft.fft2(params["probe"][:, :, 0]) * ramp * band)
    wave = np.fft.fft2(probe * params["obj"][iy : iy + n, ix : ix + n, 0, 0]) * band
    assert np.allclose(patterns[0], np.fft.fftshift(np.abs(wave) ** 2), rtol=1e-10)


def test_positions_act_rounded_where_sub_pixel_shifts_are_off() -> None:
    params = problem(update_probe_pos=0, allow_subPixel_shift=False)
    rounded = {**params, "positions": np.rint(params["positions"])}
    assert evaluate(params).loss == evaluate(rounded).loss


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_slices": 3}, "num_slices"),
        ({"obj": np.ones((20, 20, 2, 1), complex)}, "slices"),
        ({"recon_type": "near_field"}, "recon_type"),
        ({"atv_weight": 0.1}, "atv_weight"),
        ({"update_tilts": "lambda x: x > 5"}, "update_tilts"),
        ({"obj": np.ones((10, 10, 1, 1), complex)}, "too small for the scan"),
        ({"positions": np.array([[-3.0, 0.0]] * 5)}, "too small for the scan"),
        ({"probe": np.zeros((14, 14, 1), complex)}, "zero everywhere"),
        ({"dataset": None}, "data_path"),
    ],
)
def test_what_cannot_be_evaluated_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        evaluate({**problem(), **change})
