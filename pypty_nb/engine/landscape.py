"""The objective in a run's own variables: within the band of the whole arrays, and changed where a parameter asks for it."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from pypty_nb.backend import Backend
from pypty_nb.engine import vector
from pypty_nb.engine.build import Problem
from pypty_nb.engine.metric import Metric
from pypty_nb.engine.objective import HARD_MASK, Objective, Terms
from pypty_nb.engine.preconditioner import Illumination
from pypty_nb.engine.regularisers.probe_space import mask
from pypty_nb.engine.stages.variables import Free, InMask, Together, chosen
from pypty_nb.engine.start import whole_band
from pypty_nb.params import ParameterError, Preset
from pypty_nb.records import Evaluation, Refinables

#: The changes after which the probe's variables are those of its spectrum.
_OF_THE_SPECTRUM = frozenset({"tune_only_probe_phase", "tune_only_probe_abs"})


class Landscape:
    """What the optimiser sees: losses, and gradients by the variables.

    Parameters
    ----------
    preset : Preset
    problem : Problem
        Its point has the shapes of every point to come.
    """

    def __init__(self, preset: Preset, problem: Problem):
        self._backend: Backend = problem.backend
        self._objective: Objective = problem.objective
        self._preset, self._window = preset, problem.setup.geometry.window
        free = preset.skip_preprocessing
        self._band = None if free else whole_band(preset, problem.backend, problem.point, self._window)
        seeded = preset.preconditioner == "illumination"
        shape = (problem.point.obj.shape[0], problem.point.obj.shape[1])
        self._illumination = Illumination(problem.backend, problem.setup, shape) if seeded else None

    def change(self, terms: Terms) -> Free:
        """The change of variable in an epoch of `terms`."""
        change = chosen(self._backend, terms.changes)
        return Together([self._in_mask, change]) if HARD_MASK in terms.changes else change

    def evaluate(self, point: Refinables, terms: Terms) -> Evaluation:
        """Loss at `point`; the gradient is by the variables."""
        evaluation = self._objective.evaluate(point, terms)
        gradient = evaluation.gradient
        if self._band is not None:
            limited = self._band.adjoint(gradient)
            # a phase alone has no band of its own
            gradient = replace(limited, obj=gradient.obj) if "phase_only_obj" in terms.changes else limited
        return replace(evaluation, gradient=self.change(terms).pull(gradient, point))

    def cleared(self, point: Refinables, terms: Terms) -> Refinables:
        """`point` with its probe's spectrum cleared outside the mask.

        Raises
        ------
        ParameterError
            Where nothing is left of it.
        """
        change = self.change(terms)
        found = change.point(change.of(point), point)
        if not bool(found.probe.any()):
            raise ParameterError(
                "probe_constraint_mask: keeps nothing of the probe; it is 1 where the probe may be, centred on the detector"
            )
        return found

    def metric(self, point: Refinables, terms: Terms) -> Metric:
        """The metric at `point`."""
        if self._illumination is None:
            return Metric()
        diagonal = self._illumination.metric(point)
        if terms.changes & _OF_THE_SPECTRUM:
            diagonal = replace(diagonal, probe=None)
        return Metric(diagonal, lambda a: self._within(a, terms))

    @cached_property
    def _in_mask(self) -> InMask:
        return InMask(self._backend, mask(self._window, self._preset))

    def _within(self, a: Refinables, terms: Terms) -> Refinables:
        """`a` limited to the band and the mask; the variables of the other changes have no band of their own."""
        obj = None if "phase_only_obj" in terms.changes else a.obj
        probe = None if terms.changes & _OF_THE_SPECTRUM else a.probe
        banded = Refinables(obj=obj, probe=probe)
        if self._band is not None:
            banded = self._band.forward(banded)
        if HARD_MASK in terms.changes:
            banded = self._in_mask.of(banded)
        return replace(a, **dict(vector.present(banded)))
