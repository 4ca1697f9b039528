"""What a person and files say of an experiment, in the order in which they are believed, and where they disagree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pypty_nb.data import DataError
from pypty_nb.data.dataset import SourceDataset
from pypty_nb.data.metadata import HC_EV_A, KEYS, Facts, Metadata
from pypty_nb.data.nion import nion_facts
from pypty_nb.initialize.calibrated import Calibrated
from pypty_nb.initialize.detector_pixel import agree
from pypty_nb.initialize.experiment import Experiment
from pypty_nb.params import ParameterError
from pypty_nb.physics.units import electron_kilovolts

#: No microscope accelerates by more, kV; a larger number is one of volts.
_MOST_KILOVOLTS = 5000.0
#: What may be said more than once, and means the same whoever says it.
_COMPARED = ("acc_voltage", "scan_step_A", "fov_nm", "rez_pixel_size_mrad", "rez_pixel_size_A", "conv_semiangle_mrad")


class Statements:
    """What is said of an experiment: by the user, else by the file of patterns, else by that of `path_json`.

    Raises
    ------
    ParameterError
        Where `path_json` cannot be used.
    """

    def __init__(self, given: Experiment, dataset: SourceDataset):
        self._given = given
        self._files: list[Metadata] = [dataset.metadata]
        if given.path_json:
            # they may be those of a scan that has been put in one row since
            shape = dataset.source_shape
            self._files.append(facts_of_json(given.path_json, shape if len(shape) == 4 else ()))

    def of(self, name: str) -> Calibrated | None:
        """What is said of `name` by whoever is believed first."""
        return next(self._all(name), None)

    def of_files(self, name: str) -> Calibrated | None:
        """The same without what the user says."""
        return next((found for found in self._all(name) if found.tag == "file"), None)

    def voltage(self) -> Calibrated | None:
        """The acceleration voltage, kV; of photons, that at which electrons have their wavelength.

        Raises
        ------
        ParameterError
            Where it is more than there is.
        """
        found = self.of("acc_voltage") or self._of_photons()
        if found is not None and float(found.value) > _MOST_KILOVOLTS:
            raise ParameterError(
                f"acc_voltage: {_said('acc_voltage', found)} is more than any microscope has; give it in kV, such as 300"
            )
        return found

    def contradictions(self) -> list[str]:
        """A sentence for everything that two say differently."""
        sentences = []
        for name in _COMPARED:
            said = [*self._all(name)]
            if said and name == "acc_voltage" and (photons := self._of_photons()):
                said.append(photons)
            if not said:
                continue
            believed, *others = said
            sentences += [
                f"{name}: {_said(name, believed)} is taken, but {_said(name, other)}; check which is right"
                for other in others
                if not agree(float(believed.value), float(other.value))
            ]
        return sentences

    def _all(self, name: str) -> Iterator[Calibrated]:
        if (value := getattr(self._given, name, None)) is not None:
            yield Calibrated(value, "user")
        for facts in self._files:
            if (fact := facts.get(name)) is not None:
                yield Calibrated(fact.value, "file", fact.source)

    def _of_photons(self) -> Calibrated | None:
        wavelength, energy = self.of("wavelength"), self.of("energy")
        if wavelength is None and energy is not None:
            wavelength = replace(energy, value=HC_EV_A / float(energy.value), source=f"hc/E from {energy.source}")
        if wavelength is None:
            return None
        length = float(wavelength.value)
        how = f"electrons of this voltage have the wavelength {length:.5g} Å, {wavelength.source}"
        return replace(wavelength, value=electron_kilovolts(length), source=how)


def facts_of_json(path: str, shape: tuple[int, ...] = ()) -> Facts:
    """What the metadata of Nion Swift at `path` say of an array of that shape.

    Raises
    ------
    ParameterError
        Where they cannot be read, or something in them cannot be used.
    """
    try:
        found = nion_facts(Path(path), shape)
    except DataError as error:
        raise ParameterError(f"path_json: {error}") from error
    if found.problems:
        raise ParameterError(
            *(f"path_json: {Path(path).name}: {problem}; mend it or leave it out" for problem in found.problems)
        )
    return found.facts


def _said(name: str, found: Calibrated) -> str:
    who = "as you state" if found.tag == "user" else found.source
    return f"{float(found.value):.5g} {KEYS[name][0]} ({who})"
