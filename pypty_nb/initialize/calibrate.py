"""From an experiment to calibrated values: each with its uncertainty, where it comes from, and a picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from pypty_nb.data import Dataset
from pypty_nb.data.preprocess import bad_mask
from pypty_nb.initialize.aperture import Disc, disc_of_mask, fit_disc, hidden
from pypty_nb.initialize.bad_pixels import bad_pixels_of
from pypty_nb.initialize.calibrated import QUANTITIES, Calibrated, about, as_text
from pypty_nb.initialize.contradicted import (
    ROTATION_TOLERANCE_DEG,
    contradicted_axes,
    contradicted_focus,
    contradicted_rotation,
    contradicted_sign,
)  # fmt: skip
from pypty_nb.initialize.defocus import Focus, estimate_focus
from pypty_nb.initialize.detector_pixel import agree, detector_pixel
from pypty_nb.initialize.experiment import AUTO, Experiment
from pypty_nb.initialize.faults import mean_and_faults
from pypty_nb.initialize.measurement import Flipped, Repaired, open_measurement
from pypty_nb.initialize.orientation import FEWEST, Orientation, OrientationError, dark_field_score, find_orientation, turned
from pypty_nb.initialize.preset_values import preset_values
from pypty_nb.initialize.scan import Scan
from pypty_nb.initialize.scan_grid import READINGS, rotation_of, scan_matrix
from pypty_nb.initialize.shadow import Shadows, shadow_shifts
from pypty_nb.initialize.stages import Stages
from pypty_nb.initialize.statements import Statements
from pypty_nb.initialize.survey import ScanMaps, survey
from pypty_nb.initialize.trial_run import Trial, try_orientation
from pypty_nb.initialize.virtual import Progress
from pypty_nb.params import ParameterError, Preset, as_preset
from pypty_nb.physics.units import electron_wavelength

#: What a calibration does one after the other, and about how long each takes to the others. Not all are always needed.
STAGES = {"bad pixels": 1, "mean pattern": 2, "survey": 3, "shadows": 6, "trial": 4}
#: A nominal C10 that differs by more than this share from the measured one is pointed out; one within this gives its sign.
_FOCUS_TOLERANCE, _FOCUS_ABOUT = 0.1, 0.5
#: So many dark pixels in the disc are a beam stop, or a gap of the detector.
_STOP = 4
#: Scan points each way that tell whether what is stated is right.
_LEAST = 8


@dataclass(frozen=True)
class Calibration:
    """What was found, and the preset made from it.

    Attributes
    ----------
    preset : Preset
    values : mapping of str to Calibrated
        By the names of `QUANTITIES`.
    disc : Disc
    warnings : tuple of str
        What a person should look at.
    maps : ScanMaps, or None
        This and the following are there where something had to be found from them.
    shadows : Shadows, or None
    orientation : Orientation, or None
    focus : Focus, or None
    trial : Trial, or None
    """

    preset: Preset
    values: Mapping[str, Calibrated]
    disc: Disc = field(repr=False)
    warnings: tuple[str, ...] = ()
    maps: ScanMaps | None = field(default=None, repr=False)
    shadows: Shadows | None = field(default=None, repr=False)
    orientation: Orientation | None = field(default=None, repr=False)
    focus: Focus | None = None
    trial: Trial | None = field(default=None, repr=False)

    @property
    def images(self) -> dict[str, np.ndarray]:
        """Every picture by its name: mean pattern, aperture, bright field, tilt-corrected, phase …"""
        found: dict[str, np.ndarray] = {}
        for part in (self.disc, self.shadows, self.orientation):
            found.update(part.images if part is not None else {})
        found.update({f"trial {name}": image for name, image in self.trial.images.items()} if self.trial else {})
        return found

    @property
    def about(self) -> str:
        """All values with tags and sources, as `Preset.to_json` can store them."""
        return about(self.values)

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Label, value, tag and source of each quantity, for a table."""
        return [as_text(name, value) for name, value in self.values.items()]


def calibrate_experiment(
    experiment: Mapping[str, Any] | Experiment,
    pypty_params: Preset | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    *,
    progress: Progress | None = None,
    begun: Callable[[str], None] | None = None,
) -> Calibration:
    """Calibrate a preset to an experiment.

    What the user states wins over what the file says, and that over what is measured from the patterns; what none of them
    tells is a default or an error. Disc, orientation and C10 are measured where they are not stated; and where they are, and
    can be, what contradicts the patterns or another statement is among the warnings.

    Parameters
    ----------
    experiment : mapping or Experiment
        Keys as in `Experiment`.
    pypty_params : Preset, mapping, path, or None
        The preset to calibrate; the defaults where there is none. It is not changed.
    progress : function, optional
        Called every second or so, and at the end, with how much is done and how much there is to do, in thousandths.
    begun : function, optional
        Called with the name of every stage that begins, one of `STAGES`.

    Raises
    ------
    ParameterError, DataError, OrientationError
        `ValueError` each: what contradicts itself, is missing or cannot be told, and what to do.
    """
    given = experiment if isinstance(experiment, Experiment) else Experiment.of(experiment)
    start = (Preset() if pypty_params is None else as_preset(pypty_params)).copy()
    session = _Session(given, start, Stages(STAGES, progress, begun))
    found = session.calibrated()
    session.stages.end()
    return found


class _Session:
    """The steps of one calibration, in order, and what they have found so far."""

    def __init__(self, given: Experiment, start: Preset, stages: Stages):
        if start.recon_type != "far_field":
            raise ParameterError(
                "recon_type: near-field data show no bright-field disc to calibrate with; set their preset by hand"
            )
        self.given, self.start, self.stages = given, start, stages
        self.axes = start.data_axes if given.data_axes is None else given.data_axes
        self.raw = open_measurement(given, self.axes)
        self.flip = start.flip_ky if given.flip_ky is None else given.flip_ky
        self.dataset: Dataset = self.raw
        self.bad_pixels: np.ndarray | None = None
        self.statements = Statements(given, self.raw)
        self.values: dict[str, Calibrated] = {}
        self.warnings: list[str] = []
        self.maps: ScanMaps | None = None
        self.shadows: Shadows | None = None
        self.orientation: Orientation | None = None
        self.focus: Focus | None = None
        self.trial: Trial | None = None

    def calibrated(self) -> Calibration:
        self._voltage()
        self._scan()
        self.warnings.extend(self.statements.contradictions())
        self._bad_pixels()
        disc = self._disc()
        self._pixel(disc)
        self._place(disc)
        self._orient(disc)
        self._focus(disc)
        preset = self._preset(disc)
        if self.orientation is not None and not self.orientation.sign_settled:
            self.trial = try_orientation(preset, self.raw, progress=self.stages.of("trial"))
            self._settle(self.trial, disc)
            preset = self._preset(disc)
        self._compare(disc)
        values = {name: self.values[name] for name in QUANTITIES if name in self.values}
        return Calibration(
            preset, values, disc, tuple(self.warnings), self.maps, self.shadows, self.orientation, self.focus, self.trial
        )  # fmt: skip

    # ---- microscope and scan
    def _voltage(self) -> None:
        stated = self.statements.voltage()
        if stated is None:
            if not self.start.is_changed("acc_voltage"):
                raise ParameterError(
                    "acc_voltage: neither the file nor you say the voltage; give it in kV (of photons, that at which electrons "
                    "have their wavelength)"
                )
            stated = Calibrated(self.start.acc_voltage, "user", "the preset")
        self.values["acc_voltage"] = stated
        self.wavelength = electron_wavelength(float(stated.value))

    def _scan(self) -> None:
        self.scan = Scan(self.given, self.start, self.raw, self.statements)
        self.values["scan_size"] = self.scan.size

    def _place(self, disc: Disc) -> None:
        """Where the points of the scan are, once the object's pixel is known, and how far apart."""
        sampling, scan, shape = self.values["rez_pixel_size_A"].value, self.scan, disc.images["mean pattern"].shape
        scan.place((1 / (sampling * shape[0]), 1 / (sampling * shape[1])))
        if scan.points is not None:
            self.values["positions"] = scan.points
        if scan.step is not None:
            self.values["scan_step_A"] = scan.step
        self.warnings.extend(scan.warnings)

    # ---- disc and detector
    def _bad_pixels(self) -> None:
        """Which pixels are left out, and the data without them."""
        if self.given.masks is not None:
            return
        stated, kept = self.given.bad_pixels, self.start.bad_pixels
        found, tag, how = stated, "user", ""
        if stated is None and kept is not None:
            found, how = kept, "the preset"
        elif isinstance(stated, str) and stated == "keep":
            found, how = None, "every pixel is compared"
        elif not isinstance(stated, np.ndarray):
            pixels = bad_pixels_of(self.raw, progress=self.stages.of("bad pixels"))
            found, tag, how = pixels.places, "measured", "; ".join(pixels.sentences("left out"))
            self.warnings.extend(f"bad_pixels: {sentence}" for sentence in pixels.sentences("left out"))
        self.bad_pixels = found
        self.values["bad_pixels"] = Calibrated(found, tag, how)
        if found is not None:
            self.dataset = Repaired(self.raw, bad_mask(found, self.raw))
        if self.flip:
            self.dataset = Flipped(self.dataset)

    def _disc(self) -> Disc:
        if self.given.masks is not None:
            if len(self.dataset.shape) != 2 or self.dataset.shape[1] != len(self.given.masks):
                raise ParameterError(f"masks: {len(self.given.masks)} detectors; the data are {self.dataset.shape}")
            signals = self.raw.read(np.arange(self.raw.shape[0]))
            pattern = np.tensordot(signals.mean(axis=0), self.given.masks, axes=1)
            pattern = pattern[::-1] if self.flip else pattern
        else:
            pattern, faults = mean_and_faults(self.dataset, progress=self.stages.of("mean pattern"))
            self.warnings.extend(faults.sentences(self.raw.name))
        if self.given.aperture is not None:
            disc, tag, how = disc_of_mask(self.given.aperture > 0, pattern), "user", "the aperture given"
        else:
            threshold = self.given.bright_threshold or 0.5
            disc, tag, how = (
                fit_disc(pattern, threshold),
                "measured",
                f"edge of the mean pattern at {threshold:g} of its height",
            )
        dark = int(hidden(pattern, disc).sum())
        if dark >= _STOP:
            self.warnings.append(
                f"bad_pixels: {dark} pixels well inside the bright-field disc hold next to no counts, as behind a beam stop; "
                "unless the beam itself is dark there, leave them out with bad_pixels, or they count as measured"
            )
        self.values["centre"] = Calibrated(disc.centre, tag, how, disc.centre_uncertainty)
        self.values["radius"] = Calibrated(disc.radius, tag, how, disc.radius_uncertainty)
        return disc

    def _pixel(self, disc: Disc) -> None:
        size = detector_pixel(
            self.statements.of("rez_pixel_size_mrad"),
            self.statements.of("rez_pixel_size_A"),
            self.statements.of("conv_semiangle_mrad"),
            disc,
            self.wavelength,
        )
        self.values.update(size.values)
        self.warnings.extend(size.warnings)

    # ---- orientation and focus
    def _orient(self, disc: Disc) -> None:
        given, axes = self.given, self.given.transform_axis_matrix
        said = self.statements.of("PLRotation_deg")
        stated = None if said is None or said.value == AUTO else said
        if stated is None and self._raster:
            maps, shadows = self._looked_at(disc)
            turn = None if axes is None else _turn_of(axes)
            self.orientation = find_orientation(maps, shadows, axes=turn, c10_sign=self._c10_sign(shadows))
            self._take_orientation()
            return
        if stated is None and (said is not None or given.masks is not None):
            raise ParameterError(
                "PLRotation_deg: can be found from whole patterns on a raster only; give it, and transform_axis_matrix"
            )
        stated, turn = stated or Calibrated(0.0, "default"), np.eye(2) if axes is None else axes
        self.matrix = scan_matrix(float(stated.value), turn)
        self.values["PLRotation_deg"] = replace(stated, value=float(stated.value))
        self.values["transform_axis_matrix"] = Calibrated(turn, "default" if axes is None else "user")

    def _looked_at(self, disc: Disc) -> tuple[ScanMaps, Shadows]:
        if self.maps is None or self.shadows is None:
            size = self.values["scan_size"].value
            maps = survey(self.dataset, disc, size, progress=self.stages.of("survey"))
            # as the points that the file states lie, not as they follow each other
            self.maps = maps.read_as(self.scan.lattice.reading) if self.scan.lattice and self.scan.lattice.reading else maps
            self.shadows = shadow_shifts(self.maps, progress=self.stages.of("shadows"))
        return self.maps, self.shadows

    @property
    def _raster(self) -> bool:
        """Whether orientation and C10 can be measured."""
        return self.scan.raster and self.given.masks is None

    def _stated_c10(self) -> Calibrated | None:
        """The whole C10 as the user or the file states it, Å."""
        given, aberrations = self.given, self.given.aberrations
        first = 0.0 if aberrations is None or not len(aberrations) else float(aberrations[0])
        if given.defocus is not None or first:
            return Calibrated((given.defocus or 0.0) + first, "user", "as you state")
        return self.statements.of_files("defocus")

    def _c10_sign(self, shadows: Shadows) -> int:
        """The sign of C10 where it is stated; a file is believed where the shadow images tell about as much."""
        stated = self._stated_c10()
        if stated is None:
            return 0
        size = 1e3 * self.values["scan_step_A"].value / self.values["rez_pixel_size_mrad"].value
        measured = size * float(np.sqrt(abs(np.linalg.det(shadows.matrix))))
        believed = stated.tag == "user" or agree(abs(float(stated.value)), measured, _FOCUS_ABOUT)
        return int(np.sign(float(stated.value))) if believed else 0

    def _take_orientation(self) -> None:
        found, axes = self.orientation, self.given.transform_axis_matrix
        assert found is not None
        tag = "measured" if found.sign_settled else "guessed"
        how = f"{found.source}; 180° by {found.sign_source}" if found.sign_score else found.source
        if axes is None:
            rotation = found.rotation_deg
            self.matrix = found.matrix
            self.values["transform_axis_matrix"] = Calibrated(READINGS[found.reading], tag, f"{found.reading}: {how}")
        else:
            rotation = rotation_of(found.matrix, _turn_of(axes))
            self.matrix = scan_matrix(rotation, axes)
            self.values["transform_axis_matrix"] = Calibrated(axes, "user")
        self.values["PLRotation_deg"] = Calibrated(rotation, tag, how, found.uncertainty_deg)

    def _focus(self, disc: Disc) -> None:
        given = self.given
        aberrations, said = given.aberrations, self.statements.of("defocus")
        if aberrations is not None:
            self.values["aberrations"] = Calibrated(aberrations, "user")
        if given.defocus is None and aberrations is not None and len(aberrations) and aberrations[0]:
            self.values["defocus"] = Calibrated(0.0, "default", "C10 is among the aberrations")
        elif said is not None:
            self.values["defocus"] = replace(said, value=float(said.value))
        elif given.masks is not None:
            raise ParameterError("defocus: signals of virtual detectors do not tell C10; give it in Å, 0 for a focused beam")
        elif not self._raster:
            points = self.values["positions"]
            where = f"and {points.source} is none" if points.tag == "file" else "and special_positions_A is none"
            raise ParameterError(
                f"defocus: C10 is measured on a raster only, {where} with one step; give it in Å, 0 for a focused beam"
            )
        elif min(size := self.values["scan_size"].value) < FEWEST:
            raise ParameterError(
                f"defocus: C10 cannot be measured in a scan of {size[0]} × {size[1]} points, which would have to be {FEWEST} "
                "each way at least; give it in Å, 0 for a focused beam"
            )
        else:
            self.values["defocus"] = self._measured_focus(disc)

    def _measured_focus(self, disc: Disc) -> Calibrated:
        _, shadows = self._looked_at(disc)
        focus = self.focus = self._focus_as(shadows, self.matrix)
        nominal = self.statements.of("defocus_magnitude")
        if not shadows.clear:
            if nominal is None:
                return Calibrated(0.0, "guessed", "the shadow images do not move: near focus", focus.uncertainty)
            self.warnings.append("defocus: the shadow images tell nothing; the file's magnitude is taken as underfocus")
            return Calibrated(-abs(float(nominal.value)), "guessed", nominal.source)
        if nominal is not None and not agree(abs(focus.c10), abs(float(nominal.value)), _FOCUS_TOLERANCE):
            self.warnings.append(
                f"defocus: |C10| is measured as {abs(focus.c10):.4g} Å; {nominal.source} says {nominal.value:g} Å"
            )
        if self.orientation is not None and abs(focus.misfit_deg) > ROTATION_TOLERANCE_DEG:
            self.warnings.append(
                f"PLRotation_deg: the shadow images would have the scan turned by {focus.misfit_deg:.0f}° more than the centre "
                "of mass"
            )
        return Calibrated(focus.c10, "measured", "shifts of the shadow images", focus.uncertainty)

    def _focus_as(self, shadows: Shadows, matrix: np.ndarray) -> Focus:
        """C10 where the scan lies as `matrix` says."""
        pixel = 1e-3 * self.values["rez_pixel_size_mrad"].value
        return estimate_focus(shadows, matrix, self.values["scan_step_A"].value, pixel)

    def _compare(self, disc: Disc) -> None:
        """Point out where the patterns contradict what is stated of orientation and C10."""
        said, c10 = self.statements.of("PLRotation_deg"), self._stated_c10()
        if said is not None and said.value == AUTO:
            said = self.statements.of_files("PLRotation_deg")
        axes = self.given.transform_axis_matrix
        stated = [thing for thing in (said, c10, axes) if thing is not None]
        if not stated or not self._raster or min(self.values["scan_size"].value) < _LEAST:
            return
        maps, shadows = self._looked_at(disc)
        try:
            found = self.orientation if self.orientation is not None and axes is None else find_orientation(maps, shadows)
        except OrientationError:
            return
        turn = np.eye(2) if axes is None else _turn_of(axes)
        if said is not None:
            other = contradicted_rotation(said, turn, found)
        else:
            other = None if axes is None else contradicted_axes(turn, found)
        if c10 is not None and shadows.clear:
            # in an orientation that is wrong, only how large C10 is can be told
            focus = self._focus_as(shadows, found.matrix if other else self.matrix)
            self.warnings.extend(contradicted_focus(c10, focus, signed=not other))
            score = 0.0 if other or not c10.value else dark_field_score(maps, self.matrix)
            self.warnings.extend(contradicted_sign(c10, score))
        self.warnings.extend([other] if other else [])

    def _settle(self, trial: Trial, disc: Disc) -> None:
        """Turn everything by 180° where the trial says so."""
        assert self.orientation is not None and self.maps is not None
        before = self.orientation.matrix
        self.orientation = turned(self.orientation, self.maps, trial.score, "a trial reconstruction: dense matter absorbs")
        if not self.orientation.sign_settled:
            self.warnings.append(
                "PLRotation_deg: this way round or turned by 180° (with C10 of the other sign) cannot be told from these data; "
                "state the sign of C10 in defocus, or see whether dense matter is bright in the phase"
            )
        self._take_orientation()
        if self.focus is not None and np.vdot(before, self.orientation.matrix) < 0:
            self._focus(disc)

    # ---- the preset
    def _preset(self, disc: Disc) -> Preset:
        preset = self.start.copy()
        found = preset_values(self.given, self.start, self.values, disc, self.matrix)
        self.values.update(found.values)
        self.warnings.extend(text for text in found.warnings if text not in self.warnings)
        preset.update(found.parameters | {"flip_ky": self.flip, "bad_pixels": self.bad_pixels, "data_axes": self.axes})
        return preset


def _turn_of(axes: np.ndarray) -> np.ndarray:
    """The rotation or mirroring in `axes`, (2, 2), without its stretching."""
    left, _, right = np.linalg.svd(np.asarray(axes, np.float64))
    return left @ right
