"""Of a file no more is read than what is asked for, and nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypty_nb import Preset
from pypty_nb.data import open_dataset
from pypty_nb.data.dataset import SourceDataset
from pypty_nb.engine import PatternModel


def bytes_read() -> int:
    """What this process has read through system calls."""
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.skipif(not Path("/proc/self/io").is_file(), reason="counts bytes as Linux does")
@pytest.mark.parametrize("chunks", [(8, 8, 16, 16), (1, 32, 32, 32), (16, 32, 4, 4)])
@pytest.mark.parametrize("batch", [5, 40])
def test_compressed_chunks_are_read_once(tmp_path: Path, chunks: tuple[int, ...], batch: int) -> None:
    """Batches that end anywhere in a row, of a scan whose chunks reach over several rows."""
    data = np.random.default_rng(1).poisson(2.0, (16, 32, 32, 32)).astype("u2")
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        stored = file.create_dataset("data", data=data, chunks=chunks, compression="gzip")
        size = stored.id.get_storage_size()
    dataset = open_dataset(tmp_path / "scan.h5")
    before = bytes_read()
    for start in range(0, 512, batch):
        indices = np.arange(start, min(start + batch, 512))
        np.testing.assert_array_equal(dataset.read(indices), data.reshape(512, 32, 32)[indices])
    assert size <= bytes_read() - before < 1.2 * size + 2**16


@given(st.sets(st.integers(0, 5 * 7 - 1), min_size=1))
def test_any_patterns_of_a_scan(chosen: set[int]) -> None:
    class Source:
        """What is asked for, counted."""

        shape, dtype, read = (5, 7, 2, 3), np.dtype("i4"), 0

        def __getitem__(self, key: Any) -> np.ndarray:
            out = np.arange(5 * 7 * 6, dtype="i4").reshape(self.shape)[key]
            self.read += out.size // 6
            return out

    source, indices = Source(), np.array(sorted(chosen))
    found = SourceDataset(source, "counted").read(indices)
    np.testing.assert_array_equal(found, np.arange(5 * 7 * 6).reshape(35, 2, 3)[indices])
    # never more of a row than from the first to the last that is wanted in it
    rows = [indices[indices // 7 == row] for row in range(5)]
    assert source.read == sum(int(row[-1] - row[0]) + 1 for row in rows if len(row))


# ---- axes as a person states them
DATA = np.arange(3 * 4 * 5 * 6, dtype="i4").reshape(3, 4, 5, 6)
MASK = np.arange(30).reshape(5, 6) % 7 > 0


def stored(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["data"], file["mask"] = DATA, MASK
        file["positions"] = np.stack(np.divmod(np.arange(12.0), 4), axis=1)
        file["data"].attrs.update(scan_step_A=0.5, PLRotation_deg=12.0, acc_voltage=300.0)
    return tmp_path / "scan.h5"


@pytest.mark.parametrize(
    ("axes", "expected", "mask"),
    [
        ("scan_y, scan_x, ky, kx", DATA, MASK),
        ("-scan_y, scan_x, ky, -kx", DATA[::-1, :, :, ::-1], MASK[:, ::-1]),
        ("scan_x, scan_y, -kx, ky", DATA.transpose(1, 0, 3, 2)[..., ::-1], MASK.T[:, ::-1]),
        ("-scan_x, -scan_y, -ky, -kx", DATA.transpose(1, 0, 2, 3)[::-1, ::-1, ::-1, ::-1], MASK[::-1, ::-1]),
        ("ky, kx, scan_y, scan_x", DATA.transpose(2, 3, 0, 1), None),
    ],
)
def test_axes_turned_and_reversed(tmp_path: Path, axes: str, expected: np.ndarray, mask: np.ndarray | None) -> None:
    """Patterns, and what the file says of pixels and points, turn together; what no longer holds is not stated."""
    found = open_dataset(stored(tmp_path), axes=axes)
    flat = expected.reshape(-1, *expected.shape[2:])
    assert found.scan_shape == expected.shape[:2]
    np.testing.assert_array_equal(found.read(np.arange(len(flat))), flat)
    for some in ([0], [1, 2, 7], [3, 4, 5, 6, 7, 8], [len(flat) - 1]):
        np.testing.assert_array_equal(found.read(np.array(some)), flat[some])
    if mask is None:
        assert set(found.metadata) == {"acc_voltage", "scan_size"}
        return
    np.testing.assert_array_equal(found.metadata["mask"].value, mask)
    numbers = np.divmod(flat[:, 0, 0] // 30, 4)
    np.testing.assert_array_equal(found.metadata["positions"].value, np.stack(numbers, axis=1))
    assert ("PLRotation_deg" in found.metadata) == (axes == "scan_y, scan_x, ky, kx")
    assert found.metadata["scan_step_A"].value == 0.5


def test_axes_of_patterns_in_one_row(tmp_path: Path) -> None:
    np.save(tmp_path / "row.npy", DATA[0])
    found = open_dataset(tmp_path / "row.npy", axes="ky, -pattern, kx")
    np.testing.assert_array_equal(found.read(np.arange(5)), DATA[0].transpose(1, 0, 2)[::-1])
    np.testing.assert_array_equal(found.read(np.array([1, 3])), DATA[0].transpose(1, 0, 2)[::-1][[1, 3]])


def test_a_run_reads_the_axes_of_its_preset(tmp_path: Path) -> None:
    path = stored(tmp_path)
    params = {"data_path": str(path), "data_axes": "scan_x, -scan_y, kx, ky", "positions": np.zeros((12, 2))}
    model = PatternModel(Preset.from_dict(params))
    expected = DATA.transpose(1, 0, 3, 2)[::-1].reshape(12, 6, 5)
    np.testing.assert_array_equal(model.measured(np.arange(12)), expected)
    with pytest.raises(ValueError, match="axes: scan_x, ky, kx are 3, the data have 4"):
        PatternModel(Preset.from_dict(params | {"data_axes": "scan_x, ky, kx"}))
