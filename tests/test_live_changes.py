"""Parameters changed while a run is under way: at the next epoch, all or none, journalled, resumed, undone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction, open_run, run_ptychography
from pypty_nb.engine import ReconstructionError
from pypty_nb.params import FIELDS, ParameterError
from pypty_nb.records import Refinables
from pypty_nb.runs import Phase, RecordedRun, send
from pypty_nb.runs.changes import UNDOABLE
from pypty_nb.runs.commands import waiting
from tests.conftest import EPOCHS
from tests.processes import Child
from tests.test_runs import same_points, without_times

CHANGES = [
    {"phase_norm_weight": 0.3},
    {"hist_length": 0},
    {"update_probe": False},
    {"update_probe_pos": True},
    {"update_tilts": True},
    {"update_static_background": True},
    {"update_beam_current": True, "update_aberrations_array": True},
    {"sequence": np.arange(0, 25, 2)},
    {"propmethod": "better_multislice", "wolfe_c1_constant": 0.1},
    {"window": np.add.outer(np.arange(16.0), np.arange(16.0)), "window_weight": 1e-3},
    {"loss_weight": "mean"},
    {"epoch_max": EPOCHS + 2},
    {"epoch_max": 4},
    {"update_step_bfgs": "lambda x: 0.5 + 0.1 * x", "max_count": 7},
]


@pytest.fixture(params=CHANGES, ids=lambda change: "+".join(change))
def values(request: pytest.FixtureRequest) -> dict[str, Any]:
    return request.param


# ---- the engine
def test_a_change_is_what_a_schedule_with_that_step_is(tiny: Preset) -> None:
    scheduled = list(Reconstruction({**tiny.to_dict(), "phase_norm_weight": {"steps": [[0, 0], [3, 0.4]]}}))
    run = Reconstruction(tiny)
    reports = [next(run), next(run), next(run)]
    assert run.change({"phase_norm_weight": 0.4}) == {"phase_norm_weight": (0.0, 0.4)}
    reports += list(run)
    assert [r.loss for r in reports] == [r.loss for r in scheduled]
    same_points(reports[-1].point, scheduled[-1].point)


def test_what_is_not_part_of_the_objective_keeps_the_history(tiny: Preset) -> None:
    whole = list(Reconstruction(tiny))
    run = Reconstruction(tiny)
    next(run), next(run)
    assert run.change({"print_flag": 0, "min_step": 1e-21}).keys() == {"print_flag", "min_step"}
    same_points(list(run)[-1].point, whole[-1].point)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"data_bin": 2}, "data_bin: cannot be changed during a run"),
        ({"phase_norm_weight": 0.1, "data_bin": 2}, "data_bin: cannot be changed during a run"),
        ({"wolfe_c1_constant": 0.9, "wolfe_c2_constant": 0.2}, "wolfe_c1_constant"),
        ({"atv_weight": "lambda x: y"}, "atv_weight"),
        ({"atv_weigth": 1.0}, "did you mean 'atv_weight'"),
        ({"sequence": np.array([77])}, "sequence: names patterns"),
        ({"tune_only_probe_phase": True, "tune_only_probe_abs": True}, "excludes"),
    ],
)
def test_a_change_that_cannot_be_leaves_all_as_it_is(tiny: Preset, tmp_path: Path, values: dict, words: str) -> None:
    whole = run_ptychography(tiny)
    run = RecordedRun.start(tiny, tmp_path / "run")
    next(run), next(run)
    before = written(run)
    for use in (run.change, run.reconstruction.change):
        with pytest.raises(ParameterError, match=words):
            use({"loss_weight": 3.0, **values})
    assert run.reconstruction.preset == tiny
    assert written(run) == before
    same_points(list(run)[-1].point, whole.point)


def written(run: RecordedRun) -> set[str]:
    """The names in the run's folder, but for those of what is being written: its heart beats all the while."""
    return {path.name for path in run.folder.path.iterdir() if not path.name.startswith(".")}


# ---- recorded
def changed_run(preset: Preset, path: Path, values: dict[str, Any], at: int = 3) -> RecordedRun:
    run = RecordedRun.start(preset, path)
    for _ in range(at):
        next(run)
    run.change(values)
    return run


@pytest.mark.parametrize("interrupted", [3, 4])
def test_a_changed_run_is_resumed_bit_for_bit(tiny: Preset, tmp_path: Path, values: dict[str, Any], interrupted: int) -> None:
    tiny.update(allow_subPixel_shift=False)
    reports = list(changed_run(tiny, tmp_path / "whole", values))
    run = changed_run(tiny, tmp_path / "run", values)
    for _ in range(interrupted - 3):
        next(run)
    run.close()
    resumed = list(RecordedRun.resume(tmp_path / "run"))
    assert resumed[-1].final and resumed[-1].epoch == reports[-1].epoch
    assert resumed[-1].loss == reports[-1].loss
    same_points(resumed[-1].point, reports[-1].point)
    folders = open_run(tmp_path / "run"), open_run(tmp_path / "whole")
    assert without_times(folders[0].losses()) == without_times(folders[1].losses())
    # as it was started
    assert folders[0].preset() == tiny


def test_a_change_killed_at_any_write_is_there_or_is_not(tiny: Preset, tmp_path: Path) -> None:
    """The process dies in the middle of taking the change; either way the resumed run is one that could have been."""
    preset = tiny.to_json(tmp_path / "preset.json")
    ends = {
        False: run_ptychography(tiny).point,
        True: list(changed_run(tiny, tmp_path / "whole", {"phase_norm_weight": 0.3}, at=0))[-1].point,
    }
    seen: set[bool] = set()
    for instant in (2, 4, 6, 8, 12, 20, 40):
        path = tmp_path / f"run{instant}"
        RecordedRun.start(preset, path).close()
        time.sleep(0.01)
        send(path, "change", {"phase_norm_weight": 0.3})
        child = Child(None, path, kill_at=instant)
        child.rest()
        assert child.process.exitcode == -9
        run = RecordedRun.resume(path)
        point = list(run)[-1].point
        # obeyed once, before the kill or after it, or refused because it was meant for the process that died
        changes = sum(event["event"] == "changed" for event in run.folder.journal())
        assert changes in (0, 1) and not waiting(path)
        seen.add(bool(changes))
        same_points(point, ends[bool(changes)])
    assert seen == {True, False}


def test_the_journal_names_what_was_changed_when(tiny: Preset, tmp_path: Path) -> None:
    run = changed_run(tiny, tmp_path / "run", {"phase_norm_weight": 0.3, "window": np.ones((16, 16)), "loss_weight": 1.0})
    event = run.folder.journal()[-1]
    assert (event["event"], event["number"], event["epoch"]) == ("changed", 1, 3)
    assert event["values"]["phase_norm_weight"] == ["0.0", "0.3"]
    assert event["values"]["window"][1] == "an array of shape (16, 16) and type float64"
    assert "loss_weight" not in event["values"]
    assert run.change({"phase_norm_weight": 0.3}) == {}
    assert run.folder.journal()[-1] == event


def test_a_constraint_switched_on_gets_its_column(tiny: Preset, tmp_path: Path) -> None:
    tiny.update(save_loss_log=2, abs_norm_weight=0.1)
    run = changed_run(tiny, tmp_path / "run", {"phase_norm_weight": 0.3, "abs_norm_weight": 0.0})
    list(run)
    rows = run.folder.losses()
    assert [float(row["L1, phase"]) > 0 for row in rows] == [False] * 3 + [True] * 4
    assert [float(row["L1, absorption"]) > 0 for row in rows[1:]] == [True] * 2 + [False] * 4
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(7)]


# ---- undone
def test_undone_it_is_as_if_it_had_never_been(tiny: Preset, tmp_path: Path, values: dict[str, Any]) -> None:
    tiny.update(epoch_max=5, allow_subPixel_shift=False)
    whole = run_ptychography({**tiny.to_dict(), "output_folder": str(tmp_path / "whole")})
    run = changed_run(tiny, tmp_path / "run", values, at=2)
    next(run)
    assert run.undo() == 2
    assert [row["epoch"] for row in run.folder.losses()] == ["0", "1"]
    assert run.folder.journal()[-1]["event"] == "undone"
    next(run)
    # and it is resumed so
    run.close()
    reports = list(RecordedRun.resume(tmp_path / "run"))
    assert reports[-1].loss == whole.report.loss
    same_points(reports[-1].point, whole.point)
    assert without_times(run.folder.losses()) == without_times(open_run(tmp_path / "whole").losses())


def test_changes_are_undone_one_after_the_other(tiny: Preset, tmp_path: Path) -> None:
    tiny.epoch_max = 12
    run = RecordedRun.start(tiny, tmp_path / "run")
    with pytest.raises(ParameterError, match="nothing was changed"):
        run.undo()
    for number in range(UNDOABLE + 1):
        next(run)
        run.change({"phase_norm_weight": 0.1 * (number + 1)})
    for number in reversed(range(1, UNDOABLE + 1)):
        assert run.reconstruction.preset.phase_norm_weight == 0.1 * (number + 1)
        assert run.undo() == number + 1
    assert run.reconstruction.preset.phase_norm_weight == 0.1
    with pytest.raises(ParameterError, match="not kept any more"):
        run.undo()
    assert len(list(run.folder.path.glob("checkpoint_before_change_*.npz"))) <= UNDOABLE
    assert run.reconstruction.preset.phase_norm_weight == 0.1
    assert [report.epoch for report in run] == [*range(2, 13)]


# ---- through the folder
def answers(run: RecordedRun) -> list[tuple[str, bool, str]]:
    events = [event for event in run.folder.journal() if event["event"] == "command"]
    return [(event["command"], event["accepted"], event.get("why", "")) for event in events]


def test_commands_are_taken_in_order_and_answered(tiny: Preset, tmp_path: Path) -> None:
    run = RecordedRun.start(tiny, tmp_path / "run")
    next(run)
    with pytest.raises(ParameterError, match="there is no command 'fly'"):
        send(run.folder.path, "fly")
    with pytest.raises(ParameterError, match="data_bin: cannot be changed"):
        send(run.folder.path, "change", {"data_bin": 2})
    send(run.folder.path, "undo")
    send(run.folder.path, "change", {"phase_norm_weight": 0.5})
    send(run.folder.path, "change", {"wolfe_c1_constant": 0.8, "wolfe_c2_constant": 0.1})
    (run.folder.path / "commands" / "00000000000000000001-broken.json").write_text("{")
    next(run)
    assert not waiting(run.folder.path)
    told = answers(run)
    assert [word for word, _, _ in told] == ["", "undo", "change", "change"]
    assert [ok for _, ok, _ in told] == [False, False, True, False]
    assert "cannot be read" in told[0][2] and "nothing was changed" in told[1][2] and "wolfe_c1_constant" in told[3][2]
    assert run.reconstruction.preset.phase_norm_weight == 0.5
    send(run.folder.path, "stop")
    assert list(run) == []
    assert run.state.phase is Phase.STOPPED and run.epoch == 2
    send(run.folder.path, "pause")
    # meant for a run that had ended by then
    with RecordedRun.resume(run.folder.path) as again:
        assert again.state.phase is Phase.RUNNING


def test_an_undo_of_one_change_undoes_no_other(tiny: Preset, tmp_path: Path) -> None:
    """Two pages press undo on the same change, and a third on one that is not the last."""
    run = RecordedRun.start(tiny, tmp_path / "run")
    for weight in (0.1, 0.2, 0.3):
        next(run)
        run.change({"phase_norm_weight": weight})
    for number in (3, 3, 1):
        send(run.folder.path, "undo", number=number)
    next(run)
    told = answers(run)
    assert [(word, ok) for word, ok, _ in told] == [("undo", True), ("undo", False), ("undo", False)]
    assert "undone already" in told[1][2] and "phase_norm_weight was changed at epoch 2; undo that first" in told[2][2]
    assert run.reconstruction.preset.phase_norm_weight == 0.2
    run.close()


def finite(point: Refinables) -> bool:
    return bool(np.isfinite(point.obj).all())


def test_every_live_parameter_can_be_set_to_what_it_is_and_changed_to_something(tiny: Preset) -> None:
    tiny.epoch_max = 50
    run = Reconstruction(tiny)
    next(run)
    checkpoint = run.checkpoint()
    live = [name for name, field in FIELDS.items() if field.live]
    assert run.change({name: tiny[name] for name in live}) == {}
    changed = 0
    for name in live:
        for value in (True, 0.25, 2, [0, 1, 2]):
            try:
                done = run.change({name: value})
            except ParameterError:
                continue
            if done:
                changed += 1
                assert finite(next(run).point)
                break
        run.restore(checkpoint)
    assert changed > 40


def test_a_change_that_ended_the_run_is_undone_as_it_is_resumed(tiny: Preset, tmp_path: Path) -> None:
    whole = run_ptychography(tiny)
    run = RecordedRun.start(tiny, tmp_path / "run")
    next(run), next(run)
    # good at the next epoch, and not at the one after that
    run.change({"phase_norm_weight": {"steps": [[0, 0], [3, 1e308]]}})
    next(run)
    with pytest.raises(ReconstructionError, match="epoch 3: the term 'L1, phase'"):
        next(run)
    assert run.state.phase is Phase.FAILED
    send(run.folder.path, "undo")
    reports = list(RecordedRun.resume(run.folder.path))
    assert [report.epoch for report in reports] == [2, 3, 4, 5, 6]
    same_points(reports[-1].point, whole.point)
