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


def electron_kilovolts(wavelength: float) -> float:
    """Voltage, kV, at which electrons have a wavelength in angstrom; the inverse of `electron_wavelength`.

    eV = p²c² / (mc² + √(p²c² + m²c⁴)) with p = h / λ, exact also where the energy is a small part of mc².

    Parameters
    ----------
    wavelength : float
        Å, above 0; of photons too, which a model of waves tells from electrons by their wavelength alone.
    """
    momentum, rest = constants.h * constants.c / (1e-10 * wavelength), constants.m_e * constants.c**2
    return 1e-3 * momentum**2 / (rest + math.hypot(momentum, rest)) / constants.e
