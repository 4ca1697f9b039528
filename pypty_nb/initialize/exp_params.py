"""`append_exp_params`: a preset calibrated to an experiment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pypty_nb.files import write_text
from pypty_nb.initialize.calibrate import Calibration, calibrate_experiment
from pypty_nb.initialize.experiment import Experiment
from pypty_nb.initialize.virtual import Progress
from pypty_nb.params import Preset


def append_exp_params(
    experiment: Mapping[str, Any],
    pypty_params: Preset | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    *,
    progress: Progress | None = None,
) -> Preset:
    """A preset calibrated to an experiment.

    `calibrate_experiment` gives beside the preset every value with its uncertainty, where it comes from, and pictures.

    Parameters
    ----------
    experiment : mapping
        Keys as in `Experiment`, for instance ``{"data_path": "scan.h5", "acc_voltage": 300}``. What is left out or ``None`` is
        taken from the file, measured from the patterns, or a default.
    pypty_params : Preset, mapping, path, or None
        The preset to calibrate; it is not changed. The defaults where there is none.
    progress : function, optional
        As in `calibrate_experiment`.

    Raises
    ------
    ParameterError, DataError
        `ValueError` each: what contradicts itself, is missing or cannot be told, and what to do.
    """
    given = Experiment.of(experiment)
    calibration = calibrate_experiment(given, pypty_params, progress=progress)
    if given.save_preprocessing_files and given.output_folder:
        save_calibration(calibration, Path(given.output_folder))
    return calibration.preset


def save_calibration(calibration: Calibration, folder: Path) -> Path:
    """Write the calibrated values, their tags and the warnings to ``calibration.json`` in `folder`; gives the path back."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        name: {
            "value": np.asarray(found.value).tolist(),
            "uncertainty": found.uncertainty,
            "tag": found.tag,
            "source": found.source,
        }
        for name, found in calibration.values.items()
    }
    text = json.dumps({"values": values, "warnings": calibration.warnings}, indent=1, ensure_ascii=False)
    write_text(folder / "calibration.json", text + "\n")
    return folder / "calibration.json"
