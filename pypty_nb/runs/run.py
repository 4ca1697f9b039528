"""Reconstructions that leave a run folder behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pypty_nb.engine import Reconstruction, constraint_names
from pypty_nb.params import ParameterError, Preset, as_preset
from pypty_nb.records import EpochReport, Refinables
from pypty_nb.runs.folder import RunFolder
from pypty_nb.runs.simulation import write_simulated

Params = Preset | Mapping[str, Any] | str | os.PathLike[str]


@dataclass(frozen=True)
class RunResult:
    """What a run ends with.

    Attributes
    ----------
    point : Refinables
        All arrays, NumPy on the host.
    report : EpochReport
        The last one: the final state's loss and terms.
    folder : Path or None
        Where the run was written; ``None`` where nothing was.
    """

    point: Refinables
    report: EpochReport
    folder: Path | None


class RecordedRun:
    """A reconstruction that writes its folder as it goes: an iterator of `EpochReport`.

    Make one with `start` or `resume`.
    """

    def __init__(self, reconstruction: Reconstruction, folder: RunFolder):
        self.reconstruction, self.folder = reconstruction, folder
        self._reports = self._run()
        self._unsaved: EpochReport | None = None

    @classmethod
    def start(cls, pypty_params: Params, path: str | os.PathLike[str]) -> RecordedRun:
        """A new run in the folder `path`. The preset and the data are checked before anything is written.

        Raises
        ------
        ParameterError, DataError, BackendError
            `ValueError` each.
        RunFolderError
            Where the folder cannot be written or holds a run.
        """
        reconstruction = Reconstruction(pypty_params)
        folder = RunFolder.create(path, _anywhere(reconstruction.preset))
        folder.note("started", epoch=reconstruction.preset.epoch_prev, device=reconstruction.backend.name)
        return cls(reconstruction, folder)

    @classmethod
    def resume(cls, path: str | os.PathLike[str]) -> RecordedRun:
        """Go on with the run in the folder `path` after its last complete epoch."""
        folder = RunFolder.open(path)
        checkpoint = folder.checkpoint()
        reconstruction = Reconstruction(folder.preset(), checkpoint)
        epoch = reconstruction.preset.epoch_prev if checkpoint is None else int(checkpoint["epoch"])
        folder.note("resumed", epoch=epoch, device=reconstruction.backend.name)
        return cls(reconstruction, folder)

    def __iter__(self) -> Iterator[EpochReport]:
        return self

    def __next__(self) -> EpochReport:
        return next(self._reports)

    def stop(self) -> None:
        """End the run for a person: save the last complete epoch where it is not saved yet, and note it."""
        if self._unsaved is not None:
            self._save(self._unsaved)
        self.folder.note("stopped")

    def _run(self) -> Iterator[EpochReport]:
        try:
            for report in self.reconstruction:
                self._record(report)
                yield report
        except Exception as error:
            self.folder.note("failed", why=str(error))
            raise
        write_simulated(self.reconstruction)
        self.folder.note("finished")

    def _record(self, report: EpochReport) -> None:
        preset, epoch = self.reconstruction.preset, report.epoch
        # the log first: a line written twice after a kill is dropped on reading, one never written would be missed
        if preset.save_loss_log:
            names = constraint_names(preset) if preset.save_loss_log == 2 else None
            self.folder.log_loss(report, self.reconstruction.backend.memory(), names)
        self._unsaved = report
        if report.final or _due(preset.value_at("save_inter_checkpoints", epoch), epoch):
            self._save(report)
        # the final report is no epoch, and schedules need have no value there
        if not report.final and _due(preset.value_at("save_checkpoints_every_epoch", epoch), epoch):
            self.folder.write_snapshot(report.point, epoch)
        for warning in report.warnings:
            self.folder.note("warning", epoch=epoch, warning=warning)

    def _save(self, report: EpochReport) -> None:
        self.folder.write_checkpoint(self.reconstruction.checkpoint())
        self.folder.write_arrays(report.point)
        self._unsaved = None


def run_ptychography(pypty_params: Params, *, on_report: Callable[[EpochReport], None] | None = None) -> RunResult:
    """Reconstruct.

    Parameters
    ----------
    pypty_params : mapping, Preset or path of a preset
        Where `output_folder` is "" nothing is written.
    on_report : callable, optional
        Called with every `EpochReport`.

    Raises
    ------
    ParameterError, DataError, BackendError, ReconstructionError
        `ValueError` each: what is wrong with the preset, the measurements, the machine or the run.
    RunFolderError
        An `OSError`: the output folder cannot be written.
    """
    preset = as_preset(pypty_params)
    run = RecordedRun.start(preset, preset.output_folder) if preset.output_folder else None
    report = None
    reconstruction = run.reconstruction if run is not None else Reconstruction(preset)
    for report in run if run is not None else reconstruction:
        if on_report is not None:
            on_report(report)
    if report is None:
        raise ParameterError("the run gave no report")
    if run is None:
        write_simulated(reconstruction)
    return RunResult(report.point, report, run.folder.path if run is not None else None)


def _anywhere(preset: Preset) -> Preset:
    """`preset` with its paths made absolute, so that a run can be resumed from any folder."""
    given = {name: preset[name] for name in ("data_path", "phase_plate_in_h5") if preset[name]}
    if not given:
        return preset
    absolute = preset.copy()
    absolute.update({name: str(Path(path).resolve()) for name, path in given.items()})
    return absolute


def _due(setting: bool | int, epoch: int) -> bool:
    """Whether something saved always (True), never (False) or every n-th epoch is due after `epoch`."""
    if setting is True or setting is False:
        return setting
    return setting > 0 and (epoch + 1) % setting == 0
