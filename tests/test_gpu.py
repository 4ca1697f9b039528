"""The same numbers on a CUDA device; without CuPy or a device these tests say so and skip."""

from __future__ import annotations

import numpy as np
import pytest

from pypty_nb import Reconstruction, evaluate
from pypty_nb.backend import BackendError, choose_backend
from tests import golden_files
from tests.test_reconstruction import small

pytestmark = pytest.mark.gpu
FILES = sorted(path.stem for path in golden_files.FOLDER.glob("*.npz"))


@pytest.fixture(autouse=True)
def device() -> None:
    """Skip, and say why, where nothing computes but the processor."""
    try:
        choose_backend("cupy", "double")
    except BackendError as error:
        pytest.skip(f"no GPU: {error}")


@pytest.mark.parametrize("name", FILES)
def test_the_device_gives_what_the_processor_gives(name: str) -> None:
    params = golden_files.load(name).params
    expected, found = (evaluate({**params, "backend": backend}) for backend in ("numpy", "cupy"))
    assert found.loss == pytest.approx(expected.loss, rel=1e-10)
    for refinable in golden_files.GRADIENTS:
        a, b = getattr(found.gradient, refinable), getattr(expected.gradient, refinable)
        assert (a is None) == (b is None)
        if a is not None:
            assert isinstance(a, np.ndarray)
            assert np.abs(a - b).max() <= 1e-8 * max(np.abs(b).max(), 1e-300), refinable


def test_a_run_on_the_device_ends_on_the_host() -> None:
    report = list(Reconstruction(small(epoch_max=5, backend="cupy")))[-1]
    assert isinstance(report.point.obj, np.ndarray)
    assert report.loss < 0.5 * list(Reconstruction(small(epoch_max=0)))[-1].loss
