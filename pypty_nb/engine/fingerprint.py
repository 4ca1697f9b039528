"""Which run a checkpoint belongs to: of every parameter that a run's numbers hang on and that is fixed while it goes, a digest.

Live parameters may differ, so that a run can go on with more epochs; so may what only says where files lie, or changes speed
and memory. Names that only one of two versions of the program knows are not compared.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from pypty_nb.params import FIELDS, ParameterError, Preset

#: Fixed while a run goes, and yet no part of what it computes. The data are compared by their counts: they may have moved.
_FREE = frozenset(
    {
        "backend", "data_path", "dataset", "phase_plate_in_h5", "output_folder", "save_loss_log", "epoch_prev",
        "strip_dataset_from_params", "data_simulation_flag", "data_simulation_exitwave", "load_one_by_one", "remove_fft_cache",
        "compute_batch", "memory_saturation", "force_dataset_dtype", "preload_to_cpu", "force_pad",
    }
)  # fmt: skip
_NAMES, _DIGESTS, _COUNTS = "preset/names", "preset/digests", "preset/counts"


def fingerprint(preset: Preset, counts: float) -> dict[str, np.ndarray]:
    """Arrays for a checkpoint of a run of `preset` with measurements of `counts` in all."""
    names = [name for name, field in FIELDS.items() if not field.live and name not in _FREE]
    digests = np.array([_digest(preset[name]) for name in names], np.uint64)
    return {_NAMES: np.array(names), _DIGESTS: digests, _COUNTS: np.array(counts)}


def require_same(checkpoint: Mapping[str, np.ndarray], own: Mapping[str, np.ndarray]) -> None:
    """Raise where `checkpoint` is of another run than that whose fingerprint is `own`; one without a fingerprint passes.

    Raises
    ------
    ParameterError
    """
    there, here = _digests(checkpoint), _digests(own)
    others = [name for name in here if there.get(name, here[name]) != here[name]]
    if others:
        named = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
        are = "is not what it was" if len(others) == 1 else "are not what they were"
        raise ParameterError(f"the checkpoint belongs to another preset: {named} {are}; start a new run with these values")
    counts, found = float(checkpoint.get(_COUNTS, own[_COUNTS])), float(own[_COUNTS])
    if not math.isclose(counts, found, rel_tol=1e-6):
        raise ParameterError(
            f"the checkpoint belongs to other measurements: to {counts:.7g} counts in all, and these hold {found:.7g}; "
            "give the run its own data, or start a new run"
        )


def _digests(arrays: Mapping[str, np.ndarray]) -> dict[str, int]:
    if _NAMES not in arrays or _DIGESTS not in arrays:
        return {}
    return dict(zip(arrays[_NAMES].tolist(), arrays[_DIGESTS].tolist(), strict=False))


def _digest(value: Any) -> int:
    made = hashlib.blake2b(digest_size=8)
    if isinstance(value, np.ndarray):
        made.update(f"{value.dtype.str} {value.shape}".encode())
        made.update(np.ascontiguousarray(value).data)
    else:
        made.update(repr(value).encode())
    return int.from_bytes(made.digest(), "little")
