"""Presets: set, compared, copied, written and read; and everything that cannot be used refused in a sentence."""

from __future__ import annotations

import copy
import json
import math
import os
import pickle
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pypty_nb.params import FIELDS, ParameterError, Preset, Schedule, UnknownParameterError, as_preset, same
from pypty_nb.params.storage import INLINE_NUMBERS
from pypty_nb.params.tables.aliases import ALIASES

SLOW = os.environ.get("PYPTY_NB_SLOW") == "1"
DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]


def full() -> Preset:
    """A preset with something of every kind, small arrays and large ones."""
    random = np.random.default_rng(1)
    return Preset(
        acc_voltage=80,
        dataset=random.poisson(5, (4, 5, 6, 7)).astype(np.uint16),
        scan_size=[4, 5],
        positions=random.uniform(0, 9, (20, 2)),
        probe=random.normal(size=(6, 7, 3)) + 1j * random.normal(size=(6, 7, 3)),
        obj=random.normal(size=(3, 3, 1, 1)).astype(np.complex64),
        max_count=math.inf,
        update_probe="lambda x: x >= 20",
        atv_weight={"steps": [[0, 0], [20, 1e-3]]},
        fancy_sigma=([1, 2], None),
        window=[0.6, 0.9],
        data_path="Å/ü.h5",
        compute_batch="auto",
        save_loss_log=2,
    )


# ---- set and read
def test_no_argument_is_needed() -> None:
    preset = Preset()
    assert len(FIELDS) > 130
    assert {name for name, _ in preset.items()} == set(FIELDS)
    assert preset.diff() == {}
    assert repr(preset) == "Preset()"
    assert Preset.from_dict({}) == preset


def test_every_value_is_an_attribute_and_an_item() -> None:
    preset = full()
    for name in FIELDS:
        assert same(getattr(preset, name), preset[name])
    preset["acc_voltage"] = 60
    assert preset.acc_voltage == 60.0
    assert "acc_voltage" in dir(preset)


@pytest.mark.parametrize("name", FIELDS)
def test_its_own_value_can_be_set_again(name: str) -> None:
    preset = full()
    value = preset[name]
    preset[name] = value
    assert same(preset[name], value)


def test_several_are_set_all_or_none() -> None:
    preset = full()
    before = preset.copy()
    told: list[frozenset[str]] = []
    preset.watch(told.append)
    with pytest.raises(ParameterError) as caught:
        preset.update(acc_voltage=200, data_pad=-1, nonsense=3, wolfe_c1_constant=0.2)
    assert len(caught.value.problems) == 2
    assert any("data_pad" in problem for problem in caught.value.problems)
    assert any("nonsense" in problem for problem in caught.value.problems)
    assert preset == before
    assert told == []
    preset.update({"acc_voltage": 200}, wolfe_c1_constant=0.2)
    assert (preset.acc_voltage, preset.wolfe_c1_constant) == (200, 0.2)
    assert told == [{"acc_voltage", "wolfe_c1_constant"}]


@pytest.mark.parametrize("values", [5, "ab", [("acc_voltage", 3)], {"acc_voltage"}, DEEP])
def test_only_mappings_are_taken(values: Any) -> None:
    with pytest.raises(ParameterError, match="mapping of parameter names"):
        Preset().update(values)
    with pytest.raises(ParameterError, match="mapping of parameter names"):
        Preset.from_dict(values)


@pytest.mark.parametrize(
    ("name", "nearest"), [("acc_voltge", "acc_voltage"), ("Probe", "probe"), ("pixel_size_x", "pixel_size_x_A"), ("zzzz", None)]
)
def test_an_unknown_name_is_refused_with_the_nearest(name: str, nearest: str | None) -> None:
    hint = f"did you mean '{nearest}'" if nearest else rf"no parameter '{name}'$"
    for use in (
        lambda: Preset(**{name: 1}),
        lambda: Preset.from_dict({name: 1}),
        lambda: setattr(Preset(), name, 1),
        lambda: Preset()[name],
        lambda: Preset().reset(name),
        lambda: Preset().is_changed(name),
    ):
        with pytest.raises(UnknownParameterError, match=hint):
            use()
    with pytest.raises(AttributeError, match=hint):
        getattr(Preset(), name)


@pytest.mark.parametrize(
    "name", [3, None, ("a",), b"probe", pytest.param(10**5000, id="huge"), "x" * 10**6, "", "\0", "_tables"]
)
def test_a_name_is_text(name: Any) -> None:
    began = time.process_time()
    with pytest.raises(UnknownParameterError):
        Preset.from_dict({name: 1})
    assert time.process_time() - began < 1


def test_older_names() -> None:
    for old, new in ALIASES.items():
        preset = Preset.from_dict({old: True})
        assert preset[new] is True and preset[old] is True and getattr(preset, old) is True
        with pytest.raises(ParameterError, match=f"{new}: given twice"):
            Preset.from_dict({old: True, new: False})


def test_described_in_words() -> None:
    assert Preset().describe() == ""
    preset = Preset(acc_voltage=80.0, update_probe="lambda x: x >= 5", compute_batch="auto", positions=np.zeros((9, 2)))
    assert [" ".join(line.split()) for line in preset.describe().splitlines()] == [
        "acc_voltage 80 kV default 60",
        "positions array (9, 2) px default [[0.0, 0.0]]",
        "update_probe lambda x: x >= 5 default True",
        "compute_batch auto default 1",
    ]
    other = preset.copy()
    other.update(acc_voltage=200, positions=np.ones((9, 2)))
    assert other.describe(preset).splitlines() == [
        "acc_voltage  200 kV                   instead of 80",
        "positions    another array (9, 2) px  instead of array (9, 2)",
    ]


def test_diff_and_changed() -> None:
    preset, other = full(), full()
    assert preset.diff(other) == {}
    other.acc_voltage, other.window = 300, None
    assert preset.diff(other).keys() == {"acc_voltage", "window"}
    assert preset.diff(other)["acc_voltage"] == (300.0, 80.0)
    assert preset.is_changed("acc_voltage") and not preset.is_changed("Cs")
    assert set(preset.to_dict(changed_only=True)) == set(preset.diff()) == {n for n in FIELDS if preset.is_changed(n)}
    assert "acc_voltage=80.0" in repr(preset) and "probe=array(6, 7, 3)" in repr(preset)


def test_watchers_hear_of_changes_and_of_nothing_else() -> None:
    preset = Preset()
    told: list[frozenset[str]] = []
    end = preset.watch(told.append)
    preset.acc_voltage = 60  # the default
    preset.obj = np.ones((1, 1, 1, 1), complex)
    assert told == []
    preset.acc_voltage = 80
    preset.update(Cs=1, data_pad=2)
    preset.copy().acc_voltage = 100
    with pytest.raises(ParameterError):
        preset.acc_voltage = -1
    assert told == [{"acc_voltage"}, {"Cs", "data_pad"}]
    end()
    end()
    preset.acc_voltage = 90
    assert len(told) == 2


def test_a_frozen_preset_refuses_every_change() -> None:
    preset = full()
    frozen = preset.frozen()
    assert frozen == preset
    for change in (
        lambda: setattr(frozen, "acc_voltage", 200),
        lambda: frozen.update(acc_voltage=200),
        lambda: frozen.reset(),
        lambda: frozen.__setitem__("acc_voltage", 200),
    ):
        with pytest.raises(ParameterError, match="drives a run"):
            change()
    preset.acc_voltage = 200
    assert frozen.acc_voltage == 80
    unfrozen = frozen.copy()
    unfrozen.acc_voltage = 100
    assert (unfrozen.acc_voltage, frozen.acc_voltage) == (100, 80)


@pytest.mark.parametrize("make", [Preset.copy, copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_a_copy_is_equal_and_on_its_own(make: Any) -> None:
    preset = full()
    other = make(preset)
    assert other == preset
    other.acc_voltage = 300
    other.atv_weight = 1
    assert preset.acc_voltage == 80 and isinstance(preset.atv_weight, Schedule)
    assert other != preset
    assert preset != "preset"
    with pytest.raises(TypeError):
        hash(preset)


def test_reset() -> None:
    preset = full()
    preset.reset("acc_voltage", "window")
    assert (preset.acc_voltage, preset.window) == (60, None)
    assert preset.data_path
    preset.reset()
    assert preset == Preset()
    with pytest.raises(ValueError, match="read-only"):
        preset.obj[0, 0, 0, 0] = 7
    assert Preset().obj[0, 0, 0, 0] == 1


def test_value_at() -> None:
    preset = full()
    assert [preset.value_at("atv_weight", e) for e in (0, 20)] == [0.0, 1e-3]
    assert [preset.value_at("update_probe", e) for e in (19, 20)] == [False, True]
    assert preset.value_at("max_count", 3) == math.inf
    one = Preset(save_checkpoints_every_epoch="lambda x: 5 if x > 10 else 1", probe_reg_constraint_weight=lambda x: math.inf)
    assert [one.value_at("save_checkpoints_every_epoch", e) for e in (0, 11)] == [1, 5]
    assert type(one.value_at("save_checkpoints_every_epoch", 0)) is int
    assert one.value_at("probe_reg_constraint_weight", 0) == math.inf


def test_as_preset(tmp_path: Path) -> None:
    preset = full()
    path = preset.to_json(tmp_path / "a.json")
    assert as_preset(preset) is preset
    assert as_preset(preset.to_dict()) == as_preset(path) == as_preset(str(path)) == preset


# ---- several together
DATA = np.ones((6, 8, 8), np.uint16)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"wolfe_c1_constant": 0.9, "wolfe_c2_constant": 0.5}, "wolfe_c1_constant"),
        ({"dataset": DATA, "positions": np.zeros((5, 2))}, "positions: has 5 rows for 6 patterns"),
        ({"dataset": DATA, "tilts": np.zeros((2, 6))}, "tilts: has 2 rows for 6"),
        ({"dataset": DATA, "beam_current": np.ones(1)}, "beam_current: has 1 rows for 6"),
        ({"dataset": DATA, "probe_marker": np.zeros(3, int)}, "probe_marker"),
        ({"dataset": DATA, "aberration_marker": np.zeros(3, int)}, "aberration_marker"),
        ({"dataset": DATA, "scan_size": (2, 2)}, "scan_size: 2 × 2 = 4 points for 6 patterns"),
        ({"dataset": DATA, "probe": np.ones((6, 8, 1))}, "probe: is 6 × 8 px.*for 8 × 8"),
        ({"dataset": DATA, "probe": np.ones((8, 8, 1)), "data_pad": 1}, "probe: is 8 × 8 px.*for 10 × 10"),
        ({"dataset": DATA, "probe": np.ones((8, 8, 1)), "data_bin": 2}, "probe: is 8 × 8 px.*for 4 × 4"),
        ({"algorithm": "lsq_compressed"}, "algorithm: lsq_compressed.*masks"),
        ({"masks": np.ones((2, 8, 8))}, "masks: .*compressed"),
        ({"positions": [[0.0, math.nan]]}, "positions: holds NaN"),
        ({"probe": np.full((4, 4, 1), np.inf)}, "probe: holds NaN or infinite"),
    ],
)
def test_values_that_contradict_each_other(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        Preset(**values)
    # in whatever order they are set
    preset = Preset()
    with pytest.raises(ParameterError, match=named):
        for name, value in values.items():
            preset[name] = value


def test_values_that_agree() -> None:
    Preset(dataset=DATA, positions=np.zeros((1, 2)), tilts=np.zeros((6, 6)), scan_size=(2, 3), probe=np.ones((8, 8, 2)))
    Preset(dataset=DATA.reshape(2, 3, 8, 8), positions=np.zeros((6, 2)), scan_size=(2, 3))
    Preset(dataset=np.ones((6, 2)), masks=np.ones((2, 8, 8)), algorithm="gauss_compressed", probe=np.ones((8, 8, 1)))
    preset = Preset(wolfe_c1_constant=0.2, wolfe_c2_constant=0.4)
    preset.update(wolfe_c1_constant=0.6, wolfe_c2_constant=0.8)
    assert preset.wolfe_c1_constant == 0.6


# ---- taken home
def test_a_dictionary_and_back() -> None:
    preset = full()
    assert Preset.from_dict(preset.to_dict()) == preset
    assert Preset.from_dict(preset.to_dict(changed_only=True)) == preset
    assert Preset.from_dict(Preset().to_dict()) == Preset()


@pytest.mark.parametrize("changed_only", [True, False])
def test_a_file_and_back(tmp_path: Path, changed_only: bool) -> None:
    preset = full()
    path = preset.to_json(tmp_path / "a.json", changed_only=changed_only)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.h5", "a.json"]
    assert Preset.from_json(path) == preset
    plain = json.loads(path.read_text(encoding="utf-8"))
    assert plain["schema_version"] == 1
    assert len(plain["positions"]) == 20  # 40 numbers stand in the text itself
    assert plain["probe"]["array"]["file"] == "a.h5"
    assert plain["max_count"] == "inf" and plain["update_probe"] == {"schedule": "lambda x: x >= 20"}
    assert ("Cs" in plain) is not changed_only
    assert plain["data_path"] == "Å/ü.h5"
    # nothing large as text
    assert path.stat().st_size < 20_000


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"])
@pytest.mark.parametrize("count", [1, INLINE_NUMBERS // 2, INLINE_NUMBERS // 2 + 1, 200])
def test_real_arrays_keep_type_and_numbers(tmp_path: Path, order: str, kind: str, count: int) -> None:
    dtype = np.dtype(order + kind)
    numbers = np.random.default_rng(0).uniform(0, 100, (count, 2))
    numbers = numbers if kind[0] == "f" else np.round(numbers)
    preset = Preset(positions=numbers.astype(dtype))
    read = Preset.from_json(preset.to_json(tmp_path / "a.json"))
    assert read == preset
    assert read.positions.dtype == dtype
    assert (tmp_path / "a.h5").exists() is (2 * count > INLINE_NUMBERS)


@pytest.mark.parametrize("kind", ["<c8", "<c16", ">c8", ">c16"])
@pytest.mark.parametrize("count", [1, 2, 8, 9])
@pytest.mark.parametrize("layout", ["C", "F", "strided", "real"])
def test_complex_arrays_keep_type_and_numbers(tmp_path: Path, kind: str, count: int, layout: str) -> None:
    random = np.random.default_rng(0)
    numbers = (random.normal(size=(4, count, 2)) + 1j * random.normal(size=(4, count, 2))).astype(kind)
    numbers = {"C": numbers, "F": np.asfortranarray(numbers), "strided": numbers[::2, ::-1], "real": numbers.real + 0j}[layout]
    preset = Preset(probe=numbers.astype(kind))
    read = Preset.from_json(preset.to_json(tmp_path / "a.json"))
    assert read == preset
    assert read.probe.dtype == np.dtype(kind)


def test_arrays_that_are_not_finite_are_kept_where_they_may_stand(tmp_path: Path) -> None:
    preset = Preset(dataset=np.array([[[1.0, math.nan], [math.inf, 0.0]]]))
    assert Preset.from_json(preset.to_json(tmp_path / "a.json")) == preset


def test_a_longer_type_than_any_file_keeps_is_refused() -> None:
    if np.dtype(np.longdouble).itemsize == 8:
        pytest.skip("this machine has no longer type")
    with pytest.raises(ParameterError, match=r"positions: .*longdouble|positions: .*float128|positions: .*float96"):
        Preset(positions=np.ones((3, 2), np.longdouble))


@pytest.mark.parametrize(
    "values",
    [
        {"max_count": math.inf, "hist_length": math.inf, "probe_reg_constraint_weight": math.inf},
        {"max_count": np.float64(math.inf)},
        {"probe_reg_constraint_weight": {"steps": [[0, 1.0], [5, math.inf]]}},
        {"probe_reg_constraint_weight": lambda epoch: math.inf},
        {"update_probe": lambda epoch: epoch >= len(FIELDS), "epoch_max": 1000},
        {"loss_weight": {"steps": [[0, "mean"], [5, "mean_full"], [7, 0.5]]}},
        {"reset_history_flag": None, "fancy_sigma": {"steps": [[0, None], [4, [[1, 2], None]]]}},
        {"data_path": "a\udc80b.h5"},
        {"data_path": 'quotes " and \\ and \n and 😀'},
        {"data_path": "lambda_scan.h5", "output_folder": "lambda x: y"},
        {"window": np.ones((3, 3), np.float32)},
        {"static_background": np.ones((2, 2)), "probe": "aperture"},
        {"save_loss_log": True, "save_checkpoints_every_epoch": 1},
    ],
)
def test_special_values_and_back(tmp_path: Path, values: dict[str, Any]) -> None:
    preset = Preset(**values)
    assert Preset.from_dict(preset.to_dict()) == preset
    path = preset.to_json(tmp_path / "a.json")
    read = Preset.from_json(path)
    assert read == preset
    for name in values:
        assert type(read[name]) is type(preset[name])


def test_a_preset_written_again_leaves_no_arrays_of_the_former(tmp_path: Path) -> None:
    full().to_json(tmp_path / "a.json")
    assert (tmp_path / "a.h5").exists()
    Preset().to_json(tmp_path / "a.json")
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]
    full().to_json(tmp_path / "a.json")
    full().to_json(tmp_path / "a.json")
    assert Preset.from_json(tmp_path / "a.json") == full()


def test_measurements_beside_a_preset_are_never_touched(tmp_path: Path) -> None:
    scan = tmp_path / "scan.h5"
    with h5py.File(scan, "w") as file:
        file["data"] = DATA
    before = scan.read_bytes()
    Preset(data_path=str(scan)).to_json(tmp_path / "scan.json")
    assert scan.read_bytes() == before
    with pytest.raises(ParameterError, match=r"scan\.h5.*another name"):
        full().to_json(tmp_path / "scan.json")
    assert scan.read_bytes() == before
    assert Preset.from_json(tmp_path / "scan.json").data_path == str(scan)
    (tmp_path / "text.h5").write_text("notes")
    with pytest.raises(ParameterError, match="another name"):
        full().to_json(tmp_path / "text.json")
    assert (tmp_path / "text.h5").read_text() == "notes"


def test_a_name_that_its_arrays_need(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"call it a\.json"):
        full().to_json(tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        full().to_json(tmp_path / "file" / "a.json")
    with pytest.raises(OSError, match="missing"):
        full().to_json(tmp_path / "missing" / "a.json")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


# ---- damaged files
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no valid JSON.*line 1"),
        ("{", "no valid JSON"),
        ('{"acc_voltage": 80', "no valid JSON"),
        ('{\n"acc_voltage": 80,\n}', "no valid JSON.*line 3"),
        ("acc_voltage = 80", "no valid JSON"),
        ("\ufeff{}", "BOM"),
        ("[]", "holds a list"),
        ("null", "holds a NoneType"),
        ('"text"', "holds a str"),
        ("3", "holds a int"),
        ('{"acc_voltage": NaN}', "NaN is not a number of JSON"),
        ('{"max_count": Infinity}', "Infinity is not a number of JSON"),
        ('{"positions": [[0, -Infinity]]}', "-Infinity is not"),
        ('{"acc_voltage": 1e999}', "acc_voltage: .*not finite"),
        ('{"acc_voltage": 80, "Cs": 0, "acc_voltage": 60}', "'acc_voltage' stands there twice"),
        ('{"atv_weight": {"schedule": "x", "schedule": "e"}}', "'schedule' stands there twice"),
        ('{"obj": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
        ('{"obj": ' + "[" * 500 + "]" * 500 + "}", "obj: "),
        ('{"acc_voltage": ' + "9" * 5000 + "}", "cannot be used"),
        ('{"acc_voltage": ' + "9" * 4000 + "}", "acc_voltage: .*too large"),
        ('{"epoch_max": ' + "9" * 4000 + "}", "epoch_max"),
        ('{"schema_version": 2}', "schema_version 2"),
        ('{"schema_version": "1"}', "schema_version '1'"),
        ('{"schema_version": null}', "schema_version None"),
        ('{"schema_version": 0}', "schema_version 0"),
        ('{"schema_version": 1.5}', "schema_version 1.5"),
        ('{"schema_version": []}', "schema_version"),
        ('{"acc_voltag": 80}', "did you mean 'acc_voltage'"),
        ('{"acc_voltage": "80"}', "acc_voltage: .*'80'"),
        ('{"acc_voltage": {"array": 3}}', "a reference to an array names"),
        ('{"probe": {"array": {"file": "a.h5"}}}', "probe: a reference to an array names"),
        ('{"probe": {"array": []}}', "probe: a reference to an array names"),
        ('{"positions": {"array": {"values": [1, 2], "shape": [1, 2], "dtype": "O"}}}', "positions: the array in the preset"),
        ('{"positions": {"array": {"values": [1, 2], "shape": [1, 2], "dtype": "x9"}}}', "positions: the array in the preset"),
        ('{"positions": {"array": {"values": [1, 2], "shape": [1, 2], "dtype": 3}}}', "positions: the array in the preset"),
        ('{"positions": {"array": {"values": [1, 2], "shape": [3, 2], "dtype": "<f4"}}}', "positions: the array in the preset"),
        ('{"positions": {"array": {"values": [1, 2], "shape": "ab", "dtype": "<f4"}}}', "positions: the array in the preset"),
        ('{"positions": {"array": {"values": ["a"], "shape": [1], "dtype": "<f4"}}}', "positions: the array in the preset"),
        ('{"positions": {"array": {"values": 1, "shape": [1], "dtype": "<c8"}}}', "positions: "),
        (
            '{"positions": {"array": {"values": [300, 2], "shape": [1, 2], "dtype": "|u1"}}}',
            "positions: the array in the preset",
        ),
        ('{"positions": {"array": {"values": [1, 2], "dtype": "<f4"}}}', "positions: the array in the preset"),
        ('{"positions": {"array": {"values": [1, 2, 3], "shape": [1, 1], "dtype": "<c8"}}}', "positions: "),
    ],
)
def test_a_file_that_is_no_preset_is_refused_in_a_sentence(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    began = time.process_time()
    with pytest.raises(ParameterError, match=reason) as caught:
        Preset.from_json(path)
    assert time.process_time() - began < 1
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda path: None, "cannot be read: No such file"),
        (lambda path: path.mkdir(), "is no file"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "no text file"),
        (lambda path: path.write_bytes(os.urandom(3000) + b"\xff"), "no text file|no valid JSON"),
        (lambda path: path.write_bytes(b" " * (17 * 2**20)), "too large for a preset"),
    ],
)
def test_what_is_no_file_of_text(tmp_path: Path, make: Any, reason: str) -> None:
    make(tmp_path / "a.json")
    with pytest.raises(ParameterError, match=reason):
        Preset.from_json(tmp_path / "a.json")


def test_a_file_cut_anywhere_is_refused_or_whole(tmp_path: Path) -> None:
    path = Preset(acc_voltage=80, positions=np.ones((3, 2))).to_json(tmp_path / "a.json", changed_only=True)
    whole = path.read_bytes()
    for length in range(len(whole) - 2):
        path.write_bytes(whole[:length])
        with pytest.raises(ParameterError):
            Preset.from_json(path)


def referring(tmp_path: Path, **changes: Any) -> Path:
    """A preset with one large array whose reference is changed."""
    path = Preset(positions=np.ones((100, 2))).to_json(tmp_path / "a.json", changed_only=True)
    plain = json.loads(path.read_text(encoding="utf-8"))
    plain["positions"]["array"] |= changes
    path.write_text(json.dumps(plain), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "name",
    [
        "../a.h5",
        "/etc/passwd",
        "sub/a.h5",
        "..",
        ".",
        "",
        "a\0.h5",
        "./a.h5",
        "/a.h5",
        3,
        None,
        ["a.h5"],
        {"a": 1},
        "~/a.h5",
        "x" * 5000,
    ],
)
def test_only_a_file_beside_the_preset_is_opened(tmp_path: Path, name: Any) -> None:
    Preset(positions=np.ones((100, 2))).to_json(tmp_path / "a.json")
    (tmp_path / "sub").mkdir()
    for elsewhere in (tmp_path.parent / "a.h5", tmp_path / "sub" / "a.h5"):
        elsewhere.write_bytes((tmp_path / "a.h5").read_bytes())
    with pytest.raises(ParameterError, match=r"^positions: "):
        Preset.from_json(referring(tmp_path, file=name))


@pytest.mark.parametrize(
    "changes",
    [
        {"sha256": "0" * 64}, {"sha256": None}, {"sha256": []}, {"shape": [2, 100]}, {"shape": None}, {"shape": {}},
        {"dtype": "<f4"}, {"dtype": 3}, {"dataset": "other"}, {"dataset": ""}, {"dataset": 3}, {"dataset": "/"},
        {"dataset": "\0"},
        {"extra": 1},
    ],
)  # fmt: skip
def test_a_reference_that_is_not_the_array_s(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=r"^positions: "):
        Preset.from_json(referring(tmp_path, **changes))


def test_arrays_missing_damaged_or_exchanged(tmp_path: Path) -> None:
    path, arrays = referring(tmp_path), tmp_path / "a.h5"
    whole = arrays.read_bytes()
    arrays.unlink()
    with pytest.raises(ParameterError, match=r"positions: its array in .*a\.h5 cannot be read"):
        Preset.from_json(path)
    for damaged in (b"", b"text", whole[: len(whole) // 2], whole[:-100]):
        arrays.write_bytes(damaged)
        with pytest.raises(ParameterError, match="positions: its array in"):
            Preset.from_json(path)
    (arrays.unlink(), arrays.mkdir())
    with pytest.raises(ParameterError, match="positions: its array in"):
        Preset.from_json(path)
    arrays.rmdir()
    with h5py.File(arrays, "w") as file:
        file["positions"] = np.ones((100, 2)) * 2
    with pytest.raises(ParameterError, match=r"positions: .*not the one this preset was written with"):
        Preset.from_json(path)
    arrays.write_bytes(whole)
    assert Preset.from_json(path).positions.shape == (100, 2)


@pytest.mark.parametrize("content", ["text", "group", "empty", "structured", "huge"])
def test_arrays_that_are_no_arrays_of_numbers(tmp_path: Path, content: str) -> None:
    path = referring(tmp_path)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        if content == "group":
            file.create_group("positions/x")
        elif content == "huge":
            file.create_dataset("positions", (10**7, 10**7), "f8", chunks=(1000, 1000))
        else:
            data = {"text": ["a", "b"], "empty": h5py.Empty("f8"), "structured": np.zeros(2, [("a", "f8")])}[content]
            file.create_dataset("positions", data=data)
    for dtype in ("<f8", "|O"):
        path = tmp_path / "a.json"
        plain = json.loads(path.read_text(encoding="utf-8"))
        plain["positions"]["array"] |= {"dtype": dtype, "shape": [2]}
        path.write_text(json.dumps(plain), encoding="utf-8")
        with pytest.raises(ParameterError, match=r"^positions: "):
            Preset.from_json(path)


# ---- whatever is given
HUGE = [10**400, -(10**400), 10**5000, 2**63, 2**64, 1e308, -1e308, 5e-324, math.nan, math.inf, -math.inf]
CODE = [
    "__import__('os').system('false')", "lambda x: open('/tmp/x')", "lambda x: x.__class__", "{{7*7}}", "<script>", "'; drop",
    "lambda", "lambda x:", "x >= 20", "inf", "nan", "None", "True", "auto", "mean", "aperture", "../../etc",
    "\0", "\ud800", "a" * 5000,
]  # fmt: skip
OTHER = [
    object(), object, len, lambda: 1, lambda x: 1 / 0, lambda x: {}["k"], lambda x: x, b"bytes", {1, 2}, range(3), 1j,
    Path("a"), DEEP, {"schedule": DEEP}, {"steps": DEEP}, {"steps": [[0, DEEP]]}, {"array": {"values": [1]}}, ...,
    np.array(3), np.array("a"), np.array([None]), np.ones((0, 2)), np.float32(2), np.bool_(True), np.datetime64("2020"),
    np.zeros(2, [("a", "f8")]), np.ma.masked, np.ones((2, 2, 2, 2, 2)), np.array([1e400]), np.array([[math.nan, 1.0]]),
    np.str_("auto"), sys, Preset(), Schedule.steps([[0, 1]]), iter([1]),
]  # fmt: skip


def one_of(values: list[Any]) -> st.SearchStrategy[Any]:
    """One of `values`, some of which cannot be printed."""
    return st.integers(0, len(values) - 1).map(lambda index: values[index])


numbers = st.one_of(st.integers(), st.floats(), one_of(HUGE), st.booleans(), st.integers(-3, 70), st.floats(-2, 2))
words = st.one_of(st.text(max_size=12), st.sampled_from(CODE))
leaves = st.one_of(st.none(), numbers, words, one_of(OTHER))
nested = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.sampled_from(["schedule", "steps", "array", "a"]), inner, max_size=2),
        inner.map(lambda value: {"schedule": value}),
        st.lists(st.tuples(st.integers(-5, 400), inner).map(list), max_size=3).map(lambda rows: {"steps": rows}),
    ),
    max_leaves=6,
)
shaped = st.builds(
    lambda shape, dtype, fill: np.full(shape, fill).astype(dtype),
    st.lists(st.integers(0, 3), min_size=0, max_size=5),
    st.sampled_from(["u1", "i8", "f4", "f8", "c8", "c16", ">f8", "?", "U2", "O"]),
    st.sampled_from([0, 1, 2, 100]),
)
known = st.sampled_from([*FIELDS, *ALIASES])
names = st.one_of(known, known, known, words, one_of([3, None, ("a", 1), b"probe", 10**5000, 0.5, frozenset()]))
presets = st.dictionaries(names, st.one_of(nested, nested, shaped), max_size=5)


@example({"dataset": (0, np.ma.masked)})
@settings(max_examples=10_000 if SLOW else 1_500, deadline=None, suppress_health_check=list(HealthCheck))
@given(presets)
def test_whatever_is_given_is_accepted_or_refused_in_words(values: dict[Any, Any]) -> None:
    began = time.process_time()
    try:
        preset = Preset.from_dict(values)
    except (ParameterError, UnknownParameterError) as error:
        assert str(error) and error.problems
    else:
        for name in values:
            preset[name]
    assert time.process_time() - began < 1


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(list(FIELDS)), st.one_of(nested, shaped), max_size=3))
def test_whatever_is_accepted_comes_back(tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]) -> None:
    try:
        preset = Preset.from_dict(values)
        plain = preset.to_dict()
    except ParameterError:
        return
    if any(isinstance(value, Schedule) and value.function for _, value in preset.items()):
        return
    assert Preset.from_dict(plain) == preset
    path = preset.to_json(tmp_path_factory.mktemp("any") / "a.json", changed_only=True)
    assert Preset.from_json(path) == preset


def test_a_whole_preset_is_checked_in_under_50_ms() -> None:
    values = full().to_dict()
    values |= {"dataset": np.ones((400, 32, 32), np.uint16), "positions": np.zeros((400, 2)), "scan_size": (20, 20)}
    values |= {"probe": np.ones((32, 32, 2))}
    assert len(values) >= 130
    seconds = []
    for _ in range(7):
        began = time.process_time()
        Preset.from_dict(values)
        seconds.append(time.process_time() - began)
    assert min(seconds) < 0.05
