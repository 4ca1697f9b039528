"""The parameters of a preset that calibrated values become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from pypty_nb.data.preprocess import Preprocessing
from pypty_nb.initialize.aperture import Disc, disc_mask
from pypty_nb.initialize.calibrated import Calibrated
from pypty_nb.initialize.experiment import Experiment
from pypty_nb.initialize.scan_grid import grid_positions_A, positions_px
from pypty_nb.params import Preset

_SEED = 0


class PresetValues(NamedTuple):
    """Parameters of a preset, quantities beside those calibrated, and what a person should look at."""

    parameters: dict[str, Any]
    values: dict[str, Calibrated]
    warnings: list[str]


def preset_values(
    given: Experiment, start: Preset, values: Mapping[str, Calibrated], disc: Disc, matrix: np.ndarray
) -> PresetValues:
    """Parameters for the patterns that `disc` was fitted to, whose scan lies as `matrix` says."""
    shape = disc.images["mean pattern"].shape
    binning = start.data_bin
    up = start.upsample_pattern if given.upsample_pattern is None else given.upsample_pattern
    pad = _padding(given, shape[1] // binning * up, up)
    window = (shape[0] // binning * up + 2 * pad.value, shape[1] // binning * up + 2 * pad.value)
    shift = _shift(start, shape, disc)
    # Å⁻¹ of a computed pixel: binned detector pixels, divided by upsampling
    sampling = values["rez_pixel_size_A"].value * binning / up
    pixel = (1 / (sampling * window[0]), 1 / (sampling * window[1]))
    warnings: list[str] = []
    if "positions" in values:
        points = values["positions"].value
    else:
        points = grid_positions_A(values["scan_size"].value, values["scan_step_A"].value)
    positions = positions_px(points, matrix, pixel)
    parameters: dict[str, Any] = {
        "acc_voltage": values["acc_voltage"].value,
        "scan_size": values["scan_size"].value,
        "scan_step_A": values["scan_step_A"].value if "scan_step_A" in values else None,
        "positions": positions,
        "pixel_size_y_A": pixel[0],
        "pixel_size_x_A": pixel[1],
        "data_pad": pad.value,
        "upsample_pattern": up,
        "data_shift_vector": shift.value,
        "extra_probe_defocus": values["defocus"].rounded,
        "aberrations": values["aberrations"].value if "aberrations" in values else start.aberrations,
        "aperture_mask": _aperture(disc, shift.value, binning, up, window),
        **_source(given, disc, Preprocessing(shift=shift.value, binning=binning), up, pad.value),
        **_specimen(given, start, positions, window, warnings),
    }
    if isinstance(start.probe, np.ndarray) and start.probe.shape[:2] != window:
        parameters["probe"] = None
        warnings.append(f"probe: the preset's is {start.probe.shape[:2]} px, the patterns ask for {window}; a new one is made")
    if given.print_flag is not None:
        parameters["print_flag"] = given.print_flag
    if given.output_folder is not None:
        parameters["output_folder"] = given.output_folder
    size = replace(values["rez_pixel_size_A"], value=pixel[1], uncertainty=None, source="by the width of the padded pattern")
    found = {"data_pad": pad, "data_shift_vector": shift, "pixel_size_A": size}
    for name in ("chemical_formula", "sample_name"):
        if getattr(given, name) is not None:
            found[name] = Calibrated(getattr(given, name), "user")
    return PresetValues(parameters, found, warnings)


def quarter(width: int, up: int) -> int:
    """The padding of a pattern of `width` computed pixels, of which `up` make a measured one, where none is stated."""
    # whole measured pixels, which the comparison over the padding needs
    return up * -(-width // (4 * up))


def _padding(given: Experiment, width: int, up: int) -> Calibrated:
    if given.data_pad is not None:
        return Calibrated(given.data_pad, "user")
    return Calibrated(quarter(width, up), "default", "a quarter of the pattern's width")


def _shift(start: Preset, shape: tuple[int, ...], disc: Disc) -> Calibrated:
    """Whole pixels that move the disc to the middle of the pattern."""
    if start.is_changed("data_shift_vector"):
        return Calibrated(tuple(start.data_shift_vector), "user", "the preset")
    b = start.data_bin
    middle = [(length // b // 2) * b + (b - 1) / 2 for length in shape]
    moved = tuple(round(to - at) for to, at in zip(middle, disc.centre, strict=True))
    return Calibrated(moved, "measured", "puts the disc in the middle")


def _aperture(disc: Disc, shift: tuple[int, ...], binning: int, up: int, window: tuple[int, int]) -> np.ndarray:
    """The disc on the computed grid, (ky, kx) float64."""
    shape = disc.images["mean pattern"].shape
    scale = up / binning
    centre = [
        (at + moved + 0.5) * scale - 0.5 + (side - length // binning * up) / 2
        for at, moved, side, length in zip(disc.centre, shift, window, shape, strict=True)
    ]
    return disc_mask(window, (centre[0], centre[1]), disc.radius * scale)


def _source(given: Experiment, disc: Disc, steps: Preprocessing, up: int, pad: int) -> dict[str, Any]:
    """Where the measurements are; for signals of virtual detectors, which tell nothing of the probe, a mean pattern too."""
    source: dict[str, Any] = {"data_path": given.data_path or "", "dataset": given.dataset}
    if given.masks is not None:
        pattern = steps.apply(np.maximum(disc.images["mean pattern"], 0)[None], np.float64)[0]
        pattern = np.pad(pattern.repeat(up, axis=0).repeat(up, axis=1) / up**2, pad)
        source |= {"masks": given.masks, "mean_pattern": pattern, "algorithm": "lsq_compressed"}
    return source


def _specimen(
    given: Experiment, start: Preset, positions: np.ndarray, window: tuple[int, int], warnings: list[str]
) -> dict[str, Any]:
    """Slices, modes, and the object to start from."""
    slices = given.num_slices or start.num_slices
    modes = given.num_obj_modes or start.obj.shape[3]
    found: dict[str, Any] = {"num_slices": slices}
    if given.total_thickness is not None:
        found["slice_distances"] = np.array([given.total_thickness / slices])
    sigma = given.obj_phase_sigma or 0.0
    if modes > 1 and not sigma:
        warnings.append("num_obj_modes: all modes start alike and stay so; give obj_phase_sigma, for instance 0.01 rad")
    shape = (1, 1)
    if sigma:
        shape = tuple(int(n) for n in np.rint(positions.max(axis=0)) + window)
    noise = sigma * np.random.default_rng(_SEED).standard_normal((*shape, slices, modes))
    found["obj"] = np.exp(1j * noise)
    return found
