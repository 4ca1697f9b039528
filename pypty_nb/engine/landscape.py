"""The objective in a run's own variables: within the band of the whole arrays, and changed where a parameter asks for it."""

from __future__ import annotations

from dataclasses import replace

from pypty_nb.backend import Backend
from pypty_nb.engine.build import Problem
from pypty_nb.engine.metric import Metric
from pypty_nb.engine.objective import Objective, Terms
from pypty_nb.engine.preconditioner import Illumination
from pypty_nb.engine.stages.variables import Free, chosen
from pypty_nb.engine.start import whole_band
from pypty_nb.params import Preset
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
        shape, window = (problem.point.obj.shape[0], problem.point.obj.shape[1]), problem.setup.geometry.window
        free = preset.skip_preprocessing
        self._band = None if free else whole_band(preset, problem.backend, problem.point, window)
        seeded = preset.preconditioner == "illumination"
        self._illumination = Illumination(problem.backend, problem.setup, shape) if seeded else None

    def change(self, terms: Terms) -> Free:
        """The change of variable in an epoch of `terms`."""
        return chosen(self._backend, terms.changes)

    def evaluate(self, point: Refinables, terms: Terms) -> Evaluation:
        """Loss at `point`; the gradient is by the variables."""
        evaluation = self._objective.evaluate(point, terms)
        gradient = evaluation.gradient
        if self._band is not None:
            limited = self._band.adjoint(gradient)
            # a phase alone has no band of its own
            gradient = replace(limited, obj=gradient.obj) if "phase_only_obj" in terms.changes else limited
        return replace(evaluation, gradient=self.change(terms).pull(gradient, point))

    def metric(self, point: Refinables, terms: Terms) -> Metric:
        """The metric at `point`."""
        if self._illumination is None:
            return Metric()
        diagonal = self._illumination.metric(point)
        if terms.changes & _OF_THE_SPECTRUM:
            diagonal = replace(diagonal, probe=None)
        return Metric(diagonal, lambda a: self._within(a, terms))

    def _within(self, a: Refinables, terms: Terms) -> Refinables:
        """`a` limited to the band; the variables of a change have no band of their own."""
        if self._band is None:
            return a
        limited = self._band.forward(a)
        obj = a.obj if "phase_only_obj" in terms.changes else limited.obj
        probe = a.probe if terms.changes & _OF_THE_SPECTRUM else limited.probe
        return replace(limited, obj=obj, probe=probe)
