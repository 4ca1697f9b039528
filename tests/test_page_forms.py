"""The forms in a browser: a field of every kind, schedules, arrays, undo, named starts, and a preset taken home and back."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pytest

from pypty_nb.params import Preset, Schedule, same
from tests.browser import PATIENCE_MS, Site, button, leave, open_page, open_step

expect = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]


def open_all(page, title: str) -> None:
    """Open a step with all its fields."""
    open_step(page, title)
    page.locator(".pn-form").get_by_role("button", name="Expert", exact=True).click()


def field(page, label: str):
    """The field called `label`, with everything that belongs to it."""
    named = page.locator(".pn-l").get_by_text(label, exact=True)
    return page.locator(".pn-field", has=named)


def put(page, label: str, typed: str) -> None:
    box = field(page, label).get_by_role("textbox")
    box.fill(typed)
    box.press("Tab")


def open_file(page, name: str) -> None:
    open_step(page, "1 Data")
    button(page, "Refresh").click()
    page.get_by_role("listbox", name="Files of the project folder").select_option(name)
    button(page, "Open file").click()


CHANGED = re.compile(r"\bis-changed\b")

#: One field of every kind: step, label, what is typed, the parameter and its value then.
TYPED = [
    ("2 Calibrate", "Voltage", "300", "acc_voltage", 300.0),
    ("2 Calibrate", "Scan points", "2, 3", "scan_size", (2, 3)),
    ("2 Calibrate", "Slice distances", "10, 12.5", "slice_distances", np.array([10.0, 12.5])),
    ("5 Optimise", "Epochs", "60", "epoch_max", 60),
    ("5 Optimise", "Positions", "x >= 30", "update_probe_pos", Schedule.parse("x >= 30")),
    ("5 Optimise", "Atom widths", "[[1, 2], null]", "fancy_sigma", ((1.0, 2.0), None)),
    ("5 Optimise", "Loss weight", "mean", "loss_weight", "mean"),
    ("6 Check and run", "Output folder", "runs/mine", "output_folder", "runs/mine"),
]


def test_a_field_of_every_kind_there_and_back(page, site: Site):
    """Edited, refused where wrong, exported, reset, opened again: the same values."""
    step = ""
    for title, label, typed, _, _ in TYPED:
        if title != step:
            open_all(page, title)
            step = title
        put(page, label, typed)
        expect(field(page, label)).to_have_class(CHANGED, timeout=PATIENCE_MS)
    open_step(page, "5 Optimise")
    page.get_by_role("combobox", name="Loss", exact=True).fill("ml")
    page.get_by_role("combobox", name="Loss", exact=True).press("Enter")
    expect(field(page, "Loss")).to_have_class(CHANGED, timeout=PATIENCE_MS)
    open_step(page, "1 Data")
    page.get_by_role("checkbox", name="Flip ky").check()
    expect(field(page, "Flip ky")).to_have_class(CHANGED, timeout=PATIENCE_MS)

    open_step(page, "5 Optimise")
    put(page, "History length", "-1")
    expect(field(page, "History length").locator(".pn-note.err")).to_contain_text("got -1", timeout=PATIENCE_MS)
    field(page, "History length").get_by_role("button", name="restore 10").click()
    expect(field(page, "History length").locator(".pn-note")).to_have_count(0, timeout=PATIENCE_MS)

    open_step(page, "7 Results")
    with page.expect_download(timeout=PATIENCE_MS) as caught:
        button(page, "Export preset").click()
    name = "taken_home.json"
    caught.value.save_as(site.root / name)
    taken = Preset.from_json(site.root / name)
    for _, _, _, parameter, value in TYPED:
        assert same(taken[parameter], value), parameter
    assert (taken.algorithm, taken.flip_ky, taken.hist_length) == ("ml", True, 10)

    for title in ("2 Calibrate", "5 Optimise"):
        open_step(page, title)
        button(page, "Reset all").click()
        expect(page.locator(".pn-field.is-changed")).to_have_count(0, timeout=PATIENCE_MS)
    open_file(page, name)
    page.get_by_text(f"Preset {name}").wait_for(timeout=PATIENCE_MS)
    expect(page.get_by_role("checkbox", name="Flip ky")).to_be_checked(timeout=PATIENCE_MS)
    for title, label, typed, _, _ in TYPED:
        open_step(page, title)
        expect(field(page, label).get_by_role("textbox")).to_have_value(typed, timeout=PATIENCE_MS)
    open_step(page, "5 Optimise")
    expect(page.get_by_role("combobox", name="Loss", exact=True)).to_have_value("ml", timeout=PATIENCE_MS)


def test_the_plan_follows_the_form_and_leads_to_it(page):
    """Rows over the epochs, the course and the help of the field with the focus, and the pictures at a click."""
    open_step(page, "5 Optimise")
    plan = page.locator(".pn-plan")
    rows = plan.get_by_role("table", name="What happens when").get_by_role("row")
    expect(rows).to_have_count(7, timeout=PATIENCE_MS)
    put(page, "Epochs", "60")
    put(page, "ATV weight", "0 if x < 20 else 1e-3")
    row = rows.filter(has_text="ATV weight")
    expect(row).to_contain_text("0, then 0.001", timeout=PATIENCE_MS)
    expect(row.get_by_role("cell", name="on at epochs 20 to 59")).to_be_visible()
    expect(plan).to_contain_text("the optimiser's history is reset at epoch 20.")
    field(page, "Wolfe c1").get_by_role("textbox").focus()
    expect(plan.locator(".pn-about")).to_contain_text("wolfe_c1_constant", timeout=PATIENCE_MS)

    row.get_by_role("cell", name="on at epochs 20 to 59").click()
    expect(field(page, "ATV weight").get_by_role("textbox")).to_be_focused(timeout=PATIENCE_MS)
    expect(plan.get_by_role("img", name="ATV weight: 0 to 0.001")).to_be_visible(timeout=PATIENCE_MS)
    # by the keyboard, to a field that the basic form leaves out
    plan.get_by_role("button", name="Aberrations").press("Enter")
    expect(field(page, "Aberrations by scan").get_by_role("textbox")).to_be_focused(timeout=PATIENCE_MS)
    expect(plan.locator(".pn-about")).to_contain_text("update_aberrations_array", timeout=PATIENCE_MS)

    button(page, "Pictures").click()
    page.locator(".pn-main > .grid22").wait_for(timeout=PATIENCE_MS)
    button(page, "What happens when").click()
    plan.wait_for(timeout=PATIENCE_MS)


def test_a_schedule_is_drawn_and_taken_back(page):
    open_step(page, "5 Optimise")
    put(page, "Epochs", "60")
    put(page, "ATV weight", "0 if x < 20 else 1e-3")
    box = field(page, "ATV weight")
    drawn = box.get_by_role("img", name="0 to 0.001")
    drawn.wait_for(timeout=PATIENCE_MS)
    size = drawn.bounding_box()
    assert size["height"] == 24
    assert size["width"] > 100
    expect(box).to_contain_text("The step at epoch 20 resets the history.", timeout=PATIENCE_MS)

    # in a field the keys are the field's own; only dispatched, since Chromium would take the last letters back anywhere
    field(page, "History length").get_by_role("textbox").dispatch_event("keydown", {"key": "z", "ctrlKey": True})
    page.wait_for_timeout(1000)
    expect(drawn).to_be_visible()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Control+z")
    expect(drawn).to_have_count(0, timeout=PATIENCE_MS)
    expect(box.get_by_role("textbox")).to_have_value("0", timeout=PATIENCE_MS)
    page.keyboard.press("Control+Shift+Z")
    drawn.wait_for(timeout=PATIENCE_MS)
    button(page, "Undo").click()
    expect(drawn).to_have_count(0, timeout=PATIENCE_MS)
    button(page, "Undo").click()
    expect(field(page, "Epochs").get_by_role("textbox")).to_have_value("200", timeout=PATIENCE_MS)
    expect(button(page, "Undo")).to_be_disabled(timeout=PATIENCE_MS)
    button(page, "Redo").click()
    expect(field(page, "Epochs").get_by_role("textbox")).to_have_value("60", timeout=PATIENCE_MS)


def test_an_array_is_loaded_and_cleared(page, site: Site):
    (site.root / "sub").mkdir(exist_ok=True)
    np.save(site.root / "sub" / "probe.npy", np.ones((16, 16, 2)) * np.exp(1j * np.arange(16)[:, None, None]))
    np.save(site.root / "sub" / "line.npy", np.ones(5))
    open_all(page, "4 Probe and object")
    box = field(page, "Initial probe")
    box.get_by_role("button", name="Load").click()
    line = box.get_by_placeholder("file.npy or file.h5:dataset")
    line.fill("sub/line.npy")
    line.press("Enter")
    expect(box.locator(".pn-note.err")).to_contain_text("got an array of shape (5,)", timeout=PATIENCE_MS)
    line.fill("../line.npy")
    line.press("Enter")
    expect(box.locator(".pn-note.err")).to_contain_text("outside the project folder", timeout=PATIENCE_MS)
    line.fill("sub/probe.npy")
    line.press("Enter")
    box.locator("img").wait_for(timeout=PATIENCE_MS)
    expect(box.get_by_role("textbox").first).to_have_value("16 × 16 × 2", timeout=PATIENCE_MS)
    expect(box.locator(".pn-note")).to_contain_text("complex128")
    assert box.locator("img").evaluate("image => image.naturalWidth") == 16
    box.get_by_role("button", name="clear").click()
    expect(box.get_by_role("textbox").first).to_have_value("none", timeout=PATIENCE_MS)


def test_a_named_start(page):
    page.get_by_role("combobox", name="Named start").select_option("multislice")
    page.get_by_text("A specimen thicker than the depth of field").wait_for(timeout=PATIENCE_MS)
    button(page, "Use start").click()
    page.get_by_text("Took “multislice”").wait_for(timeout=PATIENCE_MS)
    open_step(page, "2 Calibrate")
    expect(field(page, "Slices").get_by_role("textbox")).to_have_value("4", timeout=PATIENCE_MS)
    button(page, "Undo").click()
    expect(field(page, "Slices").get_by_role("textbox")).to_have_value("1", timeout=PATIENCE_MS)


def test_a_preset_of_the_original_program(page, site: Site):
    """What could not be carried over is listed, as text."""
    values = {"acc_voltage": 200, "<b>puzzle</b>": 3, "epoch_max": -4}
    (site.root / "params.pkl").write_bytes(pickle.dumps(values))
    open_file(page, "params.pkl")
    page.get_by_text("Not carried over:").wait_for(timeout=PATIENCE_MS)
    expect(page.locator(".pn-left li")).to_have_count(2)
    expect(page.locator(".pn-left")).to_contain_text("<b>puzzle</b>")
    expect(page.locator(".pn-chips")).to_contain_text("2 values of params could not be carried over", timeout=PATIENCE_MS)
    open_step(page, "2 Calibrate")
    expect(field(page, "Voltage").get_by_role("textbox")).to_have_value("200", timeout=PATIENCE_MS)


def test_other_data_fill_the_scan(page, site: Site):
    np.save(site.root / "scan.npy", np.ones((3, 4, 16, 16), np.uint8))
    open_file(page, "scan.npy")
    page.locator(".pn-found").get_by_text("scan.npy: 3 × 4 × 16 × 16").wait_for(timeout=PATIENCE_MS)
    open_step(page, "2 Calibrate")
    expect(field(page, "Scan points").get_by_role("textbox")).to_have_value("3, 4", timeout=PATIENCE_MS)
    button(page, "Undo").click()
    expect(field(page, "Scan points").get_by_role("textbox")).to_have_value("none", timeout=PATIENCE_MS)
    expect(page.locator(".pn-step", has_text="1 Data")).to_contain_text("Nothing chosen", timeout=PATIENCE_MS)


def test_a_short_window_folds_the_strips_away(browser, site: Site):
    """They unfold where the cursor is."""
    page, record = open_page(browser, site, width=1366, height=640)
    open_step(page, "5 Optimise")
    put(page, "Positions", "x >= 30")
    box = field(page, "Positions")
    drawn = box.locator("svg")
    drawn.wait_for(state="attached", timeout=PATIENCE_MS)
    expect(drawn).to_be_hidden(timeout=PATIENCE_MS)
    box.get_by_role("textbox").focus()
    expect(drawn).to_be_visible(timeout=PATIENCE_MS)
    leave(page)
    assert record.complaints == []
