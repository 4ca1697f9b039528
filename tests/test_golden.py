"""Agreement with the original program: loss to 1e-8, gradients to 1e-6 of their largest element."""

from __future__ import annotations

import numpy as np
import pytest

from pypty_nb import evaluate
from tests import golden_files

#: Files whose settings this version can evaluate; the others wait for the stages they need.
FILES = (
    "single_slice", "single_slice_lsq", "single_slice_lsq_sqrt_2", "single_slice_ml", "probe_modes_3",
)  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_double_agrees(name: str) -> None:
    golden = golden_files.load(name)
    evaluation = evaluate(golden.params)
    assert evaluation.loss == pytest.approx(golden.loss, rel=1e-8)
    assert evaluation.sse == pytest.approx(golden.sse, rel=1e-8)
    assert evaluation.terms["data"] == evaluation.loss
    assert golden.gradients.keys() >= {"obj", "probe", "positions"}
    for refinable in ("obj", "probe", "positions"):
        expected = golden.gradients[refinable]
        found = getattr(evaluation.gradient, refinable)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1e-6 * np.abs(expected).max(), refinable


@pytest.mark.parametrize("name", FILES)
def test_single_is_close_to_double(name: str) -> None:
    golden = golden_files.load(name)
    double = evaluate(golden.params)
    single = evaluate({**golden.params, "default_dtype": "single"})
    assert single.gradient.obj.dtype == np.complex64
    assert single.loss == pytest.approx(double.loss, rel=1e-3)
    for refinable in ("obj", "probe", "positions"):
        a, b = getattr(single.gradient, refinable), getattr(double.gradient, refinable)
        assert np.abs(a - b).max() <= 1e-3 * np.abs(b).max(), refinable


def test_a_fixed_array_has_no_gradient() -> None:
    golden = golden_files.load("single_slice")
    evaluation = evaluate({**golden.params, "update_probe": 0, "update_probe_pos": False})
    assert evaluation.gradient.probe is None
    assert evaluation.gradient.positions is None
    assert evaluation.gradient.obj is not None
