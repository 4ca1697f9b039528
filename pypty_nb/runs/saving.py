"""What a run leaves in its folder as its epochs come, and what is said where the folder cannot be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from pypty_nb.engine import Reconstruction, constraint_names
from pypty_nb.params import ParameterError
from pypty_nb.records import EpochReport
from pypty_nb.runs.errors import RunFolderError
from pypty_nb.runs.folder import RunFolder


class Saving:
    """Writes the epochs of `reconstruction` to `folder`, as often as its preset asks.

    What writes raises `RunFolderError` where it cannot; that error says what is on disk, and carries the last report.

    Attributes
    ----------
    report : EpochReport or None
        Of the last epoch that came.
    """

    def __init__(self, reconstruction: Reconstruction, folder: RunFolder):
        self.report: EpochReport | None = None
        self._reconstruction, self._folder = reconstruction, folder
        self._saved = True
        self._names: tuple[str, ...] | None = None
        self._columns: tuple[str, ...] = ()

    def record(self, report: EpochReport) -> None:
        """Log an epoch, and save its state where that is due."""
        preset, epoch = self._reconstruction.preset, report.epoch
        self.report, self._saved = report, False
        with self.writing():
            # the log first: a line written twice after a kill is dropped on reading, one never written would be missed
            if preset.save_loss_log:
                self._folder.log_loss(report, self._reconstruction.backend.memory(), self._constraints())
            if report.final or _due(preset.value_at("save_inter_checkpoints", epoch), epoch):
                self.catch_up()
            # the final report is no epoch, and schedules need have no value there
            if not report.final and _due(preset.value_at("save_checkpoints_every_epoch", epoch), epoch):
                self._folder.write_snapshot(report.point, epoch)
            for warning in report.warnings:
                self._folder.note("warning", epoch=epoch, warning=warning)

    def catch_up(self) -> None:
        """Save the last epoch where it is not saved yet."""
        if self._saved or self.report is None:
            return
        with self.writing():
            self._folder.write_checkpoint(self._reconstruction.checkpoint())
            self._folder.write_arrays(self.report.point)
        self._saved = True

    def go_back(self, state: Mapping[str, np.ndarray], **details: Any) -> None:
        """Put the earlier `state`, which the reconstruction has taken up, in the place of what came after it."""
        with self.writing():
            # the journal last: what was undone half is done again by a resume
            self._folder.write_checkpoint(state)
            self._folder.forget_losses_from(int(self._reconstruction.epoch))
            self._folder.write_arrays(self._reconstruction.point)
            self._folder.note("undone", **details)
        self._saved = True

    def note(self, event: str, **details: Any) -> None:
        """Add a line to the journal."""
        with self.writing():
            self._folder.note(event, **details)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Raise `RunFolderError` for whatever cannot be written inside."""
        try:
            yield
        except RunFolderError:
            raise
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> RunFolderError:
        saved = "nothing is saved yet"
        with suppress(ParameterError, OSError):
            if (state := self._folder.checkpoint()) is not None:
                saved = f"the state after epoch {int(state['epoch'])} is on disk, and a resume goes on from there"
        failure = RunFolderError(
            f"the run's folder {self._folder.path} cannot be written ({error.strerror or error}); "
            f"the run ended after epoch {int(self._reconstruction.epoch)}; {saved}"
        )
        failure.report = self.report
        return failure

    def _constraints(self) -> tuple[str, ...] | None:
        """The constraints with a column of their own in ``loss.csv``; a change may bring more."""
        preset = self._reconstruction.preset
        if preset.save_loss_log != 2:
            return None
        names = constraint_names(preset)
        if names != self._names:
            self._names, self._columns = names, self._folder.widen_losses(names)
        return self._columns


def _due(setting: bool | int, epoch: int) -> bool:
    """Whether something saved always (True), never (False) or every n-th epoch is due after `epoch`."""
    if setting is True or setting is False:
        return setting
    return setting > 0 and (epoch + 1) % setting == 0
