"""Of a file no more is read than what is asked for, and nothing twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypty_nb.data import open_dataset
from pypty_nb.data.dataset import SourceDataset


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
