"""The Results step in a browser: a run to its end, its line in the ledger, pictures of it, and another run beside it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from pypty_nb import run_ptychography
from pypty_nb.engine import simulate
from pypty_nb.runs import RunFolder
from tests.browser import PATIENCE_MS, Site, button, chromium, leave, open_demo, open_page, served
from tests.conftest import _tiny

expect = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]


def run_demo(page, epochs: str) -> None:
    page.get_by_role("button", name="5 Optimise").click()
    field = page.get_by_role("textbox", name="Epochs")
    field.fill(epochs)
    field.press("Tab")
    page.get_by_role("button", name=re.compile("^Run( again)?$")).click()
    expect(page.locator(".pn-state")).to_contain_text(f"Finished, {epochs} epochs", timeout=4 * PATIENCE_MS)


@pytest.fixture
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A project of its own: the other tests' has runs."""
    chromium()
    with served(tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("jupyter")) as site:
        yield site


def test_a_run_is_in_the_ledger_and_its_pictures_on_disk(browser, empty: Site):
    site = empty
    page, record = open_page(browser, site)
    open_demo(page)
    run_demo(page, "8")
    page.get_by_role("button", name="7 Results").click()
    row = page.locator(".pn-run").first
    expect(row).to_contain_text("finished", timeout=PATIENCE_MS)
    run = row.locator(".t").inner_text()
    folder = site.root / "runs" / run
    assert (folder / "params.json").is_file()

    row.locator(".t").click()
    # what it found, before another is compared with it
    expect(page.locator(".pn-together .pn-tag")).to_have_text(
        ["object phase", "object modulus", "probe, first mode"], timeout=PATIENCE_MS
    )
    expect(page.locator(".pn-together .pn-pic canvas")).to_have_count(3, timeout=PATIENCE_MS)
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

    # both, and what is between them, on shared axes; the loss of both
    expect(page.locator(".pn-together .pn-pic canvas")).to_have_count(3, timeout=PATIENCE_MS)
    expect(page.locator(".pn-together .pn-tag")).to_have_text([re.compile("^A"), f"B  {run}", "A − B"])
    expect(page.locator(".pn-pairloss")).to_contain_text(f"B {run}")
    expect(page.locator(".pn-thumb img")).to_have_count(2, timeout=PATIENCE_MS)
    page.keyboard.press("Escape")
    button(page, "Blink").click()
    expect(page.locator(".pn-together .pn-tag").first).to_have_text(f"B  {run}", timeout=PATIENCE_MS)

    # by keyboard alone: choose, name, delete, undo
    row = page.locator(".pn-run").nth(1)
    row.locator(".t").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".pn-chosen")).to_contain_text(f"Run {run}", timeout=PATIENCE_MS)
    page.get_by_role("textbox", name="Name").fill("<img src=x onerror=alert(1)>")
    page.keyboard.press("Tab")
    expect(row).to_contain_text("<img src=x onerror=alert(1)>", timeout=PATIENCE_MS)
    page.get_by_role("textbox", name="Note").fill("first of all")
    page.keyboard.press("Tab")
    expect(row.locator(".pn-runcells b").first).to_have_attribute("title", "first of all", timeout=PATIENCE_MS)
    button(page, "Delete").focus()
    page.keyboard.press("Enter")
    button(page, "Really delete").wait_for(timeout=PATIENCE_MS)
    assert folder.is_dir()
    button(page, "Really delete").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".pn-run .t").filter(has_text=run)).to_have_count(0, timeout=PATIENCE_MS)
    assert not folder.exists() and list((site.root / "runs" / ".trash").glob(f"{run}-*"))
    button(page, "Undo").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".pn-run .t").filter(has_text=run)).to_have_count(1, timeout=PATIENCE_MS)
    assert folder.is_dir()

    # opened, it is in the views; there the other one is drawn beside its loss
    page.locator(".pn-run").nth(1).get_by_role("button", name="Open").click()
    expect(page.locator(".pn-state")).to_contain_text("Finished, 8 epochs", timeout=PATIENCE_MS)
    other = page.get_by_role("combobox", name="Earlier run drawn beside this one")
    other.select_option(index=1)
    expect(page.locator(".pn-view:has(.pn-otherrun) path.line")).to_have_count(2, timeout=PATIENCE_MS)
    assert page.get_by_text("Click to show javascript error").count() == 0
    leave(page)
    assert record.complaints == []


def test_two_halves_give_a_resolution_and_a_quick_look_goes_on(browser, tmp_path_factory, tiny_root: Path):
    with served(tiny_root, tmp_path_factory.mktemp("jupyter")) as site:
        page, record = open_page(browser, site, "?theme=dark")
        page.get_by_role("button", name="7 Results").click()
        expect(page.locator(".pn-run")).to_have_count(1, timeout=PATIENCE_MS)
        button(page, "Run two halves").click()
        expect(page.locator(".pn-frc")).to_contain_text("Å", timeout=4 * PATIENCE_MS)
        expect(page.locator(".pn-saidof")).to_contain_text("Runs 002 and 003 are two halves of the same patterns.")
        expect(page.locator(".pn-against")).to_contain_text("A and B share no pattern, so this is the resolution.")
        expect(page.locator(".pn-run")).to_have_count(3)
        if os.environ.get("PYPTY_NB_TEST_SHOT"):
            page.screenshot(path=Path(os.environ["PYPTY_NB_TEST_SHOT"]).with_name("halves.png"))

        page.locator(".pn-run .t").last.click()
        button(page, "Use preset").click()
        expect(page.locator(".pn-saidof")).to_contain_text("The page has the preset of run 001 now.", timeout=PATIENCE_MS)
        page.get_by_role("button", name="6 Check and run").click()
        button(page, "Quick look").click()
        go_on = button(page, "Run in full from here")
        go_on.wait_for(timeout=4 * PATIENCE_MS)
        expect(page.locator(".pn-state")).to_contain_text("Finished, 20 epochs")
        go_on.click()
        expect(page.locator(".pn-state")).to_contain_text("Finished, 6 epochs", timeout=4 * PATIENCE_MS)
        expect(go_on).to_have_count(0)
        quick, full = (RunFolder(site.root / "runs" / run) for run in ("004", "005"))
        assert full.preset().sequence is None and quick.preset().sequence is not None
        np.testing.assert_array_equal(full.preset().positions, quick.point().positions)
        leave(page)
        assert record.complaints == [] and record.foreign(site) == []


@pytest.fixture
def tiny_root(tmp_path: Path) -> Path:
    """A project folder with one short run on a grid just large enough for a ring correlation."""
    preset = _tiny().copy()
    grid = np.arange(8) * 3.0
    positions = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    blurred = gaussian_filter(np.random.default_rng(9).standard_normal((38, 38)), 1.5)
    truth = preset.copy()
    truth.update(dataset=None, obj=np.exp(2j * blurred)[..., None, None], positions=positions, scan_size=(8, 8))
    preset.update(dataset=np.rint(simulate(truth)), positions=positions, scan_size=(8, 8))
    preset.update(output_folder=str(tmp_path / "runs" / "001"))
    run_ptychography(preset)
    return tmp_path
