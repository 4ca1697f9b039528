"""Changes of a run while it goes: made and undone between epochs, and made again at their epochs by a resume."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pypty_nb.engine import Reconstruction
from pypty_nb.runs.changes import Change, Changes
from pypty_nb.runs.commands import as_plain
from pypty_nb.runs.folder import RunFolder
from pypty_nb.runs.saving import Saving


class Steering:
    """Sets parameters of `reconstruction` between its epochs, and keeps in `folder` what was set when."""

    def __init__(self, reconstruction: Reconstruction, folder: RunFolder, saving: Saving):
        self._reconstruction, self._saving = reconstruction, saving
        self._changes = Changes(folder)
        self._pending: list[Change] = []

    def go_back_to(self, checkpoint: Mapping[str, np.ndarray] | None) -> None:
        """Take up what the folder holds: changes made before the checkpoint now, those after it at their epochs."""
        changes = self._changes.in_force()
        if checkpoint is not None:
            done = [change for change in changes if change.epoch < int(checkpoint["epoch"])]
            self._reconstruction.restore(checkpoint, [change.values for change in done])
            changes = changes[len(done) :]
        self._pending = changes

    def apply_due(self) -> bool:
        """Make the changes that the run that is resumed saw at this epoch; whether there were any."""
        waiting = len(self._pending)
        while self._pending and self._pending[0].epoch <= self._reconstruction.epoch:
            self._reconstruction.change(self._pending.pop(0).values)
        return len(self._pending) < waiting

    def change(self, values: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """See `RecordedRun.change`."""
        reconstruction = self._reconstruction
        plain = as_plain(values, reconstruction.preset.epoch_prev, reconstruction.preset.epoch_max)
        self.apply_due()
        before, in_force = reconstruction.checkpoint(), self._in_force()
        differences = reconstruction.change(plain)
        if not differences:
            return {}
        try:
            self._saving.catch_up()
            with self._saving.writing():
                self._changes.record(plain, differences, before)
        except BaseException:
            reconstruction.restore(before, [change.values for change in in_force])
            raise
        return differences

    def undo(self, number: int | None = None) -> None:
        """See `RecordedRun.undo`."""
        change, before = self._changes.before_last(int(self._reconstruction.epoch), number)
        rest = [other.values for other in self._in_force() if other.number != change.number]
        self._reconstruction.restore(before, rest)
        self._pending = [other for other in self._pending if other.epoch > self._reconstruction.epoch]
        self._saving.go_back(before, number=change.number, epoch=change.epoch)

    def _in_force(self) -> list[Change]:
        return [change for change in self._changes.in_force() if change.epoch <= self._reconstruction.epoch]
