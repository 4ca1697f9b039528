"""A quick look at a measurement, and the way from its result to a full run."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.fft

from pypty_nb.engine.build import open_measurements
from pypty_nb.initialize.copying import Params, with_values
from pypty_nb.params import ParameterError, Preset, as_preset
from pypty_nb.physics.beam import HERMITE_SHARE
from pypty_nb.physics.grids import q_squared
from pypty_nb.physics.units import electron_wavelength
from pypty_nb.records import Refinables

EPOCHS = 20
#: What a quick look leaves as it is, beside object and probe.
_HELD = (
    "update_probe_pos", "update_tilts", "update_beam_current", "update_aberrations_array", "update_static_background",
)  # fmt: skip
#: What makes modes out of one probe.
_MODES = ("n_hermite_probe_modes", "mc_n_modes", "defocus_spread_modes")
#: What changes the starting probe, and is part of a refined one already.
_BEAM = {"aberrations": None, "extra_probe_defocus": 0.0, "beam_ctf": None}


def quick_look(pypty_params: Params) -> Preset:
    """A copy that shows within a minute what is there: one slice, one mode, every second pattern, 20 epochs.

    Where `scan_size` is known the patterns are chosen like the black fields of a chessboard. Object and probe are refined,
    nothing else, in single precision and batches.

    Raises
    ------
    ParameterError, DataError
        Where the measurements cannot be opened.
    """
    preset = as_preset(pypty_params)
    values: dict[str, Any] = {
        "sequence": _every_second(preset),
        "obj": np.prod(np.asarray(preset.obj)[..., :1], axis=2, keepdims=True),
        "num_slices": 1,
        "slice_distances": np.asarray(preset.slice_distances, np.float64)[:1],
        "propmethod": "multislice",
        "default_dtype": "single",
        "compute_batch": "auto" if preset.compute_batch == 1 else preset.compute_batch,
        "epoch_prev": 0,
        "epoch_max": EPOCHS,
        **dict.fromkeys(_MODES),
        **dict.fromkeys(_HELD, 0),
    }
    if isinstance(preset.probe, np.ndarray):
        values["probe"] = _strongest_mode(preset.probe)
    return with_values(preset, **values)


def promoted(pypty_params: Params, point: Refinables) -> Preset:
    """A copy for a full run that starts where a quick look ended.

    Its slices share the object, phase and modulus alike; its probe is the quick look's, taken back by half the specimen's
    thickness, since one slice stands in the middle of it. Other modes that the preset brings as an array follow it with a
    small share of the power.

    Parameters
    ----------
    pypty_params : Preset, mapping or path
        The preset that the quick look was made from.
    point : Refinables
        Of the quick look's last report.

    Raises
    ------
    ParameterError
        Where `point` holds no object, probe and positions of a quick look.
    """
    preset = as_preset(pypty_params)
    if point.obj is None or point.probe is None or point.positions is None:
        raise ParameterError("point: holds no object, probe and positions; give the point of a quick look's last report")
    obj, probe = np.asarray(point.obj), np.asarray(point.probe)
    if obj.shape[2:] != (1, 1) or probe.shape[2] != 1:
        raise ParameterError(f"point: its object {obj.shape} and probe {probe.shape} are not of one slice and one mode each")
    slices = max(preset.num_slices, np.asarray(preset.obj).shape[2])
    phase, modulus = unwrapped(np.angle(obj)[..., 0, 0]), np.abs(obj[..., 0, 0])
    one = modulus ** (1 / slices) * np.exp(1j * phase / slices)
    modes = np.asarray(preset.obj).shape[3]
    return with_values(
        preset,
        obj=np.broadcast_to(one[..., None, None], (*one.shape, slices, modes)).copy(),
        probe=_in_front_of(_taken_back(preset, probe, slices), preset.probe),
        positions=np.asarray(point.positions),
        num_slices=slices,
        **_BEAM,
    )


def unwrapped(phase: np.ndarray) -> np.ndarray:
    """`phase`, (y, x) rad, without the jumps of 2π: the multiple nearest to the smooth phase with the same gradient.

    Least squares by cosine transform: Ghiglia and Romero, J. Opt. Soc. Am. A 11, 107 (1994).
    """
    dy, dx = (np.angle(np.exp(1j * np.diff(phase, axis=axis))) for axis in (0, 1))
    curvature = np.diff(dy, axis=0, prepend=0, append=0) + np.diff(dx, axis=1, prepend=0, append=0)
    y, x = (2 * np.cos(np.pi * np.arange(n) / n) - 2 for n in phase.shape)
    eigenvalues = np.add.outer(y, x)
    eigenvalues[0, 0] = 1
    spectrum = np.asarray(scipy.fft.dctn(curvature)) / eigenvalues
    spectrum[0, 0] = 0
    smooth = np.asarray(scipy.fft.idctn(spectrum))
    # their means differ by what the gradient does not tell
    smooth += np.angle(np.exp(1j * (phase - smooth)).mean())
    return phase + 2 * np.pi * np.rint((smooth - phase) / (2 * np.pi))


def _every_second(preset: Preset) -> np.ndarray:
    chosen = preset.value_at("sequence", preset.epoch_prev)
    if chosen is not None:
        return np.unique(np.asarray(chosen))[::2]
    count = open_measurements(preset).shape[0]
    if preset.scan_size is None or np.prod(preset.scan_size) != count:
        return np.arange(0, count, 2)
    y, x = np.indices([int(n) for n in preset.scan_size])
    return np.flatnonzero((y + x) % 2 == 0)


def _strongest_mode(probe: np.ndarray) -> np.ndarray:
    """One mode with the mean intensity of them all."""
    power = _powers(probe)
    best = int(power.argmax())
    return probe[:, :, best : best + 1] * np.sqrt(power.mean() / power[best])


def _taken_back(preset: Preset, probe: np.ndarray, slices: int) -> np.ndarray:
    """The probe half the specimen's thickness further up."""
    distances = np.asarray(preset.slice_distances, np.float64)
    gaps = slices - 1 if preset.value_at("propmethod", preset.epoch_prev) == "multislice" else slices * (slices > 1)
    depth = distances[0] * gaps if len(distances) == 1 else distances[:gaps].sum()
    if not depth:
        return probe
    sizes = (preset.pixel_size_y_A, preset.pixel_size_x_A)
    phase = np.pi * electron_wavelength(preset.acc_voltage) * q_squared((probe.shape[0], probe.shape[1]), sizes) * depth / 2
    factor = np.exp(1j * phase).reshape(*phase.shape, *(1,) * (probe.ndim - 2))
    return np.fft.ifft2(np.fft.fft2(probe, axes=(0, 1)) * factor, axes=(0, 1))


def _in_front_of(probe: np.ndarray, given: Any) -> np.ndarray:
    """`probe` in the place of the strongest mode of a `given` array; the others begin with a small share of the power.

    One mode was fitted to all the counts, and what the others had before would be too much beside it.
    """
    if not isinstance(given, np.ndarray) or given.shape[2] == 1 or given.ndim != probe.ndim:
        return probe
    power, count = _powers(given), given.shape[2]
    best, alone = int(power.argmax()), _powers(probe)[0]
    shares = np.minimum(power / power.sum(), min(HERMITE_SHARE, 0.5 / (count - 1)))
    shares[best] = 0
    shares[best] = 1 - shares.sum()
    # the intensity is the mean over the modes
    stack = given * np.sqrt(count * shares * alone / np.maximum(power, 1e-300)).reshape(-1, *(1,) * (given.ndim - 3))
    stack[:, :, best] = probe[:, :, 0] * np.sqrt(count * shares[best])
    return stack


def _powers(probe: np.ndarray) -> np.ndarray:
    """Of every mode, scenarios together, (mode,)."""
    return (np.abs(probe) ** 2).sum(axis=(0, 1, *range(3, probe.ndim)))
