"""The command, as processes: what it does, and one sentence with exit code 2 for everything that cannot be used."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

import pypty_nb
from pypty_nb import Preset, open_run
from pypty_nb.runs import RecordedRun
from tests.conftest import EPOCHS


def pypty(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pypty_nb.cli", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


def refused(*arguments: object, cwd: Path, besides: frozenset[str] = frozenset()) -> str:
    """The sentence with which the command refuses; it leaves everything as it was, `besides` some files."""

    def kept() -> dict[str, bytes]:
        return {name: content for name, content in contents(cwd).items() if name not in besides}

    before = kept()
    done = pypty(*arguments, cwd=cwd)
    assert done.returncode == 2, done
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("✕ "), done.stderr
    assert kept() == before
    return lines[0].removeprefix("✕ ")


# ---- what it does
def test_version(tmp_path: Path) -> None:
    done = pypty("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"pypty_nb {pypty_nb.__version__}\n", "")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("run", "--help")])
def test_help(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = pypty(*arguments, cwd=tmp_path)
    assert "Usage" in done.stdout + done.stderr and "✕" not in done.stderr
    assert done.returncode == (0 if arguments else 2)


def test_the_demo_converges(tmp_path: Path) -> None:
    done = pypty("demo", "--headless", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found = re.search(r"Finished\. 60 epochs in (\d+) s; normalised amplitude error (\d\.\d+)", done.stdout)
    assert found is not None, done.stdout
    assert 0 < float(found[2]) <= 0.0012
    assert not list(tmp_path.iterdir())


# what is a mark-up to the terminal's library is a name to a person
@pytest.mark.parametrize("name", ["a/run", "a[/old] run"])
def test_run_resume_and_export(tiny_file: Path, tmp_path: Path, name: str) -> None:
    done = pypty("run", tiny_file, "--out", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"Finished after epoch {EPOCHS}." in done.stdout and f"Results are in {name}" in done.stdout
    folder = open_run(tmp_path / name)
    assert folder.is_finished() and len(folder.losses()) == EPOCHS + 1

    done = pypty("resume", name, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{name}: this run has finished; nothing is left to do\n")

    done = pypty("export", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    paths = [tmp_path / line for line in done.stdout.splitlines()]
    assert paths and set(paths) == set((tmp_path / name / "export").iterdir())
    for path in paths:
        with Image.open(path) as image:
            assert image.format == "PNG" and image.size[0] >= 16

    done = pypty("export", name, "--format", "npy", "--out", "arrays", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "arrays" / "co.npy"), np.load(tmp_path / name / "co.npy"))


def test_a_run_that_was_stopped_is_resumed(tiny_file: Path, tmp_path: Path) -> None:
    run = RecordedRun.start(tiny_file, tmp_path / "run")
    next(run), next(run)
    run.close()
    done = pypty("resume", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"Finished after epoch {EPOCHS}." in done.stdout
    assert [row["epoch"] for row in run.folder.losses()] == [str(epoch) for epoch in range(EPOCHS + 1)]


def test_every_run_gets_a_folder_of_its_own(tiny_file: Path, tmp_path: Path) -> None:
    for number in (1, 2):
        done = pypty("run", tiny_file.name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert open_run(tmp_path / f"preset-run-00{number}").is_finished()
    preset = Preset.from_json(tiny_file)
    preset.output_folder = "chosen"
    preset.to_json(tiny_file)
    assert pypty("run", tiny_file.name, cwd=tmp_path).returncode == 0
    assert open_run(tmp_path / "chosen").is_finished()


@pytest.mark.parametrize("level", [0, 1, 2, 3, 4])
def test_a_run_prints_as_much_as_it_is_asked_to(tiny_file: Path, tmp_path: Path, level: int) -> None:
    preset = Preset.from_json(tiny_file)
    preset.update(print_flag=level, epoch_max=3, phase_norm_weight=0.1, save_loss_log=2)
    preset.to_json(tiny_file)
    done = pypty("run", tiny_file, "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = open_run(tmp_path / "run").losses()
    assert len(rows) == 4
    lines = done.stderr.splitlines()
    assert ("Finished after epoch 3." in done.stdout) == (level > 0)
    assert any(line.startswith("epoch 3 of 3") for line in lines) == (level > 0)
    epochs = [line for line in lines if re.match(r"epoch \d+  loss ", line)]
    assert [float(line.split()[3]) for line in epochs] == (
        [pytest.approx(float(row["loss"])) for row in rows[:3]] * (level > 1)
    )
    tried = [line for line in lines if line.startswith("  tried step ")]
    assert len(tried) == (level > 2) * sum(int(row["N linesearch iterations"]) for row in rows)
    shares = [line for line in lines if line.startswith("  data ") and "L1, phase " in line]
    assert len(shares) == (level > 3) * 3
    if level == 0:
        assert (done.stdout, done.stderr) == ("", "")
    if level > 2:
        # the last step that is tried is the one that is taken, and its loss that of the next epoch
        last = tried[int(rows[0]["N linesearch iterations"]) - 1].split()
        assert float(last[2]) == pytest.approx(float(rows[0]["matching step"]), rel=1e-5)
        assert float(last[4]) == pytest.approx(float(rows[1]["loss"]), rel=1e-6)


def test_a_run_that_prints_nothing_still_says_what_is_wrong(tiny_file: Path, tmp_path: Path) -> None:
    changed(tiny_file, print_flag=0, data_path="no.h5")
    assert "there is no file" in refused("run", tiny_file, "--out", "run", cwd=tmp_path)


def test_interrupted_it_says_that_the_epochs_are_saved(tiny_file: Path, tmp_path: Path) -> None:
    preset = Preset.from_json(tiny_file)
    preset.update(epoch_max=5000, print_flag=2)
    preset.to_json(tiny_file)
    command = [sys.executable, "-m", "pypty_nb.cli", "run", str(tiny_file), "--out", "run"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("epoch 1 "):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode == 130
    assert "interrupted; complete epochs are saved" in rest and "Traceback" not in rest
    state = open_run(tmp_path / "run").checkpoint()
    assert state is not None and int(state["epoch"]) >= 1


# ---- what it refuses: presets and data
def changed(path: Path, **values: Any) -> None:
    plain = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(plain | values), encoding="utf-8")


def data(path: Path, array: Any, name: str = "data") -> str:
    with h5py.File(path.with_name("other.h5"), "w") as file:
        file[name] = array
    return str(path.with_name("other.h5"))


def spoilt(place: tuple[int, int, int], value: float) -> np.ndarray:
    array = np.full((25, 16, 16), 3.0)
    array[place] = value
    return array


REFUSED = {
    "missing preset": (lambda path: path.unlink(), r"preset .*preset\.json cannot be read: No such file"),
    "no JSON": (lambda path: path.write_text("acc_voltage: 80"), r"preset .*preset\.json is no valid JSON: .* line 1"),
    "binary": (lambda path: path.write_bytes(b"\xff\x00"), r"preset .*preset\.json is no text file"),
    "unknown parameter": (lambda path: changed(path, acc_voltag=80), "no parameter 'acc_voltag'; did you mean 'acc_voltage'"),
    "wrong value": (lambda path: changed(path, acc_voltage=-80), "acc_voltage: must be above 0 kV; got -80"),
    "code": (lambda path: changed(path, update_probe="lambda x: open('made', 'w')"), "update_probe: .*may call only.*'open'"),
    "no data": (lambda path: changed(path, data_path=""), "data_path: no measurements are given"),
    "data missing": (lambda path: changed(path, data_path="no.h5"), r"data_path: there is no file .*no\.h5"),
    "data a folder": (lambda path: changed(path, data_path=str(path.parent)), "data_path: .* is a folder"),
    "unknown ending": (lambda path: changed(path, data_path=str(path)), r"no reader for 'preset\.json'.*\.h5"),
    "no data in it": (lambda path: changed(path, data_path=data(path, 1, "x")), r"other\.h5: has no dataset 'data'"),
    "wrong axes": (lambda path: changed(path, data_path=data(path, np.ones((16, 16)))), r"other\.h5: has 2 axes"),
    "complex": (lambda path: changed(path, data_path=data(path, 1j * spoilt((0, 0, 0), 1))), r"other\.h5: holds complex128"),
    "damaged": (lambda path: path.with_name("patterns.h5").write_bytes(b"x" * 999), r"patterns\.h5: cannot be read as HDF5"),
    "NaN": (
        lambda path: changed(path, data_path=data(path, spoilt((7, 2, 3), np.nan))),
        r"other\.h5: NaN or infinite counts in 1 pixels, the first in pattern 7 at ky 2, kx 3",
    ),
    "negative": (
        lambda path: changed(path, data_path=data(path, spoilt((24, 15, 0), -1))),
        r"other\.h5: negative counts in 1 pixels, the first in pattern 24 at ky 15, kx 0",
    ),
    "zero": (lambda path: changed(path, data_path=data(path, np.zeros((25, 16, 16)))), r"other\.h5: every pattern is zero"),
    "too few patterns": (lambda path: changed(path, data_path=data(path, np.ones((24, 16, 16)))), "positions: has 25 rows"),
    "other size": (lambda path: changed(path, data_path=data(path, np.ones((25, 8, 8)))), "probe: is 16 × 16 px.* 8 × 8 px"),
    "no graphics card": (lambda path: changed(path, backend="cupy"), "backend"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_presets_and_data_that_cannot_be_used(tiny_file: Path, tmp_path: Path, case: str) -> None:
    spoil, sentence = REFUSED[case]
    if case == "no graphics card":
        try:
            import cupy  # noqa: F401  # pyright: ignore[reportMissingImports]
        except ImportError:
            pass
        else:
            pytest.skip("CuPy is installed")
    spoil(tiny_file)
    assert re.search(sentence, refused("run", tiny_file, "--out", tmp_path / "new" / "run", cwd=tmp_path))


# ---- folders, ports, formats, the command line itself
@pytest.mark.parametrize("out", ["file", "file/run", "/dev/null/run", "new/../file/run"])
def test_an_output_that_cannot_be_written(tiny_file: Path, tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("mine")
    sentence = refused("run", tiny_file, "--out", out, cwd=tmp_path)
    assert sentence.startswith(f"the output folder {out} cannot be written: ")


def test_a_folder_that_holds_a_run(tiny_file: Path, tmp_path: Path) -> None:
    RecordedRun.start(tiny_file, tmp_path / "run")
    assert "already holds a run" in refused("run", tiny_file, "--out", "run", cwd=tmp_path)
    assert "no epoch is complete yet" in refused("export", "run", cwd=tmp_path)
    (tmp_path / "run" / "checkpoint.npz").write_bytes(b"damaged")
    # which is noted
    noted = frozenset({"run/journal.jsonl", "run/state.json"})
    assert "checkpoint.npz is damaged" in refused("resume", "run", cwd=tmp_path, besides=noted)
    assert "checkpoint.npz is damaged" in refused("export", "run", cwd=tmp_path)
    (tmp_path / "run" / "params.json").write_text("{")
    (tmp_path / "run" / "checkpoint.npz").unlink()
    assert "params.json is no valid JSON" in refused("resume", "run", cwd=tmp_path)


def test_an_export_that_cannot_be_written(tiny_file: Path, tmp_path: Path) -> None:
    next(RecordedRun.start(tiny_file, tmp_path / "run"))
    (tmp_path / "file").write_text("mine")
    assert "the folder file/out cannot be written" in refused("export", "run", "--out", "file/out", cwd=tmp_path)
    assert "no format 'gif'; there are" in refused("export", "run", "--format", "gif", cwd=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("resume", "."), r"^\. is no run: it has no params\.json$"),
        (("resume", "[red]missing[/]"), r"^\[red\]missing\[/\] is no run"),
        (("resume", "a\\[red]b\\"), r"^a\\\[red\]b\\ is no run"),
        (("export", "missing"), "missing is no run"),
        (("app", "--root", "missing"), "--root: there is no folder missing"),
        (("app", "--root", "file"), "--root: there is no folder file"),
        (("app", "--port", "70000"), "--port.*65535"),
        (("app", "--port", "-1"), "--port"),
        (("app", "--port", "http"), "--port.*integer"),
        (("run",), "(?i)missing argument.*preset"),
        (("walk",), "No such command 'walk'"),
        (("--speed",), "No such option.*--speed"),
        (("run", "a.json", "--speed", "3"), "No such option.*--speed"),
        (("run", "a.json", "b.json"), "b.json"),
    ],
)
def test_a_command_line_that_cannot_be_used(tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    (tmp_path / "file").write_text("mine")
    assert re.search(sentence, refused(*arguments, cwd=tmp_path))


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        sentence = refused("app", "--port", port, "--root", tmp_path, cwd=tmp_path)
        assert sentence.startswith(f"--port: {port} cannot be used on 127.0.0.1") and "0 for a free one" in sentence
