"""The line search and L-BFGS on functions whose answers are known, and against a full BFGS written naively."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from pypty_nb.engine import vector
from pypty_nb.engine.lbfgs import History
from pypty_nb.engine.linesearch import LineSearch, Trial, search
from pypty_nb.records import Refinables

Function = Callable[[np.ndarray], tuple[float, np.ndarray]]


def quadratic(x: np.ndarray) -> tuple[float, np.ndarray]:
    scale = np.geomspace(1, 50, x.size)
    return 0.5 * float((scale * x * x).sum()), scale * x


def rosenbrock(x: np.ndarray) -> tuple[float, np.ndarray]:
    a, b = x[:-1], x[1:]
    gradient = np.zeros_like(x)
    gradient[:-1] = -400 * a * (b - a**2) - 2 * (1 - a)
    gradient[1:] += 200 * (b - a**2)
    return float((100 * (b - a**2) ** 2 + (1 - a) ** 2).sum()), gradient


def quartic(x: np.ndarray) -> tuple[float, np.ndarray]:
    return float((x**4).sum() + 0.5 * (x**2).sum()), 4 * x**3 + x


PROBLEMS = {
    "quadratic": (quadratic, np.linspace(1, 2, 12)),
    "rosenbrock": (rosenbrock, np.array([-1.2, 1.0, -0.5, 0.8])),
    "quartic": (quartic, np.linspace(-2, 1.5, 9)),
}


def minimise(function: Function, start: np.ndarray, length: float, epochs: int = 300) -> tuple[np.ndarray, float]:
    """L-BFGS with the engine's own parts on one real array."""
    point, history = Refinables(positions=start), History()
    loss, gradient = function(start)
    for _ in range(epochs):
        slopes = Refinables(positions=gradient)
        direction = history.direction(slopes)
        slope = vector.inner(slopes, direction)
        if slope >= 0:
            break

        def trial(step: float, base=point, along=direction) -> Trial:
            moved = vector.axpy(step, along, base)
            value, slopes = function(moved.positions)
            return Trial(value, vector.inner(Refinables(positions=slopes), along), (moved, slopes))

        found, report = search(LineSearch(c1=1e-4, c2=0.9), trial, Trial(loss, slope, None), 1.0)
        if found is None:
            break
        moved, after = found.state
        history = history.extended(vector.scale(report.step, direction), Refinables(positions=after - gradient), length)
        point, loss, gradient = moved, found.loss, after
    return point.positions, loss


@pytest.mark.parametrize("length", [0, 1, 3, 10, math.inf])
@pytest.mark.parametrize("name", PROBLEMS)
def test_minima_are_found(name: str, length: float) -> None:
    function, start = PROBLEMS[name]
    _, loss = minimise(function, start, length, epochs=8000 if length == 0 else 400)
    assert loss < (1e-4 if length == 0 else 1e-12)


def test_more_history_takes_fewer_epochs() -> None:
    function, start = PROBLEMS["rosenbrock"]
    assert minimise(function, start, 10, 40)[1] < 1e-3 * minimise(function, start, 0, 40)[1]


def naive_direction(pairs: list[tuple[np.ndarray, np.ndarray]], gradient: np.ndarray, seed: float | np.ndarray) -> np.ndarray:
    """−H g with the full inverse Hessian, updated pair by pair: Nocedal and Wright, eq. 6.17."""
    hessian = seed * np.eye(gradient.size)
    for step, change in pairs:
        rho = 1 / (step @ change)
        left = np.eye(gradient.size) - rho * np.outer(step, change)
        hessian = left @ hessian @ left.T + rho * np.outer(step, step)
    return -hessian @ gradient


def test_direction_is_that_of_full_bfgs() -> None:
    random = np.random.default_rng(0)
    matrix = random.standard_normal((8, 8))
    matrix = matrix @ matrix.T + np.eye(8)
    history, pairs = History(), []
    for _ in range(5):
        step = random.standard_normal(8)
        pairs.append((step, matrix @ step))
        history = history.extended(Refinables(positions=step), Refinables(positions=matrix @ step), math.inf)
    gradient = random.standard_normal(8)
    step, change = pairs[-1]
    expected = naive_direction(pairs, gradient, step @ change / (change @ change))
    found = history.direction(Refinables(positions=gradient)).positions
    assert np.allclose(found, expected, rtol=1e-10)


def naively(function: Function, start: np.ndarray, epochs: int) -> list[np.ndarray]:
    """Minimise with the full inverse Hessian, rebuilt from every pair in every epoch, and the same line search."""
    point, pairs, passed = start, list[tuple[np.ndarray, np.ndarray]](), []
    loss, gradient = function(start)
    for _ in range(epochs):
        seed = 1.0 if not pairs else pairs[-1][0] @ pairs[-1][1] / (pairs[-1][1] @ pairs[-1][1])
        direction = naive_direction(pairs, gradient, seed)

        def trial(step: float, base=point, along=direction) -> Trial:
            value, slopes = function(base + step * along)
            return Trial(value, float(slopes @ along), (base + step * along, slopes))

        found, _ = search(LineSearch(c1=1e-4, c2=0.9), trial, Trial(loss, float(gradient @ direction), None), 1.0)
        assert found is not None
        moved, after = found.state
        pairs.append((moved - point, after - gradient))
        point, loss, gradient = moved, found.loss, after
        passed.append(point)
    return passed


@pytest.mark.parametrize("name", PROBLEMS)
def test_with_all_pairs_kept_the_way_is_that_of_full_bfgs(name: str) -> None:
    """Epoch by epoch the same points: one recursion over pairs, the other a matrix."""
    function, start = PROBLEMS[name]
    expected = naively(function, start, 12)
    for epochs in (1, 2, 5, 12):
        found, _ = minimise(function, start, math.inf, epochs)
        assert np.allclose(found, expected[epochs - 1], rtol=1e-7, atol=1e-9), epochs
    # the parts matter: a shorter history goes another way
    shorter, _ = minimise(function, start, 1, 12)
    assert not np.allclose(shorter, expected[-1], rtol=1e-7, atol=1e-9)


def test_only_the_newest_pairs_are_kept() -> None:
    history = History()
    for index in range(1, 6):
        step = Refinables(positions=np.full(3, float(index)))
        history = history.extended(step, step, 2)
    assert [pair.step.positions[0] for pair in history.pairs] == [4.0, 5.0]
    assert history.extended(step, step, 0) == History()


def test_a_pair_without_positive_curvature_is_not_taken() -> None:
    step = Refinables(positions=np.ones(3))
    assert History().extended(step, vector.scale(-1, step), 10) == History()
    assert History().extended(step, vector.scale(math.nan, step), 10).pairs == ()


def test_the_first_direction_scales_every_array_to_the_first_refined_one() -> None:
    gradient = Refinables(obj=np.full((2, 2, 1, 1), 3 + 4j), probe=np.full((2, 2, 1), 0.1j), positions=np.zeros((4, 2)))
    direction = History().direction(gradient)
    assert np.linalg.norm(direction.probe) == pytest.approx(np.linalg.norm(gradient.obj))
    assert np.allclose(direction.obj, -gradient.obj)
    assert direction.positions is None


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_first_direction_leaves_out_what_rounding_left(dtype: type) -> None:
    obj = np.array([3.0, 4.0]).astype(dtype)
    noise, small = (np.array([5 * factor], dtype) for factor in (4 * np.finfo(dtype).eps, 1e-4))
    direction = History().direction(Refinables(obj=obj, positions=noise, tilts=small))
    assert direction.positions is None
    np.testing.assert_allclose(direction.tilts, [-5.0], rtol=1e-6)


def test_arrays_keep_their_own_scale() -> None:
    step = Refinables(obj=np.ones((2, 2, 1, 1), complex), positions=np.ones((3, 2)))
    change = Refinables(obj=4 * step.obj, positions=100 * step.positions)
    assert dict(History().extended(step, change, 5).scales) == {"obj": 0.25, "positions": 0.01}
    # a later pair whose positions bend the wrong way leaves their scale as it was
    later = History().extended(step, change, 5).extended(step, Refinables(obj=2 * step.obj, positions=-0.1 * step.positions), 5)
    assert dict(later.scales) == {"obj": 0.5, "positions": 0.01}


def along(function: Callable[[float], tuple[float, float]]):
    return lambda step: Trial(*function(step), step)


def test_a_step_that_is_too_long_is_halved() -> None:
    found, report = search(LineSearch(), along(lambda t: ((t - 1) ** 2, 2 * (t - 1))), Trial(1.0, -2.0, 0.0), 3.9)
    assert found is not None
    assert report.step == 3.9 / 4
    assert report.evaluations == 3


def test_a_step_that_is_too_short_is_doubled() -> None:
    found, report = search(LineSearch(c1=0.1, c2=0.5), along(lambda t: ((t - 1) ** 2, 2 * (t - 1))), Trial(1.0, -2.0, 0.0), 0.1)
    assert found is not None
    assert report.step == pytest.approx(0.8)


def test_half_and_double_do_not_cycle() -> None:
    """Once both conditions have failed the step is bisected, although 0.5 × 2 = 1."""

    def narrow(t: float) -> tuple[float, float]:
        # only steps near 0.7 satisfy both conditions
        return (-t, -1.0) if t < 0.69 else ((-0.69, 0.0) if t < 0.71 else (10.0, 5.0))

    found, report = search(LineSearch(c1=0.5, c2=0.9), along(narrow), Trial(0.0, -1.0, 0.0), 1.0)
    assert found is not None
    assert 0.69 <= report.step < 0.71


@pytest.mark.parametrize("settings", [LineSearch(max_count=5), LineSearch(min_step=0.1), LineSearch()])
def test_a_hopeless_search_ends(settings: LineSearch) -> None:
    found, report = search(settings, along(lambda t: (1.0 + t, 1.0)), Trial(1.0, -1.0, 0.0), 1.0)
    assert found is None
    assert not report.accepted
    assert report.step == 0
    assert report.evaluations <= 60


def test_nan_counts_as_too_long() -> None:
    found, _ = search(
        LineSearch(), along(lambda t: (math.nan, math.nan) if t > 0.3 else (-t, -0.1)), Trial(0.0, -1.0, 0.0), 1.0
    )
    assert found is not None
    assert found.state == 0.25


def test_the_inner_product_is_real_and_over_all_arrays() -> None:
    a = Refinables(obj=np.full((1, 1, 1, 1), 1 + 2j), positions=np.array([[1.0, 2.0]]))
    b = Refinables(obj=np.full((1, 1, 1, 1), 3 - 1j), positions=np.array([[5.0, 7.0]]), probe=np.ones((1, 1, 1)))
    assert vector.inner(a, b) == (1 * 3 + 2 * -1) + (5 + 14)
    moved = vector.axpy(2.0, a, b)
    assert moved.probe is b.probe
    assert moved.obj[0, 0, 0, 0] == 5 + 3j
