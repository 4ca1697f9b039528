"""PNG pictures of object and probe, 8-bit grey, black and white at the 0.6 and 99.4 per cent points inside the scan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pypty_nb.files import atomic
from pypty_nb.params import Preset
from pypty_nb.records import Refinables

_LIMITS = (0.6, 99.4)


def write(point: Refinables, preset: Preset, folder: Path) -> list[Path]:
    """``object_phase_sS_mM.png``, ``object_modulus_sS_mM.png``, ``probe_modulus_mM.png``; numbered from 0."""
    del preset  # the scale bar needs the pixel size, and comes with the TIFF export
    pictures = {}
    inside = _scanned(point)
    for index in np.ndindex(point.obj.shape[2:]):
        plane, label = point.obj[:, :, *index], f"s{index[0]}_m{index[1]}"
        # turned so that the mean phase lies far from the wrap
        turned = plane * np.exp(-1j * np.angle(plane[inside].mean()))
        pictures[f"object_phase_{label}"] = (np.angle(turned), inside)
        pictures[f"object_modulus_{label}"] = (np.abs(plane), inside)
    for mode in range(point.probe.shape[2]):
        pictures[f"probe_modulus_m{mode}"] = (np.abs(point.probe[:, :, mode]), (slice(None), slice(None)))
    return [_save(folder / f"{name}.png", *picture) for name, picture in pictures.items()]


def _scanned(point: Refinables) -> tuple[slice, slice]:
    half = np.array(point.probe.shape[:2]) // 2
    low = np.floor(point.positions.min(axis=0)).astype(int) + half
    high = np.ceil(point.positions.max(axis=0)).astype(int) + half + 1
    return slice(low[0], high[0]), slice(low[1], high[1])


def _save(path: Path, image: np.ndarray, inside: tuple[slice, slice]) -> Path:
    low, high = np.percentile(image[inside], _LIMITS)
    scaled = np.clip((image - low) / max(high - low, 1e-30), 0, 1)
    with atomic(path) as temporary:
        Image.fromarray((255 * scaled).astype(np.uint8)).save(temporary, "PNG")
    return path
