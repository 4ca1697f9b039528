"""Where the beam is on the detector: what centring moves to the middle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pypty_nb.data import DataError
from pypty_nb.initialize.aperture import fit_disc, without_hot_pixels


@dataclass(frozen=True)
class BeamCentre:
    """Where the beam is.

    Attributes
    ----------
    place : (float, float)
        [y, x] px of the pattern, 0 at the middle of its first pixel.
    uncertainty : (float, float)
        [y, x] px, one standard deviation.
    how : str
        What it was found from.
    no_disc : str
        Why it is not that of the bright-field disc; "" where it is.
    """

    place: tuple[float, float]
    uncertainty: tuple[float, float]
    how: str
    no_disc: str = ""

    @property
    def sentence(self) -> str:
        """Where the beam is, how well that is known, and from what."""
        (y, x), (dy, dx) = self.place, self.uncertainty
        return f"the beam's centre is at (y {y:.2f} ± {dy:.2f}, x {x:.2f} ± {dx:.2f}) px, by {self.how}"


def beam_centre(mean: np.ndarray, error: np.ndarray) -> BeamCentre:
    """The middle of the bright-field disc; where there is none, the centre of mass without hot pixels.

    The disc's edge lies where the aperture's does, whatever is scattered and wherever to; the centre of mass follows both.

    Parameters
    ----------
    mean, error : float arrays, (ky, kx)
        Mean pattern, counts, not zero everywhere, and its standard error.
    """
    try:
        disc = fit_disc(mean)
    except DataError as reason:
        # what to do about it concerns the recording, or a calibration
        return _centre_of_mass(mean, error, str(reason).removeprefix("mean pattern: ").partition(";")[0])
    off = disc.centre_uncertainty
    return BeamCentre(
        disc.centre, (off, off), f"the bright-field disc of radius {disc.radius:.1f} ± {disc.radius_uncertainty:.1f} px"
    )


def _centre_of_mass(mean: np.ndarray, error: np.ndarray, no_disc: str) -> BeamCentre:
    """Its uncertainty is that of the counts, σ² = Σ (r − r₀)² σ_r² / (Σ counts)², pixels independent of each other."""
    clean = without_hot_pixels(mean)
    # a beam focused to one pixel looks like a hot one, and is all there is
    clean = clean if clean.any() else mean
    total = clean.sum()
    place, off = [], []
    for axis, length in enumerate(clean.shape):
        along, spread = clean.sum(axis=1 - axis), np.square(error).sum(axis=1 - axis)
        middle = float(along @ np.arange(length) / total)
        place.append(middle)
        off.append(float(np.sqrt(spread @ (np.arange(length) - middle) ** 2) / total))
    return BeamCentre((place[0], place[1]), (off[0], off[1]), "the centre of mass", no_disc)
