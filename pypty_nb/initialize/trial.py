"""A preset's problem on a handful of its patterns: whether it can be posed, how long an epoch takes, what memory it needs."""

from __future__ import annotations

import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pypty_nb.backend import GIB
from pypty_nb.data import Dataset, Measurements
from pypty_nb.data.dataset import ArrayDataset
from pypty_nb.data.measurements import SMALL_BYTES
from pypty_nb.engine import start, vector
from pypty_nb.engine.build import Outline, outline
from pypty_nb.engine.objective import Objective, Terms, batch_size
from pypty_nb.initialize.copying import with_values
from pypty_nb.params import FIELDS, ParameterError, Preset
from pypty_nb.records import Refinables

#: Patterns read for a trial: at most as many, of at most so many bytes, in so many runs of neighbours across the scan.
_MOST_PATTERNS, _MOST_BYTES, _RUNS = 128, 64 * 2**20, 8
#: Losses with gradient that an epoch takes, on the average of runs.
EVALUATIONS = 1.2
#: About as long each trial evaluation may take, s, and how often they are repeated at most.
_PATIENCE, _ROUNDS = 0.3, 6
#: Waves that a batch holds beside three for every slice.
_WAVES_BESIDE = 6
_DATA = {"data_path", "dataset"}


class _Sampled(Measurements):
    """Measurements of which only the patterns `sample` (increasing) can be asked for, under their own numbers."""

    def __init__(self, plan: Outline, sample: np.ndarray, patterns: np.ndarray):
        name = f"{plan.dataset.name}, {len(sample)} of its patterns"
        part = ArrayDataset(patterns, name, signals=len(plan.dataset.shape) == 2)
        super().__init__(part, plan.preprocessing, plan.backend.real, keep=True, centred=plan.centred)
        self._sample, self.count = sample, plan.dataset.shape[0]

    def batch(self, indices: np.ndarray) -> np.ndarray:
        return super().batch(np.searchsorted(self._sample, indices))


@dataclass(frozen=True)
class Trial:
    """What a preset poses, with a sample of its patterns.

    Attributes
    ----------
    preset : Preset
    outline : Outline
    objective : Objective
        Of all patterns; only those of `sample` can be evaluated.
    terms : Terms
        Of the first epoch.
    point : Refinables
        Where the run starts, but for the flux, which is the sample's.
    sample : int array
    measurements : Measurements
        Of the sample.
    read_seconds : float
        Reading one pattern.
    """

    preset: Preset
    outline: Outline
    objective: Objective
    terms: Terms
    point: Refinables
    sample: np.ndarray
    measurements: Measurements
    read_seconds: float

    @property
    def count(self) -> int:
        """Patterns of an epoch."""
        return self.measurements.count if self.terms.sequence is None else len(self.terms.sequence)

    @property
    def data_bytes(self) -> int:
        """The processed patterns, all of them."""
        ky, kx = self.measurements.window
        return self.measurements.count * ky * kx * np.dtype(self.outline.backend.real).itemsize

    @property
    def keeps_data(self) -> bool:
        """Whether a run holds the patterns in memory."""
        return not self.preset.load_one_by_one or self.data_bytes <= SMALL_BYTES


def pose(preset: Preset) -> Trial:
    """Read a sample and build the problem.

    Raises
    ------
    ParameterError, DataError, BackendError
        As the engine does when a run starts, but for what only the patterns not read would show.
    """
    exact = preset.skip_preprocessing
    plan = outline(preset, exact=exact)
    sample = _sample(plan.dataset, _first_sequence(preset))
    began = time.perf_counter()
    patterns = _read(plan.dataset, sample)
    seconds = (time.perf_counter() - began) / len(sample)
    measurements = _Sampled(plan, sample, patterns)
    point = start.first_point(preset, plan.backend, plan.setup, plan.arrays, measurements.summary, exact=exact)
    objective = Objective(preset, plan.backend, plan.setup, measurements)
    terms = objective.terms_at(preset.epoch_prev)
    return Trial(preset, plan, objective, terms, point, sample, measurements, seconds)


def posed(preset: Preset) -> tuple[Trial | None, tuple[str, ...]]:
    """The trial of `preset`, or ``None`` and every reason there is against it.

    What is at fault is set back to its default, and the rest tried again, until nothing more is found.
    """
    found: list[str] = []
    blamed: set[str] = set()
    current = preset
    while True:
        try:
            trial = pose(current)
        except (ValueError, OSError) as error:
            problems = error.problems if isinstance(error, ParameterError) else (str(error) or type(error).__name__,)
        else:
            return (None if found else trial), tuple(found)
        # a second complaint about the same parameter speaks of its default
        fresh = [problem for problem in problems if problem not in found and _name(problem) not in blamed]
        found += fresh
        culprits = {_name(problem) for problem in fresh} & {name for name in FIELDS if current.is_changed(name)} - _DATA
        if not culprits:
            return None, tuple(found)
        blamed |= culprits
        try:
            current = with_values(current, **{name: deepcopy(FIELDS[name].default) for name in culprits})
        except ParameterError:
            return None, tuple(found)


def seconds_per_epoch(trial: Trial) -> float:
    """What an epoch takes on this machine, from evaluations of the sample, whose share per pattern is told from the rest."""
    first = trial.sample[: max(1, min(trial.outline.backend.threads, len(trial.sample) // 2))]
    # what is made when first needed, such as compiled kernels, is no part of an epoch
    _evaluate(trial, first)
    few = _seconds(lambda: _evaluate(trial, first))
    most = int(np.clip(_PATIENCE / few * len(first), min(2 * len(first), len(trial.sample)), len(trial.sample)))
    many = np.inf
    began = time.perf_counter()
    for _ in range(_ROUNDS):
        many = min(many, _seconds(lambda: _evaluate(trial, trial.sample[:most])))
        few = min(few, _seconds(lambda: _evaluate(trial, first)))
        if time.perf_counter() - began > 3 * _PATIENCE:
            break
    # the shortest times of both, since whatever else the machine does makes them longer only
    each = (many - few) / (most - len(first)) if most > len(first) and many > few else many / most
    common = max(few - each * len(first), 0.0)
    if not trial.keeps_data:
        each += trial.read_seconds
    return EVALUATIONS * (common + each * trial.count) + _step_seconds(trial)


def memory_bytes(trial: Trial) -> int:
    """What a run needs where the arithmetic is done: patterns (on a processor), arrays, the optimiser's history, a batch."""
    backend, setup = trial.outline.backend, trial.outline.setup
    whole = sum(array.nbytes for _, array in vector.present(trial.point))
    refined = sum(array.nbytes for name, array in vector.present(trial.point) if name in trial.terms.refined)
    arrays = 2 * whole + (2 * _pairs(trial) + 5 + backend.threads) * refined
    window = setup.geometry.window
    waves = trial.point.probe.shape[2] * setup.optics.obj_modes * (_WAVES_BESIDE + 3 * setup.optics.slices)
    one = window[0] * window[1] * np.dtype(backend.complex).itemsize * waves
    batch = batch_size(trial.preset, backend, window) * one * backend.threads
    data = trial.data_bytes if trial.keeps_data and not backend.on_device else 0
    return int(data + arrays + batch)


def free_bytes(trial: Trial) -> tuple[float, float]:
    """Free and total memory where the arithmetic is done; 0 where that is not known."""
    free, total = trial.outline.backend.memory()
    return free * GIB, total * GIB


def _pairs(trial: Trial) -> int:
    """Pairs of the history, once it is full."""
    preset = trial.preset
    return int(min(preset.value_at("hist_length", preset.epoch_prev), max(preset.epoch_max - preset.epoch_prev, 0)))


def _step_seconds(trial: Trial) -> float:
    """The optimiser's own arithmetic on whole arrays: the two loops over the history, and the band limit of what comes out."""
    backend, point = trial.outline.backend, trial.point
    refined = vector.only(point, trial.terms.refined)
    band = start.whole_band(trial.preset, backend, point, trial.outline.setup.geometry.window)
    once = min(_seconds(lambda: (vector.inner(refined, refined), vector.axpy(0.0, refined, point))) for _ in range(2))
    return (2 * _pairs(trial) + 4) * once + 2 * _seconds(lambda: band.forward(point))


def _evaluate(trial: Trial, patterns: np.ndarray) -> float:
    terms = replace(trial.terms, sequence=tuple(int(index) for index in patterns))
    return trial.objective.evaluate(trial.point, terms).loss


def _seconds(function: Callable[[], Any]) -> float:
    began = time.perf_counter()
    function()
    return max(time.perf_counter() - began, 1e-9)


def _first_sequence(preset: Preset) -> np.ndarray | None:
    chosen = preset.value_at("sequence", preset.epoch_prev)
    return None if chosen is None else np.unique(np.asarray(chosen, np.int64))


def _sample(dataset: Dataset, sequence: np.ndarray | None) -> np.ndarray:
    """Some patterns of the sequence, runs of neighbours spread over it, increasing."""
    count = dataset.shape[0]
    among = np.arange(count) if sequence is None else sequence[(sequence >= 0) & (sequence < count)]
    if not len(among):
        among = np.arange(count)
    size = int(np.clip(_MOST_BYTES // (8 * int(np.prod(dataset.shape[1:]))), _RUNS, _MOST_PATTERNS))
    if len(among) <= size:
        return among
    starts = np.linspace(0, len(among) - size // _RUNS, _RUNS).astype(np.int64)
    return among[np.unique(np.add.outer(starts, np.arange(size // _RUNS)))]


def _read(dataset: Dataset, sample: np.ndarray) -> np.ndarray:
    """The patterns of `sample`, run by run, since a file may hold whole rows of the scan in one piece."""
    runs = np.split(sample, np.flatnonzero(np.diff(sample) > 1) + 1) if len(sample) <= _MOST_PATTERNS else [sample]
    return np.concatenate([dataset.read(run) for run in runs])


def _name(problem: str) -> str:
    return problem.partition(":")[0]
