"""Changes of a whole preset: the scan turned, the beam conjugated or tilted to where the patterns lie."""

from __future__ import annotations

from typing import Literal

import numpy as np

from pypty_nb.engine.build import outline
from pypty_nb.engine.stages.readout import ReadoutLayout
from pypty_nb.initialize.copying import Params, with_values
from pypty_nb.initialize.virtual import mean_pattern
from pypty_nb.params import ParameterError, Preset, as_preset

#: Parameters that are odd in the aberration phase χ.
_ODD = ("aberrations", "extra_probe_defocus", "beam_ctf", "defocus_spread_modes", "aberrations_array")


def rotate_scan_grid(pypty_params: Params, angle_deg: float) -> Preset:
    """Turn the scan: x' = x cos θ + y sin θ, y' = −x sin θ + y cos θ in Å, the smallest y and x kept as they are.

    Returns
    -------
    Preset
        A copy with `positions`. A given object stays as it is, and fits the scan no more.
    """
    preset = as_preset(pypty_params)
    angle, sizes = np.deg2rad(angle_deg), np.array([preset.pixel_size_y_A, preset.pixel_size_x_A])
    old = np.asarray(preset.positions, np.float64)
    y, x = (old * sizes).T
    turned = np.stack([-x * np.sin(angle) + y * np.cos(angle), x * np.cos(angle) + y * np.sin(angle)], axis=1) / sizes
    return with_values(preset, positions=turned - turned.min(axis=0) + old.min(axis=0))


def conjugate_beam(pypty_params: Params) -> Preset:
    """Conjugate the beam in Fourier space: overfocus becomes underfocus, and every other aberration its opposite.

    Returns
    -------
    Preset
        A copy in which C10, aberrations and phases have the other sign, and a given probe P(r) is P*(−r).
    """
    preset = as_preset(pypty_params)
    values = {name: -preset[name] for name in _ODD if preset[name] is not None}
    if isinstance(preset.probe, np.ndarray):
        spectrum = np.fft.fft2(preset.probe, axes=(0, 1))
        values["probe"] = np.fft.ifft2(np.conj(spectrum), axes=(0, 1))
    return with_values(preset, **values)


def tiltbeamtodata(pypty_params: Params, align_type: Literal["com", "cross_corr"] = "com") -> Preset:
    """Tilt the given probe so that it falls on the detector where the patterns lie.

    Parameters
    ----------
    pypty_params : Preset, mapping or path
        With `probe` as an array; far field.
    align_type : "com" or "cross_corr"
        Whether the centres of mass of mean pattern and probe are brought together, or the peak of their cross-correlation to
        zero, which stray counts far from the disc disturb less.

    Returns
    -------
    Preset
        A copy with `probe` times a phase ramp.

    Raises
    ------
    ParameterError, DataError
        Where there is no probe, no data, or another `align_type`.
    """
    preset = as_preset(pypty_params)
    if not isinstance(preset.probe, np.ndarray) or preset.recon_type != "far_field" or preset.masks is not None:
        raise ParameterError("probe: give a probe as an array, and far-field patterns, to tilt it to them")
    if align_type not in ("com", "cross_corr"):
        raise ParameterError(f"align_type: 'com' or 'cross_corr'; got {align_type!r}")
    plan = outline(preset, exact=False)
    layout = plan.setup.layout
    if preset.probe.shape[:2] != layout.window:
        raise ParameterError(f"probe: is {preset.probe.shape[:2]} px; the patterns ask for {layout.window}")
    pattern = plan.preprocessing.apply(mean_pattern(plan.dataset)[None], np.float64)[0]
    intensity = _seen(preset.probe, layout)
    shift = _between_centres(intensity, pattern) if align_type == "com" else _between_peaks(intensity, pattern)
    y, x = (
        np.exp(2j * np.pi * moved * (np.arange(n) - n // 2) / n)
        for n, moved in zip(layout.window, shift * layout.upsample, strict=True)
    )
    ramp = np.multiply.outer(y, x).reshape(*layout.window, *(1,) * (preset.probe.ndim - 2))
    return with_values(preset, probe=preset.probe * ramp)


def _seen(probe: np.ndarray, layout: ReadoutLayout) -> np.ndarray:
    """The probe's intensity on the measured grid, all modes together, centred."""
    spectra = np.abs(np.fft.fft2(probe.reshape(*layout.window, -1), axes=(0, 1))) ** 2
    return on_detector(np.fft.fftshift(spectra.sum(axis=2)), layout)


def on_detector(image: np.ndarray, layout: ReadoutLayout) -> np.ndarray:
    """The sums of a centred image of the computed grid over the measured pixels, (ky, kx)."""
    border, up = layout.pad if layout.crop else 0, layout.upsample
    inner = image[border : layout.window[0] - border, border : layout.window[1] - border]
    ny, nx = layout.measured
    return inner[: ny * up, : nx * up].reshape(ny, up, nx, up).sum(axis=(1, 3))


def _between_centres(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """From the centre of mass of `first` to that of `second`, (y, x) px."""
    y, x = np.indices(first.shape)
    centres = [np.array([(image * y).sum(), (image * x).sum()]) / image.sum() for image in (first, second)]
    return centres[1] - centres[0]


def _between_peaks(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """By how much `second` is `first` moved, (y, x) px, from parabolas through their cross-correlation's peak."""
    correlation = np.fft.ifft2(np.conj(np.fft.fft2(first)) * np.fft.fft2(second)).real
    peak = np.unravel_index(correlation.argmax(), correlation.shape)
    moved = np.empty(2)
    for axis, (n, at) in enumerate(zip(correlation.shape, peak, strict=True)):
        line = np.take(correlation, peak[1 - axis], axis=1 - axis)
        low, high = line[(at - 1) % n], line[(at + 1) % n]
        moved[axis] = (at + n // 2) % n - n // 2 + (high - low) / (2 * (2 * line[at] - low - high))
    return moved
