"""From an experiment to a preset."""

from pypty_nb.initialize.demo import demo_preset
from pypty_nb.initialize.dpc import ScanGradient, fft_based_dpc, integrated, iterative_dpc, scan_gradient
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
    "ScanGradient", "ScanMaps", "annular_mask", "centre_of_mass", "demo_preset", "fft_based_dpc", "integrated",
    "iterative_dpc", "mean_pattern", "scan_gradient", "scan_maps", "virtual_image", "virtual_images",
]  # fmt: skip
