"""The engine keeps host and device apart, whatever it is asked for; tested without a device, on arrays that do not mix."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pypty_nb import evaluate, run_ptychography
from tests import golden_files, walled
from tests.test_reconstruction import small

SLICES = {"num_slices": 2, "obj": np.ones((1, 1, 2, 1))}
RUNS: dict[str, dict[str, Any]] = {
    "plain": {},
    "by hand": {"apply_gaussian_filter": 0.7, "apply_gaussian_filter_amplitude": 0.7, "keep_probe_states_orthogonal": True},
    "atoms": {"do_charge_flip": "lambda x: x % 2 == 0", "fancy_sigma": ((1.0, 2.0), (1.0, 2.0))},
    "wedge": {**SLICES, "beta_wedge": 1.0, "wedge_mu": 1e-3},
    "wedge filter": {**SLICES, "beta_wedge": 1.0},
    "yoshida": {**SLICES, "propmethod": "yoshida"},
    "positions": {"update_probe_pos": True, "dynamically_resize_yx_object": 1, "reset_positions": "lambda x: x == 2"},
    "tilts": {"tilt_mode": 4, "update_tilts": True},
    "background": {"static_background": 0.5, "update_static_background": True, "update_beam_current": True},
    "held out": {"validation_fraction": 0.1, "algorithm": "ml"},
    "probe's phase": {"tune_only_probe_phase": True, "phase_only_obj": True},
    "modes": {"obj": np.ones((1, 1, 1, 2)), "mixed_variance_weight": 1e-3, "atv_weight": 1e-3, "phase_norm_weight": 1e-3},
    "probe": {"window": [0.5, 0.8], "window_weight": 1e-3, "probe_mod_reg_weight": 1e-3, "scan_step_A": 2.0},
    "memory": {
        "compute_batch": "auto",
        "remove_fft_cache": True,
        "load_one_by_one": True,
        "restart_from_vacuum": "lambda x: x == 2",
    },
}


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays behind a wall, in CuPy's place."""
    for name, module in walled.modules().items():
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize("name", sorted(path.stem for path in golden_files.FOLDER.glob("*.npz")))
def test_losses_and_gradients_come_back_from_behind_the_wall(name: str) -> None:
    params = golden_files.load(name).params
    expected, found = (evaluate({**params, "backend": backend}) for backend in ("numpy", "cupy"))
    assert found.loss == pytest.approx(expected.loss, rel=1e-10)
    for refinable in golden_files.GRADIENTS:
        a, b = getattr(found.gradient, refinable), getattr(expected.gradient, refinable)
        assert (a is None) == (b is None)
        if a is not None:
            assert isinstance(a, np.ndarray)
            assert np.abs(a - b).max() <= 1e-8 * max(np.abs(b).max(), 1e-300), refinable


@pytest.mark.parametrize("settings", RUNS.values(), ids=RUNS)
def test_a_whole_run_mixes_nothing_up(settings: dict[str, Any], tmp_path: Path) -> None:
    params = small(epoch_max=4, save_checkpoints_every_epoch=True, print_flag=0, **settings)
    ends = [
        run_ptychography({**params, "backend": backend, "output_folder": str(tmp_path / backend)}).point
        for backend in ("numpy", "cupy")
    ]
    for name in ("obj", "probe", "positions", "tilts", "static_background"):
        a, b = (getattr(end, name) for end in ends)
        assert isinstance(b, np.ndarray)
        np.testing.assert_allclose(b, a, atol=1e-5 * max(1.0, np.abs(a).max()), err_msg=name)


def test_the_wall_is_one() -> None:
    here, there = np.ones(3), walled.Array(np.ones(3))
    for mix in (lambda: there + here, lambda: here * there, lambda: np.asarray(there), lambda: np.exp(there, out=here)):
        with pytest.raises(TypeError):
            mix()
