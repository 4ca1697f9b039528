"""What several tests start from: a specimen so small that an epoch takes milliseconds."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import h5py
import numpy as np
import pytest

from pypty_nb import Preset
from pypty_nb.engine import simulate
from tests.browser import REPOSITORY, browser, end_runs, leave, open_page, site, what_is_seen

# fixtures of the whole session, here so that all browser tests share one server and one browser
__all__ = ["browser", "site"]

EPOCHS = 6


def pytest_configure(config: pytest.Config) -> None:
    """Let every process that a test starts import this checkout, and compute with the same machine code as the tests.

    What is compiled in a process depends in its last digits on what was compiled there before; what comes from disk does not.
    """
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
    subprocess.run([sys.executable, "-m", "tests.warm"], cwd=REPOSITORY, check=True)


@pytest.fixture
def tiny() -> Preset:
    """25 noisy patterns of 16 × 16 px, as an array, and six epochs to reconstruct them in double precision."""
    return smallest()


@pytest.fixture
def tiny_file(tiny: Preset, tmp_path: Path) -> Path:
    """The same preset as a file, its patterns in an HDF5 file beside it."""
    with h5py.File(tmp_path / "patterns.h5", "w") as file:
        file["data"] = tiny.dataset
    tiny.update(dataset=None, data_path=str(tmp_path / "patterns.h5"))
    return tiny.to_json(tmp_path / "preset.json")


def smallest() -> Preset:
    """The same, for whom no fixture is at hand."""
    return _tiny().copy()


@cache
def _tiny() -> Preset:
    random = np.random.default_rng(4)
    grid = np.arange(5) * 3.0 + 1
    positions = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    q = np.fft.fftfreq(16)
    smooth = np.exp(-60 * (q[:, None] ** 2 + q[None, :] ** 2))
    probe = np.fft.fftshift(np.fft.ifft2(smooth * np.exp(60j * (q[:, None] ** 2 + q[None, :] ** 2))))
    probe *= np.sqrt(5e4 / (np.abs(np.fft.fft2(probe)) ** 2).sum())
    phase = np.fft.ifft2(
        np.fft.fft2(random.standard_normal((32, 32))) * np.exp(-40 * np.add.outer(*[np.fft.fftfreq(32) ** 2] * 2))
    )
    truth = Preset(
        acc_voltage=80,
        pixel_size_x_A=0.3,
        pixel_size_y_A=0.3,
        scan_size=(5, 5),
        positions=positions + random.uniform(-0.4, 0.4, positions.shape),
        obj=np.exp(2j * phase.real)[..., None, None],
        probe=probe[..., None],
    )
    return Preset.from_dict(
        truth.to_dict()
        | {
            "dataset": random.poisson(simulate(truth)).astype(np.uint16),
            "obj": np.ones((1, 1, 1, 1), complex),
            "compute_batch": 8,
            "epoch_max": EPOCHS,
        }
    )


@pytest.fixture
def page(browser, site):
    """A fresh page; at its end nothing may have left the host, and nothing been complained about."""
    page, record = open_page(browser, site)
    yield page
    leave(page)
    end_runs(site.root)
    assert record.foreign(site) == []
    assert record.complaints == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Beside a browser test that failed, what the open pages say: a time that ran out tells nothing by itself."""
    report = yield
    if report.when == "call" and report.failed and item.get_closest_marker("browser"):
        chrome = getattr(item, "funcargs", {}).get("browser")
        for number, page in enumerate((page for context in chrome.contexts for page in context.pages) if chrome else ()):
            report.sections.append((f"page {number}", what_is_seen(page)))
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright keeps an event loop in the main thread, in which no other can run."""
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
