"""Two halves of a run, and a quick look taken on to a full run: real processes, started from the workspace."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pypty_nb import Preset, run_ptychography
from pypty_nb.initialize import quick_look
from pypty_nb.params import ParameterError
from pypty_nb.runs import Phase, RunFolder
from pypty_nb.runs.full import full_preset, is_quick_look, keep_full
from pypty_nb.runs.notes import read_notes
from pypty_nb.workspace import Workspace
from pypty_nb.workspace.ledger import Ledger
from pypty_nb.workspace.thumbnails import SIDE, THUMBNAIL, thumbnail
from tests.browser import end_runs


def workspace(root: Path) -> Workspace:
    return Workspace(root, lambda _state: None, lambda _report: None)


def written(preset: Preset, folder: Path, **changes: object) -> RunFolder:
    made = preset.copy()
    made.update({**changes, "output_folder": str(folder)})
    run_ptychography(made)
    return RunFolder(folder)


def test_two_halves_are_queued_run_and_known_as_a_pair(tiny: Preset, tmp_path: Path) -> None:
    written(tiny, tmp_path / "runs" / "001")
    work, ledger = workspace(tmp_path), Ledger(tmp_path)
    try:
        assert work.start_halves("001") == ("002", "003")
        until = time.monotonic() + 180
        while any(ledger.entry(run).busy for run in ("002", "003")):
            assert time.monotonic() < until, [ledger.entry(run).state for run in ("002", "003")]
            work.jobs.advance()
            time.sleep(0.2)
    finally:
        end_runs(tmp_path)
    first, second = ledger.entry("002"), ledger.entry("003")
    assert (first.state, second.state) == ("finished", "finished")
    assert (first.twin, second.twin, first.name, second.name) == ("003", "002", "half 1 of 001", "half 2 of 001")
    sequences = [ledger.preset(run).sequence for run in ("002", "003")]
    np.testing.assert_array_equal(np.sort(np.concatenate(sequences)), np.arange(25))
    ledger.annotate("002", "a note")
    assert ledger.entry("002").twin == "003", "a note leaves the pair"


def test_halves_of_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="there is no run"):
        workspace(tmp_path).start_halves("../x")


def test_notes_of_earlier_versions_know_no_pair(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text('{"name": "a", "note": "b"}')
    assert read_notes(tmp_path).twin == ""


def test_a_full_run_starts_where_the_quick_look_ended(tiny: Preset, tmp_path: Path) -> None:
    preset = tiny.copy()
    preset.update(num_slices=2, slice_distances=np.array([5.0]), update_probe_pos=1)
    look = written(quick_look(preset), tmp_path / "runs" / "001", epoch_max=4)
    assert not is_quick_look(look)
    keep_full(look, preset)
    ledger, work = Ledger(tmp_path), workspace(tmp_path)
    assert ledger.entry("001").quick and full_preset(look) == preset
    found = look.point()

    # a page that has opened nothing takes the settings that the quick look was made from
    promoted = work.promoted("001")
    assert promoted.num_slices == 2 and promoted.obj.shape[2] == 2 and promoted.sequence is None
    assert promoted.epoch_max == preset.epoch_max and promoted.update_probe_pos == 1
    np.testing.assert_allclose(promoted.obj.prod(axis=2), found.obj.prod(axis=2), atol=1e-6)
    np.testing.assert_array_equal(promoted.positions, found.positions)

    # one with the same data takes what has been set there since
    work.preset.update(dict(preset.items()))
    work.preset.update(epoch_max=3)
    assert work.promoted("001").epoch_max == 3
    work.preset.update(acc_voltage=200)
    assert work.promoted("001").epoch_max == preset.epoch_max

    written(tiny, tmp_path / "runs" / "002", epoch_max=1)
    with pytest.raises(ParameterError, match="run 002 is no quick look"):
        work.promoted("002")


def test_a_quick_look_of_the_page_is_taken_on(tiny: Preset, tmp_path: Path) -> None:
    async def main() -> None:
        work = workspace(tmp_path)
        work.preset.update(dict(tiny.items()))
        assert work.quick_look_done == ""
        task = work.start(quick=True)
        assert work.quick_look_done == ""
        await asyncio.wait_for(task, 180)
        assert work.runner.state.phase is Phase.FINISHED and work.quick_look_done == "001"
        assert full_preset(RunFolder(tmp_path / "runs" / "001")) == tiny
        preset = await asyncio.to_thread(work.promoted, "001")
        await asyncio.wait_for(work.start_promoted(preset), 180)
        assert work.runner.state.phase is Phase.FINISHED and work.quick_look_done == ""
        rows = [RunFolder(tmp_path / "runs" / run).losses() for run in ("001", "002")]
        # of all patterns, so that only the order of magnitude can be the same; from nothing it would start far above
        assert float(rows[1][0]["loss"]) < float(rows[0][0]["loss"]) / 2
        # another page that looks at it knows it for what it is
        other = workspace(tmp_path)
        await asyncio.wait_for(other.attach(tmp_path / "runs" / "001", tiny), 60)
        assert other.quick_look_done == "001"

    try:
        asyncio.run(main())
    finally:
        end_runs(tmp_path)


def test_a_thumbnail_is_made_once_and_again_where_the_object_is_newer(tiny: Preset, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert thumbnail(folder) is None
    written(tiny, folder)
    made = thumbnail(folder)
    picture = Image.open(folder / THUMBNAIL)
    assert max(picture.size) == SIDE and picture.mode == "L" and np.asarray(picture).std() > 20
    kept = (folder / THUMBNAIL).stat()
    assert thumbnail(folder) == made and (folder / THUMBNAIL).stat().st_mtime_ns == kept.st_mtime_ns
    obj = np.load(folder / "co.npy")
    np.save(folder / "co.npy", np.exp(2j * np.angle(obj))[::-1])
    later = kept.st_mtime + 5
    os.utime(folder / "co.npy", (later, later))
    assert thumbnail(folder) != made
    (folder / THUMBNAIL).unlink()
    for damage in (b"", b"\x93NUMPY nonsense", np.random.default_rng(0).bytes(300)):
        (folder / "co.npy").write_bytes(damage)
        assert thumbnail(folder) is None
