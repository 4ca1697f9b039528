"""Physical constants and what follows from them."""

from __future__ import annotations

import math

from scipy import constants


def electron_wavelength(kilovolts: float) -> float:
    """Relativistic de Broglie wavelength, angstrom.

    λ = h / √(2 m e V (1 + eV / 2mc²)), with the CODATA constants of SciPy.

    Parameters
    ----------
    kilovolts : float
        Acceleration voltage, kV, above 0.
    """
    volts = 1e3 * kilovolts
    mass, charge = constants.m_e, constants.e
    correction = 1 + charge * volts / (2 * mass * constants.c**2)
    return 1e10 * constants.h / math.sqrt(2 * mass * charge * volts * correction)
