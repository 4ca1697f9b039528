"""From an experiment to a preset."""

from pypty_nb.initialize.calibrate import Calibration, calibrate_experiment
from pypty_nb.initialize.calibrated import Calibrated
from pypty_nb.initialize.demo import demo_preset
from pypty_nb.initialize.exp_params import append_exp_params
from pypty_nb.initialize.experiment import Experiment

__all__ = ["Calibrated", "Calibration", "Experiment", "append_exp_params", "calibrate_experiment", "demo_preset"]
