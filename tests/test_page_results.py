"""The Results step in a browser: a run to its end, its line in the ledger, pictures of it, and another run beside it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.browser import PATIENCE_MS, Site, button, end_runs, leave, open_page

expect = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]


def run_demo(page, epochs: str) -> None:
    page.get_by_role("button", name="5 Optimise").click()
    field = page.get_by_role("textbox", name="Epochs")
    field.fill(epochs)
    field.press("Tab")
    page.get_by_role("button", name=re.compile("^Run( again)?$")).click()
    expect(page.locator(".pn-state")).to_contain_text(f"Finished, {epochs} epochs", timeout=4 * PATIENCE_MS)


def test_a_run_is_in_the_ledger_and_its_pictures_on_disk(browser, site: Site):
    end_runs(site.root)  # of other tests, which the page would take up
    page, _ = open_page(browser, site)
    button(page, "Open demonstration").click()
    page.get_by_text("Demonstration: a simulated specimen.").wait_for(timeout=PATIENCE_MS)
    run_demo(page, "8")
    page.get_by_role("button", name="7 Results").click()
    row = page.locator(".pn-run").first
    expect(row).to_contain_text("finished", timeout=PATIENCE_MS)
    run = row.locator(".t").inner_text()
    folder = site.root / "runs" / run
    assert (folder / "params.json").is_file()

    row.locator(".t").click()
    page.get_by_role("combobox", name="Format").select_option("png")
    expect(page.locator(".pn-form")).to_contain_text("PNG pictures")
    button(page, "Export run").click()
    expect(page.locator(".pn-written")).to_contain_text("Wrote", timeout=PATIENCE_MS)
    names = re.findall(r"[\w-]+\.png", page.locator(".pn-written").inner_text())
    assert names and all((folder / "export" / name).stat().st_size > 1000 for name in names)

    run_demo(page, "5")
    page.get_by_role("button", name="7 Results").click()
    expect(page.locator(".pn-run .t").nth(1)).to_have_text(run, timeout=PATIENCE_MS)
    page.locator(".pn-run .t").first.click()
    page.locator(".pn-run").nth(1).get_by_role("button", name="Compare").click()
    expect(page.locator(".pn-frc")).to_contain_text("Half-bit", timeout=PATIENCE_MS)
    page.locator(".pn-frcplot path.line").first.wait_for(state="attached", timeout=PATIENCE_MS)
    expect(page.locator(".pn-differs")).to_contain_text("Epochs")
    if os.environ.get("PYPTY_NB_TEST_SHOT"):
        page.screenshot(path=Path(os.environ["PYPTY_NB_TEST_SHOT"]))

    second = page.locator(".pn-run").nth(1)
    button(second, "Delete").click()
    assert folder.is_dir()
    button(second, "Really delete").click()
    expect(page.locator(".pn-run .t").filter(has_text=run)).to_have_count(0, timeout=PATIENCE_MS)
    assert not folder.exists() and list((site.root / "runs" / ".trash").glob(f"{run}-*"))
    assert page.get_by_text("Click to show javascript error").count() == 0
    leave(page)
