"""The aberration phase χ in Krivanek's notation."""

from __future__ import annotations

import numpy as np


def terms(count: int) -> list[tuple[int, int, str]]:
    """The first `count` coefficients as (n, m, part): C10, C12a, C12b, C21a, C21b, C23a, C23b, C30, C32a, …

    `part` is "" for m = 0, else "a" (cosine) or "b" (sine).
    """
    found: list[tuple[int, int, str]] = []
    n = 1
    while len(found) < count:
        for m in range((n + 1) % 2, n + 2, 2):
            found.extend([(n, m, "")] if m == 0 else [(n, m, "a"), (n, m, "b")])
        n += 1
    return found[:count]


def chi(
    coefficients: np.ndarray | None,
    extra_c10: float,
    window: tuple[int, int],
    pixel_size: tuple[float, float],
    wavelength: float,
):
    """χ = (2π/λ) Σ C_nm α^(n+1)/(n+1)·{1, cos mφ, sin mφ} on the unshifted grid, (y, x) float64, rad.

    Parameters
    ----------
    coefficients : float array or None
        Krivanek coefficients, Å, in the order of `terms`.
    extra_c10 : float
        Added to C10, Å; positive is overfocus.
    window, pixel_size : (y, x)
        Pixels and Å per pixel.
    wavelength : float
        Å. α = λq. The probe is multiplied by exp(−iχ). Krivanek et al., Ultramicroscopy 78, 1–11 (1999).
    """
    values = np.zeros(1) if coefficients is None else np.array(coefficients, np.float64)
    values[0] += extra_c10
    return np.tensordot(values, basis(len(values), window, pixel_size, wavelength), axes=1)


def basis(count: int, window: tuple[int, int], pixel_size: tuple[float, float], wavelength: float) -> np.ndarray:
    """χ for 1 Å of each of the first `count` coefficients, (count, y, x) float64, rad; arguments as in `chi`."""
    qy = np.fft.fftfreq(window[0], pixel_size[0])[:, None]
    qx = np.fft.fftfreq(window[1], pixel_size[1])[None, :]
    angle, azimuth = wavelength * np.hypot(qy, qx), np.arctan2(qy, qx)
    functions = np.empty((count, *window))
    for function, (n, m, part) in zip(functions, terms(count), strict=True):
        turn = {"": 1.0, "a": np.cos(m * azimuth), "b": np.sin(m * azimuth)}[part]
        function[...] = 2 * np.pi / wavelength * angle ** (n + 1) / (n + 1) * turn
    return functions
