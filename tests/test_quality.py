"""How near reconstructions come to a truth that is known; at full size, on the benchmark's problems, where PYPTY_NB_SLOW=1."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction
from pypty_nb.engine import simulate
from tests.bench.problems import SIZES, start, truth
from tests.bench.quality import JITTER_PX, Problem, benchmark
from tests.bench.scores import Field, jitter

SLOW = os.environ.get("PYPTY_NB_SLOW") == "1"
_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "bench"
#: A part of the scan of S, and of M with fewer pixels: an epoch takes a fraction of a second.
SMALL = {"S": replace(SIZES["S"], scan=12), "M": replace(SIZES["M"], scan=8, window=64)}
_GIVEN = ("acc_voltage", "pixel_size_x_A", "pixel_size_y_A", "slice_distances", "positions")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600 if SLOW else 600)]


@cache
def right(name: str) -> Preset:
    return truth(SMALL[name])


@cache
def patterns(name: str) -> np.ndarray:
    return simulate(right(name))


def field(name: str) -> Field:
    return Field(right(name).obj, right(name).positions, SMALL[name].window)


def small(name: str, named: str = "default", **settings: Any) -> Preset:
    """The reduced problem `name` from an empty object and a probe 20 Å out of focus."""
    preset = Preset.named(named)
    given = {name_: right(name)[name_] for name_ in _GIVEN}
    slices = SMALL[name].slices
    preset.update({"dataset": patterns(name), "compute_batch": "auto", "num_slices": slices, **given, **start(SMALL[name])})
    preset.update(settings)
    return preset


def errors(preset: Preset, name: str = "S", every: int = 10) -> dict[int, float]:
    """The phase error, rad, after every tenth epoch and at the end."""
    found, where = {}, field(name)
    for report in Reconstruction(preset):
        done = report.epoch if report.final else report.epoch + 1
        if report.final or done % every == 0:
            found[done] = where.phase_error(report.point.obj, report.point.positions)
    print({epoch: round(error, 5) for epoch, error in found.items()})
    return found


def test_clean_data_are_met_and_stay_met() -> None:
    found = errors(small("S", epoch_max=100))
    assert found[50] <= 0.0040  # 0.0028
    assert max(error for epoch, error in found.items() if epoch >= 50) <= 0.0050  # 0.0037


def test_few_counts_are_not_overfitted() -> None:
    counts = np.random.default_rng(3).poisson(patterns("S")).astype(np.float32)
    found = errors(small("S", "noisy", dataset=counts, epoch_max=100))
    # a run ends before its time where nothing more can be gained
    last = found[max(found)]
    assert last <= 0.042  # 0.0345
    assert last <= min(found.values()) + 0.002
    plain = errors(small("S", dataset=counts, epoch_max=60))
    # without likelihood and smoothness the same data are overfitted, or this shows nothing
    assert plain[60] > min(plain.values()) + 0.005
    assert last < 0.6 * min(plain.values())


def test_jitter_of_a_pixel_is_corrected() -> None:
    preset, true = small("S", update_probe_pos="lambda x: x >= 10", epoch_max=60), right("S").positions
    preset.positions = true + JITTER_PX * np.random.default_rng(5).standard_normal(true.shape)
    report = list(Reconstruction(preset))[-1]
    before, after = jitter(preset.positions, true), jitter(report.point.positions, true)
    print(f"{before:.2f} px became {after:.3f}")
    assert before > JITTER_PX
    assert after <= 0.05  # 0.010
    assert field("S").phase_error(report.point.obj, report.point.positions) <= 0.012  # 0.0069


def test_every_slice_is_recognised() -> None:
    report = list(Reconstruction(small("M", epoch_max=40)))[-1]
    likeness = field("M").likeness(report.point.obj, report.point.positions)
    print(np.round(likeness, 2))
    # each true slice is most like the one found in its place
    assert likeness.argmax(axis=1).tolist() == [0, 1, 2, 3]
    assert likeness.diagonal().min() > 0.6  # 0.69
    assert field("M").phase_error(report.point.obj, report.point.positions) <= 0.03


# ---- full size
@pytest.fixture(scope="module")
def problems() -> Iterator[dict[str, Problem]]:
    if not SLOW:
        pytest.skip("full size takes minutes; PYPTY_NB_SLOW=1 runs it")
    folder = Path(os.environ.get("PYPTY_NB_BENCH", _BESIDE))
    if not (folder / "make_data.py").is_file():
        pytest.skip(f"the benchmark's generator is not in {folder}; PYPTY_NB_BENCH names the folder that holds it")
    with benchmark(folder, ("S clean", "S poisson", "M clean")) as made:
        yield made


def rmse(problem: Problem, preset: Preset, every: int = 10) -> dict[int, float]:
    found = {}
    for report in Reconstruction(preset):
        done = report.epoch if report.final else report.epoch + 1
        if report.final or done % every == 0:
            found[done] = problem.rmse(report.point.obj, report.point.positions)
    print({epoch: round(error, 5) for epoch, error in found.items()})
    return found


def test_s_clean(problems: dict[str, Problem]) -> None:
    found = rmse(problems["S clean"], problems["S clean"].preset("default", epoch_max=200))
    assert min(error for epoch, error in found.items() if epoch <= 50) <= 0.0040
    assert max(error for epoch, error in found.items() if epoch >= 50) <= 0.0050


def test_s_with_noise(problems: dict[str, Problem]) -> None:
    found = rmse(problems["S poisson"], problems["S poisson"].preset("noisy", epoch_max=200))
    last = found[max(found)]
    assert last <= 0.0515
    assert last <= min(found.values()) + 0.001


def test_s_with_jitter(problems: dict[str, Problem]) -> None:
    problem = problems["S clean"]
    report = list(Reconstruction(problem.jittered(epoch_max=100)))[-1]
    after = jitter(report.point.positions, problem.truth["pos"])
    print(f"{after:.3f} px")
    assert after <= 0.1


def test_m_clean(problems: dict[str, Problem]) -> None:
    problem = problems["M clean"]
    report = list(Reconstruction(problem.preset("default", epoch_max=100)))[-1]
    error = problem.rmse(report.point.obj, report.point.positions)
    likeness = problem.likeness(report.point.obj, report.point.positions)
    print(f"{error:.4f} rad\n{np.round(likeness, 2)}")
    assert error <= 0.0040
    assert likeness.argmax(axis=1).tolist() == [0, 1, 2, 3]
