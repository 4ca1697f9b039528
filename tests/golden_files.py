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
        "update_probe_pos": True,
    }
    gradients = {}
    for refinable, key in GRADIENTS.items():
        if key in arrays:
            # the files hold dL/dz*, half of ours
            gradients[refinable] = arrays[key] * (2 if np.iscomplexobj(arrays[key]) else 1)
    wrong = frozenset(json.loads(str(arrays["wrong"])))
    return Golden(params, float(arrays["out/loss"]), float(arrays["out/sse"]), gradients, wrong)
