"""Chunks, sequences, transforms and object guesses: what they set, how they undo each other, what the engine makes of it."""

from __future__ import annotations

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction, evaluate
from pypty_nb.engine import simulate
from pypty_nb.initialize import (
    conjugate_beam,
    create_aberrations_chunks,
    create_probe_marker_chunks,
    create_sequence_from_points,
    create_sub_sequence,
    fft_based_dpc,
    get_ptycho_obj_from_scan,
    rotate_scan_grid,
    tiltbeamtodata,
)
from pypty_nb.params import ParameterError


def test_every_square_of_the_scan_has_its_own_aberrations(tiny: Preset) -> None:
    wide = Preset(scan_size=(5, 7))
    cut = create_aberrations_chunks(wide, 3, 4)
    expected = [[0, 0, 0, 1, 1, 1, 2]] * 3 + [[3, 3, 3, 4, 4, 4, 5]] * 2
    assert cut.aberration_marker.reshape(5, 7).tolist() == expected
    assert cut.aberrations_array.shape == (6, 4)
    assert wide.aberration_marker is None
    evaluation = evaluate({**create_aberrations_chunks(tiny, 3, 4).to_dict(), **started(tiny), "update_aberrations_array": 1})
    assert evaluation.gradient.aberrations_array.shape == (4, 4)
    assert evaluation.gradient.aberrations_array.any(axis=1).all()


def started(preset: Preset) -> dict[str, np.ndarray]:
    point = Reconstruction(preset).point
    return {"obj": point.obj, "probe": point.probe, "positions": point.positions}


def test_every_square_of_the_scan_has_its_own_probe(tiny: Preset) -> None:
    cut = create_probe_marker_chunks(tiny, 4)
    assert cut.probe_marker.reshape(5, 5).tolist() == [[0, 0, 0, 0, 1]] * 4 + [[2, 2, 2, 2, 3]]
    assert Reconstruction(cut).point.probe.shape == (16, 16, 1, 4)


def test_sequences_of_a_rectangle_and_of_features() -> None:
    scan = Preset(scan_size=(6, 8))
    assert create_sub_sequence(scan, 1, 2, 5, 3, 2).sequence.tolist() == [17, 19, 21, 33, 35, 37]
    # what lies outside does not wrap to the next row
    assert create_sub_sequence(scan, 6, 4, 9, 9, 1).sequence.tolist() == [38, 39, 46, 47]
    chosen = np.zeros((6, 8), int)
    chosen.flat[create_sequence_from_points(scan, [0, 4], [7, 3], 4).sequence] = 1
    expected = np.zeros((6, 8), int)
    expected[0:2, 5:8] = expected[2:6, 1:5] = 1
    assert np.array_equal(chosen, expected)


def test_turning_the_scan_and_back_changes_nothing(tiny: Preset) -> None:
    stretched = Preset.from_dict({**tiny.to_dict(), "pixel_size_y_A": 0.2})
    turned = rotate_scan_grid(stretched, 30.0)
    assert np.allclose(rotate_scan_grid(turned, -30.0).positions, tiny.positions)
    sizes = np.array([0.2, 0.3])
    before, after = (np.linalg.norm(np.diff(p.positions * sizes, axis=0), axis=1) for p in (stretched, turned))
    assert np.allclose(before, after)
    plain = Preset(positions=[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    # x' = x cos θ + y sin θ, y' = −x sin θ + y cos θ, the smallest y kept
    assert np.allclose(rotate_scan_grid(plain, 90.0).positions, [[1, 0], [0, 0], [1, 1]])


def test_a_conjugated_beam_sees_the_conjugated_and_inverted_object_alike(tiny: Preset) -> None:
    random = np.random.default_rng(3)
    obj = np.exp(0.3j * random.standard_normal((36, 37)))[..., None, None]
    # nothing of the probe reaches the window's first row and column, which have no mirror image in it
    y, x = np.indices((16, 16)) - 8
    probe = 100 * np.exp(-((y - 0.5) ** 2 + x**2) / 5 + 0.1j * (y**2 + 3 * y + 0.4 * x * y))[..., None]
    settings = {"damping_cutoff_multislice": 1.0, "patch_band_limit": False, "allow_subPixel_shift": False}
    truth = Preset.from_dict({**tiny.to_dict(), **settings, "obj": obj, "probe": probe, "dataset": None})
    patterns = simulate(truth)
    conjugated = conjugate_beam(truth)
    inverted = {
        "obj": np.conj(obj[::-1, ::-1]),
        # the window holds r = −8 … 7, its image −7 … 8
        "positions": np.array(obj.shape[:2]) - 16 - np.rint(tiny.positions) - 1,
        "dataset": patterns,
    }
    scale = patterns.sum()
    assert evaluate({**conjugated.to_dict(), **inverted}).loss < 1e-5 * scale
    assert evaluate({**truth.to_dict(), **inverted}).loss > 1e-2 * scale


def test_conjugating_turns_every_aberration_and_twice_is_nothing(tiny: Preset) -> None:
    beam = Preset.from_dict(
        {**tiny.to_dict(), "aberrations": [100.0, -3.0], "extra_probe_defocus": 40.0, "defocus_spread_modes": [-5.0, 5.0]}
    )
    other = conjugate_beam(beam)
    assert (other.aberrations.tolist(), other.extra_probe_defocus) == ([-100, 3], -40)
    assert other.defocus_spread_modes.tolist() == [5, -5]
    assert np.allclose(conjugate_beam(other).probe, tiny.probe)
    assert not np.allclose(other.probe, tiny.probe)


@pytest.mark.parametrize("align_type", ["com", "cross_corr"])
def test_a_probe_is_tilted_to_where_the_patterns_lie(tiny: Preset, align_type: str) -> None:
    y, x = np.indices((16, 16)) - 8
    tilted = tiny.probe * np.exp(2j * np.pi * (1.4 * y - 2.3 * x) / 16)[..., None]
    blank = {**tiny.to_dict(), "obj": np.ones((40, 40, 1, 1)), "damping_cutoff_multislice": 1.0}
    patterns = simulate(Preset.from_dict({**blank, "dataset": None, "probe": tilted}))
    preset = Preset.from_dict({**blank, "dataset": patterns})
    assert evaluate(preset).loss > 0.1 * patterns.sum()
    found = tiltbeamtodata(preset, align_type)
    phase = np.angle((found.probe * tilted.conj()).sum())
    far = np.abs(found.probe * np.exp(-1j * phase) - tilted)
    assert far.max() < (0.01 if align_type == "com" else 0.1) * np.abs(tilted).max()


def test_tilting_on_padded_and_upsampled_windows(tiny: Preset) -> None:
    y, x = np.indices((40, 40)) - 20
    wide = np.exp(-(y**2 + x**2) / 30)[..., None].astype(complex)
    tilted = wide * np.exp(2j * np.pi * (2 * y - 3 * x) / 40)[..., None]
    settings = {"data_pad": 4, "upsample_pattern": 2, "use_padded_intensity": False, "obj": np.ones((80, 80, 1, 1))}
    base = {**tiny.to_dict(), **settings, "damping_cutoff_multislice": 1.0, "dataset": None}
    patterns = simulate(Preset.from_dict({**base, "probe": tilted}))
    found = tiltbeamtodata({**base, "dataset": patterns, "probe": wide})
    assert np.allclose(np.angle(found.probe[20, 21] / found.probe[20, 20]), -2 * np.pi * 3 / 40, atol=0.02)


def test_what_cannot_be_tilted_is_named(tiny: Preset) -> None:
    with pytest.raises(ParameterError, match="probe: give a probe as an array"):
        tiltbeamtodata({**tiny.to_dict(), "probe": None})
    with pytest.raises(ParameterError, match="align_type: 'com' or 'cross_corr'; got 'best'"):
        tiltbeamtodata(tiny, "best")  # pyright: ignore[reportArgumentType]


def test_an_object_from_images_of_the_scan(tiny: Preset) -> None:
    y, x = tiny.positions.T
    preset = get_ptycho_obj_from_scan(tiny, array_phase=0.05 * y - 0.03 * x, array_abs=0.9 + 0 * x, scale_phase=2.0)
    assert preset.obj.shape == (*(np.rint(tiny.positions.max(axis=0)).astype(int) + 16), 1, 1)
    # a plane stays a plane, seen from the windows' centres; outside nothing is assumed
    rows, columns = np.indices(preset.obj.shape[:2])
    inside = np.abs(preset.obj[..., 0, 0]) < 0.95
    expected = 0.1 * (rows - 8) - 0.06 * (columns - 8)
    assert np.allclose(np.angle(preset.obj[..., 0, 0])[inside], expected[inside], atol=1e-5)
    assert np.allclose(preset.obj[..., 0, 0][~inside], 1)
    assert inside.sum() > 0.8 * 12**2
    assert Reconstruction(preset).point.obj.shape == preset.obj.shape


def test_slices_share_an_image_and_keep_the_thickness(tiny: Preset) -> None:
    phase, modulus = np.full((5, 5), 1.2), np.full((5, 5), 0.5)
    phase[2, 2] = 1.2 + 3 * np.pi
    thick = Preset.from_dict({**tiny.to_dict(), "slice_distances": [80.0]})
    preset = get_ptycho_obj_from_scan(thick, "auto", phase, modulus, fill_value_type="edge")
    slices = preset.num_slices
    assert slices == 5
    assert preset.slice_distances.tolist() == [16]
    assert np.allclose(preset.obj.prod(axis=2)[0, 0], 0.5 * np.exp(1.2j))
    assert np.allclose(preset.obj[:, :, 0], preset.obj[:, :, -1])
    assert Reconstruction(preset).point.obj.shape[2] == slices
    assert np.angle(get_ptycho_obj_from_scan(tiny, 1, phase, fill_value_type="median").obj[0, 0, 0, 0]) == pytest.approx(1.2)


def test_images_where_they_lie_in_angstroms(tiny: Preset) -> None:
    grid = np.indices((40, 40)).reshape(2, -1).T * 0.15
    phase = 0.2 * np.sin(grid[:, 0]) * np.cos(grid[:, 1])
    preset = get_ptycho_obj_from_scan(tiny, array_phase=phase, scan_array_A=grid)
    rows, columns = 8 + np.arange(4, 12), 8 + np.arange(4, 12)
    expected = 0.2 * np.multiply.outer(np.sin((rows - 8) * 0.3), np.cos((columns - 8) * 0.3))
    assert np.allclose(np.angle(preset.obj[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1, 0, 0]), expected, atol=1e-3)


def test_differential_phase_contrast_is_a_better_start(tiny: Preset) -> None:
    guess = get_ptycho_obj_from_scan(tiny, array_phase=fft_based_dpc(tiny))
    blank, guessed = (next(iter(Reconstruction(preset))).loss for preset in (tiny, guess))
    assert guessed < 0.9 * blank


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"array_phase": np.zeros(24)}, "array_phase: has 24 pixels for 25 points"),
        ({"array_abs": np.full(25, np.nan)}, "array_abs: holds NaN"),
        ({"num_slices": 0}, "num_slices: a positive number or 'auto'; got 0"),
        ({"fill_value_type": "mean"}, "fill_value_type: 'edge', 'median' or None; got 'mean'"),
        ({"array_phase": np.zeros(3), "scan_array_A": np.zeros((3, 2))}, "span no area"),
    ],
)
def test_images_that_do_not_fit_are_refused(tiny: Preset, values: dict, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        get_ptycho_obj_from_scan(tiny, **values)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: create_probe_marker_chunks(Preset(), 4), "scan_size: is not set"),
        (lambda: create_probe_marker_chunks(Preset(scan_size=(4, 4)), 0), "chop_size: must be 1 or more scan points; got 0"),
        (lambda: create_aberrations_chunks(Preset(scan_size=(4, 4)), 2, 0), "n_abs: one aberration at least"),
        (lambda: create_sub_sequence(Preset(scan_size=(4, 4)), 0, 0, 2, 2, 0), "sub: must be 1 or more; got 0"),
        (lambda: create_sub_sequence(Preset(scan_size=(4, 4)), 4, 0, 2, 2), "no point of the scan is chosen"),
    ],
)
def test_parts_that_do_not_exist_are_named(call, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        call()
