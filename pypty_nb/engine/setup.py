"""What a model is built from, apart from the refined arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pypty_nb.data import PhasePlates
from pypty_nb.engine.stages.propagation import gaps
from pypty_nb.engine.stages.readout import ReadoutLayout
from pypty_nb.params import ParameterError


@dataclass(frozen=True)
class Geometry:
    """The computed grid and the patches on it.

    Attributes
    ----------
    window : (int, int)
        Computed pattern and probe, (y, x) px.
    pixel_size : (float, float)
        (y, x), Å.
    corners : int array, (pattern, 2)
        Rounded positions: the patches' top-left corners. They stay while a run refines the remainder.
    cutoff, rolloff : float
        `damping_cutoff_multislice` and `smooth_rolloff`.
    limit_patches : bool
        `patch_band_limit`.
    """

    window: tuple[int, int]
    pixel_size: tuple[float, float]
    corners: np.ndarray
    cutoff: float = 2 / 3
    rolloff: float = 0.0
    limit_patches: bool = True

    def held(self, field: tuple[int, ...]) -> np.ndarray:
        """Which patterns have their patch in an object of `field`, (y, x) px: (pattern,) bool."""
        return np.all((self.corners >= 0) & (self.corners + self.window <= field), axis=1)

    def require(self, patterns: Sequence[int] | np.ndarray | None, field: tuple[int, ...]) -> None:
        """Refuse `patterns` (all where ``None``) that an object of `field`, (y, x) px, does not hold.

        Raises
        ------
        ParameterError
        """
        held = self.held(field)
        chosen = np.arange(len(held)) if patterns is None else np.asarray(patterns)
        outside = chosen[~held[chosen]]
        if len(outside):
            raise ParameterError(
                f"sequence: the patch of pattern {outside[0]} reaches out of the object of {field[0]} × {field[1]} px, which "
                "was made for the patterns of a sequence; switch use_full_FOV on for an object that holds them all"
            )


@dataclass(frozen=True)
class Optics:
    """The way of the wave.

    Attributes
    ----------
    wavelength : float
        Å.
    slices : int
    distances : tuple of float
        `slice_distances`, Å: one for all, or one a gap or slice of the method of the run that needs most.
    edge : float, or None
        `edge_slice_thickness`, Å.
    obj_modes : int
    tilt_mode : int
        Where tilts act.
    untilted : bool
        All tilts are zero and stay so, in a mode in which a zero tilt does nothing.
    near_field : bool
    defocus : float array, (pattern,)
        Å, near field.
    cs : float
        Å, near field.
    alpha : float
        rad, near field.
    """

    wavelength: float
    slices: int = 1
    distances: tuple[float, ...] = ()
    edge: float | None = None
    obj_modes: int = 1
    tilt_mode: int = 0
    untilted: bool = False
    near_field: bool = False
    defocus: np.ndarray | None = None
    cs: float = 0.0
    alpha: float = 0.0

    def steps(self, method: str) -> tuple[float, ...]:
        """What `method` propagates by, one a gap or slice, Å: the first and the last are the edges."""
        count = gaps(method, self.slices)
        found = list(self.distances * count if len(self.distances) == 1 else self.distances[:count])
        if self.edge and found:
            found[0] = found[-1] = self.edge
        return tuple(found)

    @property
    def tilt_before(self) -> bool:
        """Whether the probe is tilted before the specimen."""
        return self.tilt_mode in {2, 4}

    @property
    def tilt_inside(self) -> bool:
        """Whether propagation from slice to slice is tilted."""
        return self.tilt_mode in {0, 3, 4}

    @property
    def tilt_after(self) -> bool:
        """Whether the wave is tilted behind the specimen."""
        return self.tilt_mode in {1, 3, 4}


@dataclass(frozen=True)
class Variants:
    """What differs between patterns; ``None`` and False for what does not act.

    Attributes
    ----------
    probe_marker, aberration_marker : int array, (pattern,), or None
    plates : PhasePlates or None
    current, aberrations, background : bool
        Whether the refinable of that kind acts.
    """

    probe_marker: np.ndarray | None = None
    aberration_marker: np.ndarray | None = None
    plates: PhasePlates | None = None
    current: bool = False
    aberrations: bool = False
    background: bool = False


@dataclass(frozen=True)
class Setup:
    """All of it.

    Attributes
    ----------
    geometry : Geometry
    optics : Optics
    variants : Variants
    layout : ReadoutLayout
    masks : float array, (detector, y, x), or None
        Virtual detectors on the measured grid, centred.
    left_out : bool array, (y, x), or None
        Pixels of the measured grid that are not compared, in the order that the model gives its patterns.
    """

    geometry: Geometry
    optics: Optics
    variants: Variants
    layout: ReadoutLayout
    masks: np.ndarray | None = None
    left_out: np.ndarray | None = None
