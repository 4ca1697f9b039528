"""Every stage alone: linear ones pass the dot test to 1e-12, all pass central differences at a random generic point."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pypty_nb.backend import Backend
from pypty_nb.engine.losses import available
from pypty_nb.engine.stages.detector import FarField, Intensity
from pypty_nb.engine.stages.patches import Patches
from pypty_nb.engine.stages.shift import Shift, Spectrum
from pypty_nb.engine.stages.transmission import Transmission
from pypty_nb.engine.stages.whole_band import WholeBand
from pypty_nb.physics.grids import band_limit
from pypty_nb.records import Refinables

NUMPY = Backend(np, "double")
WINDOW = (10, 12)
BAND = band_limit(WINDOW, (0.3, 0.4), 2 / 3, 0.2)
CORNERS = np.array([[0, 1], [3, 2], [5, 0]])


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng([seed, *shape])
    return random.standard_normal(shape) + 1j * random.standard_normal(shape)


def inner(a: np.ndarray, b: np.ndarray) -> float:
    return float((np.conj(a) * b).real.sum())


def assert_adjoint(forward: Callable, adjoint: Callable, x: np.ndarray, y: np.ndarray) -> None:
    """⟨Ax, y⟩ = ⟨x, Aᴴy⟩."""
    left, right = inner(forward(x.copy()), y), inner(x, adjoint(y.copy()))
    assert left == pytest.approx(right, rel=1e-12)
    assert left != 0


def assert_gradient(function: Callable, gradient: np.ndarray, x: np.ndarray, step: float = 1e-6) -> None:
    """L(x ± εd) = L ± ε⟨g, d⟩ along three random directions."""
    for seed in range(3):
        direction = draw(*x.shape, seed=seed + 10)
        direction = direction if np.iscomplexobj(x) else direction.real
        numeric = (function(x + step * direction) - function(x - step * direction)) / (2 * step)
        assert inner(gradient, direction) == pytest.approx(numeric, rel=1e-6)


def test_spectrum_dot() -> None:
    # its adjoint takes the cotangent times N², as the shift gives it
    stage, n2 = Spectrum(NUMPY, BAND), WINDOW[0] * WINDOW[1]
    assert_adjoint(stage.forward, lambda y: stage.adjoint(n2 * y), draw(2, *WINDOW), draw(2, *WINDOW, seed=1))


def test_spectrum_leaves_the_probe_alone() -> None:
    probe = draw(1, *WINDOW)
    kept = probe.copy()
    Spectrum(NUMPY, BAND).forward(probe)
    assert np.array_equal(probe, kept)


def test_shift_dot_and_remainder() -> None:
    stage, n2 = Shift(NUMPY, WINDOW), WINDOW[0] * WINDOW[1]
    remainder = np.random.default_rng(1).uniform(-0.7, 0.7, (3, 2))
    spectrum, weights = draw(2, *WINDOW), draw(3, 2, *WINDOW, seed=2)
    _, residual = stage.forward(spectrum, remainder, keep=True)
    assert_adjoint(
        lambda x: stage.forward(x, remainder, keep=False)[0],
        lambda y: stage.adjoint(residual, y)[0] / n2,
        spectrum,
        weights,
    )

    def value(moved: np.ndarray) -> float:
        return inner(weights, stage.forward(spectrum, moved, keep=False)[0])

    assert_gradient(value, stage.adjoint(residual, weights.copy())[1], remainder)


def test_shift_moves_towards_larger_index() -> None:
    probe = np.zeros((1, *WINDOW), complex)
    probe[0, 4, 5] = 1
    waves, _ = Shift(NUMPY, WINDOW).forward(np.fft.fft2(probe), np.array([[2.0, -1.0]]), keep=False)
    assert np.unravel_index(np.abs(waves[0, 0]).argmax(), WINDOW) == (6, 4)


@pytest.mark.parametrize("band", [None, BAND])
def test_patches_dot(band: np.ndarray | None) -> None:
    stage = Patches(NUMPY, WINDOW, band)
    planes = draw(1, 2, 16, 15)

    def adjoint(y: np.ndarray) -> np.ndarray:
        into = np.zeros_like(planes)
        stage.adjoint(CORNERS, y, into)
        return into

    assert_adjoint(lambda x: stage.forward(x, CORNERS), adjoint, planes, draw(3, 1, 2, *WINDOW, seed=3))


def test_patches_are_the_object() -> None:
    planes = draw(1, 1, 16, 15)
    patches = Patches(NUMPY, WINDOW, None).forward(planes, CORNERS)
    assert np.array_equal(patches[1, 0, 0], planes[0, 0, 3:13, 2:14])


def test_transmission_in_both_arguments() -> None:
    stage = Transmission(NUMPY)
    waves, patches, weights = draw(3, 2, *WINDOW), draw(3, 1, 2, *WINDOW, seed=4), draw(3, 2, 2, *WINDOW, seed=5)
    _, residual = stage.forward(waves, patches)
    of_waves, of_patches = stage.adjoint(residual, weights)
    assert_gradient(lambda x: inner(weights, stage.forward(x, patches)[0]), of_waves, waves)
    assert_gradient(lambda x: inner(weights, stage.forward(waves, x)[0]), of_patches, patches)


def test_far_field_dot() -> None:
    stage = FarField(NUMPY, BAND)
    assert_adjoint(stage.forward, stage.adjoint, draw(3, 1, 1, *WINDOW), draw(3, 1, 1, *WINDOW, seed=6))


def test_far_field_keeps_energy_without_a_band() -> None:
    waves = draw(1, 1, 1, *WINDOW)
    detected = FarField(NUMPY, np.ones(WINDOW)).forward(waves.copy())
    assert (np.abs(detected) ** 2).sum() == pytest.approx(WINDOW[0] * WINDOW[1] * (np.abs(waves) ** 2).sum())


def test_intensity_is_the_mean_over_modes() -> None:
    stage, waves = Intensity(NUMPY), draw(3, 2, 3, *WINDOW)
    assert np.allclose(stage.forward(waves), (np.abs(waves) ** 2).sum(axis=(1, 2)) / 6)
    weights = draw(3, *WINDOW, seed=7).real
    assert_gradient(lambda x: inner(weights, stage.forward(x)), stage.adjoint(waves.copy(), weights), waves)


@pytest.mark.parametrize("name", sorted(available()))
def test_losses(name: str) -> None:
    random = np.random.default_rng(8)
    intensity, data = random.uniform(0.5, 4, (3, *WINDOW)), random.uniform(0, 4, (3, *WINDOW))
    data[0, 0, :3] = 0
    loss = available()[name]
    assert loss.value(NUMPY, intensity, data).shape == (3,)
    assert_gradient(lambda x: float(loss.value(NUMPY, x, data).sum()), loss.slope(NUMPY, intensity, data), intensity)


@pytest.mark.parametrize("name", sorted(available()))
def test_losses_in_the_dark(name: str) -> None:
    """Where the model gives nothing, nothing divides by it."""
    intensity, data = np.zeros((1, 2, 2)), np.array([[[0.0, 1.0], [2.0, 0.0]]])
    loss = available()[name]
    assert np.isfinite(loss.value(NUMPY, intensity, data)).all()
    assert np.isfinite(loss.slope(NUMPY, intensity, data)).all()


def test_whole_band_is_an_orthogonal_projection() -> None:
    stage = WholeBand(NUMPY, 0.33, (16, 15), WINDOW)
    point = Refinables(obj=draw(16, 15, 1, 2), probe=draw(*WINDOW, 2))
    once = stage.forward(point)
    twice = stage.forward(once)
    for name in ("obj", "probe"):
        assert np.allclose(getattr(once, name), getattr(twice, name))
        assert not np.allclose(getattr(once, name), getattr(point, name))
    assert_adjoint(
        lambda x: stage.forward(Refinables(obj=x)).obj,
        lambda y: stage.adjoint(Refinables(obj=y)).obj,
        point.obj,
        draw(16, 15, 1, 2, seed=9),
    )
    assert stage.forward(Refinables(positions=np.ones((1, 2)))).obj is None
