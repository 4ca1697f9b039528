"""An object made for the patterns of a sequence alone, with the others' patches outside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction, run_ptychography
from pypty_nb.engine import PatternModel
from pypty_nb.params import ParameterError

FIRST = np.array([0, 1, 5, 6])
OUTSIDE = "the patch of pattern 24 reaches out of the object"


def narrow(preset: Preset, **settings: Any) -> Preset:
    """A scan four times as wide, of which the object holds one corner."""
    return Preset.from_dict(
        {**preset.to_dict(), "positions": preset.positions * 4, "sequence": FIRST, "use_full_FOV": False, **settings}
    )


@pytest.mark.parametrize("sequence", [FIRST, [24], [12, 13]], ids=str)
@pytest.mark.parametrize("preconditioner", ["illumination", "none"])
def test_only_the_patterns_of_the_sequence_matter(tiny: Preset, sequence: Any, preconditioner: str) -> None:
    """Elsewhere corners are beyond the object, some below zero; what counts is as if these patterns were all there are."""
    sequence = np.asarray(sequence)
    places = 4 * (tiny.positions - tiny.positions[sequence[0]])
    point = Reconstruction(narrow(tiny, sequence=sequence, positions=places)).point
    arrays = {"obj": point.obj, "probe": point.probe, "positions": point.positions, "skip_preprocessing": True}
    part = {**narrow(tiny, sequence=sequence, preconditioner=preconditioner, epoch_max=4).to_dict(), **arrays}
    alone = {**part, "sequence": None, "scan_size": None}
    alone |= {"dataset": tiny.dataset[sequence], "positions": point.positions[sequence]}
    losses = [[report.loss for report in Reconstruction(preset)] for preset in (part, alone)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)


def test_patterns_outside_the_object_cannot_be_switched_on(tiny: Preset) -> None:
    run = Reconstruction(narrow(tiny))
    next(run)
    before = run.point
    for sequence in (None, [0, 24], {"steps": [[0, [0, 1]], [4, [0, 24]]]}):
        with pytest.raises(ParameterError, match=OUTSIDE if sequence else "reaches out of the object"):
            run.change({"sequence": sequence})
    np.testing.assert_array_equal(run.point.obj, before.obj)
    run.change({"sequence": [0, 6]})
    assert list(run)[-1].final


@pytest.mark.parametrize("holds_out", [0.0, 0.1])
def test_no_executor_reads_beyond_the_object(tiny: Preset, holds_out: float) -> None:
    problem = Reconstruction(narrow(tiny, validation_fraction=holds_out))._problem
    terms = problem.objective.on(problem.setup).terms_at(0)
    for sequence in (None, (3, 24)):
        with pytest.raises(ParameterError, match="reaches out of the object"):
            problem.objective.evaluate(problem.point, type(terms)(terms.refined, 1.0, sequence=sequence))


def test_a_growing_object_does_not_take_in_what_takes_no_part(tiny: Preset) -> None:
    run = Reconstruction(narrow(tiny, update_probe_pos=True, reset_positions="lambda x: x == 2"))
    shape = run.point.obj.shape
    assert list(run)[-1].point.obj.shape == shape


def test_what_the_object_holds_is_simulated(tiny: Preset, tmp_path: Path) -> None:
    file = tmp_path / "simulated.h5"
    preset = narrow(tiny, data_simulation_flag=str(file), epoch_max=2)
    result = run_ptychography(preset)
    with h5py.File(file) as stored:
        patterns, words = stored["data"][()], stored["data"].attrs["note"]
    model = PatternModel(preset)
    np.testing.assert_allclose(patterns[FIRST], model.modelled(result.point, FIRST), rtol=1e-12)
    assert patterns.shape == tiny.dataset.shape
    assert not patterns[24].any()
    assert "patterns are 0" in words
    with pytest.raises(ParameterError, match=OUTSIDE):
        model.modelled(result.point, np.array([0, 24]))
    residual = model.residual(result.point)
    np.testing.assert_allclose(residual[FIRST], result.report.residual[FIRST], rtol=1e-9)
    assert residual[24] == 0
    # and can be read by the preset it was made with
    again = narrow(
        tiny, dataset=None, data_path=str(file), probe=result.point.probe, obj=result.point.obj, skip_preprocessing=True
    )
    assert Reconstruction(again).__next__().loss < 1e-9


@pytest.mark.parametrize(
    ("sequence", "words"),
    [
        ([1, 50], "sequence: names patterns 1 to 50; there are 25, numbered from 0"),
        ([-1, 5], "sequence: names patterns -1 to 5; there are 25"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_sequence_names_patterns_that_there_are(tiny: Preset, sequence: Any, words: str, whole: bool) -> None:
    with pytest.raises(ParameterError, match=words):
        list(Reconstruction({**tiny.to_dict(), "sequence": sequence, "use_full_FOV": whole}))
