"""Schedules over the epochs of a run: their steps, and which of them reset the optimiser's history."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from pypty_nb.params import FIELDS, ParameterError, Preset, Schedule
from pypty_nb.params.tables import LossConstraints, Updating
from pypty_nb.params.timeline import CHECKED_EPOCHS, reset_by, timeline


def test_a_step_in_the_objective_resets_the_history() -> None:
    preset = Preset(epoch_max=60, update_probe="lambda x: x >= 6", atv_weight={"steps": [[0, 0], [20, 1e-3], [90, 1]]})
    probe, weight = timeline(preset, "update_probe"), timeline(preset, "atv_weight")
    assert probe.steps == ((0, False), (6, True))
    assert probe.resets == (6,)
    assert (probe.first, probe.last, probe.whole) == (0, 60, True)
    assert weight.steps == ((0, 0.0), (20, 1e-3))
    assert weight.resets == (20,)


def test_a_run_that_goes_on_starts_at_its_first_epoch() -> None:
    line = timeline(Preset(epoch_prev=30, epoch_max=60, update_probe="lambda x: x >= 6"), "update_probe")
    assert line.steps == ((30, True),)
    assert line.resets == ()


def test_what_acts_by_hand_resets_in_every_epoch_it_acts() -> None:
    preset = Preset(epoch_max=10, restart_from_vacuum="lambda x: x == 4", reset_history_flag="lambda x: x % 5 == 0")
    assert timeline(preset, "restart_from_vacuum").resets == (4,)
    assert timeline(preset, "reset_history_flag").resets == (0, 5)


def test_the_wedge_is_a_filter_or_a_term() -> None:
    preset = Preset(beta_wedge="lambda x: 0.5 if x >= 3 else 0", epoch_max=6)
    assert (reset_by(preset, "beta_wedge"), timeline(preset, "beta_wedge").resets) == ("act", (3, 4, 5))
    preset.wedge_mu = 1.0
    assert (reset_by(preset, "beta_wedge"), timeline(preset, "beta_wedge").resets) == ("step", (3,))


def test_how_every_schedulable_parameter_resets() -> None:
    preset = Preset()
    found = {name: reset_by(preset, name) for name, field in FIELDS.items() if field.schedulable}
    objective = {name for table in (Updating, LossConstraints) for name, field in table.fields().items() if field.schedulable}
    objective |= {
        "algorithm",
        "loss_weight",
        "propmethod",
        "sequence",
        "phase_only_obj",
        "tune_only_probe_phase",
        "tune_only_probe_abs",
    }
    by_hand = {
        "apply_gaussian_filter", "apply_gaussian_filter_amplitude", "beta_wedge", "do_charge_flip",
        "keep_probe_states_orthogonal", "reset_history_flag", "reset_positions", "restart_from_vacuum",
    }  # fmt: skip
    # these change how a step is found or kept, or belong to charge flipping, which says when it acts
    neither = {
        "wolfe_c1_constant", "wolfe_c2_constant", "hist_length", "update_step_bfgs", "smart_memory",
        "save_checkpoints_every_epoch", "save_inter_checkpoints", "dynamically_resize_yx_object", "cf_delta_phase",
        "cf_delta_abs", "cf_beta_phase", "cf_beta_abs", "fancy_sigma",
    }  # fmt: skip
    assert {name for name, how in found.items() if how == "step"} == objective
    assert {name for name, how in found.items() if how == "act"} == by_hand
    assert {name for name, how in found.items() if not how} == neither


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        ("propmethod", lambda e: "yoshida" if e >= 5 else "multislice", 2),
        ("sequence", lambda e: np.arange(3) + e // 10, 2),
        ("fancy_sigma", lambda e: None if e < 5 else 1.5, 2),
        ("window", lambda e: [0.5, 0.6] if e < 5 else [0.6, 0.7], 2),
        ("hist_length", lambda e: 10 if e < 5 else float("inf"), 2),
        ("loss_weight", 2.0, 1),
    ],
)
def test_every_kind_of_value(name: str, value: Any, count: int) -> None:
    assert len(timeline(Preset(**{name: value}, epoch_max=20), name).steps) == count


def test_long_runs_are_looked_at_in_part() -> None:
    began = time.process_time()
    line = timeline(Preset(epoch_max=10**6, atv_weight="lambda x: 1e-3*exp(-x/100)"), "atv_weight")
    assert time.process_time() - began < 1
    assert (line.last, line.whole) == (CHECKED_EPOCHS, False)


def test_a_function_that_fails_later_is_named() -> None:
    calls = iter(range(10**6))

    def moody(epoch: int) -> float:
        if next(calls) > 500:
            raise RuntimeError("no more")
        return 0.5 + 0 * epoch

    preset = Preset(atv_weight=Schedule(function=moody), epoch_max=100)
    with pytest.raises(ParameterError, match=r"atv_weight.*epoch"):
        for _ in range(10):
            timeline(preset, "atv_weight")
