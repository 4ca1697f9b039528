"""Two runs of the ledger against each other: presets, losses, pictures, and how far they agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pypty_nb.params import ParameterError, Preset
from pypty_nb.runs import RunFolder
from pypty_nb.workspace.differences import Change
from pypty_nb.workspace.ledger import Ledger
from pypty_nb.workspace.scene import Scene, losses_of

if TYPE_CHECKING:
    from pypty_nb.physics.frc import RingCorrelation
    from pypty_nb.runs.compare import PhasePair, PhasePicture, RunPictures


@dataclass(frozen=True)
class Comparison:
    """Two runs, A and B, against each other.

    Attributes
    ----------
    first, second : str
        The folders' names, A and B.
    changes : tuple of Change
        From A's preset to B's.
    losses : pair of Scene
        Without arrays.
    phases : PhasePair or None
        Both on the same pixels; ``None`` where that cannot be.
    alone : pair of PhasePicture or None
        Each by itself, where there are no `phases`; ``None`` for a run that has no picture.
    correlation : RingCorrelation or None
    problem : str
        Why there are no phases, or no correlation; "" where there are both.
    shared : bool
        Whether both may have used the same patterns.
    """

    first: str
    second: str
    changes: tuple[Change, ...]
    losses: tuple[Scene, Scene]
    phases: PhasePair | None
    alone: tuple[PhasePicture | None, PhasePicture | None]
    correlation: RingCorrelation | None
    problem: str
    shared: bool


def compare(ledger: Ledger, first: str, second: str) -> Comparison:
    """Compare two runs of `ledger`; takes a while, for a thread.

    Raises
    ------
    ParameterError, RunFolderError
        Where there is no such run, or a preset cannot be read.
    """
    # scipy.signal with it takes as long to load as the rest of the page together
    from pypty_nb.runs.compare import frc_of_runs, phases_of_runs

    runs = ledger.open(first), ledger.open(second)
    changed = ledger.changes(second, first)
    shared = share_patterns(ledger.preset(first), ledger.preset(second))
    phases = correlation = None
    problem = ""
    try:
        phases = phases_of_runs(*runs)
        correlation = frc_of_runs(*runs)
    except (ParameterError, OSError) as error:
        problem = str(error)
    alone = (None, None) if phases is not None else (_alone(runs[0]), _alone(runs[1]))
    curves = [losses_of(run) for run in runs]
    # both are seen to their ends
    longest = Preset(epoch_max=max(curve.preset.epoch_max for curve in curves))
    losses = replace(curves[0], preset=longest), replace(curves[1], preset=longest)
    return Comparison(first, second, changed, losses, phases, alone, correlation, problem, shared)


def share_patterns(first: Preset, second: Preset) -> bool:
    """Whether two presets may work on the same patterns: only sequences that are given and apart tell that they do not."""
    if not all(isinstance(preset.sequence, (np.ndarray, list, tuple)) for preset in (first, second)):
        return True
    return bool(len(np.intersect1d(np.asarray(first.sequence), np.asarray(second.sequence))))


def pictures(ledger: Ledger, run: str) -> RunPictures | None:
    """Object and probe of one run of `ledger`, ``None`` where it has none yet; takes a while, for a thread.

    Raises
    ------
    RunFolderError
        Where there is no such run.
    """
    from pypty_nb.runs.compare import pictures_of_run

    try:
        return pictures_of_run(ledger.open(run))
    except ParameterError:
        return None


def _alone(run: RunFolder) -> PhasePicture | None:
    from pypty_nb.runs.compare import phase_of_run

    try:
        return phase_of_run(run)
    except (ParameterError, OSError):
        return None
