"""Forms without a browser: every table builds; widget and preset follow each other; a bad value changes nothing."""

from __future__ import annotations

import math

import ipywidgets
import numpy as np
import pytest

from pypty_nb.params import FIELDS, TABLES, Preset, Schedule
from pypty_nb.widgets import Form, controls
from pypty_nb.widgets.fieldbox import FieldBox
from pypty_nb.widgets.steps import STEPS


@pytest.fixture
def preset() -> Preset:
    return Preset()


def note(box: FieldBox) -> str:
    """The line below a field; "" where there is none."""
    return box.children[1].children[0].value if len(box.children) > 1 else ""


def press_note(box: FieldBox) -> None:
    box.children[1].children[1].click()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_every_table_builds(preset: Preset, table):
    form = Form(preset, table)
    for name in table.fields():
        box = form.reveal(name)
        assert FIELDS[name].label in box.control.description
        assert name in box.control.tooltip
        assert not box.error


@pytest.mark.parametrize("name", FIELDS)
def test_the_default_survives_being_shown_and_read(preset: Preset, name: str):
    field, value = FIELDS[name], preset[name]
    if controls.can_type(field, value):
        preset.update({name: controls.read(field, controls.shown(field, value))})
        assert not preset.is_changed(name)


@pytest.mark.parametrize(
    ("name", "typed", "stored"),
    [
        ("epoch_max", "60", 60),
        ("acc_voltage", "300", 300.0),
        ("cf_beta_phase", "\u22120.5", -0.5),
        ("wolfe_c1_constant", "1e-3", 1e-3),
        ("hist_length", "inf", math.inf),
        ("max_count", "none", None),
        ("compute_batch", "AUTO", "auto"),
        ("scan_size", "44, 52", (44, 52)),
        ("scan_size", "(44, 52)", (44, 52)),
        ("data_shift_vector", "[1, -2]", (1, -2)),
        ("update_probe", "0", False),
        ("update_probe", "on", True),
        ("update_probe_pos", "x >= 30", Schedule.parse("lambda x: x >= 30")),
        ("update_probe_pos", "lambda x: x >= 30", Schedule.parse("lambda x: x >= 30")),
        ("atv_weight", "0 if epoch < 20 else 1e-3", Schedule.parse("lambda epoch: 0 if epoch < 20 else 1e-3")),
        ("atv_weight", "steps [[0, 0], [20, 0.001]]", Schedule.steps([[0, 0], [20, 0.001]])),
        ("data_path", "true", "true"),
        ("static_background", "0.5", 0.5),
    ],
)
def test_typed_text_becomes_the_value(preset: Preset, name: str, typed: str, stored):
    box = FieldBox(preset, name)
    box.control.value = typed
    assert box.error == ""
    assert preset[name] == stored
    assert type(preset[name]) is type(stored)
    # what is then shown stands for the same value
    assert controls.read(box.field, box.control.value) == (list(stored) if isinstance(stored, tuple) else stored)


def test_a_short_array_is_typed(preset: Preset):
    box = FieldBox(preset, "slice_distances")
    assert box.control.value == "10"
    box.control.value = "10, 12.5"
    np.testing.assert_array_equal(preset.slice_distances, [10.0, 12.5])
    press_note(box)
    assert not preset.is_changed("slice_distances")


def test_a_long_array_is_named_and_restored(preset: Preset):
    preset.update(dataset=np.zeros((4, 4, 8, 8), np.uint8))
    box = FieldBox(preset, "dataset")
    assert (box.control.value, box.control.disabled) == ("4 × 4 × 8 × 8", True)
    assert note(box) == "uint8"
    press_note(box)
    assert preset.dataset is None
    assert (box.control.value, box.control.disabled) == ("none", False)


def test_the_kinds_have_their_widgets(preset: Preset):
    kinds = {
        "flip_ky": ipywidgets.Checkbox,
        "algorithm": ipywidgets.Dropdown,
        "epoch_max": ipywidgets.Text,
        "update_obj": ipywidgets.Text,
    }
    for name, kind in kinds.items():
        assert type(FieldBox(preset, name).control) is kind
    box = FieldBox(preset, "flip_ky")
    box.control.value = True
    assert preset.flip_ky is True
    box = FieldBox(preset, "algorithm")
    box.control.value = "ml"
    assert preset.algorithm == "ml"


def test_a_bad_value_leaves_the_preset_and_says_so(preset: Preset):
    heard: list[tuple[str, str]] = []
    box = FieldBox(preset, "epoch_max", lambda name, message: heard.append((name, message)))
    box.control.value = "-3"
    assert preset.epoch_max == 200
    assert "is-error" in box._dom_classes
    assert "-3" in note(box)
    assert heard[-1][0] == "epoch_max"
    assert heard[-1][1]
    assert box.control.value == "-3"
    press_note(box)
    assert (box.control.value, box.error, heard[-1]) == ("200", "", ("epoch_max", ""))
    assert "is-error" not in box._dom_classes


def test_values_that_contradict_each_other(preset: Preset):
    box = FieldBox(preset, "wolfe_c1_constant")
    preset.update(wolfe_c2_constant=0.6)
    box.control.value = "0.7"
    assert preset.wolfe_c1_constant == 0.5
    assert "below wolfe_c2_constant = 0.6" in note(box)
    assert not note(box).count("wolfe_c1_constant")


def test_what_was_typed_is_text_not_markup(preset: Preset):
    box = FieldBox(preset, "epoch_max")
    box.control.value = "<img src=x onerror=alert(1)>"
    assert "<img" not in note(box)
    assert "&lt;img" in note(box)
    path = FieldBox(preset, "data_path")
    path.control.value = "<b>.h5"
    assert preset.data_path == "<b>.h5"


def test_the_preset_changed_elsewhere(preset: Preset):
    form = Form(preset, TABLES)
    box = form.reveal("epoch_max")
    preset.epoch_max = 60
    assert box.control.value == "60"
    assert "is-changed" in box._dom_classes
    assert note(box) == "default 200"
    press_note(box)
    assert preset.epoch_max == 200
    assert "is-changed" not in box._dom_classes
    assert note(box) == ""
    form.close()
    preset.epoch_max = 61
    assert box.control.value == "200"


def test_fields_are_made_when_first_shown(preset: Preset):
    form = Form(preset, STEPS["Optimise"], "Optimise")
    basic = sum(FIELDS[name].level == "basic" for name in form.names)
    assert len(form._boxes) == basic < len(form.names)
    form._level.value = "Expert"
    assert len(form._boxes) == len(form.names)


def test_search_by_name_label_and_help(preset: Preset):
    form = Form(preset, TABLES)
    form._level.value = "Expert"

    def shown() -> list[str]:
        return [box.name for section in form._sections for box in section.children[1:]]

    for words, name in (
        ("wolfe_c1", "wolfe_c1_constant"),
        ("history length", "hist_length"),
        ("gradient descent", "hist_length"),
    ):
        form._search.value = words
        assert name in shown()
    form._search.value = "<foo>"
    assert shown() == []
    assert "&lt;foo&gt;" in form._nothing.children[0].value
    assert form._nothing.layout.display == ""


def test_a_run_locks_the_fields(preset: Preset):
    form = Form(preset, ["epoch_max", "algorithm"])
    form.lock(True)
    assert form.box("epoch_max").control.disabled
    assert form.box("algorithm").control.disabled
    assert form._live.value == "Fixed while the run is going."
    form.lock(False)
    assert not form.box("epoch_max").control.disabled


def test_a_form_of_names(preset: Preset):
    form = Form(preset, ["epoch_max", "flip_ky"])
    assert form.names == ["epoch_max", "flip_ky"]
    with pytest.raises(ValueError, match="at least one"):
        Form(preset, [])


def test_every_table_is_in_exactly_one_step():
    placed = [table for tables in STEPS.values() for table in tables]
    assert sorted(table.__name__ for table in placed) == sorted(table.__name__ for table in TABLES)
