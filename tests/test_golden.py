"""Agreement with the original program: loss to 1e-8, gradients to 1e-6 of their largest element."""

from __future__ import annotations

import numpy as np
import pytest

from pypty_nb import evaluate
from pypty_nb.physics.grids import band_limit
from tests import golden_files

#: Files of the forward model, the losses and the constraints, which begin with "reg_".
FILES = sorted(path.stem for path in golden_files.FOLDER.glob("*.npz"))


def band(golden: golden_files.Golden) -> np.ndarray:
    shape, size = golden.params["probe"].shape[:2], golden.params["pixel_size_x_A"]
    return band_limit(shape, (size, size), 2 / 3)[:, :, None]


@pytest.mark.parametrize("name", FILES)
def test_double_agrees(name: str) -> None:
    golden = golden_files.load(name)
    evaluation = evaluate(golden.params)
    assert evaluation.loss == pytest.approx(golden.loss, rel=1e-8)
    assert evaluation.sse == pytest.approx(golden.sse, rel=1e-8)
    assert sum(evaluation.terms.values()) == pytest.approx(evaluation.loss)
    assert len(evaluation.terms) == 1 + name.startswith("reg_")
    assert golden.gradients or golden.wrong
    for refinable, expected in golden.gradients.items():
        found = getattr(evaluation.gradient, refinable)
        if refinable == "probe" and (golden.params.get("tilt_mode") in {2, 4} or name == "reg_aperture"):
            # the original's is limited to B, which its own loss is not: finite differences give ours
            found = np.fft.ifft2(np.fft.fft2(found, axes=(0, 1)) * band(golden), axes=(0, 1))
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max(), refinable


@pytest.mark.parametrize("name", FILES)
def test_single_is_close_to_double(name: str) -> None:
    golden = golden_files.load(name)
    double = evaluate(golden.params)
    single = evaluate({**golden.params, "default_dtype": "single"})
    assert single.gradient.obj.dtype == np.complex64
    assert single.loss == pytest.approx(double.loss, rel=1e-3)
    for refinable in golden.gradients:
        a, b = getattr(single.gradient, refinable), getattr(double.gradient, refinable)
        assert np.abs(a - b).max() <= 1e-3 * np.abs(b).max(), refinable


def test_a_fixed_array_has_no_gradient() -> None:
    golden = golden_files.load("single_slice")
    evaluation = evaluate({**golden.params, "update_probe": 0, "update_probe_pos": False})
    assert evaluation.gradient.probe is None
    assert evaluation.gradient.positions is None
    assert evaluation.gradient.obj is not None
