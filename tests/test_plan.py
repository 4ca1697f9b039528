"""What happens when in a run: rows, bars and resets of a preset, and how the page draws them."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from pypty_nb.params import FIELDS, Preset, Schedule
from pypty_nb.params.schedule import CHECKED_EPOCHS
from pypty_nb.params.timeline import timeline
from pypty_nb.widgets.panels import planhtml
from pypty_nb.widgets.panels.fieldhelp import described
from pypty_nb.workspace.plan import REFINED, Plan, joined, plan

MOCK = {
    "epoch_max": 60,
    "update_probe": "lambda x: x >= 6",
    "update_probe_pos": "lambda x: x >= 30",
    "atv_weight": "lambda x: 0 if x < 20 else 1e-3",
    "window_weight": 0.02,
}


def rows_of(planned: Plan) -> dict[str, tuple[tuple[int, int], ...]]:
    return {row.label: row.bars for row in planned.rows}


def test_the_mocks_preset():
    planned = plan(Preset(**MOCK))
    assert (planned.first, planned.last, planned.end) == (0, 60, 60)
    assert rows_of(planned) == {
        "Object": ((0, 60),), "Probe": ((6, 60),), "Positions": ((30, 60),), "Tilts": (), "Static background": (),
        "Beam current": (), "Aberrations": (), "Probe window": ((0, 60),), "ATV weight": ((20, 60),),
    }  # fmt: skip
    assert planned.resets == ((6, 7), (20, 21), (30, 31))
    assert planhtml.resets(planned.resets) == "Dashed: the optimiser's history is reset at epochs 6, 20 and 30."


def test_only_what_acts_or_changes_has_a_row():
    assert {row.name for row in plan(Preset()).rows} == set(REFINED)
    # exponents and radii shape a term, and do nothing by themselves
    shaping = Preset(atv_q=2.0, probe_mod_tol=0.2, wolfe_c1_constant=0.1)
    assert {row.name for row in plan(shaping).rows} == set(REFINED)
    acting = Preset(apply_gaussian_filter=1.5, wolfe_c1_constant="lambda x: 0.1 if x < 5 else 0.5", tune_only_probe_abs=True)
    assert {row.name for row in plan(acting).rows} - set(REFINED) == {"apply_gaussian_filter", "wolfe_c1_constant"}


def test_a_run_that_goes_on_and_one_longer_than_is_looked_at():
    planned = plan(Preset(epoch_prev=40, epoch_max=50, update_probe="lambda x: x >= 45"))
    assert (planned.first, planned.last, rows_of(planned)["Probe"]) == (40, 50, ((45, 50),))
    long = plan(Preset(epoch_max=5000))
    assert (long.last, long.end, rows_of(long)["Object"]) == (CHECKED_EPOCHS, 5000, ((0, CHECKED_EPOCHS),))
    assert planhtml.epochs(long) == "the first 1\u202f000 of 5\u202f000 epochs"


def test_what_acts_by_hand_resets_while_it_acts():
    planned = plan(Preset(epoch_max=20, restart_from_vacuum="lambda x: x == 4", do_charge_flip="lambda x: 10 <= x < 13"))
    assert planned.resets == ((4, 5), (10, 13))
    assert planhtml.resets(planned.resets).endswith("reset at epochs 4 and 10 to 12.")
    assert planhtml.resets(((4, 5),)).endswith("reset at epoch 4.")
    assert planhtml.resets(tuple((epoch, epoch + 1) for epoch in range(0, 20, 2))).endswith("at 10 epochs between 0 and 18.")
    assert planhtml.resets(()) == ""


def test_a_row_that_cannot_be_read_says_so_beside_the_others():
    asked: list[int] = []

    def fickle(epoch: int) -> bool:
        asked.append(epoch)
        if len(asked) > 3000:
            raise RuntimeError("no <more>")
        return epoch >= 3

    preset = Preset(epoch_max=10, update_tilts=fickle)
    asked += [0] * 3000
    planned = plan(preset)
    wrong = next(row for row in planned.rows if row.name == "update_tilts")
    assert (wrong.line, wrong.bars) == (None, ())
    assert "no <more>" in wrong.wrong
    assert rows_of(planned)["Object"] == ((0, 10),)
    drawn = planhtml.rows(planned)
    assert "cannot be read" in drawn
    assert "no <more>" not in drawn


def test_spans_that_touch_are_one():
    assert joined([(0, 2), (2, 5), (7, 8)]) == ((0, 5), (7, 8))


def test_what_is_drawn_is_well_formed_and_where_it_should_be():
    drawn = ElementTree.fromstring(planhtml.rows(plan(Preset(**MOCK))))
    named = {part.text: part.get("data-pn-go") for part in drawn.iter("button")}
    assert named["Positions"] == "update_probe_pos"
    rows = [part for part in drawn.iter("div") if part.get("role") == "row"]
    probe = rows[1]
    assert [bar.get("style") for bar in probe.iter("i")] == ["left:10.000%;right:0.000%"]
    assert "".join(probe[-1].itertext()) == "x >= 6"
    assert ["".join(row[-1].itertext()) for row in rows[-2:]] == ["0.02", "0, then 0.001"]
    assert [tick.text for tick in drawn.iter("span") if tick.get("style")] == ["0", "10", "20", "30", "40", "50", "60"]


@pytest.mark.parametrize(
    ("name", "value", "written"),
    [
        ("atv_weight", "lambda x: 0 if x < 20 else 1e-3", ["0", "0.0005", "0.001"]),
        ("update_probe", "lambda x: x >= 6", ["off", "on"]),
        ("atv_weight", 0.0, ["0"]),
        ("algorithm", Schedule.steps([[0, "lsq_sqrt"], [30, "ml"]]), ["lsq_sqrt", "ml"]),
        ("hist_length", "lambda x: 5 if x < 30 else 10", ["0", "5", "10"]),
        ("probe_reg_constraint_weight", Schedule.steps([[0, 0.0], [10, float("inf")]]), ["0", "inf"]),
    ],
)
def test_the_course_of_a_parameter(name: str, value: object, written: list[str]):
    line = timeline(Preset(**{"epoch_max": 60, name: value}), name)
    drawn = ElementTree.fromstring(f"<div>{planhtml.course(name, line)}</div>")
    assert [part.text for part in drawn.iter("i")] == written
    path = next(part.get("d", "") for part in drawn.iter("path") if part.get("class") == "d")
    heights = [float(number) for number in re.findall(r"(?:M0 |V)([\d.]+)", path)]
    assert len(heights) == len(line.steps)
    # greater values stand higher, and all stay inside
    assert heights == sorted(heights, reverse=True)
    assert all(0 <= height <= 100 for height in heights)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_parameter_has_its_help(name: str):
    drawn = ElementTree.fromstring(f"<div>{described(name)}</div>")
    assert drawn[0][1].text == name
    cells = [cell.text or "" for cell in drawn.iter("td")]
    assert len(cells) == 5
    assert all(cells)
    assert "lambda" not in cells[1]
    assert ("expression in x" in cells[2]) == FIELDS[name].schedulable


def test_the_help_of_a_weight():
    drawn = ElementTree.fromstring(f"<div>{described('atv_weight')}</div>")
    assert [power.text for power in drawn.iter("sup")] == ["p", "p", "q/p"]
    cells = [cell.text for cell in drawn.iter("td")]
    assert cells == ["0", "0 or more", "number, or expression in x", "yes, from the next epoch", "the same"]
