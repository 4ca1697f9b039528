"""Presets of the original program: what fits is carried over, the rest is listed, code is refused by name and never run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pypty_nb.params import ParameterError, Schedule
from pypty_nb.params.legacy import carry_over

ORIGINAL: dict[str, Any] = {
    "backend": np,
    "data_path": "scan.h5",
    "data_is_numpy_and_flip_ky": True,
    "default_dtype": "single",
    "acc_voltage": 60,
    "positions": np.array([[0.0, 1.0], [2.0, 3.0]]),
    "probe": np.ones((4, 4), complex),
    "update_probe": 1,
    "update_probe_pos": lambda x: x >= 10,
    "update_step_bfgs": "lambda x: 8.1e-09 if x==0 else 1",
    "hist_length": np.inf,
    "max_count": np.inf,
    "reset_history_flag": False,
    "force_dataset_dtype": np.float32,
    "scan_size": [1, 2],
    "pypty_version": "2.1",
}


def without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def test_a_dict_with_lambdas() -> None:
    carried = carry_over(ORIGINAL)
    assert carried.left_out == ()
    preset = carried.preset
    assert preset.flip_ky is True
    assert preset.backend == "auto" or preset.backend == "numpy"
    assert preset.update_probe_pos == Schedule.parse("lambda x: x >= 10")
    assert [preset.value_at("update_step_bfgs", epoch) for epoch in (0, 1)] == [8.1e-09, 1]
    assert preset.probe.shape == (4, 4, 1)
    assert preset.force_dataset_dtype == "float32"
    assert preset.hist_length == np.inf


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "params.pkl"
    values = without(ORIGINAL, "backend", "update_probe_pos") | {"smart_memory": np.True_, "Cs": np.float64(3.0)}
    path.write_bytes(pickle.dumps(values, protocol))
    carried = carry_over(path)
    assert carried.left_out == ()
    assert np.array_equal(carried.preset.positions, ORIGINAL["positions"])
    assert carried.preset.Cs == 3.0


def test_what_does_not_fit_is_listed() -> None:
    carried = carry_over({"acc_voltage": 60, "puzzle_positions": None, "epoch_max": -1, "update_probe": "lambda x: min(1"})
    assert carried.preset.acc_voltage == 60
    assert len(carried.left_out) == 3
    assert sum(sentence.startswith(("epoch_max:", "update_probe:")) for sentence in carried.left_out) == 2
    assert any("puzzle_positions" in sentence for sentence in carried.left_out)


def test_values_that_need_each_other_come_together() -> None:
    carried = carry_over(
        {"masks": np.ones((2, 4, 4)), "algorithm": "lsq_compressed", "wolfe_c1_constant": 0.9, "wolfe_c2_constant": 0.95}
    )
    assert carried.left_out == ()
    assert carried.preset.algorithm == "lsq_compressed"


def test_a_contradiction_is_listed() -> None:
    carried = carry_over({"wolfe_c1_constant": 0.9, "wolfe_c2_constant": 0.6, "acc_voltage": 60})
    assert len(carried.left_out) == 1
    assert carried.preset.acc_voltage == 60
    assert carried.preset.wolfe_c2_constant == 0.6


class Bomb:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


def test_code_in_a_pickle_is_refused_by_name_and_not_run(tmp_path: Path) -> None:
    path, trace = tmp_path / "params.pkl", tmp_path / "ran"
    path.write_bytes(pickle.dumps({"acc_voltage": Bomb(trace)}))
    with pytest.raises(ParameterError, match=r"(posix|nt)\.mkdir"):
        carry_over(path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())
    assert trace.exists(), "the bomb itself works"


@pytest.mark.parametrize(
    "content", [b"", b"\x80\x04", b"not a pickle", pickle.dumps([1, 2]), pickle.dumps({1: 2}), b"\x80\x04}q\x00("]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "params.pkl"
    path.write_bytes(content)
    with pytest.raises(ParameterError, match=r"params\.pkl"):
        carry_over(path)


def test_cut_pickles_are_refused(tmp_path: Path) -> None:
    whole = pickle.dumps(without(ORIGINAL, "backend", "update_probe_pos"))
    path = tmp_path / "params.pkl"
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ParameterError):
            carry_over(path)


def test_a_nexus_group(tmp_path: Path) -> None:
    path = tmp_path / "run.nxs"
    with h5py.File(path, "w") as file:
        group = file.create_group("entry/reconstruction/reconstruction parameters")
        group["acc_voltage"] = 200.0
        group["aperture_mask"] = "None"
        group["update_probe"] = "lambda x: x >= 5"
        group["positions"] = np.zeros((3, 2))
        group["software"] = "PyPty"
    carried = carry_over(path)
    assert carried.left_out == ()
    assert carried.preset.acc_voltage == 200
    assert carried.preset.value_at("update_probe", 5) is True
    with h5py.File(tmp_path / "other.nxs", "w") as file:
        file["entry"] = 1
    with pytest.raises(ParameterError, match="has no group"):
        carry_over(tmp_path / "other.nxs")


def test_a_missing_file() -> None:
    with pytest.raises(ParameterError, match="cannot be read"):
        carry_over("gone.pkl")
