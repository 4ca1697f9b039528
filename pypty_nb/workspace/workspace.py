"""What a person has chosen: a project folder, a preset, a data file; and the run under way."""

from __future__ import annotations

import asyncio
import re
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from pypty_nb.data import open_dataset
from pypty_nb.initialize import demo_preset
from pypty_nb.params import ParameterError, Preset
from pypty_nb.records import EpochReport
from pypty_nb.runs import RunFolder
from pypty_nb.workspace.runner import Runner, RunState


class Workspace:
    """One visitor's unsaved work on a project folder.

    Parameters
    ----------
    root : Path
        The project folder; files are chosen in it, runs are written under ``root/runs``.
    on_state, on_report :
        Told of the run under way, in the event loop's thread.
    """

    def __init__(self, root: Path, on_state: Callable[[RunState], None], on_report: Callable[[EpochReport], None]):
        self.root = root.resolve()
        self.preset = Preset()
        self.name = "untitled"
        self.runner = Runner(on_state, on_report)

    def use_demo(self) -> None:
        """Take the simulated specimen that comes with the program."""
        self.preset.update(demo_preset().to_dict())
        self.name = "demo"

    def use_file(self, path: Path) -> str:
        """Take a data file, or a preset (``.json``), inside the project folder; gives a sentence on what was found.

        Raises
        ------
        ParameterError, OSError
            Where the file is outside the folder, missing, or holds no patterns.
        """
        path = self.inside(path)
        if path.suffix == ".json":
            self.preset.update(Preset.from_json(path).to_dict())
            found = f"Preset {path.name}"
        else:
            dataset = open_dataset(path)
            shape = " × ".join(map(str, dataset.shape))
            self.preset.update(data_path=str(path), dataset=None)
            found = f"{path.name}: {shape}"
        self.name = path.stem
        return found

    def inside(self, path: Path) -> Path:
        """`path` where it lies in the project folder, symbolic links followed.

        Raises
        ------
        ParameterError
            Where it lies outside.
        """
        resolved = (self.root / path).resolve()
        if not resolved.is_relative_to(self.root):
            raise ParameterError(f"{path} lies outside the project folder {self.root}; choose a file inside it")
        return resolved

    def start(self) -> asyncio.Task[None]:
        """Run the preset as it is now, in a new folder."""
        return self.runner.start(self.preset, self.next_folder())

    def next_folder(self) -> Path:
        """The next free ``runs/NNN`` of the project folder, or the preset's `output_folder` where it names one."""
        if self.preset.output_folder:
            return self.inside(Path(self.preset.output_folder))
        runs = self.root / "runs"
        taken = [int(p.name) for p in runs.glob("*") if re.fullmatch(r"\d{3,6}", p.name)] if runs.is_dir() else []
        return runs / f"{max(taken, default=0) + 1:03d}"

    def exported(self) -> tuple[str, bytes]:
        """File name and content of the preset to take home: its JSON, or a zip of JSON and arrays where it has large ones."""
        with TemporaryDirectory() as scratch:
            path = self.preset.to_json(Path(scratch) / f"{self.name}.json")
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
