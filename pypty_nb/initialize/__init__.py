"""From an experiment to a preset."""

from pypty_nb.initialize.calibrate import Calibration, calibrate_experiment
from pypty_nb.initialize.calibrated import Calibrated
from pypty_nb.initialize.chunks import (
    create_aberrations_chunks,
    create_probe_marker_chunks,
    create_sequence_from_points,
    create_sub_sequence,
)
from pypty_nb.initialize.create_pypty_data import Imported, create_pypty_data
from pypty_nb.initialize.demo import demo_preset
from pypty_nb.initialize.dpc import ScanGradient, fft_based_dpc, integrated, iterative_dpc, scan_gradient
from pypty_nb.initialize.exp_params import append_exp_params
from pypty_nb.initialize.experiment import Experiment
from pypty_nb.initialize.preflight import PreflightLine, PreflightReport, preflight
from pypty_nb.initialize.quick_look import promoted, quick_look
from pypty_nb.initialize.scan_guess import get_ptycho_obj_from_scan
from pypty_nb.initialize.starting import Starting, starting_point
from pypty_nb.initialize.transforms import conjugate_beam, rotate_scan_grid, tiltbeamtodata
from pypty_nb.initialize.virtual import (
    ScanMaps,
    annular_mask,
    centre_of_mass,
    mean_pattern,
    scan_maps,
    virtual_image,
    virtual_images,
)

__all__ = [
    "Calibrated", "Calibration", "Experiment", "Imported", "PreflightLine", "PreflightReport", "ScanGradient",
    "ScanMaps", "Starting", "annular_mask", "append_exp_params", "calibrate_experiment", "centre_of_mass", "conjugate_beam",
    "create_aberrations_chunks", "create_probe_marker_chunks", "create_pypty_data", "create_sequence_from_points",
    "create_sub_sequence", "demo_preset", "fft_based_dpc", "get_ptycho_obj_from_scan", "integrated", "iterative_dpc",
    "mean_pattern", "preflight", "promoted", "quick_look", "rotate_scan_grid", "scan_gradient", "scan_maps",
    "starting_point", "tiltbeamtodata", "virtual_image", "virtual_images",
]  # fmt: skip
