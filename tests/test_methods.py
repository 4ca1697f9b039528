"""Going over from one method of propagation to another, and what fractional powers of a slice ask for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction, evaluate
from pypty_nb.engine import simulate
from pypty_nb.params import ParameterError
from pypty_nb.physics.units import electron_wavelength
from pypty_nb.records import Refinables
from tests.test_model import problem
from tests.test_reconstruction import small

THICKNESS_A = 30.0


def thick(**settings: Any) -> dict[str, Any]:
    """Two weak slices, their patterns by multislice, and a start that knows the probe."""
    random = np.random.default_rng(6)
    q2 = np.add.outer(np.fft.fftfreq(46) ** 2, np.fft.fftfreq(46) ** 2)
    phase = np.fft.ifft2(np.fft.fft2(random.standard_normal((46, 46))) * np.exp(-60 * q2)).real
    obj = np.repeat(np.exp(0.1j * phase / phase.std())[..., None, None], 2, axis=2)
    given = small(num_slices=2, slice_distances=[THICKNESS_A])
    truth = {**given, "obj": obj, "dataset": None}
    start = {"obj": np.ones((1, 1, 2, 1)), "dataset": simulate(Preset.from_dict(truth)), "skip_preprocessing": False}
    return {**given, **start, **settings}


def at(point: Refinables, params: dict[str, Any], method: str, probe: np.ndarray) -> float:
    """The loss of `method` at `point` with another probe."""
    exact = {"obj": point.obj, "positions": point.positions, "probe": probe, "propmethod": method, "skip_preprocessing": True}
    return evaluate({**params, **exact}).loss


@pytest.mark.parametrize(
    ("first", "then", "gap"),
    [("multislice", "yoshida", -1), ("better_multislice", "multislice", 1), ("better_multislice", "yoshida", 0)],
)
def test_the_probe_is_brought_to_where_the_next_method_wants_it(first: str, then: str, gap: int) -> None:
    """P(−d/2) from the centre of the first slab to its face, written out; P(d/2) back."""
    params = thick(epoch_max=14, propmethod={"steps": [[0, first], [12, then]]})
    reports = list(Reconstruction(params))
    point = reports[11].point
    q2 = np.add.outer(np.fft.fftfreq(24, 0.3) ** 2, np.fft.fftfreq(24, 0.3) ** 2)[..., None]
    kernel = np.exp(-1j * np.pi * gap * THICKNESS_A / 2 * electron_wavelength(80) * q2)
    probe = np.fft.ifft2(np.fft.fft2(point.probe, axes=(0, 1)) * kernel, axes=(0, 1))
    assert reports[12].loss == pytest.approx(at(point, params, then, probe), rel=1e-9)
    # so that the loss goes on from where it was, and would not else
    left, last = at(point, params, then, point.probe), at(point, params, first, point.probe)
    print(f"{last:.4g} before, {reports[12].loss:.4g} after, {left:.4g} with the probe left where it was")
    assert reports[12].loss - last < 0.5 * (left - last) or not gap
    assert reports[12].search.initial_step < 1, "the history was not reset"


def test_a_change_by_hand_brings_it_too_and_once() -> None:
    scheduled = list(Reconstruction(thick(epoch_max=6, propmethod={"steps": [[0, "multislice"], [3, "yoshida"]]})))
    for change in ({"steps": [[0, "multislice"], [3, "yoshida"]]}, "yoshida"):
        run = Reconstruction(thick(epoch_max=6, propmethod="multislice"))
        reports = [next(run), next(run), next(run)]
        run.change({"propmethod": change})
        reports += list(run)
        assert [report.loss for report in reports] == pytest.approx([report.loss for report in scheduled], rel=1e-9)


def test_resumed_where_the_method_changes_it_is_the_same() -> None:
    params = thick(epoch_max=6, propmethod={"steps": [[0, "multislice"], [3, "yoshida"]]})
    whole = list(Reconstruction(params))
    for stop in (2, 3, 4):
        run = Reconstruction(params)
        for _ in range(stop):
            next(run)
        resumed = list(Reconstruction(params, run.checkpoint()))
        assert resumed[-1].loss == whole[-1].loss
        assert np.array_equal(resumed[-1].point.probe, whole[-1].point.probe)


@pytest.mark.parametrize("method", ["better_multislice", "yoshida"])
def test_a_zero_has_no_fractional_powers(method: str) -> None:
    params = problem(slices=2, propmethod=method)
    params["obj"][3, 4, 1, 0] = 0
    with pytest.raises(ParameterError, match=rf"obj: is 0 somewhere in slice 2, and {method} takes fractional powers"):
        evaluate(params)
    assert np.isfinite(evaluate({**params, "propmethod": "multislice"}).loss)


@pytest.mark.parametrize("method", ["multislice", "yoshida"])
def test_a_slice_whose_phase_is_too_large_is_named_once(method: str) -> None:
    params = thick(epoch_max=3, propmethod=method)
    obj = np.ones((60, 60, 2, 1), complex)
    obj[20:26, 20:26, 1] = np.exp(2.2j)
    found = [warning for report in Reconstruction({**params, "obj": obj}) for warning in report.warnings if "slice" in warning]
    if method == "multislice":
        assert found == []
    else:
        assert [warning.partition(":")[0] for warning in found] == ["slice 2"]
        assert "the phase exceeds π/2" in found[0]
        assert "thinner slices" in found[0]


def test_distances_for_every_method_of_the_run() -> None:
    """Two methods that need two numbers of distances: enough for both, and each with its own last one at the edge."""
    both = {"propmethod": {"steps": [[0, "multislice"], [3, "yoshida"]]}, "num_slices": 3, "epoch_max": 4}
    with pytest.raises(
        ParameterError, match="slice_distances: has 2 values; 3 slices with multislice and yoshida take one for all, or 3"
    ):
        Reconstruction(small(**both, slice_distances=[5.0, 5.0]))
    assert list(Reconstruction(small(**both, slice_distances=[5.0, 5.0, 5.0])))[-1].final
    random = np.random.default_rng(2)
    exact = small(obj=np.exp(0.2j * random.standard_normal((60, 60, 3, 1))), num_slices=3, skip_preprocessing=True)
    edges = {"slice_distances": [5.0, 5.0, 5.0], "edge_slice_thickness": 20.0}
    for steps, method, lengthened in (
        ([[0, "multislice"], [3, "yoshida"]], "multislice", [20.0, 20.0]),
        ([[0, "yoshida"], [3, "multislice"]], "yoshida", [20.0, 5.0, 20.0]),
    ):
        scheduled = evaluate({**exact, **edges, "epoch_max": 4, "propmethod": {"steps": steps}})
        assert scheduled.loss == evaluate({**exact, "propmethod": method, "slice_distances": lengthened}).loss
