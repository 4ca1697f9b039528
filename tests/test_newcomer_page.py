"""A newcomer's way in a browser, on a measured scan: an empty project, the file, two runs, results taken home."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from pypty_nb.params import Preset
from pypty_nb.runs import RunFolder
from tests.browser import PATIENCE_MS, Site, button, end_runs, leave, open_page, served
from tests.real_data import measured

expect = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
NAME = "dev_44x52_bin2_128.h5"
STEP_A, EPOCHS = 31.25, 4
LONG_MS = 5 * PATIENCE_MS


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page of a project folder in which nothing is."""
    pytest.importorskip("voila", reason="the page needs voila")
    with served(tmp_path_factory.mktemp("mine"), tmp_path_factory.mktemp("jupyter")) as site:
        yield site


@pytest.mark.real_data
def test_from_an_empty_project_to_files_taken_home(browser, empty: Site, tmp_path: Path) -> None:
    """Disc, orientation and C10 are found, the loss falls to what this scan allows, the files hold picture and scale."""
    source = measured(f"rotavirus_4dstem/{NAME}")
    page, record = open_page(browser, empty)
    expect(page.locator(".pn-found")).to_contain_text("Nothing chosen", timeout=PATIENCE_MS)
    shutil.copy(source, empty.root / NAME)
    choose(page)
    calibrate(page)
    quick_look(page)
    folder = full_run(page, empty.root)
    check_run(folder, source)
    for form in ("nxs", "tiff", "png"):
        export(page, form)
    files = folder.path / "export"
    check_nexus(next(files.glob("*.nxs")))
    check_tiff(files / "object_phase_s0_m0.tif")
    with Image.open(files / "object_phase_s0_m0.png") as picture:
        grey = np.asarray(picture.convert("L"))
    assert min(grey.shape) > 500 and grey.std() > 20
    # the scale bar: a white bar of a tenth of the width at least, in the lower left corner
    corner = (grey[-grey.shape[0] // 8 :, : grey.shape[1] // 2] == 255).mean(axis=1)
    assert corner.max() > 0.2
    take_preset_home(page, tmp_path)
    leave(page)
    end_runs(empty.root)
    assert record.foreign(empty) == [] and record.complaints == []
    assert "Traceback" not in empty.log.read_text()


# ---- the steps
def choose(page) -> None:
    button(page, "Refresh").click()
    page.get_by_role("listbox", name="Files of the project folder").select_option(NAME)
    button(page, "Open file").click()
    page.locator(".pn-look canvas").nth(1).wait_for(timeout=PATIENCE_MS)
    expect(button(page, "Confirm")).to_be_enabled(timeout=PATIENCE_MS)
    button(page, "Confirm").click()
    expect(step(page, "1 Data")).to_contain_text("44 × 52 × 128 × 128", timeout=PATIENCE_MS)


def calibrate(page) -> None:
    """Measure; what is shown is what is in this scan."""
    page.get_by_role("button", name="2 Calibrate").click()
    button(page, "Measure").click()
    expect(page.locator(".pn-beside")).to_contain_text("Radius", timeout=LONG_MS)
    fit = dict(re.findall(r"(Radius|Centre y|Centre x)\s+([\d.]+)", page.locator(".pn-beside").inner_text()))
    assert float(fit["Radius"]) == pytest.approx(30.5, abs=1)
    assert (float(fit["Centre y"]), float(fit["Centre x"])) == pytest.approx((63.5, 62.8), abs=0.3)

    page.get_by_role("button", name="3 Orient").click()
    expect(page.locator(".pn-tile")).to_have_count(8, timeout=PATIENCE_MS)
    expect(page.locator(".pn-tile.cur")).to_contain_text("Flip y", timeout=PATIENCE_MS)
    told = page.locator(".pn-form").inner_text().replace("−", "-")
    assert float(re.search(r"Rotation\s+(-?[\d.]+) ±", told)[1]) == pytest.approx(-30, abs=5)
    assert float(re.search(r"C10\s+(-?\d+) ±", told)[1]) == pytest.approx(-133_000, rel=0.1)
    button(page, "Accept").click()
    expect(step(page, "3 Orient")).to_contain_text("Positions given", timeout=PATIENCE_MS)
    expect(step(page, "2 Calibrate")).to_contain_text("300 kV, 3.100 Å per px")

    page.get_by_role("button", name="4 Probe and object").click()
    c10 = page.get_by_role("textbox", name="C10")
    expect(c10).to_be_visible(timeout=PATIENCE_MS)
    assert float(c10.input_value()) == pytest.approx(-133_000, rel=0.1)
    # the probe that follows from it
    expect(page.locator(".pn-startprobe figure img")).to_have_count(2, timeout=LONG_MS)
    found = re.search(r"Diameter\s+(\d+)", page.locator(".pn-startfacts").inner_text())
    assert float(found[1]) == pytest.approx(298, rel=0.1)


def quick_look(page) -> None:
    """The card has nothing red, and the first picture comes within a few epochs."""
    page.get_by_role("button", name="6 Check and run").click()
    expect(page.locator(".pn-card")).to_contain_text("Overlap", timeout=LONG_MS)
    assert page.locator(".pn-card tr.red").count() == 0
    expect(step(page, "6 Check and run")).to_contain_text(re.compile("in order|to look at"), timeout=PATIENCE_MS)
    page.get_by_role("combobox", name="Precision").select_option("single")
    fill(page, "Batch", "auto")
    expect(step(page, "6 Check and run")).to_contain_text("Changed since the check", timeout=PATIENCE_MS)
    expect(page.locator(".pn-check .pn-now")).to_contain_text("changed since")
    button(page, "Quick look").click()
    page.locator(".pn-readout", has_text=re.compile(r"Epoch [2-9]\d? of 20")).wait_for(timeout=LONG_MS)
    page.locator(".pn-pic canvas").first.wait_for(timeout=PATIENCE_MS)
    button(page, "Stop after this epoch").click()
    expect(page.locator(".pn-state")).to_contain_text("Stopped", timeout=LONG_MS)


def full_run(page, root: Path) -> RunFolder:
    """All patterns, a few epochs."""
    page.get_by_role("button", name="5 Optimise").click()
    fill(page, "Epochs", str(EPOCHS))
    page.get_by_role("button", name=re.compile("^Run( again)?$")).click()
    expect(page.locator(".pn-state")).to_contain_text(f"Finished, {EPOCHS} epochs", timeout=LONG_MS)
    page.get_by_role("button", name="7 Results").click()
    row = page.locator(".pn-run").first
    expect(row).to_contain_text("finished", timeout=PATIENCE_MS)
    expect(page.locator(".pn-run")).to_have_count(2)
    row.locator(".t").click()
    return RunFolder.open(root / "runs" / row.locator(".t").inner_text())


def export(page, form: str) -> None:
    page.get_by_role("combobox", name="Format").select_option(form)
    expect(button(page, "Export run")).to_be_enabled(timeout=PATIENCE_MS)
    button(page, "Export run").click()
    ending = {"tiff": "tif"}.get(form, form)
    expect(page.locator(".pn-written")).to_contain_text(re.compile(rf"Wrote .*\.{ending}\b"), timeout=PATIENCE_MS)


def take_preset_home(page, folder: Path) -> None:
    """The exported preset is valid, and holds what was found."""
    with page.expect_download(timeout=PATIENCE_MS) as caught:
        button(page, "Export preset").click()
    saved = folder / caught.value.suggested_filename
    caught.value.save_as(saved)
    with zipfile.ZipFile(saved) as archive:
        archive.extractall(folder)
    json.loads((folder / f"{saved.stem}.json").read_text())
    preset = Preset.from_json(folder / f"{saved.stem}.json")
    assert (preset.acc_voltage, preset.epoch_max, preset.scan_size) == (300, EPOCHS, (44, 52))
    check_positions(np.asarray(preset.positions) * preset.pixel_size_x_A)


# ---- what was found, in the files
def check_run(folder: RunFolder, source: Path) -> None:
    """The amplitude error Σ(√I − √D)²/ΣD, at the start and at the end."""
    with h5py.File(source) as file:
        counts = file["data"][:].sum(dtype=np.float64)
    errors = [float(row["loss"]) / counts for row in folder.losses()]
    assert errors[-1] < 0.0755 and errors[-1] < 0.9 * errors[0], errors


def check_positions(positions_A: np.ndarray) -> None:
    """Neighbours are a step apart, the fast axis 30° from x, the slow one square to it; (pattern, [y, x])."""
    grid = positions_A.reshape(44, 52, 2)
    fast, slow = (grid[:, -1] - grid[:, 0]).mean(axis=0) / 51, (grid[-1] - grid[0]).mean(axis=0) / 43
    assert np.hypot(*fast) == pytest.approx(STEP_A, rel=0.01) and np.hypot(*slow) == pytest.approx(STEP_A, rel=0.01)
    assert abs(fast @ slow) < 0.01 * STEP_A**2
    assert abs(np.degrees(np.arctan2(fast[0], fast[1]))) % 180 == pytest.approx(30, abs=5)


def check_phase(phase: np.ndarray) -> None:
    """Flat outside the scan, not inside; the fiducials stand out."""
    middle = phase[phase.shape[0] // 3 : -phase.shape[0] // 3, phase.shape[1] // 3 : -phase.shape[1] // 3]
    assert np.isfinite(phase).all()
    assert middle.std() > 5 * phase[:20, :20].std()
    assert middle.max() > middle.mean() + 5 * middle.std()


def check_nexus(path: Path) -> None:
    with h5py.File(path) as file:
        entry = file["entry"]
        assert entry["instrument/beam/incident_energy"][()] == 300
        assert entry["object/pixel_size"][:] == pytest.approx(3.1, abs=0.01)
        assert entry["object/pixel_size"].attrs["units"] == "angstrom"
        assert entry["reconstruction/loss/data"][-1] < 0.9 * entry["reconstruction/loss/data"][0]
        assert entry["instrument/probe/modulus"].shape == (1, 192, 192)
        check_positions(entry["instrument/scan/positions"][:])
        check_phase(entry["object/phase"][0, 0])


def check_tiff(path: Path) -> None:
    with tifffile.TiffFile(path) as file:
        tags, told = file.pages[0].tags, file.imagej_metadata
        pixels, per = tags["XResolution"].value
        assert told["unit"] == "nm" and per / pixels == pytest.approx(0.31, abs=0.001)
        check_phase(file.asarray())


def step(page, title: str):
    return page.locator(".pn-step", has=page.get_by_role("button", name=title))


def fill(page, label: str, value: str) -> None:
    field = page.get_by_role("textbox", name=label)
    field.fill(value)
    field.press("Tab")
    expect(page.locator(".pn-field.is-changed").filter(has=field)).to_have_count(1, timeout=PATIENCE_MS)
