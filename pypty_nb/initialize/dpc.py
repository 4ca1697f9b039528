"""Differential phase contrast: the phase whose gradient the centres of mass are.

For a thin phase object exp(iφ), the centre of mass of a pattern, in Å⁻¹, is ∇φ/2π averaged over the probe's intensity: Lazić,
Bosch and Lazar, Ultramicroscopy 160, 265 (2016). The scan's own axes are taken from the positions, so that rotations, flips and
unequal steps need no further word.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pypty_nb.engine.build import open_measurements
from pypty_nb.initialize.copying import Params
from pypty_nb.initialize.virtual import centre_of_mass
from pypty_nb.params import ParameterError, Preset, as_preset


@dataclass(frozen=True)
class ScanGradient:
    """The phase's change from one scan point to the next.

    Attributes
    ----------
    y, x : float64 array, (scan_y, scan_x)
        rad per scan step, along the slow and the fast axis.
    steps : (float, float)
        Lengths of these steps, Å.
    """

    y: np.ndarray
    x: np.ndarray
    steps: tuple[float, float]

    @property
    def weights(self) -> tuple[float, float]:
        """What the squares of a slope per step count for: 1 each where the steps are equal."""
        product = self.steps[0] * self.steps[1]
        return product / self.steps[0] ** 2, product / self.steps[1] ** 2


def scan_gradient(pypty_params: Params, comx: np.ndarray | None = None, comy: np.ndarray | None = None) -> ScanGradient:
    """The phase's gradient on the scan grid, from the centres of mass.

    Parameters
    ----------
    pypty_params : Preset, mapping or path
        Calibrated: `scan_size`, `positions`, pixel sizes, and the data where `comx` and `comy` are not given.
    comx, comy : float array, (scan_y, scan_x) or (pattern,), optional
        Centres of mass, px of the data as they are stored.

    Raises
    ------
    ParameterError
        Where the scan is no grid, or the centres of mass are not one a point.
    """
    preset = as_preset(pypty_params)
    size, axes = _scan_axes(preset)
    dataset = open_measurements(preset)
    if comx is None or comy is None:
        comy, comx = centre_of_mass(dataset).T
    centres = np.stack([np.asarray(comy, np.float64).ravel(), np.asarray(comx, np.float64).ravel()], axis=1)
    if len(centres) != size[0] * size[1]:
        raise ParameterError(
            f"comx: holds {len(centres)} centres of mass; scan_size {size[0]} × {size[1]} asks for one a point"
        )
    sides = dataset.shape[1:] if preset.masks is None else preset.masks.shape[1:]
    slope = 2 * np.pi * (centres - centres.mean(axis=0)) * _per_pixel(preset, sides) @ axes
    along = slope.reshape(*size, 2)
    return ScanGradient(along[..., 0], along[..., 1], (float(np.hypot(*axes[:, 0])), float(np.hypot(*axes[:, 1]))))


def fft_based_dpc(
    pypty_params: Params,
    hpass: float = 0.0,
    lpass: float = 0.0,
    comx: np.ndarray | None = None,
    comy: np.ndarray | None = None,
    *,
    mirror: bool = True,
) -> np.ndarray:
    """The phase by one division in Fourier space.

    φ̂ = (k_y ĝ_y + k_x ĝ_x) / 2πi (k² + `hpass` + `lpass` k⁴), k in cycles per scan step.

    Parameters
    ----------
    pypty_params, comx, comy
        As for `scan_gradient`.
    hpass, lpass : float
        Damp low and high frequencies; 0 leaves them.
    mirror : bool
        Continue the phase by its mirror image, which leaves no trace of the borders (Bon, Monneret and Wattellier, Applied
        Optics 51, 5698 (2012)); else periodically, as the original does.

    Returns
    -------
    float64 array, (scan_y, scan_x), rad, mean 0
    """
    gradient = scan_gradient(pypty_params, comx, comy)
    return integrated(gradient, hpass=hpass, lpass=lpass, mirror=mirror)


def integrated(gradient: ScanGradient, *, hpass: float = 0.0, lpass: float = 0.0, mirror: bool = True) -> np.ndarray:
    """The phase of a `gradient`, as `fft_based_dpc` gives it."""
    gy, gx = gradient.y, gradient.x
    if mirror:
        gy, gx = (
            np.block([[gy, gy[:, ::-1]], [-gy[::-1], -gy[::-1, ::-1]]]),
            np.block([[gx, -gx[:, ::-1]], [gx[::-1], -gx[::-1, ::-1]]]),
        )
    solver = _Solver(gy.shape, gradient.weights, hpass, lpass)
    phase = solver.potential(gy, gx)[: gradient.y.shape[0], : gradient.y.shape[1]]
    return phase - phase.mean()


def iterative_dpc(
    pypty_params: Params,
    num_iterations: int = 100,
    beta: float = 0.5,
    hpass: float = 0.0,
    lpass: float = 0.0,
    step_size: float = 1.0,
    *,
    com: tuple[np.ndarray, np.ndarray] | None = None,
    select: np.ndarray | None = None,
    pad_width: int = 5,
) -> np.ndarray:
    """The phase by iteration, free where nothing was measured: beyond the borders and outside `select`.

    Minimises Σ |∇φ − g|² over the selected points, with steps preconditioned by the division of `fft_based_dpc`.

    Parameters
    ----------
    pypty_params
        As for `scan_gradient`.
    num_iterations : int
    beta : float
        Factor on a step that raises the error, in (0, 1); one that lowers it is followed by a step longer by 1/`beta`.
    hpass, lpass : float
        Damp low and high frequencies of every step.
    step_size : float
        Of the first step; 1 is Newton's where everything is selected.
    com : (comx, comy), optional
        As for `scan_gradient`.
    select : bool array, (scan_y, scan_x), optional
        Points whose centre of mass counts.
    pad_width : int
        Scan points added beyond the far borders, where the phase is free.

    Returns
    -------
    float64 array, (scan_y, scan_x), rad, mean 0

    Raises
    ------
    ParameterError
        Where `select` has another shape, or the scan is no grid.
    """
    gradient = scan_gradient(pypty_params, *(com or ()))
    size = gradient.y.shape
    chosen = np.ones(size) if select is None else np.asarray(select, np.float64)
    if chosen.shape != size:
        raise ParameterError(f"select: has shape {chosen.shape}; the scan has {size[0]} × {size[1]} points")
    if not chosen.any():
        raise ParameterError("select: leaves no point of the scan")
    # what is left out must not tilt the rest
    slopes = (array - (array * chosen).sum() / chosen.sum() for array in (gradient.y, gradient.x))
    mask, gy, gx = (np.pad(array, (0, pad_width)) for array in (chosen, *(slope * chosen for slope in slopes)))
    solver = _Solver(mask.shape, gradient.weights, hpass, lpass)

    def misfit(phase: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        dy, dx = solver.slopes(phase)
        ey, ex = mask * dy - gy, mask * dx - gx
        wy, wx = gradient.weights
        return float(wy * (ey**2).sum() + wx * (ex**2).sum()), ey, ex

    phase, step = np.zeros(mask.shape), step_size
    error, ey, ex = misfit(phase)
    for _ in range(num_iterations):
        trial = phase - step * solver.potential(ey, ex)
        found = misfit(trial)
        if found[0] < error:
            phase, (error, ey, ex), step = trial, found, step / beta
        else:
            step *= beta
    phase = phase[: size[0], : size[1]]
    return phase - phase.mean()


class _Solver:
    """Slopes of a periodic phase and the way back, in Fourier space; the mean and Nyquist's frequencies have no slope."""

    def __init__(self, shape: tuple[int, ...], weights: tuple[float, float], hpass: float, lpass: float):
        self._ky, self._kx = (np.fft.fftfreq(n) for n in shape)
        for n, k in zip(shape, (self._ky, self._kx), strict=True):
            if n % 2 == 0:
                k[n // 2] = 0
        self._ky, self._kx = self._ky[:, None], self._kx[None, :]
        self._weights = weights
        k2 = weights[0] * self._ky**2 + weights[1] * self._kx**2
        denominator = k2 + hpass + lpass * k2**2
        self._inverse = np.where(k2 > 0, 1, 0) / (2j * np.pi * np.where(k2 > 0, denominator, 1))

    def slopes(self, phase: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        spectrum = 2j * np.pi * np.fft.fft2(phase)
        return np.fft.ifft2(self._ky * spectrum).real, np.fft.ifft2(self._kx * spectrum).real

    def potential(self, gy: np.ndarray, gx: np.ndarray) -> np.ndarray:
        wy, wx = self._weights
        total = wy * self._ky * np.fft.fft2(gy) + wx * self._kx * np.fft.fft2(gx)
        return np.fft.ifft2(total * self._inverse).real


def _scan_axes(preset: Preset) -> tuple[tuple[int, int], np.ndarray]:
    """Scan points (y, x), and the slow and the fast step as the columns of a matrix, [y, x] Å."""
    if preset.scan_size is None:
        raise ParameterError("scan_size: is not set; differential phase contrast needs the scan's rows and columns")
    size = (int(preset.scan_size[0]), int(preset.scan_size[1]))
    if min(size) < 2:
        raise ParameterError(f"scan_size: {size[0]} × {size[1]} points have no gradient; a grid of two at least is needed")
    if len(preset.positions) != size[0] * size[1]:
        raise ParameterError(
            f"positions: has {len(preset.positions)} rows; scan_size {size[0]} × {size[1]} asks for one a point"
        )
    places = np.asarray(preset.positions) * (preset.pixel_size_y_A, preset.pixel_size_x_A)
    index = np.indices(size).reshape(2, -1).T
    design = np.column_stack([index, np.ones(len(index))])
    axes = np.linalg.lstsq(design, places, rcond=None)[0][:2].T
    if min(np.hypot(*axes)) == 0:
        raise ParameterError("positions: all lie on one line or point; differential phase contrast needs a grid")
    return size, axes


def _per_pixel(preset: Preset, sides: tuple[int, ...]) -> np.ndarray:
    """Å⁻¹ per pixel of the data as stored, (y, x); negative where the axis is flipped on reading."""
    sizes = (preset.pixel_size_y_A, preset.pixel_size_x_A)
    up, bins = preset.upsample_pattern, preset.data_bin
    window = [side // bins * up + 2 * preset.data_pad for side in sides]
    steps = [up / (n * size * bins) for n, size in zip(window, sizes, strict=True)]
    return np.array([-steps[0] if preset.flip_ky else steps[0], steps[1]])
