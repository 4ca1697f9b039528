"""Measured X-ray data the two ways a person takes: `pypty-nb run` and the page. The figure is Σ(√I − √D)²/ΣD."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from pypty_nb import Preset, open_run
from tests.browser import PATIENCE_MS, Site, leave, open_page
from tests.real_data import measured

SLOW = os.environ.get("PYPTY_NB_SLOW") == "1"
#: Epochs, and the figure they must reach from the probe guess and a flat object: 0.0157 is what the band limits allow.
EPOCHS, FIGURE = (100, 0.0160) if SLOW else (12, 0.032)

pytestmark = [pytest.mark.real_data, pytest.mark.slow, pytest.mark.timeout(900)]


def star(folder: Path) -> Path:
    """The data and a preset beside them in `folder`."""
    data = folder / "siemens_star.h5"
    shutil.copyfile(measured("siemens_star_xray/siemens_star_516.h5"), data)
    with h5py.File(data) as file:
        positions, probe = file["positions_px"][:], file["probe_guess"][:]
    preset = Preset.named("quick")
    preset.update(data_path=str(data), positions=positions, probe=probe[..., None], epoch_max=EPOCHS)
    return preset.to_json(folder / "star.json")


def figure(folder: Path) -> float:
    """Of the final state of the run in `folder`."""
    run = open_run(folder)
    with h5py.File(run.preset().data_path) as file:
        counts = file["data"][:].sum(dtype=np.float64)
    rows = run.losses()
    assert len(rows) == EPOCHS + 1
    return float(rows[-1]["loss"]) / counts


def test_from_the_shell(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pypty_nb.cli", "run", str(star(tmp_path)), "--out", str(tmp_path / "run")]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    found = figure(tmp_path / "run")
    print(f"normalised amplitude error {found:.5f} after {EPOCHS} epochs")
    assert found <= FIGURE


@pytest.mark.browser
def test_on_the_page(browser, site: Site) -> None:
    star(site.root)
    page, record = open_page(browser, site)
    page.get_by_role("button", name="Refresh", exact=True).click()
    page.get_by_role("listbox", name="Files of the project folder").select_option("star.json")
    page.get_by_role("button", name="Open file", exact=True).click()
    page.get_by_text("Preset star.json").wait_for(timeout=PATIENCE_MS)
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text(f"Finished, {EPOCHS} epochs").first.wait_for(timeout=600_000)
    leave(page)
    assert record.complaints == []
    newest = max((site.root / "runs").iterdir(), key=lambda folder: folder.stat().st_mtime)
    assert figure(newest) <= FIGURE
