"""The ledger of runs: what it says of good and broken folders, how fast, and that nothing it does loses a run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pypty_nb import Preset, run_ptychography
from pypty_nb.engine import simulate
from pypty_nb.params import ParameterError
from pypty_nb.params.reference import shown
from pypty_nb.runs import RecordedRun, RunFolder, RunFolderError
from pypty_nb.runs.folder import JOURNAL, LOSS
from pypty_nb.runs.notes import NOTES, read_notes
from pypty_nb.runs.state import Owner, Phase, RunState, write_state
from pypty_nb.workspace import Workspace
from pypty_nb.workspace.comparing import compare
from pypty_nb.workspace.ledger import BROKEN, Ledger
from tests.conftest import EPOCHS, _tiny


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder with two finished runs, one that was stopped, and one that was cut off."""
    root = tmp_path_factory.mktemp("project")
    preset = _tiny().copy()
    for name, changes in (("001", {}), ("002", {"update_probe": "lambda x: x >= 3", "wolfe_c1_constant": 0.25})):
        changed = preset.copy()
        changed.update({**changes, "output_folder": str(root / "runs" / name)})
        run_ptychography(changed)
    stopped = RecordedRun.start(preset, root / "runs" / "003")
    next(stopped), next(stopped)
    stopped.stop()
    cut = RecordedRun.start(preset, root / "runs" / "010")
    next(cut), next(cut), next(cut)
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "project")
    return tmp_path / "project"


def age(folder: Path, seconds: float = 3600) -> None:
    for file in folder.iterdir():
        os.utime(file, (time.time() - seconds,) * 2)


# ---- the list
def test_every_run_with_how_it_stands(root: Path) -> None:
    ledger = Ledger(root)
    entries = ledger.entries()
    assert [entry.run for entry in entries] == ["001", "002", "003", "010"]
    assert [entry.state for entry in entries] == ["finished", "finished", "stopped by you", "running"]
    assert [entry.busy for entry in entries] == [False, False, False, True]
    assert [entry.epochs for entry in entries] == [EPOCHS, EPOCHS, 2, 3]
    assert all(entry.problem == "" for entry in entries)
    for entry in entries:
        rows = RunFolder(entry.path).losses()
        assert (entry.first_loss, entry.last_loss) == (float(rows[0]["loss"]), float(rows[-1]["loss"]))
        assert entry.seconds == float(rows[-1]["time / s"]) and entry.began is not None
        assert entry == ledger.entry(entry.run)
    age(root / "runs" / "010")
    assert ledger.entry("010").state == "cut off; can be resumed" and not ledger.entry("010").busy


def test_a_run_that_failed_says_why(root: Path) -> None:
    RunFolder(root / "runs" / "003").note("failed", why="epoch 2: the term 'data' of the loss is nan")
    assert Ledger(root).entry("003").state == "failed: epoch 2: the term 'data' of the loss is nan"


@pytest.mark.parametrize(
    ("phase", "words"),
    [(Phase.RUNNING, "running"), (Phase.PAUSED, "paused"), (Phase.PREPARING, "preparing"), (Phase.STOPPING, "stopping")],
)
def test_the_state_file_decides_while_a_process_is_at_work(root: Path, phase: Phase, words: str) -> None:
    folder = root / "runs" / "010"
    age(folder)
    write_state(folder, RunState(phase, 3, 0, EPOCHS, owner=Owner.of(os.getpid())))
    entry = Ledger(root).entry("010")
    assert (entry.state, entry.busy) == (words, True)
    ended = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = Owner.of(ended.pid)
    ended.communicate(b"\n")
    write_state(folder, RunState(phase, 3, 0, EPOCHS, owner=owner))
    entry = Ledger(root).entry("010")
    assert entry.state.startswith(f"lost: process {ended.pid} on ") and "after epoch 3" in entry.state and not entry.busy


def test_a_run_in_the_queue_waits_and_one_that_ended_is_told_by_its_journal(root: Path) -> None:
    folder = root / "runs" / "002"
    write_state(folder, RunState(Phase.QUEUED))
    assert (Ledger(root).entry("002").state, Ledger(root).entry("002").busy) == ("waits", True)
    write_state(folder, RunState(Phase.FINISHED))
    assert (Ledger(root).entry("002").state, Ledger(root).entry("002").busy) == ("finished", False)
    (folder / "state.json").write_text("{")
    assert Ledger(root).entry("002").state == "finished"


def test_lines_are_read_again_where_something_changed(root: Path) -> None:
    ledger = Ledger(root)
    before = ledger.entry("003")
    run = RecordedRun.resume(root / "runs" / "003")
    assert ledger.entry("003").state == "running"
    list(run)
    after = ledger.entry("003")
    assert (after.state, after.epochs) == ("finished", EPOCHS) and after.last_loss != before.last_loss
    # a kill in mid-line leaves the line before
    with (root / "runs" / "003" / LOSS).open("a") as file:
        file.write("7,0.1,99")
    assert ledger.entry("003").last_loss == after.last_loss


def test_an_empty_project(tmp_path: Path) -> None:
    assert Ledger(tmp_path).entries() == [] and Ledger(tmp_path).trashed() == []


BREAKS = {
    "empty": lambda folder: [file.unlink() for file in folder.iterdir()],
    "no preset": lambda folder: (folder / "params.json").unlink(),
    "preset cut": lambda folder: (folder / "params.json").write_text('{"a": '),
    "preset a list": lambda folder: (folder / "params.json").write_text("[]"),
    "preset bytes": lambda folder: (folder / "params.json").write_bytes(b"\xff\xfe\x00"),
    "preset deep": lambda folder: (folder / "params.json").write_text("[" * 100_000),
    "preset a folder": lambda folder: ((folder / "params.json").unlink(), (folder / "params.json").mkdir()),
    "loss of nonsense": lambda folder: (folder / LOSS).write_text("epoch,loss\nx,y\n"),
    "loss of other columns": lambda folder: (folder / LOSS).write_text("a,b\n1,2\n3,4,5\n"),
    "loss of zeros": lambda folder: (folder / LOSS).write_bytes(b"\x00" * 5000 + b"\n" + b"\x00\n\x00\n"),
    "loss endless": lambda folder: (folder / LOSS).write_text("epoch\n" + '"' + "x" * 200_000 + '"\n'),
    "loss a folder": lambda folder: ((folder / LOSS).unlink(), (folder / LOSS).mkdir()),
    "journal of a list": lambda folder: (folder / JOURNAL).write_text('[1]\n"x"\n{"event": 3}\n{"event": "started"}\n'),
    "notes of nonsense": lambda folder: (folder / NOTES).write_text('{"name": 3}'),
    "notes deep": lambda folder: (folder / NOTES).write_text('{"name":' * 50_000),
}


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_folder_says_why_and_hides_no_other(root: Path, how: str) -> None:
    ledger = Ledger(root)
    good = {entry.run: entry for entry in ledger.entries()}
    BREAKS[how](root / "runs" / "002")
    for again in (ledger, Ledger(root)):
        entries = again.entries()
        assert [entry.run for entry in entries] == list(good)
        broken = entries.pop(1)
        assert broken.problem, broken
        assert (broken.state == BROKEN) == (how.startswith(("empty", "preset", "no ")) or "a folder" in how)
        assert all(entry == good[entry.run] for entry in entries)
    if not broken.busy:
        ledger.trash("002")
        assert "002" not in [entry.run for entry in ledger.entries()]


def test_files_beside_the_runs_are_none(root: Path) -> None:
    (root / "runs" / "notes.txt").write_text("x")
    (root / "runs" / ".hidden").mkdir()
    assert len(Ledger(root).entries()) == 4


def test_five_hundred_runs_are_listed_at_once(tmp_path: Path, template: Path) -> None:
    source = template / "runs" / "001"
    rows = (source / LOSS).read_text().splitlines()
    long = "\n".join([rows[0], *(rows[1 + n % EPOCHS] for n in range(300)), rows[-1]]) + "\n"
    for number in range(1, 501):
        folder = tmp_path / "runs" / f"{number:03d}"
        folder.mkdir(parents=True)
        for name in ("params.json", JOURNAL):
            shutil.copy(source / name, folder / name)
        (folder / LOSS).write_text(long)
    ledger = Ledger(tmp_path)
    began = time.perf_counter()
    assert len(ledger.entries()) == 500
    first = time.perf_counter() - began
    began = time.perf_counter()
    assert [entry.state for entry in ledger.entries()] == ["finished"] * 500
    again = time.perf_counter() - began
    print(f"500 runs of 300 epochs: {first:.2f} s, again {again:.2f} s")
    assert first < 5 and again < 1.0


# ---- names, notes, presets
def test_names_and_notes_stay_with_the_run(root: Path) -> None:
    ledger = Ledger(root)
    ledger.rename("001", "  gold \n particles ")
    ledger.annotate("001", "C10 was 15 Å off\nsecond line ✓")
    for again in (ledger, Ledger(root)):
        entry = again.entry("001")
        assert (entry.run, entry.name, entry.note) == ("001", "gold particles", "C10 was 15 Å off\nsecond line ✓")
    ledger.rename("001", "")
    assert read_notes(root / "runs" / "001").name == "" and ledger.entry("001").note
    with pytest.raises(ParameterError, match="the name has 300 characters; it may have 200"):
        ledger.rename("001", "x" * 300)


def test_a_full_disk_keeps_the_old_note(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(root)
    ledger.annotate("001", "kept")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunFolderError, match="cannot be written: No space left"):
        ledger.annotate("001", "lost")
    assert ledger.entry("001").note == "kept"


@pytest.mark.parametrize("name", ["", ".", "..", "../runs/001", "004", ".trash", "/etc", "001/..", "a\x00b"])
def test_only_runs_of_the_folder_are_reached(root: Path, name: str) -> None:
    ledger = Ledger(root)
    for ask in (ledger.open, ledger.trash, ledger.entry, ledger.preset, lambda run: ledger.rename(run, "x")):
        with pytest.raises(ParameterError, match="there is no run"):
            ask(name)


def test_how_presets_differ(root: Path) -> None:
    ledger = Ledger(root)
    changes = {change.name: (change.before, change.after) for change in ledger.changes("002", "001")}
    assert changes.pop("output_folder", None) is None
    first = ledger.preset("001")
    assert changes == {
        "update_probe": (shown(first.update_probe), "lambda x: x >= 3"),
        "wolfe_c1_constant": (shown(first.wolfe_c1_constant), "0.25"),
    }
    defaults = {change.name: change.after for change in ledger.changes("001")}
    assert defaults["acc_voltage"] == "80" and defaults["positions"] == "array (25, 2)"
    other = ledger.preset("001")
    other.update(positions=other.positions + 1, output_folder=str(root / "runs" / "011"), epoch_max=1)
    run_ptychography(other)
    moved = {change.name: (change.before, change.after) for change in ledger.changes("011", "001")}
    assert moved["positions"] == ("array (25, 2)", "another array (25, 2)")


def test_a_preset_is_cloned_into_the_workspace(root: Path) -> None:
    workspace = Workspace(root, lambda _state: None, lambda _report: None)
    assert workspace.use_run("002") == "Preset of run 002"
    assert workspace.preset.wolfe_c1_constant == 0.25 and workspace.preset.output_folder == ""
    assert workspace.name == "from-run-002" and not workspace.modified
    assert workspace.next_folder().name == "011"
    workspace.history.undo()
    assert workspace.preset == Preset()


# ---- trash
def test_a_run_goes_to_the_trash_and_comes_back_whole(root: Path) -> None:
    ledger = Ledger(root)
    before = {file.name: file.read_bytes() for file in (root / "runs" / "001").iterdir()}
    name = ledger.trash("001")
    ledger.rename("002", "kept")
    assert name.startswith("001-") and [(trashed.kept, trashed.run, trashed.name) for trashed in ledger.trashed()] == [
        (name, "001", "")
    ]
    assert abs(ledger.trashed()[0].when.timestamp() - time.time()) < 600
    assert [entry.run for entry in ledger.entries()] == ["002", "003", "010"]
    assert ledger.restore(name) == "001" and ledger.trashed() == []
    assert {file.name: file.read_bytes() for file in (root / "runs" / "001").iterdir()} == before
    # where its number has been given again it gets the next one
    name = ledger.trash("001")
    shutil.copytree(root / "runs" / "002", root / "runs" / "001")
    assert ledger.restore(name) == "011"
    for _ in range(2):
        shutil.copytree(root / "runs" / "002", root / "runs" / "020")
        ledger.trash("020")
    assert [trashed.run for trashed in ledger.trashed()] == ["020", "020"]
    assert {trashed.name for trashed in ledger.trashed()} == {"kept"}, "what people called it is known in the trash, too"
    for wrong in ("", "020", "../001", "020-20200101T000000"):
        with pytest.raises(ParameterError, match="the trash holds no run"):
            ledger.restore(wrong)


def test_a_running_run_is_not_thrown_away(root: Path) -> None:
    ledger = Ledger(root)
    with pytest.raises(RunFolderError, match="run 010 is running; stop it first"):
        ledger.trash("010")
    assert (root / "runs" / "010" / "params.json").is_file()


# ---- two runs
def test_two_runs_compared(root: Path) -> None:
    ledger = Ledger(root)
    found = compare(ledger, "002", "001")
    changes = {change.name: (change.before, change.after) for change in found.changes}
    assert set(changes) == {"update_probe", "wolfe_c1_constant"} and changes["wolfe_c1_constant"] == ("0.25", "0.5")
    for curve, run in zip(found.losses, ("002", "001"), strict=True):
        np.testing.assert_array_equal(curve.epochs, np.arange(EPOCHS + 1))
        assert curve.losses[0] > curve.losses[-1] == pytest.approx(ledger.entry(run).last_loss) and curve.name == run
    # the tiny scan spans fewer pixels than a registration needs, which is said and leaves both pictures
    assert found.phases is None and found.correlation is None and "too few" in found.problem and found.shared
    for picture in found.alone:
        assert picture.values.std() > 0 and picture.limits[0] < picture.limits[1] and picture.pixel_size == (0.3, 0.3)


def test_two_larger_runs_with_their_pictures(root: Path) -> None:
    preset = _tiny().copy()
    grid = np.arange(7) * 3.0
    positions = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    phase = np.random.default_rng(0).standard_normal((36, 36))
    smooth = np.fft.ifft2(np.fft.fft2(phase) * np.exp(-40 * np.add.outer(*[np.fft.fftfreq(36) ** 2] * 2))).real
    preset.update(dataset=None, obj=np.exp(2j * smooth)[..., None, None], positions=positions, scan_size=(7, 7))
    preset.update(dataset=simulate(preset), obj=np.ones((1, 1, 1, 1), complex))
    for name, epochs in (("021", 4), ("022", 8)):
        preset.update(epoch_max=epochs, output_folder=str(root / "runs" / name))
        run_ptychography(preset)
    found = compare(Ledger(root), "021", "022")
    assert found.problem == "" and found.phases is not None and found.alone == (None, None)
    assert found.correlation is not None and found.correlation.correlation[0] > 0.9
    assert found.phases.scanned[0] == found.phases.scanned[1] == found.phases.first.shape
    assert 0 < found.phases.reach <= abs(found.phases.difference).max()
    assert found.phases.difference.shape == found.phases.first.shape == found.phases.second.shape
    assert found.phases.limits[0] < found.phases.limits[1]
    assert 0 < np.std(found.phases.difference) < np.std(found.phases.first)
    preset.update(pixel_size_x_A=0.5, epoch_max=1, output_folder=str(root / "runs" / "023"))
    run_ptychography(preset)
    found = compare(Ledger(root), "021", "023")
    assert "only runs with equal pixels" in found.problem and found.phases is None
    assert [picture.pixel_size for picture in found.alone] == [(0.3, 0.3), (0.3, 0.5)]


# ---- the command
def test_the_command_prints_the_ledger(root: Path) -> None:
    Ledger(root).rename("002", "second [try]")
    (root / "runs" / "003" / "params.json").write_text("{")
    command = [sys.executable, "-m", "pypty_nb.cli", "runs", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    header, *lines = done.stdout.splitlines()
    assert header.split() == ["run", "name", "state", "epochs", "loss", "first", "last", "took", "began", "note"]
    assert [line[:3] for line in lines] == ["001", "002", "003", "010"]
    assert "second [try]" in lines[1] and "finished" in lines[1]
    assert "broken: params.json cannot be read" in lines[2]
    (root / "empty").mkdir()
    empty = subprocess.run([*command[:-1], str(root / "empty")], capture_output=True, text=True, timeout=60)
    assert (empty.returncode, "no runs yet" in empty.stdout) == (0, True)
    assert json.loads((root / "runs" / "002" / NOTES).read_text())["name"] == "second [try]"


def test_the_command_lists_runs_that_were_written_into_the_folder_itself(root: Path) -> None:
    """As `pypty-nb run --out DIR` and `pypty-nb run` leave them; what else lies there is no run."""
    shutil.copytree(root / "runs" / "001", root / "scan-run-001")
    shutil.copytree(root / "runs" / "003", root / "by hand [2]")
    (root / "pictures").mkdir()
    (root / ".hidden").mkdir()
    (root / "scan-run-001" / "params.json").write_text("{")

    def listed(folder: Path) -> list[str]:
        command = [sys.executable, "-m", "pypty_nb.cli", "runs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[1:]

    lines = listed(root)
    assert [line.partition("  ")[0].rstrip() for line in lines] == ["001", "002", "003", "010", "by hand [2]", "scan-run-001"]
    assert "stopped by you" in lines[4] and "broken: params.json cannot be read" in lines[5]
    # and of a folder of runs, or of one run
    assert [line[:3] for line in listed(root / "runs")] == ["001", "002", "003", "010"]
    (line,) = listed(root / "by hand [2]")
    assert line.startswith("by hand [2]") and "stopped by you" in line
    # the page's ledger is that of the project
    assert [entry.run for entry in Ledger(root).entries()] == ["001", "002", "003", "010"]
