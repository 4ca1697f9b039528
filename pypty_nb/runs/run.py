"""Reconstructions from Python in one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pypty_nb.engine import Reconstruction
from pypty_nb.params import ParameterError, as_preset
from pypty_nb.records import EpochReport, Refinables
from pypty_nb.runs.recorded import Params, RecordedRun
from pypty_nb.runs.simulation import require_room_for_simulated, write_simulated


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
        An `OSError`: the output folder, or the file for simulated patterns, cannot be written.
    """
    preset = as_preset(pypty_params)
    run = RecordedRun.start(preset, preset.output_folder) if preset.output_folder else None
    report = None
    if run is None:
        require_room_for_simulated(preset)
    reconstruction = run.reconstruction if run is not None else Reconstruction(preset)
    for report in run if run is not None else reconstruction:
        if on_report is not None:
            on_report(report)
    if report is None:
        raise ParameterError("the run gave no report")
    missing = write_simulated(reconstruction) if run is None else ""
    if missing:
        report = replace(report, warnings=(*report.warnings, missing))
    return RunResult(report.point, report, run.folder.path if run is not None else None)
