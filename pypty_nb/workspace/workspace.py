"""What a person has chosen: a project folder, a preset, a data file; and the run under way."""

from __future__ import annotations

import asyncio
import os
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pypty_nb.data import Dataset
from pypty_nb.engine.build import open_measurements
from pypty_nb.initialize import demo_preset, promoted, quick_look
from pypty_nb.params import FIELDS, ParameterError, Preset, known_name, same, starts
from pypty_nb.params.errors import describe
from pypty_nb.records import EpochReport
from pypty_nb.runs import Change, Changes, Phase, RunFolder, RunState
from pypty_nb.runs.full import full_preset, is_quick_look
from pypty_nb.workspace import paths, uploads
from pypty_nb.workspace.arrays import read_array, split
from pypty_nb.workspace.attached import Attached, News
from pypty_nb.workspace.history import History
from pypty_nb.workspace.jobs import Jobs, most_at_a_time
from pypty_nb.workspace.ledger import Ledger
from pypty_nb.workspace.lookout import Lookout
from pypty_nb.workspace.opening import Content, content_of, patterns_of
from pypty_nb.workspace.steering import Steering

DEMO = "Demonstration: a simulated specimen."
#: Presets that agree in these are about the same measurement.
_MEASURED = ("data_path", "dataset", "scan_size", "pixel_size_x_A", "pixel_size_y_A", "acc_voltage")


@dataclass
class Opened:
    """What is open. All changes since it was opened share it.

    Attributes
    ----------
    name : str
    found : str
        A sentence on what the file held, "" where none is open.
    left_out : tuple of str
        What could not be taken from it, one sentence each.
    saved : Preset
        The preset as it was opened, or last taken home.
    confirmed : bool
        Whether a person has agreed to what the file proposes.
    bad_pixels : "", "mask", "keep" or "replaced"
        What a person wants done with hot and dead pixels; "" where nobody has said.
    """

    name: str
    found: str
    left_out: tuple[str, ...]
    saved: Preset
    confirmed: bool = True
    bad_pixels: str = ""


class Workspace:
    """One visitor's unsaved work on a project folder.

    Parameters
    ----------
    root : Path
        The project folder; files are chosen in it, runs are written under ``root/runs``.
    on_state, on_report, on_news :
        Told of the run that is watched, in the event loop's thread. It is a process of its own and goes on without this one.
    """

    def __init__(
        self,
        root: Path,
        on_state: Callable[[RunState], None],
        on_report: Callable[[EpochReport], None],
        on_news: Callable[[News], None] = lambda news: None,
    ):
        self.root = root.resolve()
        self.preset = Preset()
        self.history = History(self.preset, Opened("untitled", "", (), self.preset.frozen()))
        self.jobs = Jobs(self.root, most_at_a_time())
        self.runner = Attached(self.jobs, on_state, on_report, on_news=on_news)
        self.steering = Steering(self.preset, self.history, self.runner)
        self.lookout = Lookout(self.root)
        #: What came from a run that is only watched.
        self._watched: Opened | None = None
        self._quick: Path | None = None

    @property
    def opened(self) -> Opened:
        """What is open; undo and redo change it with the preset."""
        return self.history.note

    @property
    def name(self) -> str:
        """What the present work is called; the preset is exported under this name."""
        return self.opened.name

    @name.setter
    def name(self, name: str) -> None:
        self.history.note = replace(self.opened, name=name)

    @property
    def modified(self) -> bool:
        """Whether the preset is another than the one opened, or last taken home."""
        return self.preset != self.opened.saved

    def mark_saved(self) -> None:
        """The preset as it is now has been taken home."""
        self.opened.saved = self.preset.frozen()

    def use_demo(self) -> str:
        """Take the simulated specimen that comes with the program; gives a sentence on it."""
        return self._take(Content(dict(demo_preset().items()), DEMO), "demo")

    def use_file(self, path: Path) -> str:
        """Take a file of patterns, or a preset (ours or the original program's), inside the project folder.

        Patterns replace what belonged to those before, arrays with it; settings stay. A preset replaces everything.
        Gives a sentence on what was found; `opened` says more.

        Raises
        ------
        ParameterError, OSError
            Where the file is outside the folder, missing, or holds neither.
        """
        path = self.inside(path)
        paths.check_parts(self.root, path)
        return self._take(content_of(path, self.preset), path.stem)

    def use_upload(self, files: Mapping[str, bytes]) -> str:
        """Take a preset that a visitor brings along: a file by its name, or a ``.json`` with the ``.h5`` of its arrays.

        It is kept under ``uploads`` in the project folder where it can be opened. Gives a sentence on what was found.

        Raises
        ------
        ParameterError, DataError, OSError
            Where it is too large, or holds neither preset nor patterns.
        """
        path = uploads.keep(self.root, files)
        try:
            return self.use_file(path)
        except (ValueError, OSError):
            path.unlink(missing_ok=True)
            raise

    def use_axes(self, axes: str) -> str:
        """Read the data file with its axes as stated in `axes`, as if it were another file; gives a sentence on it.

        Raises
        ------
        ParameterError, DataError
            Where no file is open, or the axes do not fit it.
        """
        path = self.inside(Path(self.preset.data_path))
        paths.check_parts(self.root, path)
        content = patterns_of(path, self.preset, axes)
        return self._take(content, self.name)

    def use_run(self, run: str) -> str:
        """Take the preset of the run in the folder ``runs/run``, for another run; gives a sentence on it.

        Raises
        ------
        ParameterError, RunFolderError
            Where there is no such run, or its preset cannot be read.
        """
        values = dict(Ledger(self.root).preset(run).items())
        return self._take(Content(values, f"Preset of run {run}"), f"from-run-{run}")

    def use_start(self, name: str) -> None:
        """Take a named start's settings; data, calibration and arrays stay.

        Raises
        ------
        ParameterError
            Where there is none of that name, or it contradicts the present data.
        """
        settings = starts.settings_of(name, compressed=self.preset.masks is not None)
        self.history.change(settings, f"start “{name}”")

    def load_array(self, name: str, typed: str) -> None:
        """Give the parameter `name` the array in a file inside the project folder: ``a.npy``, or ``b.h5:dataset``.

        Raises
        ------
        ParameterError
            Where the file is outside the folder, holds no such array, or the parameter refuses it; or where a run is
            under way in which it is fixed.
        """
        name = known_name(name)
        file, dataset = split(typed)
        try:
            array = read_array(self.inside(file), dataset, name)
        except ParameterError as error:
            raise ParameterError(*map(self.shortened, error.problems)) from error
        if self.runner.state.busy:
            self.steering.change(name, array)
        else:
            self.history.change({name: array}, f"load {FIELDS[name].label}")

    def dataset(self) -> Dataset | None:
        """The measurements of the preset, opened and not read; ``None`` where none are named.

        Raises
        ------
        ParameterError, DataError
            Where they cannot be opened, or lie outside the project folder.
        """
        if self.preset.dataset is None and not self.preset.data_path:
            return None
        return open_measurements(self.confined())

    def confirm(self, values: Mapping[str, Any]) -> None:
        """Take what the file proposes, as a person has agreed to it.

        Raises
        ------
        ParameterError
            Where a value is refused; then nothing has changed.
        """
        agreed = replace(self.opened, confirmed=True)
        if values.get("bad_pixels") is not None:
            agreed = replace(agreed, bad_pixels="mask")
        self.history.change(values, "confirm what the file says", agreed)

    def _take(self, content: Content, name: str) -> str:
        saved = self.preset.copy()
        saved.update(content.values)
        opened = Opened(name, content.found, content.left_out, saved.frozen(), not content.proposes)
        self.history.change(content.values, f"open {name}", opened)
        return content.found

    def shortened(self, message: str) -> str:
        """`message` with files of the project folder named as they lie in it."""
        return message.replace(f"{self.root}{os.sep}", "")

    def inside(self, path: Path) -> Path:
        """`path` where it lies in the project folder, symbolic links followed.

        Raises
        ------
        ParameterError
            Where it lies outside.
        """
        return paths.inside(self.root, path)

    def path_problems(self) -> dict[str, str]:
        """Parameter and sentence for every path of the preset that leads out of the project folder."""
        return {name: self.shortened(words) for name, words in paths.problems(self.root, self.preset).items()}

    def confined(self, preset: Preset | None = None) -> Preset:
        """A frozen copy of the preset, or of another one, its paths in full and all inside the project folder.

        Raises
        ------
        ParameterError
            Where one leads out of it.
        """
        preset = (preset if preset is not None else self.preset).copy()
        preset.update(paths.located(self.root, preset))
        return preset.frozen()

    def start(self, *, quick: bool = False) -> asyncio.Task[None]:
        """Run the preset as it is now, in a new folder; with `quick`, a short look at it.

        Raises
        ------
        ParameterError
            Where one of its paths leads out of the project folder.
        """
        preset = self.confined()
        folder = self.next_folder()
        if not quick:
            return self._begin(preset, folder)
        return self._begin(quick_look(preset).frozen(), folder, preset)

    def _begin(self, preset: Preset, folder: Path, full: Preset | None = None) -> asyncio.Task[None]:
        task = self.runner.start(_logged(preset), folder, full)
        self.steering.begin(preset)
        self._quick = folder if full is not None else None
        return task

    @property
    def quick_look_done(self) -> str:
        """The folder's name of the quick look that is watched and has ended with a result; "" where there is none."""
        state, quick = self.runner.state, self._quick
        ended = state.phase in {Phase.FINISHED, Phase.STOPPED} and state.epoch > state.epoch_first
        # only what lies among the runs can be started from
        among = quick is not None and quick == state.folder and quick.parent == self.root / "runs"
        return quick.name if quick is not None and among and ended else ""

    def promoted(self, run: str) -> Preset:
        """The preset for a full run that starts with object, probe and positions of the quick look in the folder ``runs/run``.

        It has the settings of the present preset where that is about the same data, else those that the quick look was made
        from. Reads the run's arrays: for a thread.

        Raises
        ------
        ParameterError, RunFolderError
            Where there is no such run, it is no quick look or has no complete epoch, or its objects do not fit the settings.
        """
        folder = Ledger(self.root).open(run)
        if not is_quick_look(folder):
            raise ParameterError(f"run {run} is no quick look; only from one a full run is started this way")
        point = folder.point()
        if point is None:
            raise ParameterError(f"run {run} has no complete epoch to start from")
        preset = self.confined(full_preset(folder))
        if not self.path_problems() and all(same(self.confined()[name], preset[name]) for name in _MEASURED):
            preset = self.confined()
        return promoted(preset, point).frozen()

    def start_promoted(self, preset: Preset) -> asyncio.Task[None]:
        """Run what `promoted` gave, in a new folder."""
        return self._begin(preset, self.next_folder())

    def start_halves(self, run: str) -> tuple[str, str]:
        """Queue two runs with the preset of the run in ``runs/run``, each on half of its patterns; gives their folders' names.

        For a thread.

        Raises
        ------
        ParameterError, RunFolderError
            Where there is no such run, its patterns cannot be shared out, or a folder cannot be written.
        """
        # scipy.signal with it takes as long to load as the rest of the page together
        from pypty_nb.runs.compare import halves

        ledger = Ledger(self.root)
        made: list[str] = []
        for half in halves(self.confined(ledger.preset(run))):
            folder = self.next_folder(half)
            self.jobs.start(_logged(half), folder)
            made.append(folder.name)
        ledger.pair(made[0], made[1], run)
        return made[0], made[1]

    def resume(self) -> asyncio.Task[None]:
        """Go on with the run that was watched last, after its last complete epoch."""
        if self.runner.state.folder is None:
            raise ParameterError("no run was under way here that could be resumed")
        return self.runner.restart(self.runner.state.folder)

    def under_way(self) -> RunFolder | None:
        """The run of the project folder that a process is at work on, the latest of several; else the first that waits."""
        states = [job.state for job in self.jobs.list()]
        working = [state.folder for state in states if state.owned]
        waiting = [state.folder for state in states if state.busy and not state.owned]
        folder = (working[-1:] or waiting[:1] or [None])[0]
        return RunFolder(folder) if folder is not None else None

    def driving(self, folder: Path) -> tuple[Preset, tuple[Change, ...]]:
        """What the run in `folder` was started with, and the changes in force in it.

        Raises
        ------
        ParameterError
            Where either cannot be read.
        """
        run = RunFolder(folder)
        return run.preset(), tuple(Changes(run).in_force())

    def attach(self, folder: Path, preset: Preset, changes: Sequence[Change] = ()) -> asyncio.Task[None]:
        """Watch the run in `folder`, started with `preset` and changed since; an unchanged page takes its preset.

        Raises
        ------
        ParameterError
            Where the preset cannot be taken.
        """
        free = self.free
        self.steering.begin(preset, changes)
        if free:
            values = dict(self.steering.running.items()) | {"output_folder": ""}
            self._take(Content(values, f"Preset of run {folder.name}"), f"from-run-{folder.name}")
            self._watched = self.opened
        self._quick = folder if is_quick_look(RunFolder(folder)) else None
        return self.runner.attach(folder)

    @property
    def free(self) -> bool:
        """Whether nothing of one's own would be lost to sight: nothing is open, or only what the run that was watched had."""
        if self.untouched:
            return True
        differs = self.preset.diff(self.steering.running)
        return self.opened is self._watched and differs.keys() <= {"output_folder"}

    @property
    def untouched(self) -> bool:
        """Whether nothing has been opened or changed."""
        return self.preset == Preset()

    def next_folder(self, preset: Preset | None = None) -> Path:
        """The next free ``runs/NNN`` of the project folder, or the preset's `output_folder` where it names one."""
        if folder := (preset if preset is not None else self.preset).output_folder:
            return self.inside(Path(folder))
        runs = self.root / "runs"
        taken = [int(p.name) for p in runs.glob("*") if re.fullmatch(r"\d{3,6}", p.name)] if runs.is_dir() else []
        return self.inside(runs / f"{max(taken, default=0) + 1:03d}")

    def exported(self) -> tuple[str, bytes]:
        """File name and content of the preset to take home: its JSON, or a zip of JSON and arrays where it has large ones.

        Data given as an array stay here where `strip_dataset_from_params` is on; the file says so.
        """
        preset, about = self.preset.copy(), ""
        if preset.dataset is not None and preset.strip_dataset_from_params:
            about = f"without its data, {describe(preset.dataset)}, as strip_dataset_from_params asks"
            preset.dataset = None
        with TemporaryDirectory() as scratch:
            path = preset.to_json(Path(scratch) / f"{self.name}.json", about=about)
            files = sorted(Path(scratch).iterdir())
            if len(files) == 1:
                return path.name, path.read_bytes()
            packed = BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                for file in files:
                    archive.write(file, file.name)
            return f"{self.name}.zip", packed.getvalue()

    def last_run(self) -> RunFolder | None:
        """The folder of the run under way or just ended."""
        folder = self.runner.state.folder
        return RunFolder(folder) if folder is not None else None


def _logged(preset: Preset) -> Preset:
    """`preset` with a column in ``loss.csv`` for each constraint: the views name their shares, and know them from the log."""
    if not preset.save_loss_log:
        return preset
    logged = preset.copy()
    logged.update(save_loss_log=2)
    return logged.frozen()
