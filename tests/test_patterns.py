"""Single patterns of a run: as the run itself reads and computes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction
from pypty_nb.data import DataError
from pypty_nb.params import ParameterError
from pypty_nb.workspace import PatternReader, pattern_at


@pytest.mark.parametrize(
    "changes", [{}, {"data_pad": 4}, {"data_pad": 4, "use_padded_intensity": True}, {"flip_ky": True}], ids=str
)
def test_a_pattern_is_what_the_run_compares(tiny: Preset, changes: dict):
    if "data_pad" in changes:
        changes = changes | {"probe": np.pad(tiny.probe, ((4, 4), (4, 4), (0, 0)))}
    tiny.update(epoch_max=2, **changes)
    run = Reconstruction(tiny)
    last = list(run)[-1]
    every = np.concatenate([batch for _, batch in run.simulated()])
    reader = PatternReader(tiny)
    for index in (0, 7, 24):
        found = reader.at(run.point, index)
        np.testing.assert_allclose(found.model, every[index], rtol=1e-12, atol=1e-12)
        assert found.measured.shape == found.model.shape
        np.testing.assert_allclose(found.measured.sum(), tiny.dataset[index].sum())
        np.testing.assert_allclose(last.residual[index], (found.residual**2).sum(), rtol=1e-9)
    np.testing.assert_allclose(reader.residual(run.point), last.residual, rtol=1e-9)


def test_what_cannot_be_read_is_said(tiny: Preset, tmp_path: Path):
    run = Reconstruction(tiny)
    with pytest.raises(DataError, match="there is no pattern 25"):
        pattern_at(run, 25)
    with pytest.raises(ParameterError, match="no arrays yet"):
        pattern_at(tiny, 0)
    compressed = tiny.copy()
    masks = np.random.default_rng(1).uniform(size=(3, 16, 16))
    compressed.update(
        masks=masks, dataset=np.einsum("pyx,dyx->pd", tiny.dataset.astype(float), masks), algorithm="lsq_compressed"
    )
    with pytest.raises(ParameterError, match="no patterns to look at"):
        pattern_at(compressed, 0, run.point)


def test_a_pixel_is_its_angle(tiny: Preset):
    found = pattern_at(Reconstruction(tiny), 3)
    # 80 kV: 4.1757 pm
    np.testing.assert_allclose(found.mrad, 1e3 * 0.0417572 / (16 * 0.3), rtol=1e-4)
    measured, model = found.radial()
    assert measured[0] == found.measured[8, 8]
    assert len(model) == 9
