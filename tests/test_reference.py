"""The engine against the equations written out once more, in settings drawn together."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pypty_nb import evaluate
from pypty_nb.engine import simulate
from pypty_nb.engine.executors.fused import Fused
from pypty_nb.params import Preset
from tests.reference import Reference, wavelength
from tests.test_model import COMMON

COUNT = 3
#: Measured pixels, (ky, kx): square and not, odd and even, with a factor that has no compiled transform.
SIDES = [(12, 12), (10, 14), (9, 12), (8, 11)]
ALL = {
    **COMMON,
    "sides": st.sampled_from(SIDES),
    "slices": st.integers(1, 3),
    "propmethod": st.sampled_from(["multislice", "better_multislice", "yoshida"]),
    **dict.fromkeys(("uneven", "plates", "current", "background", "aberrations", "tilted"), st.booleans()),
}
FAR = st.fixed_dictionaries(
    {
        **ALL,
        "algorithm": st.sampled_from(["lsq_sqrt", "ml", "lsq", "lsq_sqrt_2"]),
        "data_pad": st.sampled_from([0, 2, 4]),
        "upsample_pattern": st.sampled_from([1, 2]),
        "use_padded_intensity": st.booleans(),
        "flip_ky": st.booleans(),
        "data_bin": st.sampled_from([1, 2]),
        "data_shift_vector": st.sampled_from([[0, 0], [2, -1]]),
        "data_multiplier": st.sampled_from([1, 0.5]),
    }
)
NEAR = st.fixed_dictionaries(
    {
        **ALL,
        "recon_type": st.just("near_field"),
        "Cs": st.sampled_from([0.0, 1e6]),
        "alpha_near_field": st.sampled_from([0.0, 1e-3]),
        "defocus_array": st.sampled_from([[250.0], [200.0, 210.0, 260.0]]),
    }
)
#: What the compiled kernel takes.
COMPILED = st.fixed_dictionaries(
    {
        **ALL,
        "sides": st.sampled_from([(12, 12), (10, 14), (9, 12), (15, 10)]),
        "algorithm": st.sampled_from(["lsq_sqrt", "ml", "lsq", "lsq_sqrt_2"]),
        "propmethod": st.just("multislice"),
        "obj_modes": st.just(1),
        "scenarios": st.just(1),
        "tilt_mode": st.just(0),
        "data_pad": st.sampled_from([0, 3]),
        "flip_ky": st.booleans(),
        **dict.fromkeys(("plates", "current", "background", "aberrations", "tilted"), st.just(False)),
    }
)
DETECTORS = st.fixed_dictionaries(
    {**ALL, "algorithm": st.sampled_from(["lsq_compressed", "gauss_compressed", "poisson_compressed"]), "detectors": st.just(4)}
)


def posed(folder: Path, **chosen: Any) -> dict[str, Any]:
    """A random generic point with the settings `chosen`; ``plates`` holds what the file of phase plates does."""
    random = np.random.default_rng(5)
    take = {name: chosen.pop(name) for name in ("sides", "probe_modes", "obj_modes", "scenarios", "slices", "uneven", "plates",
                                                "current", "background", "aberrations", "tilted", "common_tilt")}  # fmt: skip
    detectors, b, up = chosen.pop("detectors", 0), chosen.get("data_bin", 1), chosen.get("upsample_pattern", 1)
    pad, (ky, kx) = chosen.get("data_pad", 0), take["sides"]
    ny, nx = ky * up + 2 * pad, kx * up + 2 * pad

    def waves(*shape: int) -> np.ndarray:
        return random.standard_normal(shape) + 1j * random.standard_normal(shape)

    scenarios, slices = take["scenarios"], take["slices"]
    distances = random.uniform(5, 15, slices - (chosen["propmethod"] == "multislice"))
    found = {
        "dataset": random.poisson(3.0, (COUNT, detectors) if detectors else (COUNT, ky * b, kx * b)).astype(float),
        "probe": waves(ny, nx, take["probe_modes"], *([scenarios] if scenarios > 1 else [])),
        "probe_marker": np.arange(COUNT) % scenarios if scenarios > 1 else None,
        "obj": 1 + 0.2 * waves(ny + 6, nx + 7, slices, take["obj_modes"]),
        "num_slices": slices,
        "slice_distances": distances if take["uneven"] and len(distances) else np.array([10.0]),
        "positions": random.uniform(0, 5.4, (COUNT, 2)),
        "tilts": 3e-3 * random.standard_normal((1 if take["common_tilt"] else COUNT, 6)) * take["tilted"],
        "pixel_size_x_A": 0.3,
        "acc_voltage": 80.0,
        "update_probe_pos": 1,
    }
    if take["current"]:
        found["beam_current"] = random.uniform(0.7, 1.3, COUNT)
    if take["background"]:
        edge = 2 * (pad // up)
        found["static_background"] = random.uniform(0.5, 2, (ky + edge, kx + edge))
    if take["aberrations"]:
        found |= {"aberrations_array": random.uniform(-30, 30, (2, 8)), "aberration_marker": np.arange(COUNT) % 2}
    if detectors:
        found["masks"] = random.uniform(0, 1, (detectors, ky, kx))
    if take["plates"]:
        found["plates"] = np.exp(1j * random.uniform(0, 3, (COUNT, ny, nx)))
        with h5py.File(folder / "plates.h5", "w") as file:
            file["configs"] = found["plates"]
        found["phase_plate_in_h5"] = str(folder / "plates.h5")
    return found | chosen


def assert_the_same(params: dict[str, Any]) -> None:
    """Every modelled signal, the loss, the squared error."""
    expected, engine = Reference(params), {name: value for name, value in params.items() if name != "plates"}
    evaluation = evaluate(engine)
    loss, errors = expected.loss()
    assert evaluation.loss == pytest.approx(loss, rel=1e-8)
    assert evaluation.sse == pytest.approx(errors, rel=1e-8)
    signals = simulate(Preset.from_dict({**engine, "dataset": None}))
    wanted = np.array([expected.signal(pattern) for pattern in range(COUNT)])
    assert signals.shape == wanted.shape
    assert np.allclose(signals, wanted, rtol=1e-7, atol=1e-9 * wanted.max())


def test_the_wavelength() -> None:
    assert wavelength(300) == pytest.approx(0.0196875, rel=1e-5)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(FAR)
def test_the_far_field(tmp_path_factory: pytest.TempPathFactory, chosen: dict[str, Any]) -> None:
    assert_the_same(posed(tmp_path_factory.mktemp("plates"), **chosen))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(COMPILED)
def test_the_compiled_kernel(tmp_path_factory: pytest.TempPathFactory, chosen: dict[str, Any]) -> None:
    pytest.importorskip("numba", reason="numba, which compiles the kernel, is not installed")
    with patch.object(Fused, "run", autospec=True, side_effect=Fused.run) as run:
        assert_the_same(posed(tmp_path_factory.mktemp("plates"), **chosen))
    # and not by the stages in its place
    assert run.called


@settings(max_examples=40, deadline=None, derandomize=True)
@given(NEAR)
def test_the_near_field(tmp_path_factory: pytest.TempPathFactory, chosen: dict[str, Any]) -> None:
    assert_the_same(posed(tmp_path_factory.mktemp("plates"), **chosen))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(DETECTORS)
def test_virtual_detectors(tmp_path_factory: pytest.TempPathFactory, chosen: dict[str, Any]) -> None:
    assert_the_same(posed(tmp_path_factory.mktemp("plates"), **chosen))
