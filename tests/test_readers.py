"""Readers: every vendor's file by an independent way to its numbers, what each says of the experiment, and what is refused."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pypty_nb.data import DataError, open_dataset
from pypty_nb.data.dataset import ArrayDataset, SourceDataset
from pypty_nb.data.readers import format_of, formats
from tests.real_data import measured

VENDORS = "vendor_formats"
COUNTS = np.random.default_rng(5).poisson(9, (3, 4, 6, 5)).astype(np.uint16)
FLAT = COUNTS.reshape(12, 6, 5)


def everything(dataset: SourceDataset) -> np.ndarray:
    return dataset.read(np.arange(dataset.shape[0]))


def facts(dataset: SourceDataset) -> dict[str, Any]:
    return {key: found.value for key, found in dataset.metadata.items()}


# ---- vendors' files
def frames(path: Path, header: int, dtype: str, shape: tuple[int, int]) -> np.ndarray:
    return np.fromfile(path, np.dtype([("header", f"S{header}"), ("data", dtype, shape)]))["data"]


def raw_bits(path: Path) -> np.ndarray:
    """Pixel j of a word of 64 is its bit j, the word's highest byte first."""
    words = np.fromfile(path, np.dtype([("header", "S384"), ("data", ">u8", 1024)]))["data"].astype(np.uint64)
    return ((words[..., None] >> np.arange(64, dtype=np.uint64)) & np.uint64(1)).astype(np.uint8).reshape(-1, 256, 256)


def hdf5(name: str, axes: tuple[int, ...] = ()) -> Callable[[Path], np.ndarray]:
    def read(path: Path) -> np.ndarray:
        with h5py.File(path) as file:
            data = file[name][()]  # pyright: ignore[reportIndexIssue]
        data = np.transpose(data, axes) if axes else data
        return data.reshape(-1, *data.shape[-2:])

    return read


def tvips(path: Path) -> np.ndarray:
    """Frames behind 256 bytes of the first part's header, each after its own, whose length is in that one."""
    whole = path.read_bytes()
    size, _, width, height, bits = np.frombuffer(whole, "<u4", 5)
    own = int(np.frombuffer(whole, "<u4", 1, offset=48)[0])
    parts = [whole[size:]]
    number = 1
    while (later := path.with_name(f"{path.stem[:-3]}{number:03d}{path.suffix}")).is_file():
        parts.append(later.read_bytes())
        number += 1
    record = np.dtype([("header", f"S{own}"), ("data", f"<u{bits // 8}", (height, width))])
    return np.concatenate([np.frombuffer(part, record)["data"] for part in parts])


def blo(path: Path) -> np.ndarray:
    offset, side = np.fromfile(path, "<u4", 1, offset=12)[0], np.fromfile(path, "<u2", 1, offset=20)[0]
    record = np.dtype([("mark", "S6"), ("data", "u1", (side, side))])
    return np.frombuffer(path.read_bytes()[offset:], record)["data"]


def ser(path: Path) -> np.ndarray:
    """Offsets of 64 bits in a table, a frame of int32 fifty bytes behind each, its rows from the bottom."""
    whole = path.with_name("128x128x5-diffraction_preview_1.ser").read_bytes()
    table = np.frombuffer(whole, "<u8", 1, offset=22)[0]
    offsets = np.frombuffer(whole, "<u8", 5, offset=int(table))
    data = np.stack([np.frombuffer(whole, "<i4", 128 * 128, offset=int(start) + 50).reshape(128, 128) for start in offsets])
    return data[:, ::-1]


def topspin(path: Path) -> np.ndarray:
    with h5py.File(path) as file:
        group = file["18d9446f-22bf-4fb1-8d13-338174e75d20/3526f008-a687-41fb-a21e-c21362241492"]
        return np.stack([group[f"{index}/Data"][()] for index in range(21)])  # pyright: ignore[reportIndexIssue]


SI = "/4DSTEM_simulation/data/datacubes/CBED_array_depth0001/datacube"
VELOX = "Data/Image/26f60320a61d4f66a73efd8cde34ffa9/Data"
FILES: list[tuple[str, str, tuple[int, ...], tuple[int, int] | None, Callable[[Path], np.ndarray], dict[str, Any]]] = [
    ("merlin_mib/001_4x2_6bit.mib", "Merlin", (8, 256, 256), None, lambda p: frames(p, 384, "u1", (256, 256)), {}),
    ("merlin_mib/002_4x2_6bit_roi128.mib", "Merlin", (8, 128, 256), None, lambda p: frames(p, 384, "u1", (128, 256)), {}),
    (
        "merlin_mib/002_merlin_test_roi_sig256x128_nav4x2_hot_pixel_52x_39y.mib", "Merlin", (8, 128, 256), (2, 4),
        lambda p: frames(p, 384, ">u2", (128, 256)), {},
    ),
    (
        "merlin_mib/Quad_1_Frame_CounterDepth_12_Rows_256.mib", "Merlin", (1, 512, 512), None,
        lambda p: frames(p, 768, ">u2", (512, 512)), {},
    ),
    (
        "merlin_mib/Single_1_Frame_CounterDepth_24_Rows_256.mib", "Merlin", (1, 256, 256), None,
        lambda p: frames(p, 384, ">u4", (256, 256)), {},
    ),
    (
        "merlin_mib/Single_9_Frame_CounterDepth_12_Rows_256.mib", "Merlin", (9, 256, 256), None,
        lambda p: frames(p, 384, ">u2", (256, 256)), {},
    ),
    ("merlin_mib/Single_9_Frame_CounterDepth_1_Rows_256RAW.mib", "Merlin", (9, 256, 256), None, raw_bits, {}),
    (
        "empad/map4x4.xml", "EMPAD", (16, 128, 128), (4, 4),
        lambda p: np.fromfile(p.with_name("scan_x4_y4.raw"), "<f4").reshape(-1, 130, 128)[:, :128],
        {"acc_voltage": 300, "scan_step_A": 11415.8566, "rez_pixel_size_A": 0.01826537},
    ),
    (
        "nanomegas_blo/test1.blo", "NanoMEGAS block file", (6, 144, 144), (3, 2), blo,
        {"acc_voltage": 200, "scan_step_A": 128.0, "rez_pixel_size_mrad": 0.0803084, "scan_rotation_deg": 25.0},
    ),
    ("nanomegas_blo/test2.blo", "NanoMEGAS block file", (6, 5, 5), (2, 3), blo, {"acc_voltage": 200, "scan_step_A": 640.0}),
    ("tvips/test_tvips_2233_000.tvips", "TVIPS", (4, 3, 3), None, tvips, {"acc_voltage": 200}),
    ("tvips/test_tvips_2345_000.tvips", "TVIPS", (6, 4, 5), None, tvips, {"acc_voltage": 200}),
    ("tvips/test_tvips_2345_split_000.tvips", "TVIPS", (6, 4, 5), None, tvips, {"acc_voltage": 200}),
    (
        "tia_ser_emi/128x128x5-diffraction_preview_1.ser", "TIA", (5, 128, 128), None, ser, {},
    ),
    (
        "tia_ser_emi/128x128x5-diffraction_preview.emi", "TIA", (5, 128, 128), None, ser,
        {"acc_voltage": 200, "rez_pixel_size_A": 0.00424641},
    ),
    (
        "topspin/topspin_test_B.app5", "TopSpin", (21, 31, 26), (3, 7), topspin,
        {"acc_voltage": 300, "scan_step_A": 50.0, "rez_pixel_size_mrad": 0.109869},
    ),
    (
        "dectris_arina/test_00_master.h5", "DECTRIS master", (16, 192, 192), (4, 4),
        lambda p: hdf5("entry/data/data")(p.with_name("test_00_data_000001.h5")),
        {"acc_voltage": 300, "scan_step_A": 1.3915206, "rez_pixel_size_mrad": 0.869565},
    ),
    ("fpd/fpd_file_test.hdf5", "fpd", (4, 256, 256), (2, 2), hdf5("fpd_expt/fpd_data/data"), {}),
    (
        "emd/py4DSTEM_size2x3x4x5.h5", "EMD", (6, 4, 5), (2, 3), hdf5("datacube_root/datacube/data"),
        {"scan_step_A": 1.26796875, "rez_pixel_size_A": 0.0442515666},
    ),
    (
        "emd/fei_example_tem_stack.emd", "EMD", (2, 3, 3), None, hdf5(VELOX, (2, 0, 1)),
        {"acc_voltage": 300, "conv_semiangle_mrad": 11.4112},
    ),
    (
        "nexus_ptycho/nx_example_nxptycho_cxi_compatible.nxs", "NeXus or CXI", (100, 32, 32), None, hdf5("entry_1/data_1/data"),
        {"distance": 1.5, "rez_pixel_size_mrad": 0.0366667, "energy": 0.00938098},
    ),
    (
        "nexus_ptycho/nx_example_nxptycho_cxi_compatible_raster.nxs", "NeXus or CXI", (100, 32, 32), (10, 10),
        hdf5("entry_1/data/data"), {"distance": 1.5, "energy": 9000.0, "wavelength": 1.3776022},
    ),
]  # fmt: skip


@pytest.mark.real_data
@pytest.mark.parametrize(("name", "kind", "shape", "scan", "read", "said"), FILES, ids=[Path(row[0]).name for row in FILES])
def test_a_vendors_file(name: str, kind: str, shape: Any, scan: Any, read: Any, said: dict[str, Any]) -> None:
    path = measured(f"{VENDORS}/{name}")
    dataset = open_dataset(path)
    expected = read(path)
    assert format_of(path) == kind
    assert dataset.shape == shape and dataset.scan_shape == scan
    np.testing.assert_array_equal(everything(dataset), expected)
    last = np.array([shape[0] - 1])
    np.testing.assert_array_equal(dataset.read(last), expected[last])
    np.testing.assert_array_equal(dataset.read(np.arange(0, shape[0], 3)), expected[::3])
    found = facts(dataset)
    for key, value in said.items():
        assert found[key] == pytest.approx(value, rel=1e-5), key
    assert all(fact.source for fact in dataset.metadata.values())
    assert found.get("scan_size") == scan


@pytest.mark.real_data
def test_the_hot_pixel_is_where_its_file_says() -> None:
    dataset = open_dataset(measured(f"{VENDORS}/merlin_mib/002_merlin_test_roi_sig256x128_nav4x2_hot_pixel_52x_39y.mib"))
    for pattern in everything(dataset):
        y, x = np.unravel_index(pattern.argmax(), pattern.shape)
        assert (x, y) == (52, 39)


@pytest.mark.real_data
def test_several_arrays_are_listed_and_one_is_named() -> None:
    path = measured(f"{VENDORS}/emd/Si100_4D.emd")
    with pytest.raises(
        DataError, match=r"holds 2 arrays .*: .*depth0000/datacube \(11, 11, 8, 8\), .*depth0001.*--dataset /4DS"
    ):
        open_dataset(path)
    dataset = open_dataset(path, dataset=SI)
    assert dataset.scan_shape == (11, 11)
    np.testing.assert_array_equal(everything(dataset), hdf5(SI)(path))
    # one step of the EMD's own axis, and the parameters of the simulation
    assert facts(dataset)["acc_voltage"] == 100 and facts(dataset)["scan_step_A"] == pytest.approx(5.0)
    with pytest.raises(DataError, match="has no dataset '/nowhere'; it holds"):
        open_dataset(path, dataset="/nowhere")


@pytest.mark.real_data
def test_positions_of_an_x_ray_scan() -> None:
    path = measured(f"{VENDORS}/nexus_ptycho/nx_example_nxptycho_cxi_compatible.nxs")
    found = open_dataset(path).metadata["positions"]
    with h5py.File(path) as file:
        y, x = (file[f"entry_1/data_1/{axis}"][()] for axis in "yx")  # pyright: ignore[reportIndexIssue]
    np.testing.assert_allclose(found.value, np.stack([y, x], axis=1) * 1e10)
    assert found.source.endswith("taken as metres")


@pytest.mark.real_data
def test_the_attributes_of_a_measured_file() -> None:
    dataset = open_dataset(measured("rotavirus_4dstem/dev_44x52_bin2_128.h5"))
    found = facts(dataset)
    assert found["acc_voltage"] == 300 and found["conv_semiangle_mrad"] == 1.03 and found["scan_step_A"] == 31.25
    assert found["rez_pixel_size_mrad"] == pytest.approx(0.033077108) and found["defocus_magnitude"] == 135000
    assert "defocus" not in found
    assert dataset.metadata["acc_voltage"].source == "attribute voltage_kV of the file"
    positions = open_dataset(measured("siemens_star_xray/siemens_star_516.h5")).metadata["positions_px"]
    assert positions.value.shape == (516, 2)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empad/EMPAD_v1.2.2_x32_y64_size0.8.xml", r"its patterns are in scan_x32_y64\.raw, which is not beside it"),
        ("empad/scan_x4_y4.raw", r"state shape and dtype; an EMPAD scan is opened by its \.xml"),
        ("tvips/test_tvips_2345_split_001.tvips", r"later part of a stream; open its first, test_tvips_2345_split_000\.tvips"),
        ("tia_ser_emi/64x64_diffraction_acquire.emi", r"holds no stack of patterns; it holds \(64, 64\)"),
        ("dm/test_diffraction_pattern.dm3", r"holds no stack of patterns; it holds \(87, 87\)"),
        ("hspy/example2_v3.1.hspy", r"has 2 axes, shape \(16, 16\)"),
        ("dectris_arina/test_00.h5", "has no dataset 'data' and no other array"),
        ("emd/fei_example_dpc_titles.emd", "no other array of patterns"),
    ],
)
def test_files_without_a_stack_of_patterns(name: str, reason: str) -> None:
    path = measured(f"{VENDORS}/{name}")
    with pytest.raises(DataError, match=reason) as caught:
        open_dataset(path)
    assert path.name in str(caught.value)


@pytest.mark.real_data
def test_dm4_stacks() -> None:
    dataset = open_dataset(measured(f"{VENDORS}/dm/ref_F_2_1.dm4"))
    assert dataset.shape == (5, 3, 4)
    # the file's own block of numbers, found by its first two
    raw = dataset._source[:]  # pyright: ignore[reportAttributeAccessIssue]
    np.testing.assert_array_equal(everything(dataset), raw)
    whole = measured(f"{VENDORS}/dm/ref_F_2_1.dm4").read_bytes()
    assert whole.find(everything(dataset).astype("<f4").tobytes()) > 0


@pytest.mark.real_data
@pytest.mark.parametrize("name", sorted({row[0] for row in FILES} | {"dm/ref_F_2_1.dm4", "emd/Si100_4D.emd"}))
def test_cut_and_damaged_copies_are_refused_by_name(tmp_path: Path, name: str) -> None:
    source = measured(f"{VENDORS}/{name}")
    for beside in source.parent.iterdir():
        if beside.suffix in (".hdr", ".raw", ".h5") or beside.stem.startswith(source.stem[:10]):
            shutil.copyfile(beside, tmp_path / beside.name)
    path, whole = tmp_path / source.name, source.read_bytes()
    stated = {"dataset": SI} if "Si100" in name else {}
    for length in (0, 3, 40, len(whole) * 3 // 5):
        path.write_bytes(whole[:length])
        said = refused(path, always=True, **stated)
        assert length < 40 or "copy it again" in said or "cannot be read as HDF5" in said
    rng = random.Random(name)
    for _ in range(4):
        damaged = bytearray(whole)
        for _ in range(12):
            damaged[rng.randrange(min(len(whole), 2000))] = rng.randrange(256)
        path.write_bytes(bytes(damaged))
        refused(path, always=False, **stated)


def refused(path: Path, *, always: bool = True, **stated: Any) -> str:
    """Whether opened or read: a `DataError` of one sentence that names the file; nothing else is ever raised."""
    try:
        dataset = open_dataset(path, **stated)
        dataset.read(np.arange(min(dataset.shape[0], 4)))
    except DataError as error:
        assert path.name in str(error) and "\n" not in str(error) and len(str(error)) < 900
        return str(error)
    assert not always, f"{path.name} of {path.stat().st_size} bytes was read"
    return ""


@pytest.mark.real_data
@pytest.mark.parametrize(
    "ending", [ending for endings in formats().values() for ending in endings if ending not in (".raw", ".bin")]
)
def test_a_file_of_another_format(tmp_path: Path, ending: str) -> None:
    for name in ("merlin_mib/001_4x2_6bit.mib", "nanomegas_blo/test1.blo", "fpd/fpd_file_test.hdf5"):
        source = measured(f"{VENDORS}/{name}")
        kin = (
            (".h5", ".hdf5", ".de5", ".emd", ".hspy", ".nxs", ".cxi", ".app5") if source.suffix == ".hdf5" else (source.suffix,)
        )
        if ending not in kin:
            copy = tmp_path / f"copy{ending}"
            shutil.copyfile(source, copy)
            refused(copy)


@pytest.mark.real_data
def test_links_to_files(tmp_path: Path) -> None:
    source = measured(f"{VENDORS}/merlin_mib/001_4x2_6bit.mib")
    (tmp_path / "link.mib").symlink_to(source)
    np.testing.assert_array_equal(everything(open_dataset(tmp_path / "link.mib")), everything(open_dataset(source)))
    (tmp_path / "nowhere.mib").symlink_to(tmp_path / "gone")
    with pytest.raises(DataError, match=r"there is no file .*nowhere\.mib"):
        open_dataset(tmp_path / "nowhere.mib")


@pytest.mark.parametrize("ending", sorted({ending for endings in formats().values() for ending in endings}))
def test_folders_and_empty_files(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"empty{ending}").touch()
    assert "the file is empty" in refused(tmp_path / f"empty{ending}")
    (tmp_path / f"folder{ending}").mkdir()
    refused(tmp_path / f"folder{ending}")


@pytest.mark.parametrize(("module", "package"), [("rsciio", "rosettasciio"), ("dask", "dask")])
def test_a_package_that_is_missing_is_named_with_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, package: str
) -> None:
    (tmp_path / "scan.dm4").write_bytes(b"\0\0\0\4" * 16)
    loaded = [name for name in sys.modules if name.split(".")[0] in {"rsciio", module}]
    for name in loaded:
        monkeypatch.delitem(sys.modules, name)
    # to be imported, None is as good as not installed
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError) as raised:
        open_dataset(tmp_path / "scan.dm4")
    said = f"scan.dm4: reading DigitalMicrograph needs the package {package}, which is missing here or too old"
    assert said in str(raised.value) and str(raised.value).endswith(f"install it with: pip install --upgrade {package}")


# ---- lazily
READ_ONE = """
import resource, sys
import numpy as np
from pypty_nb.data import open_dataset
stated = eval(sys.argv[2])
first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
dataset = open_dataset(sys.argv[1], **stated)
one = dataset.read(np.array([dataset.shape[0] // 2]))
dataset.read(np.arange(7, 40))
print(dataset.shape[0], int(one.sum()), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - first) // 1024)
"""
#: Patterns of the large files, which are sparse: 3.2 GB or more each, of which next to nothing is on disk.
MANY = 50_000


def large_mib(path: Path) -> dict[str, Any]:
    header = b"MQ1,000001,00384,01,0256,0256,U08,   1x1,01,2021-05-07 18:51:10.905800,0.1,0,0,0,6".ljust(384, b"\0")
    with path.open("wb") as file:
        file.write(header)
        file.truncate(MANY * (384 + 65536))
        file.seek(MANY // 2 * (384 + 65536) + 384)
        file.write(b"\7")
    return {}


def large_npy(path: Path) -> dict[str, Any]:
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(MANY // 200, 200, 256, 256))
    array.reshape(MANY, -1)[MANY // 2, 9] = 7
    return {}


def large_raw(path: Path) -> dict[str, Any]:
    with path.open("wb") as file:
        file.truncate(100 + MANY * 65536)
        file.seek(100 + MANY // 2 * 65536)
        file.write(b"\7")
    return {"shape": (MANY, 256, 256), "dtype": "u1", "offset": 100}


def large_h5(path: Path) -> dict[str, Any]:
    with h5py.File(path, "w") as file:
        data = file.create_dataset("scan/frames", (MANY, 256, 256), np.uint8, chunks=(1, 256, 256))
        data[MANY // 2, 3, 3] = 7
    return {}


def large_xml(path: Path) -> dict[str, Any]:
    path.write_text(
        '<root name="a"><raw_file filename="frames.raw"/><pix_x>200</pix_x><pix_y>250</pix_y><software_version>0.51 2'
        '</software_version><type>scan</type><scan_parameters mode="acquire"><scan_resolution_x>200</scan_resolution_x>'
        "<scan_resolution_y>250</scan_resolution_y></scan_parameters></root>"
    )
    with path.with_name("frames.raw").open("wb") as file:
        file.truncate(MANY * 130 * 128 * 4)
        file.seek(MANY // 2 * 130 * 128 * 4)
        file.write(np.float32(7).tobytes())
    return {}


@pytest.mark.skipif(sys.platform == "win32", reason="peak memory is read the way of Unix")
@pytest.mark.parametrize("make", [large_mib, large_npy, large_raw, large_h5, large_xml])
def test_one_pattern_of_a_large_file_does_not_load_it(tmp_path: Path, make: Callable[[Path], dict[str, Any]]) -> None:
    path = tmp_path / f"large.{make.__name__[6:]}"
    stated = make(path)
    found = subprocess.run(
        [sys.executable, "-c", READ_ONE, str(path), repr(stated)], capture_output=True, text=True, check=True, timeout=120
    )
    count, total, megabytes = (int(word) for word in found.stdout.split())
    assert (count, total) == (MANY, 7)
    assert megabytes < 150, f"{megabytes} MB for 34 patterns of {path.suffix}"


def test_nothing_of_one_format_is_imported_with_the_data() -> None:
    code = "import pypty_nb.data, sys; print(' '.join(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "pypty_nb.data" in found
    assert not {"rsciio", "dask", "zarr", "hdf5plugin", "pint"} & {name.split(".")[0] for name in found}


# ---- layouts that a person states
@pytest.mark.parametrize(
    ("axes", "stored"),
    [
        ("scan_y,scan_x,ky,kx", (0, 1, 2, 3)),
        ("scan_x,scan_y,ky,kx", (1, 0, 2, 3)),
        ("ky,kx,scan_y,scan_x", (2, 3, 0, 1)),
        ("kx, ky, scan_x, scan_y", (3, 2, 1, 0)),
        ("scan_y,scan_x,kx,ky", (0, 1, 3, 2)),
    ],
)
@pytest.mark.parametrize("ending", [".npy", ".h5", ".raw"])
def test_any_order_of_axes(tmp_path: Path, axes: str, stored: tuple[int, ...], ending: str) -> None:
    data, path = np.ascontiguousarray(COUNTS.transpose(stored)), tmp_path / f"scan{ending}"
    stated: dict[str, Any] = {}
    if ending == ".npy":
        np.save(path, data)
    elif ending == ".raw":
        data.tofile(path)
        stated = {"shape": data.shape, "dtype": "uint16"}
    else:
        with h5py.File(path, "w") as file:
            file["data"] = data
    dataset = open_dataset(path, axes=axes, **stated)
    assert dataset.scan_shape == (3, 4) and dataset.shape == (12, 6, 5)
    for indices in ([*range(12)], [0, 5, 11], [4, 5, 6, 7], [2, 3, 4], [1, 3, 9, 10], [7]):
        np.testing.assert_array_equal(dataset.read(np.array(indices)), FLAT[indices])


@pytest.mark.parametrize(
    ("axes", "reason"),
    [
        ("ky,kx", r"ky, kx are 2, the data have 4, shape \(3, 4, 6, 5\)"),
        ("a,b,ky,kx", "'a' is none of scan_y"),
        ("ky,ky,scan_y,scan_x", "each once"),
        ("pattern,scan_x,ky,kx", "each once"),
        ("1,pattern,ky,kx", "called '1' has length 3"),
    ],
)
def test_axes_that_cannot_be(tmp_path: Path, axes: str, reason: str) -> None:
    np.save(tmp_path / "scan.npy", COUNTS)
    with pytest.raises(DataError, match=reason):
        open_dataset(tmp_path / "scan.npy", axes=axes)


def test_axes_of_length_one(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", COUNTS[:, :, None])
    np.testing.assert_array_equal(everything(open_dataset(tmp_path / "scan.npy", axes="scan_y,scan_x,1,ky,kx")), FLAT)
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["data"] = COUNTS[None, :, :, None]
    np.testing.assert_array_equal(everything(open_dataset(tmp_path / "scan.h5")), FLAT)


def test_scan_sizes(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", FLAT)
    dataset = open_dataset(tmp_path / "scan.npy", scan_size=(2, 6))
    assert dataset.scan_shape == (2, 6) and dataset.metadata["scan_size"].source == "stated"
    for size, hint in (((3, 5), "4 × 3|3 × 4 would fit"), ((5, 4), "3 × 4 would fit"), ((5, 5), "neither number divides")):
        with pytest.raises(DataError, match=rf"{size[0]} × {size[1]} = .* positions, but 12 patterns; .*({hint})"):
            open_dataset(tmp_path / "scan.npy", scan_size=size)
    for size in ((0, 12), (12,), (-3, -4)):
        with pytest.raises(DataError, match="scan_size"):
            open_dataset(tmp_path / "scan.npy", scan_size=size)


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ({}, "state shape and dtype"),
        ({"shape": (12, 6, 5)}, "state shape and dtype"),
        ({"shape": (12, 6, 5), "dtype": "u3"}, "dtype 'u3'"),
        ({"shape": (12, 6, 5), "dtype": "complex64"}, "none of real numbers"),
        ({"shape": (13, 6, 5), "dtype": "u2"}, "cut short: 780 bytes are needed"),
        ({"shape": (12, 6, 5), "dtype": "u2", "offset": 2}, "cut short: 722 bytes"),
        ({"shape": (12, 6, 5), "dtype": "u2", "offset": -2}, "offset -2 cannot be used"),
        ({"shape": (12, 0, 5), "dtype": "u2"}, "cannot be used"),
        ({"shape": (360,), "dtype": "u2"}, "has 1 axis"),
    ],
)
def test_plain_numbers_that_do_not_fit(tmp_path: Path, stated: dict[str, Any], reason: str) -> None:
    FLAT.tofile(tmp_path / "scan.bin")
    with pytest.raises(DataError, match=reason):
        open_dataset(tmp_path / "scan.bin", **stated)


def test_plain_numbers_behind_a_header_and_of_any_ending(tmp_path: Path) -> None:
    (tmp_path / "scan.dat").write_bytes(b"header!" + FLAT.astype(">u2").tobytes())
    dataset = open_dataset(tmp_path / "scan.dat", shape=(12, 6, 5), dtype=">u2", offset=7)
    np.testing.assert_array_equal(everything(dataset), FLAT)


# ---- HDF5 of every kind
@pytest.mark.parametrize("path", ["counts", "entry/data/data", "a/b/c/d/e/frames"])
def test_the_only_array_of_patterns_is_found(tmp_path: Path, path: str) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file[path], file["image"], file["names"] = FLAT, np.zeros((9, 9)), np.zeros((3, 4, 5), "S2")
        file["a link to the same"] = h5py.SoftLink(f"/{path}")
        file["loop"] = h5py.SoftLink("/")
    np.testing.assert_array_equal(everything(open_dataset(tmp_path / "scan.h5")), FLAT)


@pytest.mark.parametrize("filter_name", ["Bitshuffle", "LZ4", "Zstd", "Blosc"])
def test_compressed_by_a_makers_filter(tmp_path: Path, filter_name: str) -> None:
    hdf5plugin = pytest.importorskip("hdf5plugin")
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file.create_dataset("data", data=FLAT, chunks=(1, 6, 5), **getattr(hdf5plugin, filter_name)())
    code = (
        "import sys, numpy as np; from pypty_nb.data import open_dataset; "
        "print(int(open_dataset(sys.argv[1]).read(np.arange(12)).sum()))"
    )
    found = subprocess.run([sys.executable, "-c", code, str(tmp_path / "scan.h5")], capture_output=True, text=True, check=True)
    assert int(found.stdout) == FLAT.sum()


def test_scattered_patterns_of_a_scan_are_read_alone(tmp_path: Path) -> None:
    """Two patterns at the ends of a scan must not read all that lies between."""

    class Counted:
        shape, dtype, most = (50, 40, 6, 5), np.dtype("u2"), 0

        def __getitem__(self, key: Any) -> np.ndarray:
            block = np.broadcast_to(np.uint16(1), self.shape)[key]
            self.most = max(self.most, block.size)
            return np.array(block)

    source = Counted()
    SourceDataset(source, "scan").read(np.array([0, 1999]))
    assert source.most == 30


def test_dectris_files_are_joined(tmp_path: Path) -> None:
    cuts = [0, 5, 9, 12]
    with h5py.File(tmp_path / "run_master.h5", "w") as master:
        master.create_group("entry/instrument/detector")["pixel_mask"] = np.eye(6, 5, dtype="u4")
        for number, (start, end) in enumerate(pairwise(cuts), 1):
            with h5py.File(tmp_path / f"run_data_{number:06d}.h5", "w") as file:
                file["entry/data/data"] = FLAT[start:end]
            link = h5py.ExternalLink(f"run_data_{number:06d}.h5", "/entry/data/data")
            master.require_group("entry/data")[f"data_{number:06d}"] = link
    dataset = open_dataset(tmp_path / "run_master.h5", scan_size=(3, 4))
    for indices in ([*range(12)], [4, 5], [0, 6, 11], [8]):
        np.testing.assert_array_equal(dataset.read(np.array(indices)), FLAT[indices])
    np.testing.assert_array_equal(dataset.metadata["mask"].value, np.eye(6, 5) == 0)
    (tmp_path / "run_data_000002.h5").unlink()
    with pytest.raises(DataError, match=r"run_master\.h5: its frames in run_data_000002\.h5 cannot be read"):
        open_dataset(tmp_path / "run_master.h5")


def test_cxi_of_a_beamline(tmp_path: Path) -> None:
    positions = np.random.default_rng(2).normal(size=(12, 3)) * 1e-6
    with h5py.File(tmp_path / "scan.cxi", "w") as file:
        file["cxi_version"] = 160
        file["entry_1/data_1/data"] = FLAT
        file["entry_1/sample_1/geometry_1/translation"] = positions
        file["entry_1/instrument_1/source_1/energy"] = 3e9
        file["entry_1/instrument_1/beam_1/energy"] = 1.602176634e-15
        detector = file.create_group("entry_1/instrument_1/detector_1")
        detector["distance"], detector["x_pixel_size"], detector["y_pixel_size"] = 2.0, 75e-6, 75e-6
        detector["mask"] = np.eye(6, 5, dtype=np.int32)
    dataset = open_dataset(tmp_path / "scan.cxi")
    found = facts(dataset)
    np.testing.assert_array_equal(everything(dataset), FLAT)
    np.testing.assert_allclose(found["positions"], positions[:, [1, 0]] * 1e10)
    # 10 keV are 1.2398 Å
    assert found["energy"] == pytest.approx(1e4) and found["wavelength"] == pytest.approx(1.23984198)
    assert found["distance"] == 2.0 and found["rez_pixel_size_mrad"] == pytest.approx(0.0375)
    assert found["mask"].sum() == 25


# ---- metadata beside or within
def test_the_json_of_nion_swift(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", COUNTS)
    axes = [{"offset": 0, "scale": 0.02, "units": "nm"}] * 2 + [{"offset": 0, "scale": 0.0005, "units": "rad"}] * 2
    said = {
        "spatial_calibrations": axes,
        "metadata": {
            "instrument": {"high_tension": 60000.0, "ImageScanned": {"C10": -2.5e-8, "EHT": 60000.0}},
            "scan": {"rotation_deg": -4.0, "fov_nm": 8},
        },
    }
    (tmp_path / "scan.json").write_text(json.dumps(said))
    dataset = open_dataset(tmp_path / "scan.npy")
    found = facts(dataset)
    assert found["acc_voltage"] == 60 and found["defocus"] == pytest.approx(-250) and found["scan_rotation_deg"] == -4
    assert found["scan_step_A"] == pytest.approx(0.2) and found["rez_pixel_size_mrad"] == pytest.approx(0.5)
    assert dataset.metadata["defocus"].source == "instrument.ImageScanned.C10 of scan.json"
    for broken in ("", "[1]", "{", '{"metadata": 3, "spatial_calibrations": [1]}', '{"metadata": {"instrument": []}}'):
        (tmp_path / "scan.json").write_text(broken)
        assert set(open_dataset(tmp_path / "scan.npy").metadata) == {"scan_size"}


def test_hyperspy_files_of_both_kinds(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    options = {"zarr_format": 2} if int(zarr.__version__.split(".")[0]) > 2 else {}
    scales = [(0.5, "nm"), (0.5, "nm"), (0.1, "mrad"), (0.1, "mrad")]
    with h5py.File(tmp_path / "scan.hspy", "w") as file:
        store = zarr.open_group(str(tmp_path / "scan.zspy"), mode="w", **options)
        for root in (file, store):
            group = root.require_group("Experiments").require_group("a scan")
            for axis, (scale, unit) in enumerate(scales):
                group.require_group(f"axis-{axis}").attrs.update({"scale": scale, "units": unit, "size": COUNTS.shape[axis]})
            group.require_group("metadata/Acquisition_instrument/TEM").attrs.update(
                {"beam_energy": 80.0, "convergence_angle": 20.0}
            )
        file["Experiments/a scan/data"] = COUNTS
        store["Experiments/a scan"].create_array("data", shape=COUNTS.shape, dtype="u2", chunks=(1, 2, 6, 5))[:] = COUNTS
    for name in ("scan.hspy", "scan.zspy"):
        dataset = open_dataset(tmp_path / name)
        np.testing.assert_array_equal(everything(dataset), FLAT)
        found = facts(dataset)
        assert (found["acc_voltage"], found["conv_semiangle_mrad"], found["scan_size"]) == (80, 20, (3, 4))
        assert found["scan_step_A"] == 5 and found["rez_pixel_size_mrad"] == pytest.approx(0.1)
    shutil.rmtree(tmp_path / "scan.zspy" / "Experiments" / "a scan" / "data")
    refused(tmp_path / "scan.zspy")


def test_direct_electron_movies(tmp_path: Path) -> None:
    header = np.zeros(256, "<i4")
    header[:4] = 5, 6, 12, 6
    (tmp_path / "one_movie.mrc").write_bytes(header.tobytes() + FLAT.tobytes())
    (tmp_path / "one_info.txt").write_text("Specimen Pixel Size X (nanometers) = 0.25\nScan - Type = Raster\nno value\n")
    dataset = open_dataset(tmp_path / "one_movie.mrc", scan_size=(3, 4))
    np.testing.assert_array_equal(everything(dataset), FLAT)
    assert facts(dataset)["scan_step_A"] == pytest.approx(2.5)


def test_scales_that_differ_are_said(tmp_path: Path) -> None:
    np.save(tmp_path / "scan.npy", COUNTS)
    axes = [{"scale": scale, "units": unit} for scale, unit in ((2, "nm"), (1, "nm"), (1, "px"), (1, "px"))]
    (tmp_path / "scan.json").write_text(json.dumps({"spatial_calibrations": axes}))
    found = open_dataset(tmp_path / "scan.npy").metadata["scan_step_A"]
    assert found.value == 10 and re.search(r"scan_y differs: 2", found.source)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_pipe_is_no_file_of_patterns(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mib")
    with pytest.raises(DataError, match="a device or a pipe"):
        open_dataset(tmp_path / "pipe.mib")


def test_arrays_have_no_facts_but_their_scan() -> None:
    assert set(ArrayDataset(COUNTS).metadata) == {"scan_size"} and not ArrayDataset(FLAT).metadata
