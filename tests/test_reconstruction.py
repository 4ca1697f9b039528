"""Whole reconstructions: they converge, keep their contract, and reach the figure on measured data."""

from __future__ import annotations

import asyncio
import math
import os
from itertools import pairwise
from typing import Any

import h5py
import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction, evaluate, run_ptychography
from pypty_nb.engine import ReconstructionError, simulate
from pypty_nb.initialize import demo_preset
from pypty_nb.params import ParameterError
from tests.real_data import measured

SLOW = os.environ.get("PYPTY_NB_SLOW") == "1"


def small(**settings: Any) -> dict[str, Any]:
    """A weak random phase object under a defocused probe, simulated without noise."""
    random = np.random.default_rng(5)
    n, grid = 24, np.arange(6) * 4.0
    positions = np.stack(np.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2) + random.uniform(0, 0.9, (36, 2))
    frequency = np.fft.fftfreq(n)
    q2 = frequency[:, None] ** 2 + frequency[None, :] ** 2
    probe = np.fft.fftshift(np.fft.ifft2(np.where(q2 < 0.15**2, 1, 0) * np.exp(-40j * q2)))
    probe *= 100 / np.linalg.norm(probe)
    smooth = np.fft.ifft2(
        np.fft.fft2(random.standard_normal((46, 46)))
        * np.exp(-60 * (np.fft.fftfreq(46)[:, None] ** 2 + np.fft.fftfreq(46) ** 2))
    )
    obj = np.exp(0.4j * smooth.real / smooth.real.std())[..., None, None]
    truth = Preset(obj=obj, probe=probe[..., None], positions=positions, pixel_size_x_A=0.3, pixel_size_y_A=0.3, acc_voltage=80)
    start = probe + 2 * random.standard_normal((n, n)) / n
    return {
        **truth.to_dict(),
        "dataset": simulate(truth),
        "obj": np.ones((1, 1, 1, 1)),
        "probe": start[..., None],
        "epoch_max": 40,
        **settings,
    }


@pytest.mark.parametrize("precision", ["double", "single"])
def test_converges(precision: str) -> None:
    reports = list(Reconstruction(small(default_dtype=precision)))
    losses = [report.loss for report in reports]
    assert losses[-1] < 0.02 * losses[0]
    assert all(later <= earlier for earlier, later in pairwise(losses))
    assert reports[-1].point.obj.dtype == {"double": np.complex128, "single": np.complex64}[precision]


def test_reports_keep_their_contract() -> None:
    reports = list(Reconstruction(small(epoch_max=4)))
    assert [report.epoch for report in reports] == [0, 1, 2, 3, 4]
    assert [report.final for report in reports] == [False] * 4 + [True]
    for report in reports:
        assert report.terms == {"data": report.loss}
        assert report.residual.shape == (36,)
        assert report.residual.sum() == pytest.approx(report.loss)
        assert report.evaluations >= (0 if report.final else 1)
        for name in ("obj", "probe", "positions", "tilts", "static_background", "beam_current", "aberrations_array"):
            assert isinstance(getattr(report.point, name), np.ndarray), name


@pytest.mark.parametrize("precision", ["double", "single"])
def test_what_an_empty_object_hides_is_not_moved_by_rounding(precision: str) -> None:
    """Where the object is empty, no pattern depends on its position; rounding errors would move them at random."""
    params = small(epoch_max=6, update_probe_pos=True, default_dtype=precision)
    first, *_, last = (report.point.positions for report in Reconstruction(params))
    np.testing.assert_allclose(first, params["positions"], atol=1e-5)
    assert np.abs(last - params["positions"]).max() > 1e-3


def test_result_holds_the_final_state() -> None:
    params = small(epoch_max=3)
    result = run_ptychography(params)
    assert result.folder is None
    assert result.report.final
    assert result.report.point.obj.shape == result.point.obj.shape == (45, 45, 1, 1)
    assert run_ptychography(Preset.from_dict(params)).report.loss == result.report.loss
    # in a notebook's cell, shapes, not numbers
    assert "probe=complex128[24, 24, 1]" in repr(result) and len(repr(result)) < 2000


def test_async_for_gives_the_same() -> None:
    async def losses() -> list[float]:
        return [report.loss async for report in Reconstruction(small(epoch_max=3))]

    assert asyncio.run(losses()) == [report.loss for report in Reconstruction(small(epoch_max=3))]


def test_a_large_enough_object_keeps_its_shape_and_origin() -> None:
    result = run_ptychography(small(epoch_max=1, obj=np.ones((60, 55, 1, 1))))
    assert result.point.obj.shape == (60, 55, 1, 1)
    assert np.allclose(result.point.positions, small()["positions"])


def test_a_small_object_is_padded_and_negative_positions_move_with_it() -> None:
    params = small(epoch_max=0, lazy_clean=True)
    shifted = {**params, "positions": params["positions"] - [7, 3], "extra_space_on_side_px": 2}
    point = run_ptychography(shifted).point
    corners = np.rint(point.positions)
    assert corners.min() >= 2
    assert point.obj.shape[0] >= corners[:, 0].max() + 24 + 2
    moved = point.positions - shifted["positions"]
    assert np.allclose(moved, moved[0])


def test_the_probe_starts_with_the_flux_of_the_data() -> None:
    params = small(epoch_max=0)
    for probe in (params["probe"], 7 * params["probe"], None):
        report = list(Reconstruction({**params, "probe": probe}))[-1]
        model = simulate(Preset.from_dict({**params, "dataset": None, "obj": report.point.obj, "probe": report.point.probe}))
        assert model.sum() == pytest.approx(params["dataset"].sum(), rel=0.02)


def test_what_is_held_fixed_stays() -> None:
    reports = list(Reconstruction(small(epoch_max=4, update_probe="lambda x: x >= 2")))
    probes = [report.point.probe for report in reports]
    assert np.array_equal(probes[0], probes[1])
    assert not np.array_equal(probes[1], probes[2])
    assert np.array_equal(reports[0].point.positions, reports[-1].point.positions)


def spectrum(point) -> np.ndarray:
    return np.fft.fft2(point.probe, axes=(0, 1))


def test_a_phase_only_object_keeps_its_modulus_and_converges() -> None:
    reports = list(Reconstruction(small(epoch_max=25, phase_only_obj=True)))
    assert reports[-1].loss < 0.05 * reports[0].loss
    assert np.allclose(np.abs(reports[-1].point.obj), np.abs(reports[0].point.obj))
    assert np.angle(reports[-1].point.obj).std() > 0.1


def test_only_the_phase_or_the_modulus_of_the_probe_moves() -> None:
    for name, kept, moved in (("tune_only_probe_phase", np.abs, np.angle), ("tune_only_probe_abs", np.angle, np.abs)):
        reports = list(Reconstruction(small(epoch_max=6, **{name: True})))
        first, last = spectrum(reports[0].point), spectrum(reports[-1].point)
        lit = np.abs(first) > 1e-3 * np.abs(first).max()
        assert reports[-1].loss < 0.5 * reports[0].loss
        assert np.allclose(kept(last)[lit], kept(first)[lit], atol=1e-6)
        assert not np.allclose(moved(last)[lit], moved(first)[lit], rtol=1e-3)
    with pytest.raises(ParameterError, match="tune_only_probe_phase: excludes tune_only_probe_abs"):
        list(Reconstruction(small(tune_only_probe_phase=True, tune_only_probe_abs=True)))


def test_the_history_is_reset_when_asked() -> None:
    steps = [report.search.initial_step for report in Reconstruction(small(epoch_max=8, reset_history_flag="lambda x: x == 5"))]
    assert steps[4] == 1
    assert steps[5] < 1


def test_restarting_from_vacuum_keeps_everything_else() -> None:
    reports = list(Reconstruction(small(epoch_max=9, restart_from_vacuum="lambda x: x == 6")))
    assert reports[6].loss > 5 * reports[5].loss
    assert reports[8].loss < reports[6].loss
    plain = list(Reconstruction(small(epoch_max=6)))
    assert np.array_equal(plain[5].point.probe, reports[5].point.probe)


def test_object_probe_and_gradients_stay_band_limited() -> None:
    point = list(Reconstruction(small(epoch_max=5)))[-1].point
    for array, size in ((point.obj[:, :, 0, 0], 45), (point.probe[:, :, 0], 24)):
        frequency = np.fft.fftfreq(size)
        outside = np.hypot(frequency[:, None], frequency[None, :]) > 0.5 * (2 / 3 - 0.005) * (1 + 1e-6)
        spectrum = np.abs(np.fft.fft2(array))
        assert spectrum[outside].max() < 1e-9 * spectrum.max()


def test_positions_are_refined() -> None:
    params = small(epoch_max=60, update_probe_pos="lambda x: x >= 15")
    true = params["positions"]
    wrong = true + np.random.default_rng(0).uniform(-0.4, 0.4, true.shape)
    found = run_ptychography({**params, "positions": wrong}).point.positions

    def error(positions: np.ndarray) -> float:
        difference = positions - true
        return float(np.sqrt(((difference - difference.mean(axis=0)) ** 2).mean()))

    assert error(found) < 0.5 * error(wrong)


def test_a_data_set_with_two_scan_axes_is_the_same_run() -> None:
    params = small(epoch_max=2)
    four = {**params, "dataset": params["dataset"].reshape(6, 6, 24, 24)}
    assert run_ptychography(four).report.loss == run_ptychography(params).report.loss


def test_a_loss_that_overflows_stops_the_run_and_names_the_term() -> None:
    params = small(epoch_max=3, skip_preprocessing=True, default_dtype="single", obj=np.ones((60, 60, 1, 1)))
    with pytest.raises(ReconstructionError, match=r"epoch 0: the term 'data' of the loss is"), np.errstate(all="ignore"):
        list(Reconstruction({**params, "probe": 1e30 * params["probe"]}))


@pytest.mark.parametrize("at", [0, 3])
def test_a_gradient_that_overflows_stops_the_run_too(at: int) -> None:
    """The loss is finite; what has an infinite slope is not told as having none."""
    start = np.exp(0.1j * np.random.default_rng(1).standard_normal((60, 60, 1, 1)))
    run = Reconstruction(small(epoch_max=6, atv_weight={"steps": [[0, 0.0 if at else 1e300], [3, 1e300]]}, obj=start))
    for _ in range(at):
        next(run)
    before = run.checkpoint()
    with (
        pytest.raises(ReconstructionError, match=f"epoch {at}: the gradient by obj .* last good state"),
        np.errstate(all="ignore"),
    ):
        next(run)
    assert run.epoch == at
    assert all(np.array_equal(array, before[name]) for name, array in run.checkpoint().items())


def test_a_perfect_start_ends_without_a_step() -> None:
    params = small(epoch_max=5, skip_preprocessing=True)
    truth = run_ptychography({**params, "skip_preprocessing": False, "epoch_max": 1}).point
    data = simulate(Preset.from_dict({**params, "dataset": None, "obj": truth.obj, "probe": truth.probe}))
    reports = list(Reconstruction({**params, "dataset": data, "obj": truth.obj, "probe": truth.probe}))
    assert reports[-1].loss < 1e-20 * data.sum()
    assert any(report.warnings for report in reports)


def test_nan_counts_are_named() -> None:
    params = small()
    params["dataset"][4, 3, 2] = math.nan
    with pytest.raises(ValueError, match="NaN or infinite counts in 1 pixels, the first in pattern 4 at ky 3, kx 2"):
        Reconstruction(params)


def test_a_checkpoint_of_another_preset_is_refused() -> None:
    run = Reconstruction(small(epoch_max=1))
    next(run)
    with pytest.raises(ParameterError, match="belongs to another preset"):
        Reconstruction(small(epoch_max=1, obj=np.ones((60, 60, 1, 1))), run.checkpoint())


def test_the_demo_converges() -> None:
    preset = demo_preset()
    preset.update(epoch_max=60 if SLOW else 20)
    report = list(Reconstruction(preset))[-1]
    assert report.loss / preset.dataset.sum() < (0.00102 if SLOW else 0.00125)


@pytest.mark.real_data
@pytest.mark.slow
def test_siemens_star() -> None:
    """Normalised amplitude error at most 0.0160 from the probe guess and a flat object, at the default cutoff."""
    path = measured("siemens_star_xray/siemens_star_516.h5")
    with h5py.File(path) as file:
        positions, probe, counts = file["positions_px"][:], file["probe_guess"][:], file["data"][:].sum(dtype=np.float64)
    params = {
        "data_path": str(path),
        "positions": positions,
        "probe": probe[..., None],
        "default_dtype": "single",
        "compute_batch": "auto",
        "epoch_max": 100 if SLOW else 50,
    }
    report = run_ptychography(params).report
    error = report.loss / counts
    print(f"normalised amplitude error {error:.5f} after {report.epoch} epochs in {report.seconds:.0f} s")
    assert error <= 0.0160


def test_the_loss_may_follow_a_schedule() -> None:
    schedule = {"steps": [[0, "lsq_sqrt"], [5, "ml"]]}
    reports = list(Reconstruction(small(epoch_max=9, algorithm=schedule)))
    assert all(report.loss > 0 for report in reports[:5])
    assert all(report.loss < 0 for report in reports[5:]), "the likelihood of thousands of counts is negative"
    reference = list(Reconstruction(small(epoch_max=5)))
    assert reports[4].loss == reference[4].loss


def test_a_first_step_down_the_likelihood_takes_few_evaluations() -> None:
    reports = list(Reconstruction(small(epoch_max=3, algorithm="ml")))
    print([report.evaluations for report in reports])
    assert reports[0].evaluations <= 8


@pytest.mark.parametrize("c1", [{"steps": [[0, 0.1], [4, 0.95]]}, "lambda x: 0.1 + x / 5"])
def test_wolfe_constants_must_stay_in_order_in_every_epoch(c1: object) -> None:
    with pytest.raises(ParameterError, match=r"wolfe_c1_constant: must be below wolfe_c2_constant = 0\.9 in epoch 4"):
        Preset(wolfe_c1_constant=c1, wolfe_c2_constant=0.9, epoch_max=5)


@pytest.mark.parametrize(("lazy", "extra"), [(False, 0.005), (False, 0.1), (True, 0.1)])
def test_how_much_of_the_band_whole_arrays_keep(lazy: bool, extra: float) -> None:
    """q ≤ ½ (cutoff − extra cut) cycles/px; `lazy_clean` leaves the object out."""
    start = np.exp(0.3j * np.random.default_rng(1).standard_normal((60, 60, 1, 1)))
    point = list(Reconstruction(small(epoch_max=3, lazy_clean=lazy, update_extra_cut=extra, obj=start)))[-1].point

    def beyond(array: np.ndarray, radius: float) -> float:
        q = np.hypot(*np.meshgrid(*(np.fft.fftfreq(n) for n in array.shape[:2]), indexing="ij"))
        power = abs(np.fft.fft2(array, axes=(0, 1))) ** 2
        return float(power[q > radius].sum() / power.sum())

    radius = 0.5 * (2 / 3 - extra)
    assert beyond(point.probe, radius * (1 + 1e-6)) < 1e-20
    assert (beyond(point.obj, radius * (1 + 1e-6)) > 1e-3) is lazy
    # not more is cut than was said
    assert beyond(point.obj, 0.8 * radius) > 1e-4


def test_the_factors_of_the_line_search_are_those_of_the_preset() -> None:
    """A first step that is far too long is reduced, one far too short enlarged, by the factor given each time."""

    def first(**settings: Any) -> tuple[float, int]:
        report = next(Reconstruction(small(epoch_max=1, **settings)))
        assert report.search.accepted
        return report.search.step / report.search.initial_step, report.evaluations

    for factor in (0.5, 0.25):
        ratio, count = first(update_step_bfgs=64.0, reduce_factor=factor)
        assert ratio == pytest.approx(factor ** (count - 1))
        assert count > 1
    for factor in (2.0, 4.0):
        # Armijo's condition alone never lets a step grow: the curvature's must fail
        ratio, count = first(update_step_bfgs=1e-3, optimism=factor, wolfe_c1_constant=1e-4, wolfe_c2_constant=0.9)
        grown = math.log(ratio, factor)
        assert count > 1
        assert grown == pytest.approx(count - 1) or ratio < factor ** (count - 1)


def test_the_edges_of_a_thick_specimen_have_a_thickness_of_their_own() -> None:
    random = np.random.default_rng(2)
    obj = np.exp(0.2j * random.standard_normal((60, 60, 4, 1)))
    exact = small(obj=obj, num_slices=4, skip_preprocessing=True)
    lengthened = evaluate({**exact, "slice_distances": [5.0], "edge_slice_thickness": 20.0}).loss
    assert lengthened == evaluate({**exact, "slice_distances": [20.0, 5.0, 20.0]}).loss
    assert lengthened != evaluate({**exact, "slice_distances": [5.0]}).loss


def test_a_run_begins_at_the_first_epoch_it_is_given() -> None:
    """Schedules are taken from there on."""
    reports = list(Reconstruction(small(epoch_prev=7, epoch_max=10, update_probe="lambda x: x >= 8")))
    assert [report.epoch for report in reports] == [7, 8, 9, 10]
    probes = [report.point.probe for report in reports]
    assert not np.array_equal(probes[0], probes[1])
    assert np.array_equal(probes[0], Reconstruction(small(epoch_prev=7, epoch_max=10)).point.probe)


ALL = dict.fromkeys(("update_probe_pos", "update_tilts", "update_static_background", "update_aberrations_array"), True) | {
    "tilt_mode": 2,
    "static_background": 5.0,
}


def test_after_rejected_epochs_one_array_after_the_other_pauses_and_then_the_run_ends() -> None:
    # no step is as long as the smallest one allowed
    reports = list(Reconstruction(small(epoch_max=30, min_step=1e9, **ALL)))
    assert [report.search.accepted for report in reports] == [False] * 7 + [True]
    assert reports[-1].final
    assert reports[-1].loss == reports[0].loss
    assert all(f"the update of epoch {report.epoch} was rejected" in report.warnings[0] for report in reports[:-1])
    paused = [[warning for warning in report.warnings if "pauses" in warning] for report in reports[:-1]]
    names = ["positions", "tilts", "static_background", "aberrations_array", "probe"]
    assert paused == [[], *([f"refinement of {name} pauses for 10 epochs"] for name in names), []]


def test_what_pauses_goes_on_after_ten_epochs() -> None:
    run = Reconstruction(small(epoch_max=30, min_step=1e9, **ALL))
    reports = [next(run) for _ in range(3)]
    run.change({"min_step": 1e-20})
    reports += list(run)

    def moved(name: str) -> list[int]:
        arrays = [getattr(report.point, name) for report in reports]
        return [i + 1 for i, (a, b) in enumerate(pairwise(arrays)) if not np.array_equal(a, b)]

    # from epoch 3 on there are steps again; positions rest in epochs 2 to 11, tilts in 3 to 12
    assert min(moved("probe")) == min(moved("obj")) == 3
    assert min(moved("positions")) == 12
    assert min(moved("tilts")) == 13
