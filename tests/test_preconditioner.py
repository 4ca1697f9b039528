"""The metric of illumination: what it is, that the search in it is BFGS with that seed, and that it pays."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction
from pypty_nb.engine import vector
from pypty_nb.engine.build import build
from pypty_nb.engine.landscape import Landscape
from pypty_nb.engine.lbfgs import History
from pypty_nb.engine.metric import Metric
from pypty_nb.engine.preconditioner import Illumination
from pypty_nb.physics.grids import q_squared
from pypty_nb.physics.units import electron_wavelength
from pypty_nb.records import Refinables
from tests.test_model import problem
from tests.test_optimiser import naive_direction
from tests.test_reconstruction import small


def directly(power: np.ndarray, corners: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The light on every pixel of an object, patch by patch."""
    seen = np.zeros(shape)
    for y, x in corners:
        seen[y : y + power.shape[0], x : x + power.shape[1]] += power
    return seen


@pytest.mark.parametrize("scenarios", [1, 2])
def test_the_metric_is_the_light_on_every_pixel(scenarios: int) -> None:
    preset = Preset.from_dict(problem(slices=3, probe_modes=2, scenarios=scenarios, slice_distances=[20.0, 35.0]))
    posed = build(preset, exact=True)
    point, corners = posed.point, posed.setup.geometry.corners
    shape = point.obj.shape[:2]
    metric = Illumination(posed.backend, posed.setup, shape).metric(point)
    q2 = q_squared(point.probe.shape[:2], posed.setup.geometry.pixel_size)[..., None]
    spectrum = np.fft.fft2(point.probe, axes=(0, 1)).reshape(*point.probe.shape[:2], -1)
    slices = []
    for depth in (0.0, 20.0, 55.0):
        wave = np.fft.ifft2(spectrum * np.exp(-1j * np.pi * electron_wavelength(preset.acc_voltage) * depth * q2), axes=(0, 1))
        slices.append(directly((np.abs(wave) ** 2).sum(axis=2), corners, shape))
    light = np.stack(slices, axis=-1)
    assert np.allclose(metric.obj[..., 0], 1 / (light / light.max() + 0.1))
    power = (np.abs(point.obj) ** 2).mean(axis=2).sum(axis=2)
    seen = sum(power[y : y + len(q2), x : x + len(q2)] for y, x in corners)
    # in the object's unit, so that both curvatures compare
    assert np.allclose(metric.probe.squeeze(), light.max() / seen.max() / (seen / seen.max() + 0.1))
    assert metric.positions is None


def test_the_first_direction_keeps_the_proportion_of_what_the_metric_compares() -> None:
    metric = Metric(Refinables(obj=np.full(4, 2.0), probe=np.full(4, 0.5)))
    gradient = Refinables(obj=np.full(4, 3.0), probe=np.full(4, 10.0), positions=np.full(4, 1e-3))
    direction = History().direction(gradient, metric)
    np.testing.assert_allclose(direction.probe / direction.obj, 5 / 6)
    np.testing.assert_allclose(np.linalg.norm(direction.positions), np.linalg.norm(direction.obj))


@pytest.mark.parametrize("factor", [1e-3, 1.0, 1e3])
def test_the_first_epochs_reach_as_far_in_whatever_unit_the_counts_are(factor: float) -> None:
    """Where the probe is weak or strong beside the object, neither waits for the other."""
    params = small(epoch_max=8)
    scaled = {**params, "dataset": factor**2 * params["dataset"], "probe": factor * params["probe"]}
    losses = [report.loss for report in Reconstruction(scaled)]
    assert losses[3] < 0.3 * losses[0] and losses[-1] < 0.04 * losses[0]


def test_the_direction_is_that_of_full_bfgs_seeded_with_the_metric() -> None:
    random = np.random.default_rng(0)
    matrix = random.standard_normal((8, 8))
    matrix = matrix @ matrix.T + np.eye(8)
    diagonal = random.uniform(0.2, 3, 8)
    metric, history, pairs = Metric(Refinables(positions=diagonal)), History(), []
    for _ in range(4):
        step = random.standard_normal(8)
        pairs.append((step, matrix @ step))
        history = history.extended(Refinables(positions=step), Refinables(positions=matrix @ step), math.inf, metric)
    step, change = pairs[-1]
    gradient = random.standard_normal(8)
    seed = step @ change / (change @ (diagonal * change)) * np.diag(diagonal)
    found = history.direction(Refinables(positions=gradient), metric).positions
    assert np.allclose(found, naive_direction(pairs, gradient, seed), rtol=1e-10)


@pytest.mark.parametrize("settings", [{}, {"lazy_clean": True}, {"phase_only_obj": True}, {"tune_only_probe_phase": True}])
def test_the_metric_is_symmetric_and_stays_in_the_band(settings: dict) -> None:
    preset = Preset.from_dict(small(**settings))
    posed = build(preset, exact=False)
    landscape = Landscape(preset, posed)
    terms = posed.objective.terms_at(0)
    metric = landscape.metric(posed.point, terms)
    a = landscape.evaluate(posed.point, terms).gradient
    other = replace(posed.point, obj=posed.point.obj * np.exp(0.1j * np.arange(posed.point.obj.shape[0]))[:, None, None, None])
    b = landscape.evaluate(other, terms).gradient
    assert vector.inner(a, metric.apply(b)) == pytest.approx(vector.inner(metric.apply(a), b), rel=1e-10)
    assert sum(metric.squares(a).values()) == pytest.approx(vector.inner(a, metric.apply(a)), rel=1e-10)
    assert vector.inner(a, metric.apply(a)) > 0


def test_it_pays() -> None:
    evaluations = {}
    for name in ("none", "illumination"):
        count = 0
        for report in Reconstruction(small(preconditioner=name, epoch_max=60)):
            count += report.evaluations
            if report.loss < 1.0:
                break
        evaluations[name] = count
    print(evaluations)
    assert evaluations["illumination"] < evaluations["none"]


@pytest.mark.parametrize("length", [0, 1, 5, math.inf])
@pytest.mark.parametrize("preconditioner", ["none", "illumination"])
@pytest.mark.parametrize(
    "refined",
    [
        {},
        {"update_probe": 0},
        {"update_obj": 0},
        {"update_probe_pos": 1},
        {"update_beam_current": 1, "update_static_background": 1},
        {"update_tilts": 1, "tilt_mode": 2},
        {"n_hermite_probe_modes": [1, 0]},
        {"num_slices": 2, "slice_distances": [5.0]},
        {"phase_only_obj": True, "tune_only_probe_phase": True},
    ],
    ids=lambda settings: "-".join(settings) or "obj and probe",
)
def test_every_setting_lowers_the_loss(refined: dict, preconditioner: str, length: float) -> None:
    problem = {**small(epoch_max=12, preconditioner=preconditioner, hist_length=length), **refined}
    if refined.get("num_slices"):
        problem["obj"] = np.ones((1, 1, 2, 1))
    losses = [report.loss for report in Reconstruction(problem)]
    assert losses[-1] < 0.75 * losses[0] or refined == {"update_obj": 0}
    assert all(later <= earlier for earlier, later in pairwise(losses))
