"""Held-out pixels: the loss does not see them, the report does, and a run can end by them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction, evaluate, open_run, run_ptychography
from pypty_nb.data import Measurements
from pypty_nb.data.dataset import ArrayDataset
from pypty_nb.data.preprocess import Preprocessing
from pypty_nb.params import ParameterError
from pypty_nb.runs import Follower, RecordedRun
from pypty_nb.runs.export import export
from pypty_nb.runs.folder import COLUMNS, LOSS, VALIDATION
from pypty_nb.widgets.reports import Reports
from pypty_nb.widgets.views import Loss
from pypty_nb.workspace import scene_of
from tests.processes import Child
from tests.test_model import problem
from tests.test_reconstruction import small

COUNTS = np.random.default_rng(1).poisson(3.0, (200, 10, 12)).astype(float)


def held(keep: bool = True, pad: int = 0, share: float = 0.2) -> np.ndarray:
    measurements = Measurements(
        ArrayDataset(COUNTS), Preprocessing(pad=pad), np.float64, keep=keep, centred=True, held_out=share
    )
    batches = [measurements.batch(np.arange(i, i + 50)) for i in range(0, 200, 50)]
    return np.concatenate(batches)


def test_the_share_is_drawn_once_and_for_all() -> None:
    found = held()
    assert np.array_equal(np.abs(found), COUNTS)
    assert np.signbit(found).mean() == pytest.approx(0.2, abs=0.01)
    assert np.array_equal(np.signbit(held(keep=False)), np.signbit(found))
    assert not np.array_equal(np.signbit(found[0]), np.signbit(found[1]))


def test_padding_is_no_measurement() -> None:
    found = held(pad=3)
    assert np.array_equal(np.signbit(found[:, 3:-3, 3:-3]), np.signbit(held()))
    assert np.signbit(found).sum() == np.signbit(held()).sum()


@pytest.mark.parametrize("algorithm", ["lsq_sqrt", "ml", "lsq", "lsq_sqrt_2"])
@pytest.mark.parametrize("extra", [{}, {"data_pad": 2}, {"upsample_pattern": 2}])
def test_the_loss_does_not_see_them(algorithm: str, extra: dict[str, Any]) -> None:
    params = problem(algorithm=algorithm, **extra)
    reference = evaluate({**params, "validation_fraction": 0.3})
    measurements = Measurements(
        ArrayDataset(params["dataset"]), Preprocessing(), np.float64, keep=True, centred=True, held_out=0.3
    )
    chosen = np.signbit(measurements.batch(np.arange(len(params["dataset"]))))
    other = np.where(chosen, params["dataset"] * 3 + 1, params["dataset"])
    found = evaluate({**params, "dataset": other, "validation_fraction": 0.3})
    assert found.loss == reference.loss
    assert found.sse == reference.sse
    assert np.array_equal(found.gradient.obj, reference.gradient.obj)
    assert found.validation != reference.validation
    whole = evaluate(params)
    # what is seen and what is held out make up the whole
    assert reference.loss + reference.validation * 0.3 / 0.7 == pytest.approx(whole.loss, rel=1e-12)
    assert whole.validation is None


def noisy(**settings: Any) -> dict[str, Any]:
    params = small(**settings)
    return {**params, "dataset": np.random.default_rng(4).poisson(params["dataset"] * 0.05).astype(float)}


def test_a_run_ends_with_its_best_state() -> None:
    settings = {"validation_fraction": 0.1, "epoch_max": 150, "hist_length": 20}
    whole = list(Reconstruction(noisy(**settings)))
    values = [report.validation for report in whole]
    best = int(np.argmin(values))
    assert values[-1] > values[best], "the problem must overfit, or this test shows nothing"
    stopped = list(Reconstruction(noisy(**settings, stop_on_validation=5)))
    assert stopped[-1].final
    assert len(stopped) < len(whole)
    assert stopped[-1].validation == min(report.validation for report in stopped)
    kept = min(range(len(stopped) - 1), key=lambda epoch: stopped[epoch].validation)
    assert stopped[-1].epoch - kept == 5
    assert np.array_equal(stopped[-1].point.obj, stopped[kept - 1].point.obj)
    assert f"not fallen since epoch {kept}" in stopped[-1].warnings[0]


STEPS = {
    "loss_weight": {"steps": [[0, 1.0], [6, 50.0]]},
    "algorithm": {"steps": [[0, "lsq_sqrt"], [6, "lsq"]]},
    "restart_from_vacuum": {"steps": [[0, False], [6, True], [7, False]]},
}


@pytest.mark.parametrize("name", STEPS)
def test_what_came_before_another_objective_is_no_best_state(name: str) -> None:
    """The held-out loss rises there because it means something else, or begins anew; none of that is overfitting."""
    settings = noisy(validation_fraction=0.1, epoch_max=9, stop_on_validation=2, hist_length=3, **{name: STEPS[name]})
    reports = list(Reconstruction(settings))
    assert reports[5].validation < min(report.validation for report in reports[6:]), (
        "it must stay above what it was, or this test shows nothing"
    )
    assert reports[-1].epoch > 8
    # as it was where it is resumed just there, with nothing learnt since
    run = Reconstruction({**settings, "hist_length": 0})
    for _ in range(6):
        next(run)
    checkpoint = run.checkpoint()
    assert [r.loss for r in Reconstruction({**settings, "hist_length": 0}, checkpoint)] == [r.loss for r in run]


def test_a_change_of_the_objective_begins_anew_too() -> None:
    run = Reconstruction(noisy(validation_fraction=0.1, epoch_max=12, stop_on_validation=2))
    reports = [next(run) for _ in range(4)]
    run.change({"loss_weight": 50.0})
    reports += list(run)
    assert min(report.validation for report in reports[4:]) > reports[3].validation
    assert reports[-1].epoch > 6
    # what does not touch the objective leaves the best state as it is
    run = Reconstruction(noisy(validation_fraction=0.1, epoch_max=12))
    next(run)
    before = run.checkpoint()["best/epoch"]
    run.change({"min_step": 1e-19})
    assert run.checkpoint()["best/epoch"] == before


NOTHING = [(1e-9, "held out, .* give a larger share"), (1 - 1e-9, "left in the loss, .* give a smaller share")]


@pytest.mark.parametrize(("share", "words"), NOTHING)
def test_a_share_that_leaves_nothing_to_judge_by_is_refused(share: float, words: str) -> None:
    with pytest.raises(ParameterError, match=f"validation_fraction: with .* of 20736 measured values are {words}"):
        list(Reconstruction(small(epoch_max=3, stop_on_validation=3, validation_fraction=share)))


def test_resumed_it_ends_alike() -> None:
    settings = noisy(validation_fraction=0.1, epoch_max=150, stop_on_validation=5)
    whole = list(Reconstruction(settings))
    run = Reconstruction(settings)
    for _ in range(len(whole) - 4):
        next(run)
    resumed = list(Reconstruction(settings, run.checkpoint()))
    assert resumed[-1].loss == whole[-1].loss
    assert resumed[-1].epoch == whole[-1].epoch
    assert np.array_equal(resumed[-1].point.obj, whole[-1].point.obj)


def test_nothing_is_held_out_unless_asked() -> None:
    assert all(report.validation is None for report in Reconstruction(Preset.from_dict(small(epoch_max=2))))


# ---- in the run's folder
def header(folder: Path) -> list[str]:
    with (folder / LOSS).open(newline="", encoding="utf-8") as file:
        return next(csv.reader(file))


@pytest.mark.parametrize("log", [1, 2])
def test_they_have_their_column(tiny: Preset, tmp_path: Path, log: int) -> None:
    tiny.update(validation_fraction=0.2, save_loss_log=log, phase_norm_weight=0.2, output_folder=str(tmp_path / "run"))
    reports = []
    run_ptychography(tiny, on_report=reports.append)
    share = {1: "Constraints contribution", 2: "L1, phase"}[log]
    at = COLUMNS.index("Constraints contribution")
    assert header(tmp_path / "run") == [*COLUMNS[:at], share, VALIDATION, *COLUMNS[at + 1 :]]
    rows = open_run(tmp_path / "run").losses()
    assert [float(row[VALIDATION]) for row in rows] == [report.validation for report in reports]
    assert [float(row[share]) for row in rows] == pytest.approx([report.terms["L1, phase"] for report in reports])
    # whoever reads the folder takes them for what they are, not for a constraint
    scene = scene_of(tmp_path / "run")
    assert list(scene.validation) == [report.validation for report in reports]
    assert list(scene.losses) == pytest.approx([report.terms["data"] for report in reports])
    followed = Follower(tmp_path / "run").poll().reports
    assert [report.validation for report in followed] == [report.validation for report in reports]
    assert all(set(report.terms) <= {"data", share} for report in followed[:-1])
    (path,) = export(open_run(tmp_path / "run"), "nxs", tmp_path / "out")
    with h5py.File(path) as file:
        log_group = file["entry/reconstruction/loss"]
        assert log_group[VALIDATION][:].tolist() == [report.validation for report in reports]
        assert VALIDATION in list(log_group.attrs["auxiliary_signals"])


def test_the_column_stays_where_it_is_when_a_constraint_comes(tiny: Preset, tmp_path: Path) -> None:
    tiny.update(validation_fraction=0.2, save_loss_log=2)
    run = RecordedRun.start(tiny, tmp_path / "run")
    reports = [next(run), next(run)]
    assert VALIDATION in header(tmp_path / "run")
    run.change({"phase_norm_weight": 0.3})
    reports += [next(run)]
    run.close()
    reports += list(RecordedRun.resume(tmp_path / "run"))
    rows = run.folder.losses()
    assert [float(row[VALIDATION]) for row in rows] == [report.validation for report in reports]
    assert [float(row["L1, phase"]) > 0 for row in rows] == [False, False] + [True] * (len(rows) - 2)
    assert list(rows[0])[-5:] == ["L1, phase", VALIDATION, "Free GiB", "Total GiB", "Warnings"]


@pytest.mark.parametrize("log", [1, 2])
def test_a_log_that_was_begun_without_their_column_is_gone_on_with_without_it(tiny: Preset, tmp_path: Path, log: int) -> None:
    """As a program leaves it that did not write what it held out."""
    tiny.update(validation_fraction=0.2, save_loss_log=log, phase_norm_weight=0.2)
    run = RecordedRun.start(tiny, tmp_path / "run")
    reports = [next(run), next(run)]
    run.close()
    path = tmp_path / "run" / LOSS
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    drop = lines[0].index(VALIDATION)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([*line[:drop], *line[drop + 1 :]] for line in lines)
    began = header(tmp_path / "run")
    reports += list(RecordedRun.resume(tmp_path / "run"))
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    assert lines[0] == began and {len(line) for line in lines} == {len(began)} and VALIDATION not in began
    rows = open_run(tmp_path / "run").losses()
    assert [float(row["loss"]) for row in rows] == [report.loss for report in reports] and len(rows) > 3
    assert all(len(row["Free GiB"].split(".")[1]) == 2 for row in rows)
    # whoever follows the folder reads every line
    assert [report.loss for report in Follower(tmp_path / "run").poll().reports] == [report.loss for report in reports]
    assert len(scene_of(tmp_path / "run").losses) == len(rows)


def test_no_column_where_nothing_is_held_out(tiny: Preset, tmp_path: Path) -> None:
    tiny.output_folder = str(tmp_path / "run")
    run_ptychography(tiny)
    assert tuple(header(tmp_path / "run")) == COLUMNS
    assert not scene_of(tmp_path / "run").validation


def test_the_loss_view_shows_them_as_the_run_goes_on(tiny: Preset, tmp_path: Path) -> None:
    """A run in a process of its own, seen through its folder."""
    tiny.update(validation_fraction=0.2, save_loss_log=2, phase_norm_weight=0.2)
    child = Child(tiny.to_json(tmp_path / "preset.json"), tmp_path / "run", epochs=4)
    assert [child.hear() for _ in range(5)] == ["began", 1, 2, 3, 4]
    follower, reports, view = Follower(tmp_path / "run"), Reports(), Loss()
    for report in follower.poll().reports:
        reports.add(report)
    view.update(reports.scene(tiny))
    rows = open_run(tmp_path / "run").losses()
    data, held_out = view._data._lines
    np.testing.assert_allclose(held_out.y, [float(row[VALIDATION]) for row in rows])
    np.testing.assert_allclose(data.y, [float(row["loss"]) - float(row["L1, phase"]) for row in rows])
    assert [words.split(" ")[0] for words in view._data._names.text] == ["data", "held"]
    assert [words.rsplit(" ", 2)[0] for words in view._shares._names.text] == ["L1, phase"]
    child.kill()
