"""C10 and astigmatism from the displacements of shadow images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pypty_nb.initialize.shadow import Shadows

#: What the estimate is off by where noise is no matter, as found on simulated scans.
_SYSTEMATIC = 0.02


@dataclass(frozen=True)
class Focus:
    """First-order aberrations, Krivanek's, Å.

    Attributes
    ----------
    c10 : float
        Positive is overfocus.
    c12a, c12b : float
    uncertainty : float
        Standard deviation of each, of which 2 % of C10 for what noise does not explain.
    misfit_deg : float
        By how much the displacements would have the scan turned further.
    """

    c10: float
    c12a: float
    c12b: float
    uncertainty: float
    misfit_deg: float


def estimate_focus(shadows: Shadows, matrix: np.ndarray, step_A: float, pixel_rad: float) -> Focus:
    """C10 and C12 that displace the shadow images as they are, for a scan that lies to the detector as `matrix` says.

    Displacement A = −T⁻¹·H, H = [[C10 − C12a, C12b], [C12b, C10 + C12a]] on [y, x].

    Parameters
    ----------
    shadows : Shadows
    matrix : float array, (2, 2)
        T on [y, x].
    step_A : float
        Scan step, Å.
    pixel_rad : float
        Detector pixel, rad.
    """
    scale = step_A / pixel_rad
    found = -scale * matrix @ shadows.matrix
    c10 = float(found[0, 0] + found[1, 1]) / 2
    turn = float(np.rad2deg(np.arctan2(found[0, 1] - found[1, 0], abs(2 * c10)))) if c10 else 0.0
    return Focus(
        c10=c10,
        c12a=float(found[1, 1] - found[0, 0]) / 2,
        c12b=float(found[0, 1] + found[1, 0]) / 2,
        uncertainty=float(np.hypot(scale * shadows.uncertainty / np.sqrt(2), _SYSTEMATIC * c10)),
        misfit_deg=turn,
    )
