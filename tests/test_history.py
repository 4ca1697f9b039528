"""Undo and redo of a preset, without a page."""

from __future__ import annotations

import numpy as np
import pytest

from pypty_nb.params import ParameterError, Preset
from pypty_nb.workspace import History


@pytest.fixture
def preset() -> Preset:
    return Preset(epoch_max=60)


def test_there_and_back(preset: Preset) -> None:
    history = History(preset)
    assert (history.undoable, history.redoable) == ("", "")
    history.undo()
    history.redo()
    preset.epoch_max = 70
    preset.update(acc_voltage=200, num_slices=4)
    assert (history.undoable, history.redoable) == ("2 values", "")
    history.undo()
    assert (preset.acc_voltage, preset.num_slices, preset.epoch_max) == (60.0, 1, 70)
    assert (history.undoable, history.redoable) == ("Epochs", "2 values")
    history.undo()
    assert preset == Preset(epoch_max=60)
    history.redo()
    history.redo()
    assert preset == Preset(epoch_max=70, acc_voltage=200, num_slices=4)


def test_a_new_change_forgets_what_was_undone(preset: Preset) -> None:
    history = History(preset)
    preset.epoch_max = 70
    history.undo()
    preset.epoch_max = 80
    assert history.redoable == ""
    history.redo()
    assert preset.epoch_max == 80


def test_everything_can_be_taken_back(preset: Preset) -> None:
    values = {
        "probe": np.ones((4, 4, 1), complex), "update_probe": "lambda x: x >= 3", "fancy_sigma": [[1, 2], None],
        "scan_size": (2, 3), "hist_length": float("inf"), "algorithm": "ml", "flip_ky": True, "max_count": None,
        "apply_gaussian_filter": True, "atv_weight": lambda e: e / 1e4,
    }  # fmt: skip
    history, before = History(preset), preset.copy()
    preset.update(values)
    after = preset.copy()
    preset.reset()
    history.undo()
    assert preset == after
    history.undo()
    assert preset == before
    history.redo()
    assert preset == after


def test_arrays_are_shared(preset: Preset) -> None:
    history = History(preset)
    data = np.zeros((10, 8, 8), np.uint8)
    preset.dataset = data
    preset.epoch_max = 10
    preset.dataset = None
    history.undo()
    assert np.shares_memory(preset.dataset, data)


def test_a_note_goes_with_the_values(preset: Preset) -> None:
    history = History(preset, note="first")
    history.change({"epoch_max": 10}, "open second", "second")
    assert (history.note, history.undoable) == ("second", "open second")
    preset.epoch_max = 20
    history.undo()
    assert history.note == "second"
    history.undo()
    assert history.note == "first"
    history.redo()
    assert history.note == "second"
    # nothing changes in the values: nothing to take back, but the note is another
    history.change({"epoch_max": 10}, "open third", "third")
    assert (history.note, history.undoable) == ("third", "open second")


def test_a_refused_change_leaves_no_trace(preset: Preset) -> None:
    history = History(preset, note="first")
    with pytest.raises(ParameterError):
        history.change({"epoch_max": -1}, "bad", "second")
    assert (history.note, history.undoable) == ("first", "")
    preset.epoch_max = 5
    assert (history.note, history.undoable) == ("first", "Epochs")


def test_only_so_many_steps(preset: Preset) -> None:
    history = History(preset, limit=3)
    for epochs in range(1, 8):
        preset.epoch_max = epochs
    for _ in range(9):
        history.undo()
    assert preset.epoch_max == 4


def test_listeners(preset: Preset) -> None:
    history, heard = History(preset), []
    leave = history.watch(lambda: heard.append(history.undoable))
    preset.epoch_max = 5
    history.undo()
    assert heard == ["Epochs", ""]
    leave()
    history.redo()
    history.close()
    preset.epoch_max = 6
    assert heard == ["Epochs", ""]
    assert history.undoable == "Epochs"
