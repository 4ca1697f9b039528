"""Measurements: every layout that is read, every file that is not, what is done to patterns, and what is found in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction
from pypty_nb.data import DataError, Measurements, open_dataset
from pypty_nb.data.dataset import ArrayDataset, Dataset
from pypty_nb.data.preprocess import Preprocessing

COUNTS = np.random.default_rng(3).poisson(9, (12, 6, 5)).astype(np.uint16)


def write(path: Path, data: Any, name: str = "data", **options: Any) -> Path:
    if path.suffix == ".npy":
        np.save(path, data)
        return path
    with h5py.File(path, "w") as file:
        file.create_dataset(name, data=data, **options)
    return path


def same_patterns(dataset: Dataset, expected: np.ndarray) -> None:
    """Read in several ways: all, a run of patterns, scattered ones, a single one."""
    assert dataset.shape == expected.shape
    for indices in ([*range(len(expected))], [3, 4, 5, 6], [0, 2, 3, 7, 11], [5], [11], [4, 10]):
        found = dataset.read(np.array(indices))
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected[indices])


# ---- what is read
@pytest.mark.parametrize("ending", [".h5", ".hdf5", ".H5", ".npy"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "u8", "i2", "i8", "f2", "f4", "f8", ">f4", "?"])
@pytest.mark.parametrize("scan", [None, (3, 4), (1, 12), (12, 1)])
def test_layouts_types_and_endings(tmp_path: Path, ending: str, dtype: str, scan: tuple[int, int] | None) -> None:
    data = COUNTS.astype(dtype)
    path = write(tmp_path / f"scan{ending}", data if scan is None else data.reshape(*scan, 6, 5))
    dataset = open_dataset(path)
    assert dataset.scan_shape == scan
    assert dataset.name == str(path)
    same_patterns(dataset, data)


@pytest.mark.parametrize(
    "options",
    [
        {"chunks": (1, 6, 5)},
        {"chunks": (5, 4, 3)},
        {"chunks": True, "compression": "gzip"},
        {"chunks": (3, 6, 5), "compression": "gzip", "shuffle": True, "fletcher32": True},
        {"chunks": (2, 6, 5), "compression": "lzf"},
        {"maxshape": (None, 6, 5)},
    ],
)
def test_chunked_and_compressed(tmp_path: Path, options: dict[str, Any]) -> None:
    same_patterns(open_dataset(write(tmp_path / "scan.h5", COUNTS, **options)), COUNTS)


def test_four_axes_in_chunks(tmp_path: Path) -> None:
    path = write(tmp_path / "scan.h5", COUNTS.reshape(3, 4, 6, 5), chunks=(1, 3, 6, 5), compression="gzip")
    same_patterns(open_dataset(path), COUNTS)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("scan", [None, (3, 4)])
def test_arrays_in_memory_and_in_either_order(tmp_path: Path, order: Any, scan: tuple[int, int] | None) -> None:
    data = np.asarray(COUNTS if scan is None else COUNTS.reshape(*scan, 6, 5), order=order)
    for dataset in (ArrayDataset(data), open_dataset(write(tmp_path / "scan.npy", data))):
        assert dataset.scan_shape == scan
        same_patterns(dataset, COUNTS)


def test_an_npy_is_mapped_and_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "large.npy"
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint16, shape=(1 << 18, 64, 64))
    array[7, 3, 3] = 5
    del array
    dataset = open_dataset(path)
    assert dataset.shape == (1 << 18, 64, 64)
    assert dataset.read(np.array([7])).sum() == 5


@pytest.mark.parametrize("mode", ["r", "r+"])
def test_a_file_open_elsewhere_in_the_process(tmp_path: Path, mode: str) -> None:
    path = write(tmp_path / "scan.h5", COUNTS)
    with h5py.File(path, mode):
        first = open_dataset(path)
        same_patterns(first, COUNTS)
        same_patterns(open_dataset(path), COUNTS)
    same_patterns(first, COUNTS)


def test_a_cell_of_a_notebook_says_what_a_data_set_is_in_one_line(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["data"] = COUNTS.reshape(3, 4, 6, 5).astype("u2")
    found = open_dataset(tmp_path / "scan.h5")
    assert repr(found) == "HDF5Dataset('scan.h5', shape=(12, 6, 5), scan_shape=(3, 4), dtype=uint16)"
    np.save(tmp_path / "rows.npy", COUNTS.astype("f4"))
    assert repr(open_dataset(tmp_path / "rows.npy")) == "SourceDataset('rows.npy', shape=(12, 6, 5), dtype=float32)"
    assert repr(ArrayDataset(COUNTS)) == "ArrayDataset('dataset', shape=(12, 6, 5), dtype=uint16)"


# ---- what is refused
def test_what_is_not_there_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"there is no file {tmp_path / 'scan.h5'}"):
        open_dataset(tmp_path / "scan.h5")
    (tmp_path / "folder.h5").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        open_dataset(tmp_path / "folder.h5")
    (tmp_path / "file.h5").write_text("")
    with pytest.raises(DataError, match="there is no file"):
        open_dataset(tmp_path / "file.h5" / "scan.h5")
    with pytest.raises(DataError, match=r"cannot be looked up: .*too long"):
        open_dataset(tmp_path / f"{'x' * 300}.h5")


@pytest.mark.parametrize("name", ["scan.dat", "scan", "scan.h5.bak", ".h5"])
def test_an_unknown_ending_names_the_known_ones(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=r"no reader for .*\.h5.*\.hdf5.*\.npy"):
        open_dataset(tmp_path / name)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser may read every file, whatever its mode")
@pytest.mark.parametrize("ending", [".h5", ".npy"])
def test_a_file_that_may_not_be_read(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"scan{ending}", COUNTS)
    path.chmod(0)
    with pytest.raises(DataError, match="may not be read: Permission denied"):
        open_dataset(path)


@pytest.mark.parametrize("ending", [".h5", ".npy"])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (np.zeros((4, 4)), "has 2 axes"),
        (np.zeros((2, 2, 2, 4, 4)), "has 5 axes"),
        (np.zeros(()), "has 0 axes"),
        (np.zeros((0, 4, 4)), r"is empty, shape \(0, 4, 4\)"),
        (np.zeros((4, 0, 4)), "is empty"),
        (np.zeros((4, 4, 4), complex), "holds complex128"),
        (np.zeros((4, 4, 4), "S3"), r"holds \|S3"),
        (np.zeros((4, 4, 4), [("a", "f8")]), "holds "),
    ],
)
def test_wrong_shapes_and_types(tmp_path: Path, ending: str, data: np.ndarray, reason: str) -> None:
    path = write(tmp_path / f"scan{ending}", data)
    with pytest.raises(DataError, match=reason) as caught:
        open_dataset(path)
    assert str(path) in str(caught.value)
    if ending == ".npy":
        with pytest.raises(DataError, match=reason):
            ArrayDataset(data)


def test_text_and_objects(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "text.h5", "w") as file:
        file["data"] = np.full((2, 2, 2), "text", dtype=h5py.string_dtype())
    with pytest.raises(DataError, match="holds object"):
        open_dataset(tmp_path / "text.h5")
    np.save(tmp_path / "objects.npy", np.full((2, 2, 2), None), allow_pickle=True)
    with pytest.raises(DataError, match=r"cannot be read as a \.npy array: .*Python objects"):
        open_dataset(tmp_path / "objects.npy")


def test_no_data_in_the_file_says_what_is(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no dataset 'data' and no other array of patterns; it holds /counts \(12, 30\)"):
        open_dataset(write(tmp_path / "scan.h5", COUNTS.reshape(12, 30), name="counts"))
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    with pytest.raises(DataError, match="it holds nothing"):
        open_dataset(tmp_path / "empty.h5")


@pytest.mark.parametrize("kind", ["group", "soft link", "external link"])
def test_a_data_that_is_no_dataset(tmp_path: Path, kind: str) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        if kind == "group":
            file.create_group("data/patterns")
        else:
            file["data"] = h5py.SoftLink("/nowhere") if kind == "soft link" else h5py.ExternalLink("nowhere.h5", "/data")
    with pytest.raises(DataError, match="'data' is no dataset, or a link that leads nowhere"):
        open_dataset(tmp_path / "scan.h5")


def test_a_data_without_numbers(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has 0 axes"):
        open_dataset(write(tmp_path / "scan.h5", h5py.Empty("f8")))


@pytest.mark.parametrize("ending", [".h5", ".npy"])
def test_files_cut_short_or_of_another_kind(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"scan{ending}", COUNTS)
    whole = path.read_bytes()
    as_what = "cannot be read as HDF5" if ending == ".h5" else r"cannot be read as a \.npy array"
    for content in (b"", b"patterns", os.urandom(5000), whole[: len(whole) * 3 // 5], whole[:40], b"PK\x03\x04" + whole):
        path.write_bytes(content)
        with pytest.raises(DataError, match=as_what if content else "the file is empty") as caught:
            open_dataset(path)
        assert str(path) in str(caught.value)


def test_an_archive_is_no_array(tmp_path: Path) -> None:
    with (tmp_path / "scan.npy").open("wb") as file:
        np.savez(file, data=COUNTS)
    with pytest.raises(DataError, match=r"cannot be read as a \.npy array"):
        open_dataset(tmp_path / "scan.npy")


def test_a_damaged_block_is_named_when_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "scan.h5", COUNTS, chunks=(4, 6, 5), fletcher32=True)
    with h5py.File(path) as file:
        data = file["data"]
        assert isinstance(data, h5py.Dataset)
        offset = data.id.get_chunk_info_by_coord((4, 0, 0)).byte_offset
    raw = bytearray(path.read_bytes())
    raw[offset] ^= 0xFF
    path.write_bytes(bytes(raw))
    dataset = open_dataset(path)
    np.testing.assert_array_equal(dataset.read(np.arange(4)), COUNTS[:4])
    with pytest.raises(DataError, match=r"scan\.h5: patterns 4 to 7 cannot be read"):
        dataset.read(np.arange(4, 8))


# ---- what is done to patterns
ONE = np.arange(20.0).reshape(1, 4, 5)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ONE),
        ({"flip_ky": True}, ONE[:, ::-1]),
        ({"multiplier": 0.5}, ONE / 2),
        ({"shift": (1, 0)}, np.pad(ONE, ((0, 0), (1, 0), (0, 0)))[:, :-1]),
        ({"shift": (-1, 0)}, np.pad(ONE, ((0, 0), (0, 1), (0, 0)))[:, 1:]),
        ({"shift": (0, 2)}, np.pad(ONE, ((0, 0), (0, 0), (2, 0)))[:, :, :-2]),
        ({"shift": (0, -2)}, np.pad(ONE, ((0, 0), (0, 0), (0, 2)))[:, :, 2:]),
        ({"shift": (2, -3)}, np.pad(ONE, ((0, 0), (2, 0), (0, 3)))[:, :-2, 3:]),
        ({"shift": (4, 0)}, ONE * 0),
        ({"shift": (10**6, -(10**6))}, ONE * 0),
        ({"binning": 2}, np.array([[[0 + 1 + 5 + 6, 2 + 3 + 7 + 8], [10 + 11 + 15 + 16, 12 + 13 + 17 + 18]]])),
        ({"binning": 3}, np.array([[[0 + 1 + 2 + 5 + 6 + 7 + 10 + 11 + 12]]])),
        # flip, then shift, then bin, then multiply
        (
            {"flip_ky": True, "shift": (1, 0), "binning": 2, "multiplier": 2.0},
            2 * np.array([[[15 + 16, 17 + 18], [10 + 11 + 5 + 6, 12 + 13 + 7 + 8]]]),
        ),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("source", ["f8", "u2", "i4"])
def test_preprocessing(settings: dict[str, Any], expected: np.ndarray, dtype: type, source: str) -> None:
    preprocessing = Preprocessing(**settings)
    given = ONE.astype(source)
    found = preprocessing.apply(given, dtype)
    assert found.dtype == dtype
    assert found.shape[1:] == preprocessing.window((4, 5))
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(given, ONE.astype(source))


def test_binned_counts_do_not_overflow() -> None:
    full = np.full((1, 4, 4), 255, np.uint8)
    assert Preprocessing(binning=4).apply(full, np.float32).item() == 16 * 255


# ---- as the engine takes them
class Counted(ArrayDataset):
    reads = 0

    def read(self, indices: np.ndarray) -> np.ndarray:
        self.reads += 1
        return super().read(indices)


@pytest.mark.parametrize("settings", [{}, {"flip_ky": True, "shift": (1, -1), "binning": 2, "multiplier": 3.0}])
@pytest.mark.parametrize("indices", [[0, 1, 2], [2, 5, 11], [7], list(range(12))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_kept_or_read_again_the_batches_are_the_shifted_source(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], indices: list[int], dtype: type
) -> None:
    preprocessing = Preprocessing(**settings)
    expected = np.fft.ifftshift(preprocessing.apply(COUNTS, dtype)[indices], axes=(1, 2))
    monkeypatch.setattr("pypty_nb.data.measurements.SMALL_BYTES", 0)
    batches = []
    for keep in (True, False):
        source = Counted(COUNTS)
        measurements = Measurements(source, preprocessing, dtype, keep=keep)
        before = source.reads
        batches.append(measurements.batch(np.array(indices)))
        assert (source.reads == before) is keep
        assert measurements.window == preprocessing.window((6, 5)) and measurements.count == 12
    for batch in batches:
        assert batch.dtype == dtype
        np.testing.assert_array_equal(batch, expected)


def test_small_data_are_read_once(tmp_path: Path) -> None:
    source = Counted(COUNTS)
    measurements = Measurements(source, Preprocessing(), np.float64, keep=False)
    measurements.batch(np.arange(5))
    assert source.reads == 1


@pytest.mark.parametrize("chunk", [1, 3 * 8 * 30, 32 * 2**20])
def test_mean_pattern_and_totals(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr("pypty_nb.data.measurements._CHUNK_BYTES", chunk)
    summary = Measurements(ArrayDataset(COUNTS), Preprocessing(), np.float32, keep=True).summary
    np.testing.assert_allclose(summary.mean_pattern, COUNTS.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(summary.totals, COUNTS.sum(axis=(1, 2)), rtol=1e-12)
    assert summary.mean_total == pytest.approx(COUNTS.sum() / 12)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0])
@pytest.mark.parametrize("place", [(0, 0, 0), (7, 2, 3), (11, 5, 4), (4, 3, 2)])
@pytest.mark.parametrize("chunk", [1, 2**20])
def test_a_bad_pixel_is_named(monkeypatch: pytest.MonkeyPatch, value: float, place: tuple[int, int, int], chunk: int) -> None:
    monkeypatch.setattr("pypty_nb.data.measurements._CHUNK_BYTES", chunk)
    data = COUNTS.astype(float)
    data[place] = value
    word = "negative" if value == -1 else "NaN or infinite"
    with pytest.raises(
        DataError, match=rf"^dataset: {word} counts in 1 pixels.*pattern {place[0]} at ky {place[1]}, kx {place[2]};"
    ):
        Measurements(ArrayDataset(data), Preprocessing(), np.float64, keep=False)


def test_bad_counts_in_a_file_name_the_file(tmp_path: Path) -> None:
    data = COUNTS.astype(float)
    data[3, 1], data[5, 2, 2] = np.nan, -2
    path = write(tmp_path / "scan.h5", data)
    with pytest.raises(DataError, match=r"scan\.h5: NaN or infinite counts in 5 pixels, the first in pattern 3 at ky 1"):
        Measurements(open_dataset(path), Preprocessing(), np.float64, keep=False)


def test_nothing_but_zero_is_said() -> None:
    with pytest.raises(DataError, match="dataset: every pattern is zero"):
        Measurements(ArrayDataset(np.zeros((3, 4, 4), np.uint8)), Preprocessing(), np.float32, keep=False)
    with pytest.raises(DataError, match="every pattern is zero"):
        Measurements(ArrayDataset(COUNTS), Preprocessing(shift=(6, 0)), np.float32, keep=False)


@pytest.mark.parametrize("binning", [3, 5, 6, 7, 2**62])
def test_a_binning_that_leaves_nothing_is_said(binning: int) -> None:
    with pytest.raises(DataError, match=rf"px remain after binning by {binning}"):
        Measurements(ArrayDataset(COUNTS), Preprocessing(binning=binning), np.float32, keep=False)


def test_counts_too_large_for_the_precision_are_said() -> None:
    data = COUNTS.astype(float)
    data[2, 0, 0] = 1e300
    Measurements(ArrayDataset(data), Preprocessing(), np.float64, keep=False)
    with pytest.raises(DataError, match=r"infinite counts .* pattern 2"):
        Measurements(ArrayDataset(data), Preprocessing(), np.float32, keep=False)


# ---- how they are held
@pytest.mark.parametrize("name", ["preload_to_cpu", "force_pad"])
def test_all_are_read_at_the_start_where_asked(monkeypatch: pytest.MonkeyPatch, tiny: Preset, name: str) -> None:
    monkeypatch.setattr("pypty_nb.data.measurements.SMALL_BYTES", 0)
    reads: list[int] = []
    plain = ArrayDataset.read

    def read(self: ArrayDataset, indices: np.ndarray) -> np.ndarray:
        reads.append(len(indices))
        return plain(self, indices)

    monkeypatch.setattr(ArrayDataset, "read", read)
    losses = {}
    for asked in (False, True):
        run = Reconstruction({**tiny.to_dict(), name: asked, "data_pad": 2, "use_padded_intensity": True, "probe": None})
        at_start = len(reads)
        losses[asked] = [next(run).loss, next(run).loss]
        assert (len(reads) == at_start) is asked
    assert losses[False] == losses[True]


@pytest.mark.parametrize(
    ("held_as", "counts"),
    [
        (None, [0, 3.4, 300.6, 7e4]),
        ("uint8", [0, 3, 0, 255]),
        ("uint16", [0, 3, 301, 65535]),
        ("int32", [0, 3, 301, 70000]),
        ("float32", [0, 3.25, 300.5, 7e4]),
        ("float16", [0, 3.25, 300.5, 65504]),
    ],
)
def test_patterns_are_held_as_asked(held_as: str | None, counts: list[float]) -> None:
    counts = np.tile(np.array(counts, float), (3, 4, 1))
    measurements = Measurements(ArrayDataset(counts), Preprocessing(), np.float64, keep=True, centred=True, held_as=held_as)
    batch = measurements.batch(np.arange(3))
    assert batch.dtype == np.float64
    np.testing.assert_array_equal(batch, counts)
    assert measurements._kept is not None
    assert measurements._kept.dtype == np.dtype(held_as or np.float64)
    # the sign bit of held-out pixels needs a kind of number that has one
    held_out = Measurements(
        ArrayDataset(counts), Preprocessing(), np.float64, keep=True, centred=True, held_as=held_as, held_out=0.5
    )
    assert np.signbit(held_out.batch(np.arange(3))).any()


@pytest.mark.parametrize(
    ("held_as", "largest", "words"),
    [
        ("uint8", 256.0, "force_dataset_dtype uint8 would cut or round its counts, of which the largest is 256; uint16 holds"),
        ("int16", 70000.0, "the largest is 70000; uint32 holds"),
        ("uint16", 300.5, "the largest is 300.5; float32 holds"),
        ("float32", 3.4, "the largest is 3.4; float64 holds"),
        ("float16", 65537.0, "the largest is 65537; uint32 holds"),
    ],
)
@pytest.mark.parametrize("held_out", [0.0, 0.5])
def test_counts_that_would_be_cut_or_rounded_are_refused(held_as: str, largest: float, words: str, held_out: float) -> None:
    counts = np.tile(np.array([0.0, 3.0, 1.0, largest]), (3, 4, 1))
    asked: dict[str, Any] = {"keep": True, "held_as": held_as, "held_out": held_out}
    if held_out and held_as.startswith(("uint", "int")):
        # held as they are computed with, for the sign of held-out pixels
        np.testing.assert_array_equal(
            np.abs(Measurements(ArrayDataset(counts), Preprocessing(), np.float64, centred=True, **asked).batch(np.arange(3))),
            counts,
        )
        return
    with pytest.raises(DataError, match=words):
        Measurements(ArrayDataset(counts), Preprocessing(), np.float64, **asked)


def test_counts_held_as_they_are_change_nothing(tiny: Preset) -> None:
    expected = list(Reconstruction(tiny))[-1].loss
    assert list(Reconstruction({**tiny.to_dict(), "force_dataset_dtype": "uint16"}))[-1].loss == expected
