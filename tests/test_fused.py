"""The fused executor gives what the stages give, to rounding, and is left out where it cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pypty_nb.backend import choose_backend
from pypty_nb.engine.build import build
from pypty_nb.engine.executors import kernels, transforms
from pypty_nb.engine.executors.fused import Fused, supports
from pypty_nb.engine.executors.serial import Serial, Sums
from pypty_nb.engine.losses import available
from pypty_nb.engine.model import Model
from pypty_nb.params import Preset
from tests.test_model import PLAIN, problem

TOLERANCE = {"double": 2e-12, "single": 2e-4}


def made(**settings: Any):
    preset = Preset.from_dict({**problem(**settings), **PLAIN})
    return preset, build(preset, exact=True)


def sized(ny: int, nx: int) -> dict[str, Any]:
    """Settings of a window that is not 12 × 12."""
    random = np.random.default_rng(5)

    def complex_of(*shape: int) -> np.ndarray:
        return random.standard_normal(shape) + 1j * random.standard_normal(shape)

    return {
        "dataset": random.poisson(30.0, (4, ny, nx)).astype(float),
        "probe": complex_of(ny, nx, 2) / 4,
        "obj": 1 + 0.2 * complex_of(ny + 6, nx + 7, 2, 1),
        "slice_distances": [20.0],
    }


def both(threads: int, batch: int, **settings: Any):
    preset, posed = made(**settings)
    measurements = posed.objective._measurements
    model = Model(posed.backend, posed.setup, "multislice")
    assert supports(model, "multislice", preset.algorithm)
    fused = Fused(model, measurements, preset.algorithm, batch, threads)
    serial = Serial(model, measurements, available()[preset.algorithm], 2)
    wanted = frozenset({"obj", "probe", "positions"})
    return fused.run(posed.point, wanted, 0.7), serial.run(posed.point, wanted, 0.7), fused, posed.point


def assert_agree(found: Sums, expected: Sums, tolerance: float) -> None:
    assert np.allclose(found.losses, expected.losses, rtol=tolerance)
    assert np.allclose(found.errors, expected.errors, rtol=10 * tolerance)
    for name in ("obj", "probe", "positions"):
        a, b = getattr(found.gradient, name), getattr(expected.gradient, name)
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert np.abs(a - b).max() <= tolerance * max(np.abs(b).max(), 1e-30), name


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"algorithm": "ml"},
        {"algorithm": "lsq"},
        {"algorithm": "lsq_sqrt_2"},
        {"probe_modes": 3},
        {"slices": 3, "slice_distances": [20.0, 35.0]},
        {"slices": 2, "probe_modes": 2, "smooth_rolloff": 0.15},
        {"patch_band_limit": False, "pixel_size_y_A": 0.25},
        {"allow_subPixel_shift": False, "update_probe_pos": 0},
        {"data_pad": 2},
        *(
            {"algorithm": loss, "bad_pixels": [[0, 0], [5, 7], [6, 6], [11, 2]]}
            for loss in ("lsq_sqrt", "ml", "lsq", "lsq_sqrt_2")
        ),
        {"data_pad": 2, "flip_ky": True, "bad_pixels": [[0, 0], [5, 7]]},
    ],
)
@pytest.mark.parametrize("precision", ["double", "single"])
def test_it_agrees_with_the_stages(settings: dict[str, Any], precision: str) -> None:
    found, expected, *_ = both(2, 3, default_dtype=precision, **settings)
    assert_agree(found, expected, TOLERANCE[precision])


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize(
    "window", [(n, n) for n in (14, 16, 32, 48, 60, 64, 75, 96, 128, 160, 192)] + [(32, 60), (96, 40), (20, 64)]
)
def test_it_agrees_at_every_size(window: tuple[int, int], precision: str) -> None:
    found, expected, *_ = both(1, 3, default_dtype=precision, **sized(*window))
    assert_agree(found, expected, TOLERANCE[precision])


def test_the_whole_band() -> None:
    found, expected, *_ = both(1, 3, damping_cutoff_multislice=1.0, pixel_size_y_A=0.6, **sized(16, 15))
    assert_agree(found, expected, TOLERANCE["double"])


@pytest.mark.parametrize("wanted", [{"obj"}, {"probe"}, {"positions"}, {"obj", "positions"}])
def test_a_part_of_the_gradient(wanted: set[str]) -> None:
    whole, _, fused, point = both(1, 4, **sized(16, 12))
    part = fused.run(point, frozenset(wanted), 0.7)
    assert np.array_equal(part.losses, whole.losses)
    for name in ("obj", "probe", "positions"):
        found = getattr(part.gradient, name)
        assert found is None if name not in wanted else np.array_equal(found, getattr(whole.gradient, name))


def test_the_same_again_and_whatever_the_threads() -> None:
    first, _, fused, point = both(2, 2)
    wanted = frozenset({"obj", "probe"})
    again = fused.run(point, wanted, 0.7)
    assert np.array_equal(first.gradient.obj, again.gradient.obj)
    assert again.gradient.positions is None
    other, *_ = both(1, 2)
    assert np.allclose(first.gradient.obj, other.gradient.obj, rtol=1e-12, atol=1e-12)
    assert np.allclose(first.losses, other.losses, rtol=1e-13)


def test_a_sequence_and_losses_alone() -> None:
    whole, expected, fused, point = both(2, 2)
    part = fused.run(point, frozenset(), 1.0, (1, 3))
    assert np.allclose(part.losses[[1, 3]], expected.losses[[1, 3]])
    assert not part.losses[[0, 2]].any()
    assert part.gradient.obj is None
    assert whole.losses.all()


@pytest.mark.parametrize(
    "settings",
    [
        {"obj_modes": 2},
        {"data_pad": 5},  # 22 = 2 · 11
        {"scenarios": 2},
        {"tilt_mode": 1},
        {"upsample_pattern": 2},
        {"recon_type": "near_field", "defocus_array": [100.0]},
        {"detectors": 3, "algorithm": "lsq_compressed"},
    ],
)
def test_it_is_left_out_where_it_cannot(settings: dict[str, Any]) -> None:
    preset, posed = made(**settings)
    assert not supports(Model(posed.backend, posed.setup, "multislice"), "multislice", preset.algorithm)
    assert not supports(Model(posed.backend, posed.setup, "yoshida"), "yoshida", "lsq_sqrt")


def test_threads_follow_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert choose_backend("numpy", "double").threads == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert choose_backend("numpy", "double").threads == 3


def test_only_what_python_calls_is_kept_on_disk() -> None:
    """Of one piece, so that a process finds either all of it there or nothing."""
    compiled = {
        name: value for module in (kernels, transforms) for name, value in vars(module).items() if hasattr(value, "py_func")
    }
    assert len(compiled) > 5
    assert [name for name, value in compiled.items() if type(value._cache).__name__ != "NullCache"] == ["patterns"]
