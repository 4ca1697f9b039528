"""The pre-flight card: what it measures against real runs, what it warns of, what it refuses, and that it leaves no trace."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.spatial import KDTree

from pypty_nb import Preset, Reconstruction, evaluate
from pypty_nb.engine import simulate
from pypty_nb.initialize import PreflightLine, demo_preset, preflight, promoted, quick_look, starting_point, trial
from pypty_nb.initialize.quick_look import unwrapped
from pypty_nb.params import ParameterError
from pypty_nb.records import Refinables
from tests.bench.problems import problem
from tests.real_data import measured


def lines(preset: Any) -> dict[str, PreflightLine]:
    return {line.name: line for line in preflight(preset).lines}


def changed(preset: Preset, **values: Any) -> Preset:
    return Preset.from_dict({**preset.to_dict(), **values})


def run(*arguments: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pypty_nb.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def demo() -> Preset:
    return demo_preset()


def test_the_card_of_a_good_measurement(demo: Preset) -> None:
    report = preflight(demo)
    assert report.can_run
    assert report.standing == "ok", [line for line in report.lines if line.standing != "ok"]
    card = {line.name: line.value for line in report.lines}
    assert list(card) == [
        "Data",
        "Memory",
        "Time",
        "Wavelength",
        "Object",
        "Dose",
        "Overlap",
        "Window",
        "Sampling",
        "Thickness",
    ]
    assert card["Data"] == "576 patterns of 64 × 64 px"
    assert card["Wavelength"] == "0.04176 Å at 80 kV"
    assert "5.18 × 5.18 nm" in card["Object"]
    # 22 mrad of convergence: λ/α² = 86 Å; the soft edge of the aperture and the 95 % make it 94 Å
    assert "depth of focus λ/α² 94" in card["Thickness"]
    # 1.5 Å grid with 0.25 Å of jitter
    assert "step 1.29 Å" in card["Overlap"]


def test_overlap_and_angle_of_a_known_probe() -> None:
    y, x = (np.indices((64, 64)) - 32) * 0.5
    flat_disc = (np.hypot(y, x) <= 8).astype(complex)[..., None]
    grid = np.indices((4, 4)).reshape(2, -1).T * 6.4
    preset = Preset(
        acc_voltage=200, pixel_size_x_A=0.5, pixel_size_y_A=0.5, positions=grid, probe=flat_disc, dataset=np.ones((16, 64, 64))
    )
    overlap = lines(preset)["Overlap"]
    # the circle with 90 % of a disc 16 Å across: 15.2 Å; the band limit and the pixels take a little
    assert overlap.value == "78 % of the probe's 14.9 Å, step 3.2 Å"
    sparse = lines(changed(preset, positions=grid * 3))["Overlap"]
    assert (sparse.standing, sparse.value[:4]) == ("amber", "35 %")
    assert "a step of 5.9 Å or a probe of 24 Å" in sparse.advice
    assert lines(changed(preset, positions=grid * 6))["Overlap"].value.startswith("none: probe 14.9 Å across, step 19.2 Å")


def test_what_a_run_starts_with_is_what_it_starts_with(demo: Preset) -> None:
    start, begun = starting_point(demo), Reconstruction(demo).point
    np.testing.assert_allclose(start.probe, np.asarray(begun.probe), rtol=0.05)
    scan = np.asarray(begun.positions) * np.array(start.pixel_size)
    assert start.step == pytest.approx(np.median(KDTree(scan).query(scan, k=2)[0][:, 1]))
    assert len(start.places) == 25 and not start.places[0].any()
    assert start.power.sum() == pytest.approx(1) and start.mean_pattern.sum() > 0
    report = preflight(demo)
    assert report.starting is not None and f"{start.diameter:.3g} Å" in next(
        x.value for x in report.lines if x.name == "Overlap"
    )


def test_seconds_an_epoch_from_a_clock_that_nothing_disturbs(demo: Preset, monkeypatch) -> None:
    clock = [0.0]

    def evaluate_for_a_while(_: Any, patterns: np.ndarray) -> float:
        clock[0] += 0.03 + 0.002 * len(patterns)
        return 0.0

    monkeypatch.setattr(trial, "_evaluate", evaluate_for_a_while)
    monkeypatch.setattr(trial.time, "perf_counter", lambda: clock[0])
    assert preflight(demo).seconds_per_epoch == pytest.approx(1.2 * (0.03 + 0.002 * 576), rel=1e-6)
    half = changed(demo, sequence=np.arange(0, 576, 2))
    assert preflight(half).seconds_per_epoch == pytest.approx(1.2 * (0.03 + 0.002 * 288), rel=1e-6)


def test_seconds_an_epoch_are_those_of_a_run(demo: Preset) -> None:
    preflight(demo)
    ratios = []
    # other processes share the machine, and may spoil a comparison
    for _ in range(12):
        predicted = preflight(demo).seconds_per_epoch or 0.0
        first = next(iter(Reconstruction(changed(demo, epoch_max=1))))
        ratios.append(predicted / (1.2 * first.seconds / first.evaluations))
        if 0.4 < ratios[-1] < 2.5:
            return
    pytest.fail(f"predicted over actual: {ratios}")


def test_memory_is_that_of_a_run() -> None:
    preset = changed(problem("M", "double"), epoch_max=12, hist_length=10)
    predicted = preflight(preset).memory_bytes
    assert predicted is not None
    tracemalloc.start()
    for _ in Reconstruction(changed(preset, sequence=np.arange(0, 256, 32))):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.7 < predicted / peak < 2


def test_it_is_quick_and_leaves_no_trace(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    preset = changed(problem("S", "single"), output_folder="run", save_checkpoints_every_epoch=True)
    preflight(preset)
    before = preset.copy()
    began = time.process_time()
    preflight(preset)
    assert time.process_time() - began < 3
    assert preset == before
    assert list(tmp_path.iterdir()) == []


def test_only_a_sample_of_a_large_file_is_read(tmp_path: Path, tiny: Preset) -> None:
    with h5py.File(tmp_path / "large.h5", "w") as file:
        # 1.3 GB, of which nothing but the first patterns was ever written
        data = file.create_dataset("data", (200, 100, 128, 128), np.float32, chunks=(1, 4, 128, 128), fillvalue=3.0)
        data[0, :4] = 5
    positions = np.indices((200, 100)).reshape(2, -1).T * 0.5
    preset = changed(tiny, dataset=None, data_path=str(tmp_path / "large.h5"), positions=positions, scan_size=None, probe=None)
    preset.update(compute_batch=1)
    tracemalloc.start()
    report = preflight(preset)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.can_run
    assert peak < 5e8
    # read piece by piece, the patterns are no part of what a run holds
    assert report.memory_bytes is not None
    assert report.memory_bytes < 2e8
    kept = preflight(changed(preset, load_one_by_one=False)).memory_bytes
    assert kept == report.memory_bytes + 20000 * 128 * 128 * 8


@pytest.mark.parametrize(
    ("values", "name", "words", "advice"),
    [
        ({"data_multiplier": 1e-4}, "Dose", "counts a pattern", "algorithm to ml"),
        ({"epoch_max": 0}, "Time", "for 0 epochs", "raise epoch_max"),
        ({"extra_probe_defocus": 900.0}, "Window", "of the probe at its border", "raise upsample_pattern"),
        ({"damping_cutoff_multislice": 0.2}, "Sampling", "beyond the band limit", "raise data_pad to 16 px"),
        (
            {"num_slices": 3, "slice_distances": [150.0]},
            "Thickness",
            "3 slices, 150 Å apart",
            "take 5 slices or more for these 450",
        ),
        ({"acc_voltage": 60.0}, "Wavelength", "0.04866 Å at 60 kV", "set acc_voltage"),
        ({"hist_length": np.inf, "epoch_max": 10**6}, "Memory", "GiB needed", "lower hist_length"),
    ],
)
def test_what_could_be_better_is_said(demo: Preset, values: dict[str, Any], name: str, words: str, advice: str) -> None:
    line = lines(changed(demo, **values))[name]
    assert line.standing == ("red" if name == "Memory" else "amber")
    assert words in line.value
    assert advice in line.advice


def test_empty_patterns_and_all_from_one_place(tiny: Preset) -> None:
    empty = tiny.dataset.copy()
    empty[[2, 7]] = 0
    assert lines(changed(tiny, dataset=empty))["Data"].value == "2 of 25 patterns looked at hold no counts"
    assert lines(changed(tiny, positions=[[3.0, 3.0]]))["Overlap"].standing == "amber"


def test_every_reason_against_a_run_at_once_in_the_engines_words(tiny_file: Path) -> None:
    # a file's shape is not known to the preset, so that all this is found by looking only
    preset = changed(
        Preset.from_json(tiny_file),
        scan_size=None,
        positions=np.ones((7, 2)),
        probe=np.ones((12, 12, 1), complex),
        beam_current=np.ones(3),
        aberration_marker=np.arange(25),
        num_slices=2,
        slice_distances=[1.0, 2.0, 3.0],
        sequence=[99],
    )
    report = preflight(preset)
    assert not report.can_run
    assert {line.standing for line in report.lines} == {"red"}
    found = {line.name: line for line in report.lines}
    assert set(found) == {
        "positions", "probe", "beam_current", "aberration_marker", "slice_distances", "sequence",
    }  # fmt: skip
    assert (found["positions"].value, found["positions"].advice) == (
        "has 7 rows for 25 patterns", "give one a pattern, or one for all",
    )  # fmt: skip
    # word for word what the engine says, which says one at a time
    for name in ("positions", "probe", "beam_current"):
        alone = changed(Preset.from_json(tiny_file), scan_size=None, **{name: preset[name]})
        with pytest.raises(ParameterError) as error:
            Reconstruction(alone)
        line = lines(alone)[name]
        assert str(error.value) == f"{name}: {line.value}" + (f"; {line.advice}" if line.advice else "")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"data_path": "gone.h5"}, "there is no file gone.h5"),
        ({"epoch_max": -3}, "epoch_max"),
        ({"nonsense": 1}, "there is no parameter 'nonsense'"),
    ],
)
def test_what_is_no_problem_at_all_is_red_too(values: dict[str, Any], words: str) -> None:
    report = preflight(values)
    assert report.standing == "red"
    assert any(words in f"{line.name}: {line.value}" for line in report.lines)


def test_negative_counts_are_refused(tiny: Preset) -> None:
    report = preflight(changed(tiny, dataset=tiny.dataset.astype(float) - 3))
    assert not report.can_run
    assert "negative counts" in report.lines[0].value


def test_compressed_and_near_field_measurements(tiny: Preset) -> None:
    masks = np.random.default_rng(2).uniform(size=(6, 16, 16))
    signals = np.tensordot(tiny.dataset.astype(float), masks, axes=([1, 2], [1, 2]))
    card = lines(changed(tiny, dataset=signals, masks=masks, algorithm="lsq_compressed"))
    assert card["Data"].value == "25 rows of 6 virtual detectors"
    assert "Sampling" not in card
    near = lines(changed(tiny, recon_type="near_field", defocus_array=[500.0]))
    assert list(near) == ["Data", "Memory", "Time", "Wavelength", "Object", "Dose"]


def test_the_command_prints_the_card_and_fails_on_red(tiny_file: Path) -> None:
    good = run("preflight", tiny_file)
    assert good.returncode == 0
    assert "25 patterns of 16 × 16 px" in good.stdout
    bad = changed(Preset.from_json(tiny_file), scan_size=None, positions=np.ones((7, 2)), beam_current=np.ones(3))
    refused = run("preflight", bad.to_json(tiny_file.with_name("bad.json")))
    assert refused.returncode == 2
    assert "has 7 rows for 25 patterns" in refused.stdout
    assert "has 3 values for 25 patterns" in refused.stdout
    names = sorted(path.name for path in tiny_file.parent.iterdir())
    assert names == ["bad.h5", "bad.json", "patterns.h5", "preset.h5", "preset.json"]


@pytest.mark.real_data
def test_a_measured_scan_is_told_that_it_needs_padding() -> None:
    path = measured("rotavirus_4dstem/dev_44x52_bin2_128.h5")
    pixel = 0.0196874 / 0.033077e-3
    scan = np.indices((44, 52)).reshape(2, -1).T * 31.25
    settings = {"data_path": str(path), "acc_voltage": 300.0, "scan_size": (44, 52), "compute_batch": "auto"}
    plain = {**settings, "pixel_size_x_A": pixel / 128, "pixel_size_y_A": pixel / 128, "positions": scan / (pixel / 128)}
    report = preflight({**plain, "extra_probe_defocus": 135000.0})
    card = {line.name: line for line in report.lines}
    assert report.can_run
    assert card["Sampling"].standing == "amber"
    assert "raise data_pad to 32 px" in card["Sampling"].advice
    assert card["Overlap"].standing == "ok"
    padded = {**settings, "data_pad": 32, "pixel_size_x_A": pixel / 192, "pixel_size_y_A": pixel / 192}
    card = lines({**padded, "positions": scan / (pixel / 192), "extra_probe_defocus": 135000.0})
    assert card["Sampling"].standing == "ok"


# ---- quick look
def test_a_quick_look_takes_one_slice_one_mode_and_every_second_pattern(tiny: Preset) -> None:
    thick = changed(
        tiny,
        num_slices=3,
        slice_distances=[4.0, 5.0],
        n_hermite_probe_modes=(1, 1),
        update_probe_pos="lambda x: x > 2",
    )
    quick = quick_look(thick)
    board = np.zeros((5, 5), int)
    board.flat[quick.sequence] = 1
    assert board.tolist() == [[1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [1, 0, 1, 0, 1], [0, 1, 0, 1, 0], [1, 0, 1, 0, 1]]
    assert (quick.epoch_max, quick.num_slices, quick.n_hermite_probe_modes, quick.update_probe_pos) == (20, 1, None, 0)
    *_, last = Reconstruction(quick)
    first = next(iter(Reconstruction(quick)))
    assert last.point.obj.shape[2:] == (1, 1)
    assert last.terms["data"] < 0.5 * first.terms["data"]
    assert quick_look(changed(tiny, scan_size=None)).sequence.tolist() == list(range(0, 25, 2))
    assert quick_look(changed(tiny, sequence=[3, 5, 9])).sequence.tolist() == [3, 9]


def test_a_quick_look_keeps_the_flux_of_a_strong_mode(tiny: Preset) -> None:
    modes = np.concatenate([0.3 * tiny.probe, tiny.probe], axis=2)
    quick = quick_look(changed(tiny, probe=modes))
    assert quick.probe.shape == (16, 16, 1)
    assert (np.abs(quick.probe) ** 2).sum() == pytest.approx((np.abs(modes) ** 2).sum() / 2)


def test_a_full_run_starts_where_the_quick_look_ended() -> None:
    full = problem("M", "single")
    thin = changed(full, sequence=np.arange(0, 256, 9), epoch_max=1, use_full_FOV=True)
    quick = changed(quick_look(full), epoch_max=8, sequence=np.arange(0, 256, 9))
    *_, last = Reconstruction(quick)
    promoted_run = changed(promoted(full, last.point), sequence=thin.sequence, epoch_max=1)
    assert promoted_run.obj.shape[2:] == (4, 1)
    assert promoted_run.probe.shape == full.probe.shape
    assert promoted_run.extra_probe_defocus == 0
    blank, started = (next(iter(Reconstruction(preset))).loss for preset in (thin, promoted_run))
    assert started < 0.4 * blank


def test_promotion_of_the_same_geometry_is_exact(tiny: Preset) -> None:
    *_, last = Reconstruction(quick_look(tiny))
    again = promoted(tiny, last.point)
    assert np.allclose(again.obj, last.point.obj)
    assert np.allclose(again.probe, last.point.probe)
    every_second = evaluate(changed(again, sequence=quick_look(tiny).sequence))
    # a quick look is of single precision
    assert every_second.loss == pytest.approx(last.loss, rel=1e-5)
    with pytest.raises(ParameterError, match="point: holds no object"):
        promoted(tiny, Refinables())
    with pytest.raises(ParameterError, match="not of one slice and one mode"):
        promoted(tiny, Refinables(obj=np.ones((40, 40, 2, 1)), probe=last.point.probe, positions=last.point.positions))


def test_phases_are_unwrapped() -> None:
    y, x = np.indices((40, 50))
    smooth = 9 * np.exp(-((y - 18) ** 2 + (x - 27) ** 2) / 200) + 0.1 * y
    found = unwrapped(np.angle(np.exp(1j * smooth)))
    assert np.allclose(found - smooth, 2 * np.pi * round((found - smooth)[0, 0] / (2 * np.pi)))


# ---- what real detectors and scans look like
@pytest.mark.parametrize("window", [(24, 36), (40, 20)])
def test_detectors_and_scans_that_are_not_square(window: tuple[int, int]) -> None:
    random = np.random.default_rng(6)
    y, x = ((np.arange(n) - n // 2) * size for n, size in zip(window, (0.5, 0.3), strict=True))
    probe = np.exp(-np.add.outer(y**2, x**2) / 3 + 0.4j * np.add.outer(y**2, x**2))[..., None] * 30
    positions = np.indices((4, 7)).reshape(2, -1).T * (2.0, 3.0) + random.uniform(0, 0.5, (28, 2))
    shape = tuple(int(n) + 1 for n in np.ceil(positions.max(axis=0)) + window)
    truth = Preset(
        acc_voltage=80,
        pixel_size_y_A=0.5,
        pixel_size_x_A=0.3,
        scan_size=(4, 7),
        positions=positions,
        probe=probe,
        obj=np.exp(0.4j * random.standard_normal(shape))[..., None, None],
        compute_batch="auto",
        epoch_max=15,
    )
    patterns = simulate(truth)
    assert patterns.shape == (28, *window)
    assert evaluate(changed(truth, dataset=patterns)).loss < 1e-12 * patterns.sum()
    start = changed(truth, dataset=patterns.reshape(4, 7, *window), obj=np.ones((1, 1, 1, 1)))
    assert preflight(start).can_run
    losses = [report.loss for report in Reconstruction(start)]
    assert losses[-1] < 0.2 * losses[0]
    padded = changed(start, data_pad=4, probe=np.pad(probe, ((4, 4), (4, 4), (0, 0))))
    losses = [report.loss for report in Reconstruction(padded)]
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"data_multiplier": 1e-4}, "Dose"),
        ({"num_slices": 2, "slice_distances": [3000.0]}, "Thickness"),
        ({"damping_cutoff_multislice": 0.2}, "Sampling"),
        ({"epoch_max": 10**7, "hist_length": 2, "default_dtype": "double", "compute_batch": 1}, "Time"),
    ],
)
def test_a_remedy_does_what_the_line_asks(demo: Preset, values: dict[str, Any], name: str) -> None:
    """Applied, the line is in order, and nothing that was is out of it."""
    preset = changed(demo, **values)
    before = lines(preset)
    assert before[name].standing == "amber" and before[name].remedy
    after = lines(changed(preset, **before[name].remedy))
    assert after[name].standing == "ok", after[name]
    assert not after[name].remedy
    assert {line.name for line in after.values() if line.standing != "ok"} < {
        line.name for line in before.values() if line.standing != "ok"
    }


def test_padding_as_a_remedy_keeps_the_scan(demo: Preset) -> None:
    """The object's pixels become finer, the positions in Å and the detector's pixel stay."""
    preset = changed(demo, data_pad=0, probe=None, obj=np.ones((1, 1, 1, 1), complex), damping_cutoff_multislice=0.2)
    remedy = lines(preset)["Sampling"].remedy
    assert set(remedy) >= {"data_pad", "pixel_size_y_A", "pixel_size_x_A", "positions"}
    padded = changed(preset, **remedy)
    sizes = [np.array([p.pixel_size_y_A, p.pixel_size_x_A]) for p in (preset, padded)]
    np.testing.assert_allclose(padded.positions * sizes[1], preset.positions * sizes[0])
    side = preset.dataset.shape[-1]
    assert (side + 2 * padded.data_pad) * sizes[1][1] == pytest.approx(side * sizes[0][1])
    assert preflight(padded).can_run
