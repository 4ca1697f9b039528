"""A reconstruction: epochs of L-BFGS, one report each."""

from __future__ import annotations

import math
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from pypty_nb.aio import from_thread
from pypty_nb.engine import finite, patience, projections, vector
from pypty_nb.engine.build import Problem, build, centred, changed
from pypty_nb.engine.fingerprint import fingerprint, require_same
from pypty_nb.engine.landscape import Landscape
from pypty_nb.engine.lbfgs import History
from pypty_nb.engine.linesearch import LineSearch, Trial, search
from pypty_nb.engine.methods import brought, steep, warning_of
from pypty_nb.engine.model import Model
from pypty_nb.engine.objective import HARD_MASK, Objective, Terms, batch_size
from pypty_nb.engine.refinables import to_host
from pypty_nb.engine.regrid import at_corners, margins, padded, together
from pypty_nb.engine.state import State, packed, restored
from pypty_nb.engine.subpixel import acting, refined
from pypty_nb.engine.unheeded import unheeded
from pypty_nb.params import FIELDS, ParameterError, Preset, Schedule, as_preset, known_name
from pypty_nb.records import Array, EpochReport, Evaluation, LineSearchReport, Refinables


def evaluate(pypty_params: Preset | Mapping[str, Any] | str | os.PathLike[str]) -> Evaluation:
    """Loss and gradient of a preset at exactly the arrays it gives.

    Nothing is band-limited, rescaled, padded or shifted beforehand; the model's own band limits act.

    Parameters
    ----------
    pypty_params : mapping, Preset or path of a preset

    Returns
    -------
    Evaluation
        NumPy arrays; gradient as in `Refinables`, ``None`` where ``update_*`` is off in epoch `epoch_prev`.

    Raises
    ------
    ParameterError, DataError
        `ValueError` each: what is wrong with the preset or the measurements.
    """
    preset = as_preset(pypty_params)
    problem = build(preset, exact=True)
    evaluation = problem.objective.evaluate(problem.point, problem.objective.terms_at(preset.epoch_prev))
    return replace(evaluation, gradient=to_host(problem.backend, evaluation.gradient))


class Reconstruction:
    """A run of a preset: an iterator of `EpochReport`, also ``async for``.

    Making one reads and checks the data and allocates; nothing is written anywhere.

    Parameters
    ----------
    pypty_params : mapping, Preset or path of a preset
    checkpoint : mapping of str to array, optional
        What `checkpoint` of an earlier run gave: it goes on as if it had never ended. Live parameters may be others.

    Raises
    ------
    ParameterError, DataError, BackendError
        `ValueError` each: what is wrong with the preset, the measurements or the machine.
    """

    def __init__(
        self,
        pypty_params: Preset | Mapping[str, Any] | str | os.PathLike[str],
        checkpoint: Mapping[str, np.ndarray] | None = None,
    ):
        preset = as_preset(pypty_params).frozen()
        problem = build(preset, exact=preset.skip_preprocessing)
        self.backend = problem.backend
        self._built = preset, problem
        self._begin()
        # what the first epoch would refuse is refused here, before a folder is made for the run
        self._terms_at(preset.epoch_prev)
        if checkpoint is not None:
            self._go_to(checkpoint)
        self._reports = self._run()

    def __iter__(self) -> Iterator[EpochReport]:
        return self

    def __next__(self) -> EpochReport:
        before = self._state
        try:
            return next(self._reports)
        except StopIteration:
            raise
        except BaseException:
            # of an epoch that failed or was interrupted nothing stays: `point` and `checkpoint` are the last good state
            self._state = before
            raise

    def __aiter__(self) -> AsyncIterator[EpochReport]:
        return from_thread(self)

    @property
    def epoch(self) -> int:
        """Complete epochs; the number of the next one."""
        return self._state.epoch

    @property
    def point(self) -> Refinables:
        """The arrays as they are now, NumPy on the host."""
        return to_host(self.backend, self._state.point)

    def simulated(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """What the model gives at the present point, batch by batch: indices, and patterns (pattern, ky, kx), centred.

        Patterns whose patch reaches out of the object, as it may where `use_full_FOV` is off, are passed over.
        With `data_simulation_exitwave` the waves behind the specimen instead, (pattern, y, x, probe mode, object mode) complex.
        """
        preset, backend, point = self.preset, self.backend, self._state.point
        geometry, terms = self._problem.setup.geometry, self._terms_at(max(self._state.epoch - 1, 0))
        model = Model(backend, self._problem.setup, terms.method)
        prepared = model.prepare(acting(backend, point, geometry, between_pixels=terms.between_pixels))
        held = np.flatnonzero(geometry.held(point.obj.shape[:2]))
        size = batch_size(preset, backend, geometry.window)
        for first in range(0, len(held), size):
            indices = held[first : first + size]
            if preset.data_simulation_exitwave:
                waves = backend.to_host(model.exit_waves(prepared, indices))
                yield indices, np.moveaxis(waves, (1, 2), (3, 4))
            else:
                yield indices, centred(self._problem.setup, backend.to_host(model.signals(prepared, indices)))

    def checkpoint(self) -> dict[str, np.ndarray]:
        """All that is needed to go on after the last complete epoch, exactly as if nothing had happened."""
        return packed(self._state, self.backend) | self._fingerprint

    def restore(self, checkpoint: Mapping[str, np.ndarray], changes: Sequence[Mapping[str, Any]] = ()) -> None:
        """Go to the state that `checkpoint` gave in a run of this preset that had seen `changes`, one after the other.

        Raises
        ------
        ParameterError
            Where the checkpoint is damaged or belongs to another preset or other data; nothing has changed then.
        """
        before = self.preset, self._problem, self._state
        try:
            self._begin()
            for values in changes:
                self.change(values)
            self._go_to(checkpoint)
        except BaseException:
            self._state = before[2]
            self._use(*before[:2])
            raise
        finally:
            self._reports = self._run()

    def change(self, values: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
        """Set parameters from the next epoch on; all of `values`, or none. Call between epochs.

        The history is reset where another function is minimised from then on.

        Returns
        -------
        mapping of str to (old, new)
            What is another value now.

        Raises
        ------
        ParameterError
            Where a value cannot be used, or its parameter is fixed while a run is under way.
        """
        fixed = [name for name in map(known_name, values) if not FIELDS[name].live]
        if fixed:
            raise ParameterError(*(f"{name}: cannot be changed during a run; start a new run with it" for name in fixed))
        preset = self.preset.copy()
        preset.update(values)
        differences = preset.diff(self.preset)
        if not differences:
            return {}
        problem = changed(replace(self._problem, point=self._state.point), preset)
        epoch, before = self._state.epoch, self._terms_at(max(self._state.epoch - 1, self.preset.epoch_prev))
        terms = self._terms_at(epoch, problem.objective)
        epochs = range(epoch, preset.epoch_max if isinstance(preset.sequence, Schedule) else epoch + 1)
        problem.objective.check(problem.point, terms, epochs)
        projections.applied(problem.point, preset, epoch, self.backend, problem.setup)
        if epoch > self.preset.epoch_prev:
            # what the new schedule itself does at this epoch is done when the epoch begins
            methods = (given.value_at("propmethod", epoch - 1) for given in (self.preset, preset))
            probe = brought(problem.point.probe, *methods, self.backend, self._problem.setup)
            problem = replace(problem, point=replace(problem.point, probe=probe))
        if HARD_MASK in terms.changes - before.changes:
            problem = replace(problem, point=Landscape(preset, problem).cleared(problem.point, terms))
        state = patience.changed(self._state, comparable=terms.comparable(before))
        self._state = replace(state, point=problem.point, history=state.history if terms == before else History())
        self._unsaid += tuple(words for words in unheeded(preset) if words not in unheeded(self.preset))
        self._use(preset.frozen(), problem)
        self._reports = self._run()
        return differences

    def _begin(self) -> None:
        """Go to the start of the run."""
        preset, problem = self._built
        self._state = State(preset.epoch_prev, problem.point, problem.setup.geometry.corners)
        self._unsaid = unheeded(preset)
        self._use(preset, problem)

    @cached_property
    def _fingerprint(self) -> dict[str, np.ndarray]:
        preset, problem = self._built
        return fingerprint(preset, float(problem.objective.measurements.summary.totals.sum()))

    def _go_to(self, checkpoint: Mapping[str, np.ndarray]) -> None:
        """Go to the state of `checkpoint`, of a run that began as this one and saw the same changes."""
        require_same(checkpoint, self._fingerprint)
        self._state = restored(checkpoint, self._state, self.backend)
        if self._state.epoch > self.preset.epoch_prev:
            self._unsaid = ()
        self._use(self.preset, at_corners(self._problem, self._state.corners))

    def _use(self, preset: Preset, problem: Problem) -> None:
        """Go on from the present point in `problem`, whose arrays have its shapes."""
        self.preset, self._problem = preset, replace(problem, point=self._state.point)
        self._landscape = Landscape(preset, self._problem)

    def _run(self) -> Iterator[EpochReport]:
        began = time.monotonic() - self._state.seconds
        previous: tuple[Terms, Evaluation] | None = None
        # a run that is resumed where a schedule steps must forget what it learnt before, as one never interrupted would
        remembers = self._state.history.pairs or self._state.best is not None
        minimised = self._terms_at(self._state.epoch - 1) if remembers else None
        for epoch in range(self._state.epoch, self.preset.epoch_max):
            if patience.ended(self._state):
                break
            reset, terms = self._reset_at(epoch), self._terms_at(epoch)
            if minimised is not None and not terms.comparable(minimised):
                self._state = replace(self._state, best=None)
            if reset or (minimised is not None and minimised != terms):
                self._state = replace(self._state, history=History())
                previous = None
            if any([self._resized_at(epoch), self._brought_at(epoch), self._masked_at(epoch, terms)]):
                previous = None
            if previous is None:
                previous = terms, self._landscape.evaluate(self._state.point, terms)
            minimised, start = previous
            finite.require(start, epoch)
            self._state, ends = patience.overfits(self._state, epoch, start.validation, self.preset.stop_on_validation)
            if ends:
                previous = None
                break
            before = self._state.point.obj
            following, report, warnings = self._step(epoch, terms, start)
            warnings += self._steep_since(epoch, before) + self._unsaid
            self._unsaid = ()
            previous = terms, following
            seconds = time.monotonic() - began
            self._state = replace(self._state, epoch=epoch + 1, seconds=seconds)
            self.backend.release(memory=self.preset.value_at("smart_memory", epoch), plans=self.preset.remove_fft_cache)
            yield self._report(epoch, start, report, seconds, warnings)
        epoch = self._state.epoch
        words = patience.words_on_the_end(self._state) + self._unsaid
        self._unsaid = ()
        if previous is None:
            terms = self._terms_at(max(epoch - 1, 0))
            previous = terms, self._landscape.evaluate(self._state.point, terms)
        yield self._report(epoch, previous[1], LineSearchReport(), time.monotonic() - began, words, final=True)

    def _reset_at(self, epoch: int) -> bool:
        """Carry out the resets that are due before `epoch`; whether there was one."""
        vacuum = bool(self.preset.value_at("restart_from_vacuum", epoch))
        if vacuum:
            point = self._state.point
            self._state = replace(self._state, point=replace(point, obj=point.obj * 0 + 1), best=None)
        back = bool(self.preset.value_at("reset_positions", epoch))
        if back:
            self._regrid(self._first_positions())
        moved = projections.applied(self._state.point, self.preset, epoch, self.backend, self._problem.setup)
        by_hand = moved is not self._state.point
        self._state = replace(self._state, point=moved)
        return vacuum or back or by_hand or bool(self.preset.value_at("reset_history_flag", epoch))

    def _resized_at(self, epoch: int) -> bool:
        """Cut the patches anew, in an object with room for them, where a position has left its pixel too far."""
        limit = int(self.preset.value_at("dynamically_resize_yx_object", epoch))
        if not limit:
            return False
        positions = self._state.point.positions
        shift = abs(self.backend.to_host(positions) - self._state.corners).max()
        if shift < limit:
            return False
        self._regrid(positions)
        return True

    def _brought_at(self, epoch: int) -> bool:
        """Bring the probe to where another method of propagation, that begins in `epoch`, wants it."""
        if epoch == self.preset.epoch_prev:
            return False
        point, methods = self._state.point, (self.preset.value_at("propmethod", e) for e in (epoch - 1, epoch))
        probe = brought(point.probe, *methods, self.backend, self._problem.setup)
        self._state = replace(self._state, point=replace(point, probe=probe))
        return probe is not point.probe

    def _steep_since(self, epoch: int, before: Array) -> tuple[str, ...]:
        """A warning of slices that became too steep for the method in `epoch`, in which it began or the object was `before`."""
        method, first = self.preset.value_at("propmethod", epoch), epoch == self.preset.epoch_prev
        begins = first or self.preset.value_at("propmethod", epoch - 1) != method
        earlier = frozenset() if begins else steep(before, method, self.backend)
        return warning_of(steep(self._state.point.obj, method, self.backend) - earlier, method)

    def _masked_at(self, epoch: int, terms: Terms) -> bool:
        """Clear the probe's spectrum outside its mask in the epoch from which it must stay clear."""
        before = epoch > self.preset.epoch_prev and HARD_MASK in self._problem.objective.terms_at(epoch - 1).changes
        if before or HARD_MASK not in terms.changes:
            return False
        self._state = replace(self._state, point=self._landscape.cleared(self._state.point, terms))
        return True

    def _regrid(self, positions: Array) -> None:
        """Round `positions` anew; the object, and all that is remembered of it, grow where the scan has."""
        state, geometry, backend = self._state, self._problem.setup.geometry, self.backend
        corners = np.rint(backend.to_host(positions)).astype(np.int64)
        field = state.point.obj.shape[:2]
        widths = margins(corners[geometry.held(field)], geometry.window, field)
        before = np.array([side[0] for side in widths])
        point = replace(state.point, positions=positions + backend.asarray(before, backend.real))
        self._state = replace(
            state,
            point=padded(point, widths, 1, backend),
            corners=corners + before,
            grown=together(state.grown, widths),
            history=state.history.mapped(lambda a: padded(a, widths, 0, backend)),
            # losses before and after do not compare
            best=None,
        )
        self._use(self.preset, at_corners(self._problem, self._state.corners))

    def _step(self, epoch: int, terms: Terms, start: Evaluation) -> tuple[Evaluation, LineSearchReport, tuple[str, ...]]:
        """One search along one direction; moves the state."""
        point, history = self._state.point, self._state.history
        change, metric = self._landscape.change(terms), self._landscape.metric(point, terms)
        variables = change.of(point)
        direction = history.direction(start.gradient, metric)
        slope = vector.inner(start.gradient, direction)
        if history.pairs and not -math.inf < slope < 0:
            # rounding can spoil the curvature of nearly parallel pairs
            history = History()
            self._state = replace(self._state, history=history)
            direction = history.direction(start.gradient, metric)
            slope = vector.inner(start.gradient, direction)
        finite.require_gradient(start.gradient, slope, epoch)
        if not slope < 0:
            self._state = patience.at_the_bottom(self._state)
            return start, LineSearchReport(accepted=False), ("the gradient is zero: nothing more can be gained",)

        def trial_at(step: float) -> Trial[tuple[Refinables, Evaluation]]:
            moved = change.point(vector.axpy(step, direction, variables), point)
            evaluation = self._landscape.evaluate(moved, terms)
            return Trial(evaluation.loss, vector.inner(evaluation.gradient, direction), (moved, evaluation))

        first = self._first_step(epoch, terms, start.loss, slope)
        found, report = search(self._line_search(epoch), trial_at, Trial(start.loss, slope, (point, start)), first)
        if found is None:
            self._state, warnings = patience.rejected(self._state, epoch, terms.refined)
            return start, report, warnings
        moved, following = found.state
        length = self.preset.value_at("hist_length", epoch)
        bend = vector.axpy(-1.0, start.gradient, following.gradient)
        history = history.extended(vector.scale(report.step, direction), bend, length, metric)
        self._state = replace(self._state, point=moved, history=history, rejected=0)
        return following, report, ()

    def _terms_at(self, epoch: int, objective: Objective | None = None) -> Terms:
        """The terms in `epoch`, of the present objective where none is given, as the present state has them."""
        terms = (objective or self._problem.objective).terms_at(epoch)
        between = terms.between_pixels or refined(self._state.point.positions, self._first_positions())
        return replace(terms, refined=terms.refined - patience.resting(self._state, epoch), between_pixels=between)

    def _first_positions(self) -> Array:
        """The positions that the run began with, in the object as large as it is now."""
        before = [side[0] for side in self._state.grown]
        return self._built[1].point.positions + self.backend.asarray(before, self.backend.real)

    def _first_step(self, epoch: int, terms: Terms, loss: float, slope: float) -> float:
        step = self.preset.value_at("update_step_bfgs", epoch)
        if not self._state.history.pairs:
            # where no curvature is known: a loss with a least value has its minimum no further along a parabola than this
            # (Fletcher, Practical Methods of Optimization (1987), section 2.5), so that a first search takes few evaluations
            step *= min(1.0, 2 * (loss - self._problem.objective.least(terms)) / -slope)
        return step

    def _line_search(self, epoch: int) -> LineSearch:
        preset = self.preset
        count = preset.max_count
        return LineSearch(
            c1=preset.value_at("wolfe_c1_constant", epoch),
            c2=preset.value_at("wolfe_c2_constant", epoch),
            reduce=preset.reduce_factor,
            optimism=preset.optimism,
            max_count=None if count is None or math.isinf(count) else count,
            min_step=preset.min_step,
            resolution=1e-15 if self.backend.precision == "double" else 1e-8,
        )

    def _report(
        self,
        epoch: int,
        at: Evaluation,
        search_report: LineSearchReport,
        seconds: float,
        warnings: tuple[str, ...],
        *,
        final: bool = False,
    ) -> EpochReport:
        return EpochReport(
            epoch=epoch,
            loss=at.loss,
            sse=at.sse,
            terms=dict(at.terms),
            search=search_report,
            seconds=seconds,
            warnings=warnings,
            residual=at.residual,
            point=self.point,
            final=final,
            validation=at.validation,
        )
