"""The page as a person meets it: served by the command, driven in Chromium."""

from __future__ import annotations

import re
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pypty_nb.params import Preset
from pypty_nb.runs import RunFolder
from tests.browser import PATIENCE_MS, Site, begin_long_run, button, chromium, leave, open_demo, open_page, open_step, set_field

expect = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

EPOCH = re.compile(r"Epoch (\d+) of")
LOSS = re.compile(r"data loss ([\d\u202f.e+−-]+)")


def readout(page) -> str:
    return page.locator(".pn-readout").inner_text().replace("\n", " ")


def wait_for_epoch(page, epoch: int) -> tuple[int, float]:
    """Wait until `epoch` epochs are done; how many are, and the data loss."""
    page.wait_for_function(
        """(wanted) => {
          const found = /Epoch (\\d+) of/.exec(document.querySelector('.pn-readout').innerText);
          return found && Number(found[1]) >= wanted && /data loss/.test(document.querySelector('.pn-readout').innerText);
        }""",
        arg=epoch,
        timeout=4 * PATIENCE_MS,
    )
    words = readout(page)
    loss = LOSS.search(words)[1].replace("\u202f", "").replace("−", "-")
    return int(EPOCH.search(words)[1]), float(loss)


def test_first_light(page, site: Site):
    """Demo, run, the loss falls, the object appears and changes, pause, resume, stop; the run is on disk."""
    open_demo(page)
    button(page, "Run").click()
    first, loss = wait_for_epoch(page, 2)
    picture = page.locator(".pn-pic").first
    page.locator(".pn-pic canvas").first.wait_for(timeout=PATIENCE_MS)
    before = picture.screenshot()
    later, lower = wait_for_epoch(page, first + 6)
    assert lower < loss
    # numbers come with every epoch, pictures with some
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while picture.screenshot() == before:
        assert time.monotonic() < deadline, "the object does not change"
        page.wait_for_timeout(100)

    button(page, "Pause").click()
    page.locator(".pn-readout", has_text="Paused. Nothing is lost").wait_for(timeout=PATIENCE_MS)
    # the epoch under way at the click still ends
    page.wait_for_timeout(3000)
    paused = page.locator(".pn-state").inner_text()
    page.wait_for_timeout(2000)
    assert page.locator(".pn-state").inner_text() == paused

    button(page, "Resume").click()
    wait_for_epoch(page, later + 4)
    button(page, "Stop after this epoch").click()
    page.locator(".pn-readout", has_text="Stopped by you after epoch").wait_for(timeout=PATIENCE_MS)
    done = int(re.search(r"epoch (\d+)", page.locator(".pn-state").inner_text())[1])

    open_step(page, "7 Results")
    folder = RunFolder.open(page.locator(".pn-path").inner_text())
    assert folder.path.parent == site.root.resolve() / "runs"
    losses = [float(row["loss"]) for row in folder.losses()]
    assert len(losses) == done
    # from its first epoch, not from the first one seen, which is the machine's affair
    assert losses[-1] < 0.2 * losses[0]


def test_a_run_goes_on_without_its_page(browser, site: Site):
    """Reloaded in mid-run, the page shows the run going on, with its preset and its pictures."""
    page, record = open_page(browser, site)
    begin_long_run(page)
    before, _ = wait_for_epoch(page, 3)
    page.reload()
    page.locator(".pn-app").first.wait_for(timeout=PATIENCE_MS)
    after, _ = wait_for_epoch(page, before + 1)
    assert after > before
    # a page that is left in mid-run asks in vain for its kernel's end, and for what it was about to send
    record.complaints.clear()
    page.locator(".pn-pic canvas").first.wait_for(timeout=PATIENCE_MS)
    assert "of 5000" in readout(page)
    expect(button(page, "Pause")).to_be_enabled(timeout=PATIENCE_MS)
    button(page, "Abort").click()
    button(page, "Really abort?").click()
    page.locator(".pn-readout", has_text="Stopped by you after epoch").wait_for(timeout=PATIENCE_MS)
    expect(button(page, "Abort")).to_be_disabled(timeout=PATIENCE_MS)
    leave(page)
    assert record.complaints == []


def test_a_bad_value_is_said_beside_its_field(page):
    """The old value stays in force, Run is off with the reason, and restoring brings both back."""
    open_demo(page)
    open_step(page, "5 Optimise")
    field = page.get_by_role("textbox", name="Wolfe c1")
    field.fill("1.5")
    field.press("Tab")
    box = page.locator(".pn-field.is-error")
    expect(box).to_contain_text("1.5", timeout=PATIENCE_MS)
    expect(button(page, "Run")).to_be_disabled(timeout=PATIENCE_MS)
    expect(page.locator(".pn-bot")).to_contain_text("Run is off: Wolfe c1", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Go to the field").click()
    page.get_by_role("button", name="restore 0.5").click()
    box.wait_for(state="detached", timeout=PATIENCE_MS)
    expect(field).to_have_value("0.5", timeout=PATIENCE_MS)
    expect(button(page, "Run")).to_be_enabled(timeout=PATIENCE_MS)


def test_a_field_takes_an_expression(page):
    open_step(page, "5 Optimise")
    field = page.get_by_role("textbox", name="Positions")
    field.fill("x >= 30")
    field.press("Tab")
    page.locator(".pn-field.pn-expr.is-changed").wait_for(timeout=PATIENCE_MS)
    expect(page.locator(".pn-field.is-changed")).to_contain_text("off until 30", timeout=PATIENCE_MS)
    expect(field).to_have_value("x >= 30", timeout=PATIENCE_MS)
    page.get_by_role("button", name="restore 0").click()
    page.locator(".pn-field.is-changed").wait_for(state="detached", timeout=PATIENCE_MS)
    expect(field).to_have_value("0", timeout=PATIENCE_MS)


def test_search_and_expert(page):
    open_step(page, "5 Optimise")
    page.get_by_placeholder("Find a parameter by name or help").fill("foo")
    page.get_by_text("No parameter matches “foo”. Look in").wait_for(timeout=PATIENCE_MS)
    page.get_by_placeholder("Find a parameter by name or help").fill("preconditioner")
    page.locator(".pn-note").get_by_role("button", name="Expert").click()
    page.get_by_role("combobox", name="Preconditioner").wait_for(timeout=PATIENCE_MS)


def test_the_preset_is_taken_home_and_brought_back(page, site: Site, tmp_path: Path):
    """Every visitor can: by a download, and by a file of their own, opened once and kept in the project folder."""
    open_demo(page)
    open_step(page, "5 Optimise")
    field = page.get_by_role("textbox", name="Epochs")
    field.fill("7")
    field.press("Tab")
    page.get_by_text("modified").wait_for(timeout=PATIENCE_MS)
    open_step(page, "7 Results")
    with page.expect_download(timeout=PATIENCE_MS) as caught:
        button(page, "Export preset").click()
    saved = tmp_path / caught.value.suggested_filename
    caught.value.save_as(saved)
    assert saved.name == "demo.zip"
    with zipfile.ZipFile(saved) as archive:
        archive.extractall(tmp_path)
    assert Preset.from_json(tmp_path / "demo.json").epoch_max == 7

    # other values and a file of the same name are there when it comes
    open_step(page, "5 Optimise")
    set_field(page, "Epochs", "9")
    (site.root / "uploads").mkdir()
    (site.root / "uploads" / "demo.zip").write_bytes(b"another's")
    open_step(page, "1 Data")
    bring(page, saved)
    expect(page.locator(".pn-found div.ok")).to_have_text(re.compile(r"Preset demo-2\.zip$"), timeout=PATIENCE_MS)
    expect(page.get_by_role("listbox", name="Files of the project folder")).to_contain_text("uploads/demo-2.zip")
    kept = site.root / "uploads" / "demo-2.zip"
    assert sorted(path.name for path in kept.parent.iterdir()) == ["demo-2.zip", "demo.zip"]
    assert kept.read_bytes() == saved.read_bytes()
    open_step(page, "5 Optimise")
    expect(page.get_by_role("textbox", name="Epochs")).to_have_value("7", timeout=PATIENCE_MS)
    open_step(page, "7 Results")
    with page.expect_download(timeout=PATIENCE_MS) as caught:
        button(page, "Export preset").click()
    caught.value.save_as(tmp_path / "again.zip")
    with zipfile.ZipFile(tmp_path / "again.zip") as archive:
        archive.extractall(tmp_path)
    assert Preset.from_json(tmp_path / "demo-2.json") == Preset.from_json(tmp_path / "demo.json")

    # what is none, or too large to come through, is said, and nothing of it stays
    open_step(page, "1 Data")
    (tmp_path / "<b>note.json").write_text("a note")
    bring(page, tmp_path / "<b>note.json")
    expect(page.locator(".pn-found div.err")).to_contain_text("no valid JSON", timeout=PATIENCE_MS)
    with (tmp_path / "large.h5").open("wb") as file:
        file.truncate(600 * 2**20)
    bring(page, tmp_path / "large.h5")
    expect(page.locator(".pn-found div.err")).to_contain_text("600 MiB are more than the 128 MiB", timeout=PATIENCE_MS)
    assert len(list(kept.parent.iterdir())) == 2


def bring(page, path: Path) -> None:
    """Choose a file of one's own."""
    expect(button(page, "Upload preset")).to_be_enabled(timeout=PATIENCE_MS)
    with page.expect_file_chooser(timeout=PATIENCE_MS) as chooser:
        button(page, "Upload preset").press("Enter")
    chooser.value.set_files(path)


def test_a_file_that_holds_no_patterns(page, site: Site):
    """A sentence with the reason, and the page goes on."""
    np.save(site.root / "flat.npy", np.zeros(5))
    button(page, "Refresh").click()
    page.get_by_role("listbox", name="Files of the project folder").select_option("flat.npy")
    button(page, "Open file").click()
    told = page.locator(".pn-found")
    told.get_by_text("File not readable:").wait_for(timeout=PATIENCE_MS)
    expect(told).to_contain_text("Choose another.")
    assert "Traceback" not in page.content()
    open_demo(page)


def test_a_file_that_is_gone(page, site: Site):
    gone = site.root / "gone <b>.h5"
    gone.write_bytes(b"")
    button(page, "Refresh").click()
    page.get_by_role("listbox", name="Files of the project folder").select_option(gone.name)
    gone.unlink()
    button(page, "Open file").click()
    told = page.locator(".pn-found")
    told.get_by_text("File not readable:").wait_for(timeout=PATIENCE_MS)
    # the name is text, not markup
    assert "gone <b>" in told.inner_text()


@pytest.mark.parametrize(("width", "height"), [(1366, 640), (1366, 768), (2560, 1440)])
def test_everything_fits(browser, site: Site, width: int, height: int):
    """Nothing scrolls but the form, and no label or button is cut."""
    page, record = open_page(browser, site, "?theme=dark", width, height)
    assert page.locator("html").get_attribute("data-pn-theme") == "dark"
    for title in ("2 Calibrate", "3 Orient", "4 Probe and object", "5 Optimise", "6 Check and run", "7 Results", "1 Data"):
        open_step(page, title)
        cut = page.evaluate(
            """() => [...document.querySelectorAll('.pn-l, .pn-root button, .pn-title')]
              .filter((e) => e.offsetParent && e.scrollWidth > e.clientWidth + 1 && e.clientWidth)
              .map((e) => e.innerText)"""
        )
        assert cut == [], title
    scrolled = page.evaluate(
        """() => [...document.querySelectorAll('html, body, .pn-root, .pn-app, .pn-main, .pn-rail, .pn-bot, .grid22')]
          .filter((e) => e.scrollHeight > e.clientHeight + 1 || e.scrollWidth > e.clientWidth + 1).map((e) => e.className)"""
    )
    assert [name for name in scrolled if "pn-bot" not in name] == []
    leave(page)
    assert record.complaints == []


def test_without_webgl(site: Site):
    """Still pictures, said once."""
    path = chromium()
    # a thread of its own: Playwright's loop of the session's browser runs in this one
    from concurrent.futures import ThreadPoolExecutor

    from playwright.sync_api import sync_playwright

    def look() -> tuple[str, int]:
        with sync_playwright() as playwright:
            chrome = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-3d-apis"])
            page, _ = open_page(chrome, site)
            open_demo(page)
            button(page, "Run").click()
            page.locator(".pn-pic .widget-image").nth(5).wait_for(timeout=2 * PATIENCE_MS)
            told, pictures = page.locator(".pn-chips").inner_text(), page.locator(".pn-pic .widget-image").count()
            leave(page)
            chrome.close()
            return told, pictures

    with ThreadPoolExecutor(1) as pool:
        told, pictures = pool.submit(look).result()
    assert "This browser has no WebGL: pictures are still images, without zoom." in told
    # object, probe, three patterns, the map of the scan
    assert pictures == 6
