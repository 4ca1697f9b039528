"""The steps before a run, in a browser, on the rotavirus file: look, confirm, measure, accept, check, quick look."""

from __future__ import annotations

import re
import shutil

import h5py
import numpy as np
import pytest

from tests.browser import PATIENCE_MS, Site, button, leave, open_page, open_step, set_field
from tests.real_data import measured

expect = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]
NAME = "dev_44x52_bin2_128.h5"


def open_file(page, name: str) -> None:
    button(page, "Refresh").click()
    page.get_by_role("listbox", name="Files of the project folder").select_option(name)
    button(page, "Open file").click()


def step(page, title: str):
    return page.locator(".pn-step", has=page.get_by_role("button", name=title))


def broken(page) -> int:
    """Widgets that could not be drawn."""
    return page.get_by_text("Click to show javascript error").count()


@pytest.mark.real_data
def test_from_the_file_to_a_quick_look(page, site: Site):
    """A newcomer's way through all steps."""
    shutil.copy(measured(f"rotavirus_4dstem/{NAME}"), site.root / NAME)
    open_file(page, NAME)
    page.locator(".pn-look canvas").nth(1).wait_for(timeout=PATIENCE_MS)
    expect(step(page, "1 Data")).to_contain_text("Confirm the scan points", timeout=PATIENCE_MS)
    expect(page.locator(".pn-facts")).to_contain_text("0.03308", timeout=PATIENCE_MS)
    button(page, "Confirm").click()
    expect(step(page, "1 Data")).to_contain_text("44 × 52 × 128 × 128", timeout=PATIENCE_MS)

    # a scan point, then a ring
    pictures = page.locator(".pn-look .pn-pic")
    box = pictures.first.bounding_box()
    before = pictures.nth(1).screenshot()
    page.mouse.click(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"])
    expect(page.get_by_role("button", name="Clicked")).to_have_class(re.compile("mod-active"), timeout=PATIENCE_MS)
    page.wait_for_timeout(700)
    assert pictures.nth(1).screenshot() != before
    button(page, "Ring").click()
    expect(page.locator(".pn-look .pn-cap").first).to_contain_text("7006", timeout=PATIENCE_MS)

    page.get_by_role("button", name="2 Calibrate").click()
    button(page, "Measure").click()
    expect(page.locator(".pn-beside")).to_contain_text("Radius", timeout=PATIENCE_MS)
    expect(page.locator(".pn-form")).to_contain_text("file attribute voltage_kV of the file")
    page.get_by_role("button", name="3 Orient").click()
    expect(page.locator(".pn-tile")).to_have_count(8, timeout=PATIENCE_MS)
    expect(page.locator(".pn-tile.cur")).to_contain_text("chosen")
    button(page, "As read").click()
    expect(page.locator(".pn-tile.cur")).to_contain_text("As read", timeout=PATIENCE_MS)
    button(page, "Accept").click()
    expect(step(page, "3 Orient")).to_contain_text("Positions given", timeout=PATIENCE_MS)
    assert broken(page) == 0

    page.get_by_role("button", name="6 Check and run").click()
    expect(page.locator(".pn-card")).to_contain_text("Overlap", timeout=PATIENCE_MS)
    assert page.locator(".pn-card tr.red").count() == 0
    button(page, "Quick look").click()
    expect(page.locator(".pn-state")).to_contain_text("of 20", timeout=PATIENCE_MS)


#: Notes every stage that is told, and every width of its bar.
_LISTEN = """() => {
  window.told = new Set(); window.widths = new Set();
  const look = () => document.querySelectorAll('.pn-form .pn-underway').forEach((part) => {
    if (!part.offsetParent) return;
    window.told.add(part.innerText.trim());
    window.widths.add(part.querySelector('.progress-bar').style.width);
  });
  new MutationObserver(look).observe(document.body, {subtree: true, childList: true, characterData: true, attributes: true});
}"""


def row(page, name: str):
    """A line of the pre-flight card."""
    return page.locator(".pn-card tr").filter(has=page.get_by_role("cell", name=name, exact=True))


@pytest.mark.real_data
def test_bad_pixels_bars_and_what_the_card_advises(page, site: Site):
    """A hot and a dead pixel shown and left out; stages told while it measures; Accept answered; advice of the card taken."""
    spoilt = site.root / "spoilt.h5"
    shutil.copy(measured(f"rotavirus_4dstem/{NAME}"), spoilt)
    with h5py.File(spoilt, "r+") as file:
        counts = file["data"][...]
        counts[..., 20, 30], counts[..., 66, 70] = 250, 0
        file["data"][...] = counts
    open_file(page, spoilt.name)
    proposal, legend = page.locator(".pn-proposal"), page.locator(".pn-look .pn-cap").nth(1)
    expect(proposal).to_contain_text("1 hot: (y 20, x 30)", timeout=PATIENCE_MS)
    expect(proposal).to_contain_text("1 dead: (y 66, x 70)")
    expect(legend).to_contain_text("1 hot", timeout=PATIENCE_MS)
    expect(legend).to_contain_text("1 dead")
    button(page, "Confirm").click()
    expect(proposal).to_contain_text("2 pixels left out of the loss", timeout=PATIENCE_MS)
    button(page, "Compare").click()
    expect(proposal).to_contain_text("hot ones spoil a reconstruction", timeout=PATIENCE_MS)
    button(page, "Leave out").click()
    expect(proposal).to_contain_text("2 pixels left out of the loss", timeout=PATIENCE_MS)

    open_step(page, "2 Calibrate")
    page.evaluate(_LISTEN)
    button(page, "Measure").click()
    expect(page.locator(".pn-radii")).to_contain_text("measured: edge of the mean pattern", timeout=PATIENCE_MS)
    told, widths = page.evaluate("[[...window.told], [...window.widths]]")
    assert {"Averaging the patterns …", "Shifts of the shadow images …"} & set(told), told
    assert len(widths) >= 3, widths
    button(page, "Accept").click()
    expect(page.locator(".pn-took").first).to_contain_text("C10", timeout=PATIENCE_MS)
    expect(button(page, "Accepted")).to_be_disabled()
    expect(step(page, "2 Calibrate")).to_contain_text("3.100 Å per px", timeout=PATIENCE_MS)
    page.locator(".pn-form .pn-buttons").get_by_role("button", name="Undo", exact=True).click()
    expect(step(page, "2 Calibrate")).to_contain_text("Pixel size not set", timeout=PATIENCE_MS)
    button(page, "Accept").click()
    expect(step(page, "2 Calibrate")).to_contain_text("3.100 Å per px", timeout=PATIENCE_MS)

    # a band limit that cuts the bright field, and more epochs than double precision is fast enough for
    open_step(page, "4 Probe and object")
    page.get_by_role("button", name="Expert").first.click()
    set_field(page, "Cutoff", "0.1")
    page.locator(".pn-field.is-changed", has_text="Cutoff").first.wait_for(timeout=PATIENCE_MS)
    open_step(page, "5 Optimise")
    set_field(page, "Epochs", "1000000")
    page.locator(".pn-field.is-changed", has_text="Epochs").first.wait_for(timeout=PATIENCE_MS)
    open_step(page, "6 Check and run")
    expect(row(page, "Sampling")).to_have_class("amber", timeout=PATIENCE_MS)
    expect(row(page, "Time")).to_have_class("amber")
    button(page, "Fix sampling").click()
    expect(row(page, "Sampling")).to_have_class("ok", timeout=PATIENCE_MS)
    button(page, "Fix time").click()
    expect(row(page, "Time")).to_have_class("ok", timeout=PATIENCE_MS)
    assert page.get_by_role("textbox", name="Batch").input_value() == "auto"
    expect(page.get_by_role("combobox", name="Precision")).to_have_value("single")
    assert page.get_by_role("button", name=re.compile("^Fix ")).count() == 0
    assert broken(page) == 0


@pytest.mark.real_data
def test_a_file_that_needs_more_is_imported(page, site: Site):
    """Two data sets in one file: the form opens by itself, one is chosen, the copy is written, opened and confirmed."""
    shutil.copy(measured("vendor_formats/emd/Si100_4D.emd"), site.root / "Si100_4D.emd")
    open_file(page, "Si100_4D.emd")
    expect(page.locator(".pn-found")).to_contain_text("say which is meant by dataset", timeout=PATIENCE_MS)
    form = page.locator(".pn-import").first
    expect(form).to_contain_text("Import Si100_4D.emd", timeout=PATIENCE_MS)
    button(page, "Import").click()
    expect(form).to_contain_text("choose which of them is meant", timeout=PATIENCE_MS)
    form.get_by_role("combobox", name="Data set").select_option("CBED_array_depth0001 (11 × 11 × 8 × 8)")
    button(page, "Import").click()
    expect(page.locator(".pn-found")).to_contain_text("Si100_4D_imported.h5: 11 × 11 × 8 × 8", timeout=PATIENCE_MS)
    expect(page.locator(".pn-proposal")).to_contain_text("Wrote Si100_4D_imported.h5", timeout=PATIENCE_MS)
    button(page, "Confirm").click()
    expect(step(page, "1 Data")).to_contain_text("11 × 11 × 8 × 8", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Import a cleaned copy").click()
    expect(page.get_by_role("spinbutton", name="Bin")).to_be_visible(timeout=PATIENCE_MS)
    assert broken(page) == 0


def test_another_file_calls_the_first_one_off(page, site: Site):
    np.save(site.root / "first.npy", np.random.default_rng(1).poisson(2.0, (40, 50, 64, 64)).astype(np.uint16))
    np.save(site.root / "second.npy", np.random.default_rng(2).poisson(2.0, (3, 4, 32, 32)).astype(np.uint16))
    open_file(page, "first.npy")
    page.get_by_role("listbox", name="Files of the project folder").select_option("second.npy")
    expect(button(page, "Open file")).to_be_enabled(timeout=PATIENCE_MS)
    button(page, "Open file").click()
    expect(page.locator(".pn-said").first).to_contain_text("12 patterns", timeout=PATIENCE_MS)


def test_patterns_in_one_row_ask_for_the_scan(page, site: Site):
    np.save(site.root / "row.npy", np.random.default_rng(1).poisson(2.0, (12, 32, 32)).astype(np.uint16))
    open_file(page, "row.npy")
    page.get_by_text("12 patterns in one row. Set the scan points").wait_for(timeout=PATIENCE_MS)
    rows = page.get_by_role("spinbutton", name="Scan points, rows")
    rows.fill("5")
    rows.press("Tab")
    page.get_by_text("60 points, but 12 patterns.").wait_for(timeout=PATIENCE_MS)
    expect(button(page, "Confirm")).to_be_disabled()
    rows.fill("3")
    rows.press("Tab")
    columns = page.get_by_role("spinbutton", name="Scan points, columns")
    columns.fill("4")
    columns.press("Tab")
    page.locator(".pn-look canvas").nth(1).wait_for(timeout=PATIENCE_MS)
    button(page, "Confirm").click()
    expect(step(page, "1 Data")).not_to_contain_text("Confirm", timeout=PATIENCE_MS)


def test_axes_that_the_file_has_otherwise(page, site: Site):
    """Detector first: named anew, the picture is of the scan; one axis reversed; taken back."""
    data = np.random.default_rng(3).poisson(2.0, (5, 6, 32, 24)).astype(np.uint16)
    data[1, 2] += 40
    np.save(site.root / "turned.npy", data.transpose(2, 3, 0, 1))
    open_file(page, "turned.npy")
    page.get_by_text("pattern 5 × 6 px").wait_for(timeout=PATIENCE_MS)
    page.locator(".pn-look canvas").nth(1).wait_for(timeout=PATIENCE_MS)
    page.get_by_label("Axis 1 of the file").select_option("ky")
    page.get_by_text("ky, scan x, scan y, kx").wait_for(timeout=PATIENCE_MS)
    page.get_by_label("Axis 2 of the file").select_option("kx")
    page.get_by_text("pattern 32 × 24 px").wait_for(timeout=PATIENCE_MS)
    page.get_by_text("30 patterns").first.wait_for(timeout=PATIENCE_MS)
    assert page.get_by_role("spinbutton", name="Scan points, rows").input_value() == "5"
    page.get_by_role("checkbox", name="reversed").first.check()
    page.get_by_text("axes of the file: -ky, kx, scan_y, scan_x").wait_for(timeout=PATIENCE_MS)
    page.locator(".pn-look canvas").nth(1).wait_for(timeout=PATIENCE_MS)
    expect(page.get_by_role("checkbox", name="reversed").first).to_be_checked(timeout=PATIENCE_MS)
    button(page, "Confirm").click()
    expect(step(page, "1 Data")).not_to_contain_text("Confirm", timeout=PATIENCE_MS)
    assert broken(page) == 0


@pytest.mark.parametrize(("width", "height"), [(1366, 640), (2560, 1440)])
def test_the_steps_fit(browser, site: Site, width: int, height: int):
    """Nothing scrolls and no button is cut on the steps before a run, with data in them."""
    np.save(site.root / "grid.npy", np.random.default_rng(2).poisson(2.0, (6, 8, 32, 32)).astype(np.uint16))
    page, record = open_page(browser, site, "?theme=dark", width, height)
    open_file(page, "grid.npy")
    page.locator(".pn-look canvas").nth(1).wait_for(timeout=PATIENCE_MS)
    for title in ("2 Calibrate", "3 Orient", "6 Check and run", "1 Data"):
        page.get_by_role("button", name=title).click()
        page.wait_for_timeout(500)
        over = page.evaluate(
            """() => [...document.querySelectorAll('.pn-main, .pn-main button, .pn-app, .pn-look, .pn-calibrate, .pn-orient')]
              .filter((e) => e.offsetParent && (e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 2))
              .map((e) => e.className)"""
        )
        assert over == [], title
    leave(page)
    assert record.complaints == []
