"""From an experiment to a preset."""

from pypty_nb.initialize.demo import demo_preset
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
    "ScanMaps", "annular_mask", "centre_of_mass", "demo_preset", "mean_pattern", "scan_maps", "virtual_image", "virtual_images",
]  # fmt: skip
