"""Constraints applied by hand: each does visibly what it is for, acts only when it is on, and resets the history."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction
from pypty_nb.engine import projections
from pypty_nb.engine.build import build
from pypty_nb.params import FIELDS, ParameterError
from pypty_nb.records import Refinables
from tests.test_model import problem
from tests.test_reconstruction import small

SWITCHES = {
    "apply_gaussian_filter",
    "apply_gaussian_filter_amplitude",
    "beta_wedge",
    "do_charge_flip",
    "keep_probe_states_orthogonal",
}


def after(point: Refinables, **settings) -> Refinables:
    preset = Preset(**settings)
    posed = build(Preset.from_dict(problem(slices=point.obj.shape[2])), exact=True)
    return projections.applied(point, preset, 0, posed.backend, posed.setup)


def rough(slices: int = 1) -> Refinables:
    random = np.random.default_rng(2)
    shape = (18, 19, slices, 1)
    obj = np.exp(0.3j * random.standard_normal(shape) - 0.1 * np.abs(random.standard_normal(shape)))
    probe = random.standard_normal((12, 12, 3)) + 1j * random.standard_normal((12, 12, 3))
    return Refinables(obj=obj, probe=probe)


def roughness(array: np.ndarray) -> float:
    return float(np.abs(np.diff(array, axis=0)).mean())


def test_every_switch_is_a_parameter() -> None:
    assert {projection.switch for projection in projections.available()} == SWITCHES <= set(FIELDS)


def test_nothing_moves_where_nothing_is_on() -> None:
    point = rough()
    assert after(point) is point
    assert after(point, beta_wedge=1.0, wedge_mu=0.5) is point


def test_the_phase_is_smoothed() -> None:
    point = rough()
    once, twice = after(point, apply_gaussian_filter=True), after(point, apply_gaussian_filter=2.0)
    rougher = [roughness(np.angle(p.obj)) for p in (point, once, twice)]
    assert rougher[0] > 3 * rougher[1] > 5 * rougher[2]
    assert np.allclose(np.abs(once.obj), np.abs(point.obj))
    assert np.angle(once.obj).mean() == pytest.approx(np.angle(point.obj).mean())


def test_the_modulus_is_smoothed() -> None:
    point = rough()
    found = after(point, apply_gaussian_filter_amplitude=1.0)
    assert roughness(np.abs(found.obj)) < 0.4 * roughness(np.abs(point.obj))
    assert np.allclose(np.angle(found.obj), np.angle(point.obj))


def test_weak_phase_is_flipped() -> None:
    phase = np.zeros((18, 19, 1, 1))
    phase[4, 4], phase[9, 9] = 0.5, 0.04
    phase[2, 2] = -0.1
    found = np.angle(after(replace(rough(), obj=np.exp(1j * phase)), do_charge_flip=True).obj)
    assert found[4, 4] == pytest.approx(0.5)
    assert found[9, 9] == pytest.approx(-0.95 * 0.04)
    assert found[2, 2] == pytest.approx(0.095)


def blurred(points: np.ndarray, sigma: float) -> np.ndarray:
    """`points` (y, x) convolved with exp(−r²/σ²), normalised, periodic."""
    y, x = (np.minimum(np.arange(n), n - np.arange(n)) for n in points.shape)
    atom = np.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / sigma**2)
    return np.fft.ifft2(np.fft.fft2(points) * np.fft.fft2(atom / atom.sum())).real


@pytest.mark.parametrize("part", ["phase", "absorption"])
def test_atoms_are_flipped_as_points(part: str) -> None:
    """A blurred atom's faint rim lies below the threshold: as it stands it is flipped, as a point it is kept."""
    points = np.zeros((24, 24))
    points[8, 9] = 2.0
    atoms = blurred(points, 1.5)
    obj = np.exp((1j if part == "phase" else -1.0 + 0j) * atoms)[:, :, None, None]
    widths = ((1.5, 1.5), None) if part == "phase" else (None, (1.5, 1.5))

    def read(found: Refinables) -> np.ndarray:
        return (np.angle(found.obj) if part == "phase" else -np.log(np.abs(found.obj)))[:, :, 0, 0]

    settings = {"do_charge_flip": True, "cf_delta_phase": 0.2, "cf_delta_abs": 0.2, "cf_beta_phase": -0.9, "cf_beta_abs": -0.9}
    plain = read(after(replace(rough(), obj=obj), **settings))
    pointwise = read(after(replace(rough(), obj=obj), **settings, fancy_sigma=widths))
    assert np.abs(plain - atoms).max() > 0.08
    assert np.abs(pointwise - atoms).max() < 0.035
    narrower = read(after(replace(rough(), obj=obj), **settings, fancy_sigma=tuple(w and (1.5, 0.8) for w in widths)))
    assert narrower.max() > 1.5 * atoms.max()


def test_one_width_stands_for_both() -> None:
    settings = {"do_charge_flip": True, "cf_delta_phase": 0.3, "cf_delta_abs": 0.3}
    one, two = after(rough(), **settings, fancy_sigma=1.2), after(rough(), **settings, fancy_sigma=((1.2, 1.2), (1.2, 1.2)))
    assert np.array_equal(one.obj, two.obj)


def test_the_wedge_is_removed() -> None:
    point = rough(slices=4)

    def along_z(obj: np.ndarray) -> float:
        return float((np.abs(np.fft.fftn(obj, axes=(0, 1, 2))[0, 0, 1:]) ** 2).sum())

    found = after(point, beta_wedge=100.0)
    assert along_z(found.obj) < 0.05 * along_z(point.obj)
    assert np.allclose(found.obj.mean(axis=2), point.obj.mean(axis=2))


def test_modes_become_orthogonal_and_show_the_same() -> None:
    point = rough()
    found = after(point, keep_probe_states_orthogonal=True).probe
    modes = found.reshape(-1, 3)
    overlaps = modes.conj().T @ modes
    powers = np.diag(overlaps).real
    assert np.allclose(overlaps, np.diag(powers))
    assert (np.diff(powers) < 0).all()
    assert np.allclose((np.abs(found) ** 2).sum(axis=2), (np.abs(point.probe) ** 2).sum(axis=2))
    many = np.stack([point.probe, 2 * point.probe], axis=-1)
    assert after(replace(point, probe=many), keep_probe_states_orthogonal=True).probe.shape == many.shape


def test_in_a_run_it_resets_the_history_and_leaves_the_loss_of_a_mode_mix_alone() -> None:
    plain = small(epoch_max=6, n_hermite_probe_modes=[1, 0])
    reports = list(Reconstruction({**plain, "keep_probe_states_orthogonal": "lambda x: x == 4"}))
    reference = list(Reconstruction(plain))
    assert reports[4].loss == pytest.approx(reference[4].loss, rel=1e-9)
    assert reports[3].search.initial_step == 1
    assert reports[4].search.initial_step < 1


def outside(probe: np.ndarray, radius: float) -> float:
    """Share of the probe's power beyond `radius`, cycles per pixel."""
    power = np.abs(np.fft.fft2(probe, axes=(0, 1))) ** 2
    y, x = (np.fft.fftfreq(n) for n in probe.shape[:2])
    return float(power[y[:, None] ** 2 + x**2 > radius**2].sum() / power.sum())


def test_an_infinite_weight_keeps_the_probe_in_its_mask() -> None:
    plain = small(epoch_max=20, probe_constraint_mask=0.4)
    steps = {"steps": [[0, 0.0], [6, float("inf")]]}
    reports = list(Reconstruction({**plain, "probe_reg_constraint_weight": steps}))
    assert outside(reports[5].point.probe, 0.2) > 1e-6
    assert all(outside(report.point.probe, 0.2) < 1e-28 for report in reports[6:])
    assert reports[6].search.initial_step < 1, "the history was not reset"
    assert reports[-1].loss < 0.5 * reports[6].loss
    assert all(later.search.initial_step == 1 for later in reports[8:-1]), "the history was reset again"


def test_it_excludes_a_probe_that_moves_in_phase_alone() -> None:
    with pytest.raises(ParameterError, match="tune_only_probe_phase: excludes probe_reg_constraint_weight"):
        list(Reconstruction(small(probe_reg_constraint_weight=float("inf"), tune_only_probe_phase=True)))
