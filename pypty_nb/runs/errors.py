"""What goes wrong with a run's folder, in words."""

from __future__ import annotations

from pypty_nb.records import EpochReport


class RunFolderError(OSError):
    """A folder that cannot be written, or is no run.

    Attributes
    ----------
    report : EpochReport or None
        Where a run under way could not be written any more: its last one, whose ``point`` holds all arrays.
    """

    report: EpochReport | None = None
