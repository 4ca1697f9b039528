"""What no run can be made of, or does nothing, is said in a sentence: never a traceback, a wrong number or silence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction
from pypty_nb.engine import simulate
from pypty_nb.params import ParameterError

NOTHING = np.zeros((16, 16))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"acc_voltage": 0.0}, "acc_voltage: must be"),
        ({"pixel_size_x_A": 0.0}, "pixel_size_x_A: must be"),
        ({"pixel_size_y_A": -1.0}, "pixel_size_y_A: must be"),
        ({"positions": 1e300}, r"positions: reach 1.*e\+301 px; they are counted in pixels"),
        ({"positions": 1e12}, r"positions: reach 1.*e\+13 px"),
        ({"extra_space_on_side_px": 10**10}, "positions: the scan asks for an object of .* px, more than the memory holds"),
        ({"probe_marker": np.full(25, 10**9)}, "probe_marker: holds 1000000000; 25 patterns have 25 at most, numbered from 0"),
        ({"probe_marker": np.full(25, 25)}, "probe_marker: holds 25; 25 patterns have 25 at most"),
        ({"probe_marker": np.full(25, -1)}, "probe_marker: holds -1; 25 patterns have 25 at most, numbered from 0"),
        (
            {"probe": np.ones((16, 16, 1, 2), complex), "probe_marker": np.full(25, 2)},
            "probe_marker: holds 2; there are 2 to choose from, numbered from 0",
        ),
        (
            {"masks": np.ones((3, 8, 8)), "dataset": np.ones((25, 3)), "algorithm": "lsq_compressed"},
            "probe: is 16 × 16 px; the patterns, .* ask for 8 × 8 px",
        ),
        ({"probe_reg_constraint_weight": np.inf, "probe_constraint_mask": NOTHING}, "probe_constraint_mask: keeps nothing"),
    ],
    ids=str,
)
def test_what_cannot_be_is_named(tiny: Preset, change: dict[str, Any], words: str) -> None:
    if "positions" in change:
        change = change | {"positions": tiny.positions * change["positions"]}
    with pytest.raises(ParameterError, match=words):
        next(Reconstruction({**tiny.to_dict(), **change}))


def test_padding_that_leaves_nothing_of_the_probe(tiny: Preset) -> None:
    preset = Preset.from_dict({**tiny.to_dict(), "dataset": None, "data_pad": 9, "obj": np.ones((40, 40, 1, 1))})
    with pytest.raises(ParameterError, match="data_pad: 9 px on each side leave no pattern of a probe of 16 × 16 px"):
        simulate(preset)


def test_a_mask_that_keeps_nothing_changes_nothing_in_a_run(tiny: Preset) -> None:
    run = Reconstruction({**tiny.to_dict(), "probe_constraint_mask": NOTHING})
    next(run)
    before, preset = run.checkpoint(), run.preset
    with pytest.raises(ParameterError, match="probe_constraint_mask: keeps nothing of the probe"):
        run.change({"probe_reg_constraint_weight": np.inf})
    assert run.preset == preset
    for name, array in run.checkpoint().items():
        np.testing.assert_array_equal(array, before[name])
    assert list(run)[-1].final


UNHEEDED = {
    "update_static_background": {"update_static_background": True},
    "n_hermite_probe_modes": {"n_hermite_probe_modes": [1, 0], "mc_n_modes": 2, "spatial_coh_x_A": 1.0, "n_mc_samples": 16},
    "wedge_mu": {"wedge_mu": 1.0, "num_slices": 2},
    "stop_on_validation": {"stop_on_validation": 3},
}
#: What makes them heeded.
HEEDED = {
    "update_static_background": {"static_background": 1.0},
    "n_hermite_probe_modes": {"mc_n_modes": None},
    "wedge_mu": {"beta_wedge": 1.0},
    "stop_on_validation": {"validation_fraction": 0.1},
}


@pytest.mark.parametrize("name", UNHEEDED)
def test_what_does_nothing_is_said_once(tiny: Preset, name: str) -> None:
    preset = {**tiny.to_dict(), "epoch_max": 2, **UNHEEDED[name]}
    said = [report.warnings for report in Reconstruction(preset)]
    assert [words.startswith(f"{name}: does nothing where ") for words in said[0]] == [True]
    assert not any(said[1:])
    assert not any(report.warnings for report in Reconstruction({**preset, **HEEDED[name]}))


def test_what_a_change_makes_do_nothing_is_said_then(tiny: Preset) -> None:
    run = Reconstruction(tiny)
    assert not next(run).warnings
    run.change({"stop_on_validation": 3})
    assert next(run).warnings == (
        "stop_on_validation: does nothing where validation_fraction is 0, since no pixels are held out",
    )
    resumed = Reconstruction({**tiny.to_dict(), "stop_on_validation": 3}, run.checkpoint())
    assert not next(resumed).warnings


@pytest.mark.parametrize(("first", "last"), [(0, 0), (9, 4)])
def test_a_run_of_no_epochs_says_so(tiny: Preset, first: int, last: int) -> None:
    (report,) = Reconstruction({**tiny.to_dict(), "epoch_prev": first, "epoch_max": last})
    assert report.warnings == (f"epoch_max: {last} is not above epoch_prev, {first}; no epoch is run",)
