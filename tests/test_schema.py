"""The published schema describes what presets hold; the generated files in the tree are current; the starts are presets."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from pypty_nb.params import FIELDS, ParameterError, Preset, reference, starts
from pypty_nb.params.schema import as_text, preset_schema
from pypty_nb.params.validation import problems_of_file

VALIDATOR = jsonschema.Draft202012Validator(preset_schema())
ROOT = Path(__file__).resolve().parents[1]


def written(tmp_path: Path, preset: Preset) -> dict:
    return json.loads(preset.to_json(tmp_path / "p.json").read_text(encoding="utf-8"))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(preset_schema())


def test_generated_files_are_current() -> None:
    schema = (files("pypty_nb.params") / "preset.schema.json").read_text(encoding="utf-8")
    assert schema == as_text(), "pypty-nb schema > pypty_nb/params/preset.schema.json"
    page = (ROOT / "notebooks" / "PARAMETERS.md").read_text(encoding="utf-8")
    assert page == reference.markdown(), "pypty-nb params --markdown > notebooks/PARAMETERS.md"


def test_what_is_written_fits_the_schema(tmp_path: Path) -> None:
    preset = Preset(
        dataset=np.arange(4 * 8 * 8, dtype=np.uint16).reshape(4, 8, 8),
        obj=np.full((3, 3, 1, 1), 1 + 2j),
        positions=np.zeros((4, 2), np.float32),
        update_probe="lambda x: x >= 5",
        atv_weight={"steps": [[0, 0], [20, 1e-3]]},
        hist_length=float("inf"),
        window=[0.5, 0.9],
        scan_size=(2, 2),
        probe="aperture",
        aperture_mask=np.ones((8, 8)),
        compute_batch="auto",
        loss_weight="mean",
        fancy_sigma=((1, 2), None),
    )
    VALIDATOR.validate(written(tmp_path, Preset()))
    VALIDATOR.validate(written(tmp_path, preset))


@pytest.mark.parametrize(
    "wrong",
    [
        {"acc_voltage": -1},
        {"acc_voltage": "80"},
        {"epoch_max": 1.5},
        {"algorithm": "best"},
        {"update_probe": "x >= 5"},
        {"atv_weight": {"schedule": 3}},
        {"positions": "everywhere"},
        {"scan_size": [1, 2, 3]},
        {"no_such_name": 1},
        {"schema_version": 0},
    ],
)
def test_the_schema_refuses_what_the_preset_refuses(wrong: dict, tmp_path: Path) -> None:
    assert not VALIDATOR.is_valid(wrong)
    path = tmp_path / "p.json"
    path.write_text(json.dumps(wrong), encoding="utf-8")
    with pytest.raises(ParameterError):
        Preset.from_json(path)


def test_every_start_is_a_preset_that_says_when_to_use_it(tmp_path: Path) -> None:
    assert list(starts.available()) == ["default", "mixed", "multislice", "noisy", "quick"]
    for name, about in starts.available().items():
        assert about.endswith(".")
        assert len(about) > 40
        VALIDATOR.validate(written(tmp_path, Preset.named(name)))
    assert Preset.named("default") == Preset()
    assert Preset.named("quick").diff()
    with pytest.raises(ParameterError, match="default, mixed, multislice, noisy, quick"):
        Preset.named("fast")


def test_every_problem_is_found_at_once_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(
        '{\n "acc_voltage": -3,\n "epoch_mx": 5,\n "wolfe_c1_constant": 0.9,\n "wolfe_c2_constant": 0.5,\n'
        ' "positions": {"array": {"file": "gone.h5", "dataset": "positions", "shape": [1], "dtype": "<f8", "sha256": "0"}}\n}',
        encoding="utf-8",
    )
    problems = {problem.line: problem.message for problem in problems_of_file(path)}
    assert set(problems) == {2, 3, 4, 6}
    assert "must be above 0 kV; got -3" in problems[2]
    assert "did you mean 'epoch_max'" in problems[3]
    assert "must be below wolfe_c2_constant = 0.5" in problems[4]
    assert "gone.h5" in problems[6]


def test_a_syntax_error_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{\n "epoch_max": 5,\n "epoch_prev" 0\n}', encoding="utf-8")
    (problem,) = problems_of_file(path)
    assert problem.line == 3
    assert problems_of_file(Preset().to_json(tmp_path / "good.json")) == []


def test_the_reference_names_everything() -> None:
    page = reference.markdown()
    for name, field in FIELDS.items():
        assert f"| `{name}` |" in page
        text = reference.plain(name, field)
        assert field.label in text
        assert field.accepted() in text
