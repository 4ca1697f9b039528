"""The whole chain: central differences of every refined array, in many settings; what batches and layouts must not change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypty_nb import evaluate
from pypty_nb.engine import simulate
from pypty_nb.params import ParameterError, Preset

N, COUNT = 12, 4
REFINED = {
    "obj": "update_obj",
    "probe": "update_probe",
    "positions": "update_probe_pos",
    "tilts": "update_tilts",
    "static_background": "update_static_background",
    "beam_current": "update_beam_current",
    "aberrations_array": "update_aberrations_array",
}
#: Losses alone, with sub-pixel shifts acting.
OFF = dict.fromkeys(REFINED.values(), 0) | {"update_probe_pos": 1}
#: A step for central differences in each array's own unit.
STEPS = {"tilts": 1e-7, "aberrations_array": 1e-3}

#: Settings that leave object, probe and positions alone to be refined: what the compiled kernel takes.
PLAIN = {
    "static_background": 0,
    "beam_current": None,
    "aberrations_array": [[0.0]],
    "aberration_marker": None,
    "update_static_background": 0,
    "update_beam_current": 0,
    "update_aberrations_array": 0,
    "update_tilts": 0,
    "tilts": np.zeros((1, 6)),
}


def problem(**settings: Any) -> dict[str, Any]:
    """A random generic point: nothing flat, nothing real, positions between pixels, every array refined."""
    random = np.random.default_rng(3)
    modes, states, slices, scenarios = (settings.pop(name, 1) for name in ("probe_modes", "obj_modes", "slices", "scenarios"))
    common_tilt, masks = settings.pop("common_tilt", False), settings.pop("detectors", 0)
    pad, up = settings.get("data_pad", 0), settings.get("upsample_pattern", 1)
    window = N * up + 2 * pad
    shape = (N + 2 * (pad // up),) * 2

    def complex_of(*shape: int) -> np.ndarray:
        return random.standard_normal(shape) + 1j * random.standard_normal(shape)

    probe = complex_of(window, window, modes) if scenarios == 1 else complex_of(window, window, modes, scenarios)
    data = random.poisson(30.0, (COUNT, masks) if masks else (COUNT, N, N)).astype(float)
    extra = {"masks": random.uniform(0, 1, (masks, N, N))} if masks else {}
    return {
        "dataset": data,
        "obj": 1 + 0.2 * complex_of(window + 6, window + 7, slices, states),
        "probe": probe,
        "probe_marker": None if scenarios == 1 else np.arange(COUNT) % scenarios,
        "positions": random.uniform(0, 5.5, (COUNT, 2)),
        "tilts": 2e-3 * random.standard_normal((1 if common_tilt else COUNT, 6)),
        "static_background": random.uniform(0.5, 2, shape),
        "beam_current": random.uniform(0.7, 1.3, COUNT),
        "aberrations_array": random.uniform(-30, 30, (2, 5)),
        "aberration_marker": np.arange(COUNT) % 2,
        "pixel_size_x_A": 0.3,
        "pixel_size_y_A": 0.3,
        "acc_voltage": 80,
        **dict.fromkeys(REFINED.values(), 1),
        **extra,
        **settings,
    }


def assert_gradients(params: dict[str, Any]) -> None:
    """Central differences along one direction of all arrays together, in which each changes the loss by as much."""
    evaluation = evaluate(params)
    random = np.random.default_rng(4)
    directions = {}
    for name in REFINED:
        gradient = getattr(evaluation.gradient, name)
        if not gradient.any():
            continue
        noise = random.standard_normal(gradient.shape)
        noise = noise + 1j * random.standard_normal(gradient.shape) if np.iscomplexobj(gradient) else noise
        direction = gradient / np.linalg.norm(gradient) + noise / np.linalg.norm(noise)
        directions[name] = direction * abs(evaluation.loss) / inner(gradient, direction)
    expected, noise = difference({**params, **OFF}, directions, 1e-7)
    assert len(directions) * abs(evaluation.loss) == pytest.approx(expected, rel=1e-6, abs=noise)


def assert_each_gradient(params: dict[str, Any]) -> None:
    """The same array by array, along random directions."""
    gradient = evaluate(params).gradient
    random = np.random.default_rng(4)
    for name in REFINED:
        direction = random.standard_normal(params[name].shape)
        if np.iscomplexobj(params[name]):
            direction = direction + 1j * random.standard_normal(params[name].shape)
        expected, noise = difference({**params, **OFF}, {name: direction}, STEPS.get(name, 1e-6))
        assert inner(getattr(gradient, name), direction) == pytest.approx(expected, rel=1e-6, abs=noise), name


def inner(a: np.ndarray, b: np.ndarray) -> float:
    return float((np.conj(a) * b).real.sum())


def difference(params: dict[str, Any], directions: dict[str, np.ndarray], step: float) -> tuple[float, float]:
    """Fourth-order central difference of the loss along `directions`, and what rounding may make of it."""

    def at(factor: float) -> float:
        return evaluate({**params, **{name: params[name] + factor * step * d for name, d in directions.items()}}).loss

    losses = [at(factor) for factor in (2, 1, -1, -2)]
    return (-losses[0] + 8 * losses[1] - 8 * losses[2] + losses[3]) / (12 * step), 3e-14 * abs(losses[0]) / step


COMMON = {
    "probe_modes": st.integers(1, 2),
    "obj_modes": st.integers(1, 2),
    "damping_cutoff_multislice": st.sampled_from([0.5, 2 / 3, 1.0]),
    "smooth_rolloff": st.sampled_from([0.0, 0.15]),
    "patch_band_limit": st.booleans(),
    "pixel_size_y_A": st.sampled_from([0.3, 0.25]),
    "loss_weight": st.sampled_from([1.0, 0.3, "mean", "mean_full"]),
    "compute_batch": st.sampled_from([1, 2, "auto"]),
    "tilt_mode": st.integers(0, 4),
    "common_tilt": st.booleans(),
    "scenarios": st.integers(1, 2),
}
FAR = st.fixed_dictionaries(
    {
        **COMMON,
        "algorithm": st.sampled_from(["lsq_sqrt", "ml", "lsq", "lsq_sqrt_2"]),
        "slices": st.integers(1, 3),
        "propmethod": st.sampled_from(["multislice", "better_multislice", "yoshida"]),
        "data_pad": st.sampled_from([0, 2, 4]),
        "upsample_pattern": st.sampled_from([1, 2]),
        "use_padded_intensity": st.booleans(),
        "flip_ky": st.booleans(),
    }
)
NEAR = st.fixed_dictionaries(
    {
        **COMMON,
        "slices": st.integers(1, 2),
        "Cs": st.sampled_from([0.0, 1e6]),
        "alpha_near_field": st.sampled_from([0.0, 1e-3]),
        "defocus_array": st.sampled_from([[250.0], [200.0, 210.0, 260.0, 300.0]]),
    }
)
COMPRESSED = st.fixed_dictionaries(
    {
        **COMMON,
        "detectors": st.just(4),
        "algorithm": st.sampled_from(["lsq_compressed", "gauss_compressed", "poisson_compressed"]),
    }
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(FAR)
def test_far_field_gradients(chosen: dict[str, Any]) -> None:
    assert_gradients(problem(**chosen))


@settings(max_examples=15, deadline=None, derandomize=True)
@given(NEAR)
def test_near_field_gradients(chosen: dict[str, Any]) -> None:
    assert_gradients(problem(recon_type="near_field", **chosen))


@settings(max_examples=10, deadline=None, derandomize=True)
@given(COMPRESSED)
def test_compressed_gradients(chosen: dict[str, Any]) -> None:
    assert_gradients(problem(**chosen))


def test_phase_plates(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    with h5py.File(tmp_path / "plates.h5", "w") as file:
        file["configs"] = np.exp(1j * random.uniform(0, 3, (COUNT, N, N)))
    params = problem(phase_plate_in_h5=str(tmp_path / "plates.h5"), tilt_mode=4)
    assert evaluate(params).loss != evaluate({**params, "phase_plate_in_h5": None}).loss
    assert_each_gradient(params)


@pytest.mark.parametrize(
    "settings",
    [
        {"slices": 2, "tilt_mode": 4, "probe_modes": 2, "scenarios": 2},
        {"slices": 2, "tilt_mode": 3, "propmethod": "yoshida", "obj_modes": 2, "smooth_rolloff": 0.15},
        {"slices": 2, "propmethod": "better_multislice", "data_pad": 2, "use_padded_intensity": False, "common_tilt": True},
        {"recon_type": "near_field", "defocus_array": [250.0], "tilt_mode": 4, "alpha_near_field": 1e-3},
        {"detectors": 3, "algorithm": "gauss_compressed", "upsample_pattern": 2},
    ],
)
def test_every_array_by_itself(settings: dict[str, Any]) -> None:
    assert_each_gradient(problem(**settings))


def test_where_an_array_has_no_influence_its_gradient_is_zero() -> None:
    gradient = evaluate(problem(tilt_mode=2, slices=2)).gradient
    assert not gradient.tilts[:, 2:].any()
    assert gradient.tilts[:, :2].all()
    assert not evaluate(problem(tilt_mode=0)).gradient.tilts.any()


def test_batches_and_sources_give_the_same(tmp_path: Path) -> None:
    params = problem(probe_modes=2, slices=2, tilt_mode=4)
    reference = evaluate({**params, "compute_batch": 1})
    np.save(tmp_path / "data.npy", params["dataset"].reshape(COUNT, 1, N, N))
    others = [
        {**params, "compute_batch": 3},
        {**params, "compute_batch": "auto", "load_one_by_one": False},
        {**params, "dataset": None, "data_path": str(tmp_path / "data.npy")},
        {**params, "dataset": params["dataset"].astype(np.uint16)},
        {**params, "force_pad": True, "preload_to_cpu": True},
    ]
    for other in others:
        found = evaluate(other)
        assert found.loss == pytest.approx(reference.loss, rel=1e-13)
        assert np.allclose(found.gradient.obj, reference.gradient.obj, rtol=1e-11, atol=1e-11)


def test_the_same_twice_is_the_same_to_the_bit() -> None:
    first, second = evaluate(problem(slices=2)), evaluate(problem(slices=2))
    assert first.loss == second.loss
    assert np.array_equal(first.gradient.obj, second.gradient.obj)


@pytest.mark.parametrize(
    "settings",
    [{}, {"recon_type": "near_field", "defocus_array": [200.0]}, {"data_pad": 2, "upsample_pattern": 2}, {"slices": 2}],
)
def test_what_is_simulated_has_no_loss(settings: dict[str, Any]) -> None:
    params = problem(**settings)
    patterns = simulate(Preset.from_dict({**params, "dataset": None}))
    if settings.get("data_pad"):
        # what is measured lies inside the padding
        inner = slice(1, -1)
        params["use_padded_intensity"] = False
        assert patterns.shape[1:] == (N + 2, N + 2)
        patterns = patterns[:, inner, inner]
    evaluation = evaluate({**params, "dataset": patterns})
    assert evaluation.loss == pytest.approx(0, abs=1e-20 * patterns.sum())
    assert np.abs(evaluation.gradient.obj).max() < 1e-9


def test_simulated_patterns_are_the_formula() -> None:
    """One pattern written out with NumPy alone."""
    plain = {"aberrations_array": [[0.0]], "aberration_marker": None, "beam_current": None, "static_background": 0}
    off = {"update_static_background": 0, "update_beam_current": 0, "update_aberrations_array": 0}
    params = problem(patch_band_limit=False, damping_cutoff_multislice=1.0, **plain, **off)
    patterns = simulate(Preset.from_dict({**params, "dataset": None}))
    y, x = params["positions"][0]
    iy, ix = round(y), round(x)
    frequency = np.fft.fftfreq(N)
    q2 = (frequency[:, None] ** 2 + frequency[None, :] ** 2) / 0.3**2
    band = q2 <= (frequency.max() / 0.3) ** 2 * (1 + 1e-9)
    ramp = np.exp(-2j * np.pi * (frequency[:, None] * (y - iy) + frequency[None, :] * (x - ix)))
    probe = np.fft.ifft2(np.fft.fft2(params["probe"][:, :, 0]) * ramp * band)
    wave = np.fft.fft2(probe * params["obj"][iy : iy + N, ix : ix + N, 0, 0]) * band
    assert np.allclose(patterns[0], np.fft.fftshift(np.abs(wave) ** 2), rtol=1e-10)


def test_positions_act_rounded_where_sub_pixel_shifts_are_off() -> None:
    params = problem(update_probe_pos=0, allow_subPixel_shift=False)
    rounded = {**params, "positions": np.rint(params["positions"])}
    assert evaluate(params).loss == evaluate(rounded).loss


def test_a_sequence_counts_its_patterns_alone() -> None:
    params = problem()
    whole = evaluate(params)
    part = evaluate({**params, "sequence": [3, 1]})
    assert part.loss == pytest.approx(whole.residual[[1, 3]].sum())
    assert part.gradient.positions[[0, 2]].any() == np.False_


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"num_slices": 3, "obj": np.ones((20, 20, 2, 1), complex)}, "num_slices: is 3, but obj has 2"),
        ({"obj": np.ones((20, 21, 4, 1), complex), "slice_distances": [1.0, 2.0]}, "slice_distances: has 2 values; 4 slices"),
        ({"obj": np.ones((10, 10, 1, 1), complex)}, "too small for the scan"),
        ({"positions": np.array([[-3.0, 0.0]] * COUNT)}, "too small for the scan"),
        ({"probe": np.zeros((N, N, 1), complex)}, "zero everywhere"),
        ({"dataset": None}, "data_path"),
        ({"tilts": np.zeros((3, 6))}, "tilts: has 3 rows for 4"),
        ({"beam_current": np.ones(3)}, "beam_current: has 3"),
        ({"aberration_marker": np.full(COUNT, 2)}, "aberration_marker: holds 2; there are 2"),
        ({"aberration_marker": None}, "aberration_marker: aberrations_array has 2 rows"),
        ({"probe": np.ones((N, N, 1, 2), complex)}, "probe_marker: the probe has 2 scenarios"),
        ({"probe": np.ones((N, N, 1, 2), complex), "probe_marker": np.full(COUNT, -1)}, "probe_marker: holds -1"),
        ({"static_background": np.ones((N + 1, N))}, "static_background: is 13 × 12 px"),
        ({"recon_type": "near_field", "defocus_array": [1.0, 2.0]}, "defocus_array: has 2 values"),
        ({"sequence": [0, 7]}, "sequence: names patterns"),
        ({"phase_plate_in_h5": "gone.h5"}, "phase_plate_in_h5: gone.h5"),
    ],
)
def test_what_cannot_be_evaluated_is_named(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        evaluate({**problem(), **change})


def test_masks_must_match_the_signals() -> None:
    params = problem(detectors=4, algorithm="lsq_compressed")
    with pytest.raises(ParameterError, match="masks: has 3 detectors; the data hold 4 signals"):
        evaluate({**params, "masks": params["masks"][:3]})


def test_padding_must_hold_whole_measured_pixels() -> None:
    with pytest.raises(ParameterError, match="data_pad: must be a multiple of upsample_pattern = 2"):
        evaluate(problem(data_pad=3, upsample_pattern=2))
