"""A measured cryo scan from its file alone: calibration, reconstruction, picture. The figure is Σ(√I − √D)²/ΣD."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.ndimage as ndi
from scipy.signal import fftconvolve

from pypty_nb import Preset, Reconstruction
from pypty_nb.initialize import Calibration, append_exp_params, calibrate_experiment
from pypty_nb.params import storage
from tests.real_data import measured

SLOW = os.environ.get("PYPTY_NB_SLOW") == "1"
NAME = "rotavirus_4dstem/dev_44x52_bin2_128.h5"
SCAN, STEP_NM, NOMINAL_C10_A = (44, 52), 3.125, 135_000.0
#: Cutoff, epochs, and the figure they must reach.
CASES = [(2 / 3, 25, 0.0745), (1.0, 25, 0.0720)] if SLOW else [(2 / 3, 8, 0.0750)]
FAST = {"default_dtype": "single", "compute_batch": "auto"}

pytestmark = [pytest.mark.real_data, pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def found() -> Calibration:
    return calibrate_experiment({"data_path": measured(NAME)})


def figure(preset: Preset) -> tuple[float, Reconstruction]:
    with h5py.File(preset.data_path) as file:
        counts = file["data"][:].sum(dtype=np.float64)
    run = Reconstruction(preset)
    loss = [report.terms["data"] for report in run][-1]
    return loss / counts, run


def test_disc_orientation_and_c10(found: Calibration) -> None:
    values = found.values
    assert values["centre"].value == pytest.approx((63.5, 62.8), abs=0.3)
    assert values["radius"].value == pytest.approx(30.7, abs=0.7)
    # measured apart from each other, from the displaced shadow images and from the curl of the centre of mass
    assert found.orientation is not None and found.shadows is not None
    assert found.orientation.reading == "flip y"
    assert values["PLRotation_deg"].value == pytest.approx(-30.5, abs=2)
    assert found.shadows.explained > 0.99
    assert values["defocus"].value == pytest.approx(-NOMINAL_C10_A, rel=0.1)
    assert all(values[name].tag == "measured" for name in ("centre", "radius", "PLRotation_deg", "defocus"))
    assert found.trial is None
    assert found.warnings == ()


@pytest.mark.parametrize(("cutoff", "epochs", "bound"), CASES)
def test_the_picture(found: Calibration, cutoff: float, epochs: int, bound: float) -> None:
    preset = found.preset.copy()
    preset.update(FAST, epoch_max=epochs, damping_cutoff_multislice=cutoff)
    reached, run = figure(preset)
    print(f"cutoff {cutoff:.3g}: normalised amplitude error {reached:.5f} after {epochs} epochs")
    assert reached <= bound
    phase = on_the_scan(run)
    # fiducials: few, small, and the densest there is
    smooth = ndi.gaussian_filter(phase, 4)[20:-20, 20:-20]
    spots, count = ndi.label(smooth > 0.6 * smooth.max())  # pyright: ignore[reportGeneralTypeIssues]
    nanometres = STEP_NM / 10 * np.sqrt(np.bincount(spots.ravel())[1:] * 4 / np.pi)
    assert 2 <= count <= 6
    assert nanometres.max() < 12
    # round shells: a disc against a ring around it fits best at their diameter
    diameter = best_diameter_nm(np.clip(phase, -0.3, 0.3))
    print(f"{count} fiducials, the densest of {smooth.max():.2f} rad, shells of {diameter:.0f} nm")
    assert 60 <= diameter <= 75


def on_the_scan(run: Reconstruction) -> np.ndarray:
    """Phase of the object, rad, on a grid of ten points a scan step."""
    obj, half = run.point.obj[..., 0, 0], np.array(run.point.probe.shape[:2]) // 2
    places = (run.point.positions + half).reshape(*SCAN, 2)
    fine = np.meshgrid(*(np.linspace(0, n - 1, 10 * n) for n in SCAN), indexing="ij")
    rows, columns = (ndi.map_coordinates(places[..., axis], fine, order=1) for axis in (0, 1))
    seen = sum(unit * ndi.map_coordinates(part, [rows, columns], order=1) for unit, part in ((1, obj.real), (1j, obj.imag)))
    return np.angle(seen / np.exp(1j * np.angle(np.mean(seen))))


def best_diameter_nm(phase: np.ndarray) -> float:
    def contrast(diameter: float) -> float:
        radius = 5 * diameter / STEP_NM
        reach = int(1.25 * radius)
        r = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1])
        inside, around = r < radius, (r >= radius) & (r < 1.25 * radius)
        return float(fftconvolve(phase, inside / inside.sum() - around / around.sum(), mode="valid").max())

    return max((50.0, 55.0, 60.0, 65.0, 70.0, 75.0, 80.0, 90.0), key=contrast)


def test_the_same_preset_runs_on_another_region(tmp_path: Path) -> None:
    """Calibrated on the upper half of the scan, run on the lower."""
    with h5py.File(measured(NAME)) as whole:
        for name, rows in (("upper", slice(0, 22)), ("lower", slice(22, 44))):
            with h5py.File(tmp_path / f"{name}.h5", "w") as file:
                file["data"] = whole["data"][rows]
                file.attrs.update(whole.attrs)
    preset = append_exp_params({"data_path": tmp_path / "upper.h5"}, FAST | {"epoch_max": 25 if SLOW else 4})
    assert preset.extra_probe_defocus == pytest.approx(-NOMINAL_C10_A, rel=0.1)
    preset.data_path = str(tmp_path / "lower.h5")
    reached, _ = figure(preset)
    print(f"lower half with the upper half's preset: {reached:.5f}")
    assert reached <= 0.078


def test_from_the_shell(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pypty_nb.cli", "setup", str(measured(NAME)), "preset.json", "data_pad=16"]
    done = subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, text=True)
    for words in ("300 kV", "attribute", "measured", "C10"):
        assert words in done.stdout
    preset = Preset.from_json(tmp_path / "preset.json")
    assert preset.data_pad == 16
    assert preset.extra_probe_defocus == pytest.approx(-NOMINAL_C10_A, rel=0.1)
    # known to a few thousand ångström, it has no digits beyond the hundreds
    assert preset.extra_probe_defocus % 100 == 0
    assert "C10" in storage.about(tmp_path / "preset.json")
