"""The function a run minimises: weighted data term plus constraints, at a point, with its gradient."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pypty_nb.backend import GIB, Backend
from pypty_nb.data import Measurements
from pypty_nb.engine import regularisers
from pypty_nb.engine.comparison import Comparison
from pypty_nb.engine.executors.fused import Fused, supports
from pypty_nb.engine.executors.serial import Serial, Sums
from pypty_nb.engine.losses import available
from pypty_nb.engine.model import Model
from pypty_nb.engine.regularisers import Regulariser, Surroundings
from pypty_nb.engine.setup import Setup
from pypty_nb.engine.stages.variables import CHANGES
from pypty_nb.engine.subpixel import acting, between_pixels
from pypty_nb.params import ParameterError, Preset, Schedule, same
from pypty_nb.params.schedule import CHECKED_EPOCHS
from pypty_nb.records import Evaluation, Refinables

#: Arrays of one wave's size that a batch has in use at a time, about: they share a core's cache, or the device's memory.
_WAVES_AT_ONCE = 2
_WAVES_HELD = 12
_MOST_ON_DEVICE = 256

#: With an infinite weight this constraint is a change of variable.
HARD_MASK = "probe_reg_constraint_weight"

#: Pixels on either side of `validation_fraction`, at least; with so many expected it does not happen that none is drawn.
_LEAST_PIXELS = 10

#: The switch of each array that can be refined.
SWITCHES = {
    "obj": "update_obj",
    "probe": "update_probe",
    "positions": "update_probe_pos",
    "tilts": "update_tilts",
    "static_background": "update_static_background",
    "beam_current": "update_beam_current",
    "aberrations_array": "update_aberrations_array",
}


@dataclass(frozen=True)
class Active:
    """A constraint at work: its term, its weight, and the values it reads."""

    term: Regulariser
    weight: float
    values: Mapping[str, Any]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Active):
            return NotImplemented
        return (
            (self.term, self.weight) == (other.term, other.weight)
            and self.values.keys() == other.values.keys()
            and all(same(value, other.values[name]) for name, value in self.values.items())
        )

    __hash__ = None  # pyright: ignore[reportAssignmentType]


@dataclass(frozen=True)
class Terms:
    """What of the objective depends on the epoch; two epochs with equal terms minimise the same function.

    Attributes
    ----------
    refined : frozenset of str
        Names of the arrays that are refined.
    weight : float
        Factor on the data term.
    method : str
        `propmethod`.
    algorithm : str
        The loss.
    sequence : tuple of int, or None
        The patterns that count; all where ``None``.
    constraints : tuple of Active
        The constraints that join the loss.
    changes : frozenset of str
        The changes of variable, by the parameters that ask for them.
    between_pixels : bool
        Whether positions act as they are; else rounded.
    """

    refined: frozenset[str]
    weight: float
    method: str = "multislice"
    algorithm: str = "lsq_sqrt"
    sequence: tuple[int, ...] | None = None
    constraints: tuple[Active, ...] = ()
    changes: frozenset[str] = frozenset()
    between_pixels: bool = True

    def comparable(self, other: Terms) -> bool:
        """Whether losses and held-out losses of both can be compared: all is equal but what is refined."""
        return replace(self, refined=other.refined) == other


class Objective:
    """Loss and gradient of a preset's model against its measurements."""

    def __init__(self, preset: Preset, backend: Backend, setup: Setup, measurements: Measurements):
        self.backend = backend
        self._measurements = measurements
        self._preset = preset
        self._setup = setup
        self._surroundings = Surroundings(backend, setup, preset)
        self._least: dict[tuple[str, tuple[int, ...] | None], float] = {}
        self._executors: dict[tuple[str, str], Serial | Fused] = {}

    def on(self, setup: Setup) -> Objective:
        """The same preset and measurements in another setup."""
        return Objective(self._preset, self.backend, setup, self._measurements)

    @property
    def measurements(self) -> Measurements:
        """What the model is compared with."""
        return self._measurements

    def terms_at(self, epoch: int) -> Terms:
        """The objective's terms in `epoch`."""
        refined = frozenset(name for name, switch in SWITCHES.items() if self._preset.value_at(switch, epoch))
        sequence = self._sequence(epoch)
        count = self._measurements.count if sequence is None else len(sequence)
        self._require_held_out(count)
        weight = self._weight(self._preset.value_at("loss_weight", epoch), count)
        changes = frozenset(name for name in CHANGES if self._preset.value_at(name, epoch))
        if math.isinf(self._preset.value_at(HARD_MASK, epoch)):
            changes |= {HARD_MASK}
        of_probe = sorted(changes & {"tune_only_probe_phase", "tune_only_probe_abs", HARD_MASK}, reverse=True)
        if len(of_probe) > 1:
            on = "both are" if len(of_probe) == 2 else "all are"
            raise ParameterError(f"{of_probe[0]}: excludes {' and '.join(of_probe[1:])}; {on} on in epoch {epoch}")
        method, algorithm = (self._preset.value_at(name, epoch) for name in ("propmethod", "algorithm"))
        between = between_pixels(self._preset, epoch)
        return Terms(refined, weight, method, algorithm, sequence, self._constraints(epoch), changes, between)

    def least(self, terms: Terms) -> float:
        """What the data term cannot fall below: its value where the model meets every pixel."""
        key = terms.algorithm, terms.sequence
        if key not in self._least:
            measurements, backend = self._measurements, self.backend
            loss, left_out = available()[terms.algorithm], self._setup.left_out
            comparison = Comparison(backend, loss, holds_out=measurements.holds_out, left_out=left_out)
            chosen = np.arange(measurements.count) if terms.sequence is None else np.asarray(terms.sequence)
            size = batch_size(self._preset, backend, self._setup.geometry.window)
            batches = (measurements.batch(chosen[start : start + size]) for start in range(0, len(chosen), size))
            data = (backend.asarray(batch, backend.real) for batch in batches)
            self._least[key] = sum(float(comparison.sums(abs(counts), counts).losses.sum()) for counts in data)
        return terms.weight * self._least[key]

    def evaluate(self, point: Refinables, terms: Terms, wanted: frozenset[str] | None = None) -> Evaluation:
        """Loss at `point`, and the gradient of the arrays `wanted` (those refined, where not said)."""
        wanted = terms.refined if wanted is None else wanted
        # compiled kernels read where they are told to, also beyond the object
        self._setup.geometry.require(terms.sequence, point.obj.shape[:2])
        acts = acting(self.backend, point, self._setup.geometry, between_pixels=terms.between_pixels)
        sums = self._executor(terms).run(acts, wanted, terms.weight, terms.sequence)
        found, gradient = {"data": terms.weight * float(sums.losses.sum())}, sums.gradient
        for active in terms.constraints:
            term, array = active.term, getattr(point, active.term.of)
            value, slope = term.function(array, active.values, self._surroundings)
            found[term.name] = active.weight * value
            if term.of in wanted:
                gradient = replace(gradient, **{term.of: getattr(gradient, term.of) + active.weight * slope})
        residual, validation = terms.weight * sums.losses, self._validation(sums, terms)
        return Evaluation(sum(found.values()), float(sums.errors.sum()), found, gradient, residual, validation)

    def _validation(self, sums: Sums, terms: Terms) -> float | None:
        """The held-out pixels' loss, times seen over held-out pixels, so that it compares with the data term."""
        if sums.held_out is None:
            return None
        share = self._preset.validation_fraction
        return terms.weight * float(sums.held_out.sum()) * (1 - share) / share

    def check(self, point: Refinables, terms: Terms, epochs: range) -> None:
        """Raise what the constraints of `terms` raise at `point`, and what the sequences of `epochs` would."""
        for active in terms.constraints:
            active.term.function(getattr(point, active.term.of), active.values, self._surroundings)
        for sequence in {self._sequence(epoch) for epoch in epochs[:CHECKED_EPOCHS]}:
            self._setup.geometry.require(sequence, point.obj.shape[:2])

    def _constraints(self, epoch: int) -> tuple[Active, ...]:
        preset = self._preset
        weights = ((term, preset.value_at(term.weight, epoch)) for term in regularisers.available())
        return tuple(
            Active(term, weight, {name: preset.value_at(name, epoch) for name in term.parameters})
            for term, weight in weights
            if weight and not math.isinf(weight)
        )

    def _executor(self, terms: Terms) -> Serial | Fused:
        """The executor of one method of propagation and one loss; made when first needed, kept for the run."""
        method, algorithm = key = terms.method, terms.algorithm
        if key not in self._executors:
            size = batch_size(self._preset, self.backend, self._setup.geometry.window)
            model = Model(self.backend, self._setup, method)
            if supports(model, method, algorithm) and not self._measurements.holds_out:
                self._executors[key] = Fused(model, self._measurements, algorithm, size, self.backend.threads)
            else:
                self._executors[key] = Serial(model, self._measurements, available()[algorithm], size)
        return self._executors[key]

    def _require_held_out(self, count: int) -> None:
        """Raise where `validation_fraction` leaves hardly a pixel of `count` patterns to judge by, or to refine with."""
        share, measured = self._preset.validation_fraction, self._measurements
        pad = 0 if measured.compressed else measured.preprocessing.pad
        pixels = count * math.prod(max(side - 2 * pad, 1) for side in measured.window)
        if share and min(share, 1 - share) * pixels < _LEAST_PIXELS:
            which, other = ("held out", "larger") if share < 0.5 else ("left in the loss", "smaller")
            raise ParameterError(
                f"validation_fraction: with {share:g} fewer than {_LEAST_PIXELS} of {pixels} measured values are {which}, "
                f"too few to go by; give a {other} share, or 0 to hold none out"
            )

    def _weight(self, weight: float | str, count: int) -> float:
        if weight == "mean":
            return 1 / count
        if weight == "mean_full":
            left_out = self._setup.left_out
            compared = math.prod(self._measurements.window) - (0 if left_out is None else int(left_out.sum()))
            return 1 / (count * compared)
        return float(weight)

    def _sequence(self, epoch: int) -> tuple[int, ...] | None:
        return sequence_of(self._preset.value_at("sequence", epoch), self._measurements.count)


def sequence_of(chosen: Iterable[int] | None, count: int) -> tuple[int, ...] | None:
    """The patterns `chosen` of `count`, each once, increasing; ``None`` for all.

    Raises
    ------
    ParameterError
        Where there are no such patterns.
    """
    if chosen is None:
        return None
    found = sorted({int(index) for index in chosen})
    if found[0] < 0 or found[-1] >= count:
        raise ParameterError(f"sequence: names patterns {found[0]} to {found[-1]}; there are {count}, numbered from 0")
    return tuple(found)


def constraint_names(preset: Preset) -> tuple[str, ...]:
    """The terms that may join the loss of a run: those whose weight is scheduled, or is not zero."""
    weights = ((term, preset[term.weight]) for term in regularisers.available())
    return tuple(term.name for term, weight in weights if isinstance(weight, Schedule) or weight)


def batch_size(preset: Preset, backend: Backend, window: tuple[int, int]) -> int:
    """Patterns computed at once: `compute_batch`; where it is "auto", as many as stay in a core's cache or on the device."""
    if preset.compute_batch != "auto":
        return preset.compute_batch
    probe = preset.probe
    modes = probe.shape[2] if hasattr(probe, "shape") else 1
    one = window[0] * window[1] * modes * (16 if backend.precision == "double" else 8)
    if backend.on_device:
        free = preset.memory_saturation * backend.memory()[0] * GIB
        return max(1, min(_MOST_ON_DEVICE, int(free / (one * _WAVES_HELD * max(preset.num_slices, preset.obj.shape[2])))))
    return max(1, min(64, backend.cache // (_WAVES_AT_ONCE * one)))
