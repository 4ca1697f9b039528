"""Steering in the browser: a change in mid-run, its undo, two tabs on one run; killed jobs and killed servers."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pypty_nb.runs import Follower, RunFolder
from pypty_nb.workspace import Jobs
from tests.browser import PATIENCE_MS, Site, begin_long_run, button, leave, open_page, open_step, served, set_field
from tests.test_page import readout, wait_for_epoch

expect = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

FIELD = "Wolfe c1"


def run_demo(page) -> None:
    begin_long_run(page)
    wait_for_epoch(page, 3)


def box(page, name: str):
    """The field called `name` with what stands below it."""
    return page.locator(".pn-field", has=page.get_by_role("textbox", name=name))


def run_of(site: Site) -> RunFolder:
    """The latest run."""
    return RunFolder.open(max(path for path in (site.root / "runs").iterdir() if path.name.isdigit()))


def pid_of(run: RunFolder) -> int:
    owner = Follower(run.path).poll().state.owner
    assert owner is not None
    return owner.pid


@contextmanager
def held(pid: int) -> Iterator[None]:
    """The process does nothing meanwhile: what is asked of it waits."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def look(page, name: str) -> None:
    """A screenshot for a person to look at, where one is asked for."""
    if folder := os.environ.get("PYPTY_NB_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"))


def test_a_change_in_mid_run_is_seen_in_two_tabs_and_undone(browser, site: Site) -> None:
    page, record = open_page(browser, site)
    other, other_record = open_page(browser, site)
    run_demo(page)
    # a tab with nothing of its own shows the run that another began
    expect(other.locator(".pn-where")).to_contain_text("from-run-", timeout=PATIENCE_MS)
    wait_for_epoch(other, 3)
    run = run_of(site)

    # what cannot be changed in mid-run says why where one points at it
    open_step(page, "4 Probe and object")
    expect(page.get_by_role("textbox", name="Hermite modes")).to_be_disabled(timeout=PATIENCE_MS)
    label = page.locator(".pn-field .pn-l", has_text="Hermite modes")
    expect(label).to_have_attribute("title", re.compile("^Fixed while the run is going"), timeout=PATIENCE_MS)
    open_step(page, "5 Optimise")
    with held(pid_of(run)):
        set_field(page, FIELD, "0.25")
        expect(box(page, FIELD)).to_contain_text(re.compile(r"applies at epoch \d+, 0.5 until then"), timeout=PATIENCE_MS)
        expect(page.locator(".pn-step.cur")).to_contain_text("1 change waits for epoch", timeout=PATIENCE_MS)
        look(page, "waits")
        box(page, FIELD).get_by_role("button", name="undo").click()
        expect(page.get_by_role("textbox", name=FIELD)).to_have_value("0.5", timeout=PATIENCE_MS)
        set_field(page, FIELD, "0.125")
        expect(box(page, FIELD)).to_contain_text("applies at epoch", timeout=PATIENCE_MS)
    for tab in (page, other):
        expect(box(tab, FIELD)).to_contain_text("changed at epoch", timeout=PATIENCE_MS)
        expect(tab.get_by_role("textbox", name=FIELD)).to_have_value("0.125", timeout=PATIENCE_MS)
        expect(tab.locator(".pn-journal")).to_contain_text(f"{FIELD} 0.5 → 0.125", timeout=PATIENCE_MS)
        expect(tab.locator(".pn-plot text", has_text=FIELD)).to_be_visible(timeout=PATIENCE_MS)
    look(page, "changed")
    changed = [event for event in run.journal() if event["event"] == "changed"]
    assert [event["values"] for event in changed] == [{"wolfe_c1_constant": ["0.5", "0.125"]}]

    # nothing goes wrong by the key that takes the preset's changes back
    page.locator(".pn-log").click()
    page.keyboard.press("Control+z")
    expect(page.locator(".pn-log")).to_contain_text("Undo waits for the end of the run", timeout=PATIENCE_MS)

    wait_for_epoch(other, changed[0]["epoch"] + 2)
    box(other, FIELD).get_by_role("button", name="undo").click()
    box(other, FIELD).get_by_role("button", name=f"go back to epoch {changed[0]['epoch']}").click()
    for tab in (page, other):
        expect(tab.get_by_role("textbox", name=FIELD)).to_have_value("0.5", timeout=PATIENCE_MS)
        expect(tab.locator(".pn-journal")).to_contain_text(f"undone: {FIELD} 0.5 → 0.125", timeout=PATIENCE_MS)
        expect(box(tab, FIELD)).not_to_contain_text("changed at epoch", timeout=PATIENCE_MS)
        expect(tab.locator(".pn-plot text", has_text=f"{FIELD} undone")).to_be_visible(timeout=PATIENCE_MS)
    assert run.journal()[-2]["event"] == "undone"
    leave(other)
    leave(page)
    assert record.complaints == [] and other_record.complaints == []


def test_a_killed_job_is_told_and_resumed(page, site: Site) -> None:
    """In words, with a way on; and a run that a shell takes up is shown again by the page that followed it."""
    run_demo(page)
    run = run_of(site)
    done = len(run.losses())
    os.kill(pid_of(run), signal.SIGKILL)
    expect(page.locator(".pn-state")).to_contain_text("Lost", timeout=PATIENCE_MS)
    expect(page.locator(".pn-readout")).to_contain_text("can be resumed", timeout=PATIENCE_MS)
    look(page, "lost")
    button(page, "Resume").click()
    wait_for_epoch(page, done + 3)
    expect(page.locator(".pn-journal")).to_contain_text("resumed", timeout=PATIENCE_MS)
    epochs = [int(row["epoch"]) for row in run.losses()]
    assert epochs == list(range(len(epochs)))

    button(page, "Stop after this epoch").click()
    expect(page.locator(".pn-state")).to_contain_text("Stopped by you", timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Resume from epoch")).to_be_visible(timeout=PATIENCE_MS)
    look(page, "stopped")
    Jobs(site.root).resume(run.path)
    expect(page.locator(".pn-state")).to_contain_text("Running", timeout=2 * PATIENCE_MS)
    wait_for_epoch(page, len(epochs) + 1)


def test_a_run_survives_its_server(browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The server and everything of its group is killed; a new one's page shows the run going on."""
    root = tmp_path_factory.mktemp("survivor")
    with served(root, tmp_path_factory.mktemp("jupyter")) as site:
        page, _ = open_page(browser, site)
        run_demo(page)
        run = run_of(site)
        pid = pid_of(run)
        assert site.process is not None
        os.killpg(site.process.pid, signal.SIGKILL)
        site.process.wait()
        done = len(run.losses())
        page.close()
        with served(root, tmp_path_factory.mktemp("jupyter")) as again:
            page, record = open_page(browser, again)
            wait_for_epoch(page, done + 2)
            assert pid_of(run) == pid
            assert "of 5000" in readout(page)
            leave(page)
            assert record.complaints == []
