"""Every stage alone: linear ones pass the dot test to 1e-12, all pass central differences at a random generic point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pypty_nb.backend import Backend
from pypty_nb.engine.losses import available
from pypty_nb.engine.stages.detector import Blur, FarField, Intensity, NearField
from pypty_nb.engine.stages.illumination import Aberrations, BeamCurrent, PhasePlates, Tilt
from pypty_nb.engine.stages.patches import Patches
from pypty_nb.engine.stages.propagation import METHODS, Propagation, gaps
from pypty_nb.engine.stages.readout import Background, PixelSum, ReadoutLayout, VirtualDetectors
from pypty_nb.engine.stages.shift import Shift, Spectra
from pypty_nb.engine.stages.variables import CHANGES
from pypty_nb.engine.stages.whole_band import WholeBand
from pypty_nb.physics.aberrations import basis
from pypty_nb.physics.grids import band_limit
from pypty_nb.records import Refinables

NUMPY = Backend(np, "double")
WINDOW = (10, 12)
BAND = band_limit(WINDOW, (0.3, 0.4), 2 / 3, 0.2)
N2 = WINDOW[0] * WINDOW[1]
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


def test_spectra_dot() -> None:
    # its adjoint takes the cotangent times N², as the shift gives it
    stage = Spectra(NUMPY, BAND)
    assert_adjoint(stage.forward, lambda y: stage.adjoint(N2 * y), draw(2, 2, *WINDOW), draw(2, 2, *WINDOW, seed=1))


def test_spectra_leave_the_probe_alone() -> None:
    probe = draw(1, 1, *WINDOW)
    kept = probe.copy()
    Spectra(NUMPY, None).forward(probe)
    assert np.array_equal(probe, kept)


@pytest.mark.parametrize("band", [None, BAND])
def test_shift_dot_and_remainder(band: np.ndarray | None) -> None:
    stage = Shift(NUMPY, WINDOW, band)
    remainder = np.random.default_rng(1).uniform(-0.7, 0.7, (3, 2))
    spectra, weights = draw(3, 2, *WINDOW), draw(3, 2, *WINDOW, seed=2)
    _, residual = stage.forward(spectra, remainder, keep=True)
    assert_adjoint(
        lambda x: stage.forward(x, remainder, keep=False)[0],
        lambda y: stage.adjoint(residual, y)[0] / N2,
        spectra,
        weights,
    )

    def value(moved: np.ndarray) -> float:
        return inner(weights, stage.forward(spectra, moved, keep=False)[0])

    assert_gradient(value, stage.adjoint(residual, weights.copy())[1], remainder)


def test_beam_current() -> None:
    stage, current = BeamCurrent(NUMPY, 1.0), np.array([0.8, -1.2, 0.5])
    spectra, weights = draw(3, 2, *WINDOW), draw(3, 2, *WINDOW, seed=2)
    assert_adjoint(lambda x: stage.forward(x, current), lambda y: stage.adjoint(spectra, current, y)[0], spectra, weights)
    of_current = stage.adjoint(spectra, current, weights)[1]
    assert_gradient(lambda c: inner(weights, stage.forward(spectra, c)), of_current, current)


def test_phase_plates_dot() -> None:
    stage, plates = PhasePlates(NUMPY), draw(3, *WINDOW, seed=4)
    assert_adjoint(
        lambda x: stage.forward(x, plates), lambda y: stage.adjoint(plates, y), draw(3, 2, *WINDOW), draw(3, 2, *WINDOW, seed=5)
    )


def test_aberrations() -> None:
    stage = Aberrations(NUMPY, basis(5, WINDOW, (0.3, 0.4), 0.04), 1.0)
    coefficients = np.random.default_rng(5).uniform(-40, 40, (3, 5))
    spectra, weights = draw(3, 2, *WINDOW), draw(3, 2, *WINDOW, seed=6)
    _, residual = stage.forward(spectra, coefficients)
    assert_adjoint(lambda x: stage.forward(x, coefficients)[0], lambda y: stage.adjoint(residual, y)[0], spectra, weights)
    of_coefficients = stage.adjoint(residual, weights)[1]
    assert_gradient(lambda c: inner(weights, stage.forward(spectra, c)[0]), of_coefficients, coefficients, 1e-4)


def test_tilt() -> None:
    stage = Tilt(NUMPY, WINDOW, (0.3, 0.4), 0.04)
    tilts = 1e-3 * np.random.default_rng(6).standard_normal((3, 2))
    waves, weights = draw(3, 2, 2, *WINDOW), draw(3, 2, 2, *WINDOW, seed=7)
    _, residual = stage.forward(waves, tilts)
    assert_adjoint(lambda x: stage.forward(x, tilts)[0], lambda y: stage.adjoint(residual, y)[0], waves, weights)
    assert_gradient(lambda t: inner(weights, stage.forward(waves, t)[0]), stage.adjoint(residual, weights)[1], tilts, 1e-8)


def test_shift_moves_towards_larger_index() -> None:
    probe = np.zeros((1, *WINDOW), complex)
    probe[0, 4, 5] = 1
    waves, _ = Shift(NUMPY, WINDOW).forward(np.fft.fft2(probe)[None], np.array([[2.0, -1.0]]), keep=False)
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


@pytest.mark.parametrize("slices", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_propagation(method: str, slices: int) -> None:
    """Linear in the waves; central differences in the slices and the tilts."""
    distances = tuple(20.0 + 5 * index for index in range(gaps(method, slices)))
    stage = Propagation(NUMPY, METHODS[method](distances, slices), BAND, (0.3, 0.4), 0.04)
    waves, tilts = draw(3, 2, *WINDOW), 1e-3 * np.random.default_rng(6).standard_normal((3, 2))
    planes = 1 + 0.2 * draw(3, slices, 2, *WINDOW, seed=4)
    weights = draw(3, 2, 2, *WINDOW, seed=5)

    def value(waves: np.ndarray, planes: np.ndarray, tilts: np.ndarray) -> float:
        return inner(weights, stage.forward(waves, planes, tilts)[0])

    _, done = stage.forward(waves, planes, tilts)
    of_waves, of_planes, of_tilts = stage.adjoint(done, planes, weights.copy(), tilted=True)
    assert inner(of_waves, waves) == pytest.approx(value(waves, planes, tilts), rel=1e-12)
    assert_gradient(lambda x: value(x, planes, tilts), of_waves, waves)
    assert_gradient(lambda x: value(waves, x, tilts), of_planes, planes)
    if distances:
        assert_gradient(lambda x: value(waves, planes, x), of_tilts, tilts, 1e-7)


def test_near_field() -> None:
    stage = NearField(NUMPY, BAND, (0.3, 0.4), 0.04, 1e5)
    defocus, tilts = np.array([200.0, 250.0, 300.0]), 1e-3 * np.random.default_rng(6).standard_normal((3, 2))
    waves, weights = draw(3, 1, 2, *WINDOW), draw(3, 1, 2, *WINDOW, seed=5)
    _, residual = stage.forward(waves.copy(), defocus, tilts)
    assert_adjoint(
        lambda x: stage.forward(x, defocus, tilts)[0], lambda y: stage.adjoint(residual, y, tilted=False)[0], waves, weights
    )
    of_tilts = stage.adjoint(residual, weights.copy(), tilted=True)[1]
    assert_gradient(lambda t: inner(weights, stage.forward(waves.copy(), defocus, t)[0]), of_tilts, tilts, 1e-7)


def test_blur_is_its_own_adjoint_and_keeps_the_flux() -> None:
    stage, defocus = Blur(NUMPY, WINDOW, (0.3, 0.4), 1e-3), np.array([200.0, 250.0, 300.0])
    intensity, weights = draw(3, *WINDOW).real ** 2, draw(3, *WINDOW, seed=5).real
    assert_adjoint(lambda x: stage.forward(x, defocus), lambda y: stage.adjoint(y, defocus), intensity, weights)
    assert stage.forward(intensity, defocus).sum(axis=(1, 2)) == pytest.approx(intensity.sum(axis=(1, 2)))


LAYOUTS = [
    ReadoutLayout(WINDOW),
    ReadoutLayout(WINDOW, centred=True),
    ReadoutLayout(WINDOW, pad=2, crop=True),
    ReadoutLayout(WINDOW, pad=1, upsample=2, crop=True),
    ReadoutLayout(WINDOW, pad=2, upsample=2),
    ReadoutLayout(WINDOW, pad=1, upsample=2, crop=True, centred=True),
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_readout(layout: ReadoutLayout) -> None:
    stage = PixelSum(NUMPY, layout)
    intensity, weights = draw(3, *WINDOW).real, draw(3, *layout.measured, seed=1).real
    assert_adjoint(stage.forward, stage.adjoint, intensity, weights)
    background = Background(NUMPY, layout, BAND)
    border = 2 * (layout.pad // layout.upsample) if layout.crop else 0
    offset = draw(layout.measured[0] + border, layout.measured[1] + border, seed=2).real
    of_offset = background.adjoint(offset, weights)
    assert_gradient(lambda b: inner(weights, background.forward(stage.forward(intensity), b)), of_offset, offset)


def test_virtual_detectors_dot() -> None:
    stage = VirtualDetectors(NUMPY, draw(4, *WINDOW).real)
    assert_adjoint(stage.forward, stage.adjoint, draw(3, *WINDOW).real, draw(3, 4, seed=1).real)


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
    assert loss.values(NUMPY, intensity, data).shape == intensity.shape
    assert_gradient(lambda x: float(loss.values(NUMPY, x, data).sum()), loss.slope(NUMPY, intensity, data), intensity)


@pytest.mark.parametrize("name", sorted(available()))
def test_losses_in_the_dark(name: str) -> None:
    """Where the model gives nothing, nothing divides by it."""
    intensity, data = np.zeros((1, 2, 2)), np.array([[[0.0, 1.0], [2.0, 0.0]]])
    loss = available()[name]
    assert np.isfinite(loss.values(NUMPY, intensity, data)).all()
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


@pytest.mark.parametrize("name", CHANGES)
def test_changes_of_variable(name: str) -> None:
    change = CHANGES[name](NUMPY)
    array = "obj" if name == "phase_only_obj" else "probe"
    point = Refinables(obj=draw(6, 7, 2, 1), probe=draw(*WINDOW, 2, seed=1))
    weights = Refinables(obj=draw(6, 7, 2, 1, seed=2), probe=draw(*WINDOW, 2, seed=3))
    variables = change.of(point)
    back = change.point(variables, point)
    assert np.allclose(back.obj, point.obj)
    assert np.allclose(back.probe, point.probe)

    def value(moved: np.ndarray) -> float:
        changed = change.point(replace(variables, **{array: moved}), point)
        return inner(getattr(weights, array), getattr(changed, array))

    assert_gradient(value, getattr(change.pull(weights, point), array), getattr(variables, array))
    assert change.pull(Refinables(positions=np.ones((1, 2))), point).obj is None
