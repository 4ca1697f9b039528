"""The original program's numbers, read as presets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "golden"
#: Gradients of the files by the refinable's name.
GRADIENTS = {
    "obj": "out/grad_obj",
    "probe": "out/grad_probe",
    "positions": "out/grad_positions_correction",
    "tilts": "out/grad_tilts",
    "static_background": "out/grad_static_background",
    "aberrations_array": "out/grad_aberrations_array",
    "beam_current": "out/grad_beam_current",
}
_SETTINGS = (
    "algorithm", "recon_type", "tilt_mode", "data_pad", "upsample_pattern", "smooth_rolloff", "damping_cutoff_multislice",
    "alpha_near_field", "acc_voltage", "scan_size", "loss_weight", "use_padded_intensity",
)  # fmt: skip


_ARRAYS = (
    "static_background", "beam_current", "aberrations_array", "aberration_marker", "probe_marker", "defocus_array", "window",
    "aperture_mask", "masks",
)  # fmt: skip
_SWITCHES = {
    "positions": "update_probe_pos",
    "tilts": "update_tilts",
    "static_background": "update_static_background",
    "aberrations_array": "update_aberrations_array",
    "beam_current": "update_beam_current",
}


def _acts(name: str, key: str, arrays: dict[str, np.ndarray]) -> bool:
    """Whether a gradient is in the file, or was left out because the original's is wrong."""
    return key in arrays or (f"in/{name}" in arrays and key.removeprefix("out/") in json.loads(str(arrays["wrong"])))


@dataclass(frozen=True)
class Golden:
    """One file: the preset that evaluates it, and what came out."""

    params: dict[str, Any]
    loss: float
    sse: float
    gradients: dict[str, np.ndarray]
    wrong: frozenset[str]


def load(name: str) -> Golden:
    """Read ``golden/<name>.npz``; complex gradients come as dL/dRe + i dL/dIm."""
    with np.load(FOLDER / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    config = json.loads(str(arrays["config"]))
    pixel = config.get("pixel_size_A", 0.35)
    params: dict[str, Any] = {key: config[key] for key in _SETTINGS if key in config}
    params |= {"acc_voltage": config.get("acc_voltage", 80), "pixel_size_x_A": pixel, "pixel_size_y_A": pixel}
    params |= {
        "dataset": arrays["in/patterns"],
        "obj": arrays["in/obj"],
        "probe": arrays["in/probe"],
        "positions": arrays["in/positions"] + arrays["in/positions_correction"],
        "tilts": arrays["in/tilts"],
        "slice_distances": arrays["in/slice_distances"],
        "num_slices": arrays["in/obj"].shape[2],
    }
    params |= {name: arrays[f"in/{name}"] for name in _ARRAYS if f"in/{name}" in arrays}
    params |= {_SWITCHES[name]: True for name, key in GRADIENTS.items() if name in _SWITCHES and _acts(name, key, arrays)}
    if "defocus_A" in config:
        params |= {"defocus_array": np.array([config["defocus_A"]]), "Cs": config.get("Cs_A", 0.0)}
    params |= config.get("reg") or {}
    gradients = {}
    for refinable, key in GRADIENTS.items():
        if key in arrays:
            # the files hold dL/dz*, half of ours
            gradients[refinable] = arrays[key] * (2 if np.iscomplexobj(arrays[key]) else 1)
    wrong = frozenset(json.loads(str(arrays["wrong"])))
    return Golden(params, float(arrays["out/loss"]), float(arrays["out/sse"]), gradients, wrong)
