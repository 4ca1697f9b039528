"""TIFF images of object and probe: 32-bit float, true values, the pixel size where Fiji and ImageJ look for it.

ImageJ reads the resolution tags as pixels for each ``unit`` of its own line in the description, and wants the tag for inch
or centimetre to say neither; with it a pixel would come out ten million times too large. So the tags are pixels per nm.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from pypty_nb.files import atomic
from pypty_nb.runs.result import Result

ABOUT = "TIFF images, 32-bit float: phase in rad and modulus, with the pixel size for Fiji and ImageJ"

_A_PER_NM = 10.0


def write(result: Result, folder: Path) -> list[Path]:
    """``object_phase_sS_mM.tif`` (rad), ``object_modulus_sS_mM.tif``, ``probe_modulus_mM.tif``; numbered from 0."""
    images: dict[str, tuple[np.ndarray, str]] = {}
    for at, mode, plane in result.planes():
        images[f"object_phase_s{at}_m{mode}"] = (result.phase(plane), "phase, rad, less its mean inside the scan")
        images[f"object_modulus_s{at}_m{mode}"] = (np.abs(plane), "modulus of the transmission")
    for name, plane in result.probe_planes():
        images[f"probe_modulus_{name}"] = (np.abs(plane), "modulus, square root of counts")
    return [_save(folder / f"{name}.tif", image, label, result) for name, (image, label) in images.items()]


def _save(path: Path, image: np.ndarray, label: str, result: Result) -> Path:
    size_y, size_x = result.pixel_size
    described: dict[str, object] = {"Labels": [label]}
    resolution = None
    if result.is_calibrated:
        resolution = (_A_PER_NM / size_x, _A_PER_NM / size_y)
        described |= {"unit": "nm", "pixel_size_x_A": size_x, "pixel_size_y_A": size_y}
    with atomic(path) as temporary:
        tifffile.imwrite(temporary, image.astype(np.float32), imagej=True, resolution=resolution, metadata=described)
    return path
