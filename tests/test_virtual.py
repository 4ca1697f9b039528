"""Mean pattern, virtual images and centres of mass: against NumPy on the whole array, in bounded memory, on measured data."""

from __future__ import annotations

import tracemalloc

import h5py
import numpy as np
import pytest

from pypty_nb.data import DataError, open_dataset
from pypty_nb.data.dataset import ArrayDataset
from pypty_nb.initialize import (
    annular_mask,
    centre_of_mass,
    mean_pattern,
    scan_maps,
    virtual,
    virtual_image,
    virtual_images,
)
from tests.real_data import measured


@pytest.fixture
def patterns() -> np.ndarray:
    return np.random.default_rng(2).poisson(3.0, (5, 7, 9, 12)).astype(np.uint16)


@pytest.fixture
def in_small_chunks(monkeypatch) -> None:
    # three patterns at a time, so that the last chunk is a shorter one
    monkeypatch.setattr(virtual, "CHUNK_BYTES", 3 * 8 * 9 * 12 + 5)


@pytest.mark.usefixtures("in_small_chunks")
def test_one_pass_is_what_the_whole_array_gives(patterns: np.ndarray) -> None:
    masks = [annular_mask((9, 12), 0, 3), np.random.default_rng(3).uniform(size=(9, 12))]
    steps = []
    maps = scan_maps(ArrayDataset(patterns), masks, progress=lambda done, of: steps.append((done, of)))
    flat = patterns.reshape(35, 9, 12).astype(float)
    assert np.allclose(maps.mean_pattern, flat.mean(axis=0))
    assert np.allclose(maps.totals, flat.sum(axis=(1, 2)))
    assert np.allclose(maps.images, [(flat * mask).sum(axis=(1, 2)) for mask in masks])
    y, x = np.indices((9, 12))
    expected = np.stack([(flat * y).sum(axis=(1, 2)), (flat * x).sum(axis=(1, 2))], axis=1) / maps.totals[:, None]
    assert np.allclose(maps.centre_of_mass, expected)
    assert steps == [(min(3 * k, 35), 35) for k in range(1, 13)]


def test_each_by_itself_agrees_with_the_common_pass(patterns: np.ndarray) -> None:
    dataset, mask = ArrayDataset(patterns), annular_mask((9, 12), 1, 4)
    maps = scan_maps(dataset, [mask], weight=mask)
    assert np.array_equal(mean_pattern(dataset), maps.mean_pattern)
    assert np.allclose(virtual_image(dataset, mask), maps.images[0])
    assert np.allclose(virtual_images(dataset, [mask, 2.0 * mask])[1], 2 * maps.images[0])
    assert np.allclose(centre_of_mass(dataset, mask), maps.centre_of_mass)


def test_a_hot_pixel_left_out_and_counts_that_are_none() -> None:
    patterns = np.zeros((4, 8, 8))
    patterns[:, 3, 5] = 10
    hot = patterns.copy()
    hot[:, 0, 0] = 1e6
    hot[1] = np.nan
    bad = np.zeros((8, 8), bool)
    bad[0, 0] = True
    maps = scan_maps(ArrayDataset(hot), [np.ones((8, 8))], bad=bad)
    assert np.array_equal(maps.centre_of_mass, np.tile([3.0, 5.0], (4, 1)))
    assert np.array_equal(maps.totals, [10, 0, 10, 10])
    assert np.array_equal(maps.images[0], maps.totals)
    assert maps.mean_pattern[0, 0] == 7.5e5


def test_rings_in_milliradians_about_a_centre() -> None:
    mask = annular_mask((6, 8), 2, 6.5, centre=(2, 3), pixel_size=(2.0, 3.0))
    y, x = np.indices((6, 8))
    radius = np.sqrt((2 * (y - 2.0)) ** 2 + (3 * (x - 3.0)) ** 2)
    assert np.array_equal(mask, (radius >= 2) & (radius < 6.5))
    assert annular_mask((6, 8), 0, 1).nonzero() == (np.array([3]), np.array([4]))
    with pytest.raises(DataError, match="between the radii 3 and 3"):
        annular_mask((6, 8), 3, 3)


def test_what_cannot_be_done_is_named(patterns: np.ndarray) -> None:
    dataset = ArrayDataset(patterns)
    with pytest.raises(DataError, match=r"a mask has shape \(12, 9\); the patterns are 9 × 12 px"):
        virtual_image(dataset, np.ones((12, 9)))
    with pytest.raises(DataError, match="nothing is counted under the mask"):
        centre_of_mass(dataset, np.zeros((9, 12)))
    with pytest.raises(DataError, match="whole patterns are needed"):
        mean_pattern(ArrayDataset(np.ones((5, 3)), signals=True))


def test_memory_stays_bounded(tmp_path) -> None:
    with h5py.File(tmp_path / "large.h5", "w") as file:
        data = file.create_dataset("data", (4000, 128, 128), np.uint8, chunks=(100, 128, 128), compression="gzip")
        data[::1000] = 1
    dataset = open_dataset(tmp_path / "large.h5")
    tracemalloc.start()
    maps = scan_maps(dataset)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # 500 MiB in double precision: far below that, the chunk and its flags
    assert peak < 1.6 * virtual.CHUNK_BYTES
    assert maps.totals.sum() == 4 * 128 * 128


@pytest.mark.real_data
def test_measured_patterns_of_a_file() -> None:
    dataset = open_dataset(measured("rotavirus_4dstem/dev_44x52_bin2_128.h5"))
    maps = scan_maps(dataset, [annular_mask((128, 128), 0, 1.03, pixel_size=0.033077)])
    # the disc of 1.03 mrad holds most of the counts, and lies a pixel or so off the centre
    assert maps.images[0].sum() > 0.85 * maps.totals.sum()
    assert 0.2 < np.hypot(*(maps.centre_of_mass.mean(axis=0) - 64)) < 2
    every = dataset.read(np.arange(44 * 52)).astype(float)
    assert np.allclose(maps.mean_pattern, every.mean(axis=0))
