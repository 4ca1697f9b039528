"""The starting probe and its modes, the starting background, the object's slices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pypty_nb import Preset, Reconstruction
from pypty_nb.engine import simulate
from pypty_nb.params import ParameterError
from pypty_nb.physics import aberrations, beam
from pypty_nb.physics.grids import band_limit, largest_frequency, q_squared
from pypty_nb.physics.units import electron_wavelength

N = 24


def disc(radius: float = 0.15) -> np.ndarray:
    frequency = np.fft.fftshift(np.fft.fftfreq(N))
    return (np.hypot(frequency[:, None], frequency[None, :]) <= radius).astype(float)


def params(**settings: Any) -> dict[str, Any]:
    positions = np.stack(np.meshgrid(np.arange(3) * 4.0, np.arange(3) * 4.0, indexing="ij"), -1).reshape(-1, 2)
    pattern = 50 * disc()
    defaults = {
        "dataset": np.repeat(pattern[None], 9, axis=0),
        "positions": positions,
        "pixel_size_x_A": 0.4,
        "pixel_size_y_A": 0.4,
    }
    return {**defaults, "acc_voltage": 80, "epoch_max": 0, **settings}


def started(**settings: Any):
    return list(Reconstruction(params(**settings)))[-1].point


def test_a_probe_from_the_mean_pattern_gives_it_back() -> None:
    point = started()
    assert point.probe.shape == (N, N, 1)
    model = simulate(Preset.from_dict({**params(), "dataset": None, "obj": np.ones((40, 40, 1, 1)), "probe": point.probe}))
    assert np.allclose(model[0], 50 * disc(), atol=1e-8)


def test_a_probe_from_the_aperture() -> None:
    by_mask = started(probe="aperture", aperture_mask=disc())
    assert np.allclose(by_mask.probe, started().probe)
    by_threshold = started(estimate_aperture_based_on_binary=0.5)
    assert np.allclose(by_threshold.probe, started().probe)
    with pytest.raises(ParameterError, match="aperture_mask"):
        started(probe="aperture")


def test_overfocus_is_the_phase_of_c10() -> None:
    spectra = [
        np.fft.fft2(started(**settings).probe[:, :, 0])
        for settings in ({}, {"extra_probe_defocus": 150.0}, {"aberrations": [150.0]})
    ]
    lit = np.abs(spectra[0]) > 1e-3
    q2 = q_squared((N, N), (0.4, 0.4))
    expected = np.exp(-1j * np.pi * electron_wavelength(80) * 150 * q2)
    for spectrum in spectra[1:]:
        assert np.allclose((spectrum / np.where(lit, spectra[0], 1))[lit], expected[lit], atol=1e-6)


def test_hermite_modes() -> None:
    point = started(n_hermite_probe_modes=[2, 1])
    assert point.probe.shape == (N, N, 6)
    powers = (np.abs(point.probe) ** 2).sum(axis=(0, 1))
    assert powers[0] / powers.sum() == pytest.approx(0.9, abs=0.02)
    modes = beam.hermite_modes(started().probe[:, :, 0], (2, 1)).reshape(-1, 6)
    overlaps = modes.conj().T @ modes
    assert np.allclose(overlaps, np.diag(np.diag(overlaps)), atol=1e-9 * overlaps[0, 0].real)


def test_defocus_spread_makes_a_mode_a_value() -> None:
    values = np.array([-40.0, 0.0, 60.0])
    point = started(defocus_spread_modes=values)
    assert point.probe.shape == (N, N, 3)
    single = started(extra_probe_defocus=60.0).probe[:, :, 0]
    overlap = np.vdot(single, point.probe[:, :, 2]) / (np.linalg.norm(single) * np.linalg.norm(point.probe[:, :, 2]))
    assert overlap == pytest.approx(1, abs=1e-9)


def test_coherence_modes_carry_the_spread() -> None:
    settings = {"mc_n_modes": 4, "focal_spread": 30.0, "spatial_coh_x_A": 0.5, "spatial_coh_y_A": 0.5}
    point = started(**settings)
    assert point.probe.shape == (N, N, 4)
    powers = (np.abs(point.probe) ** 2).sum(axis=(0, 1))
    assert (np.diff(powers) < 0).all()
    assert np.array_equal(point.probe, started(**settings).probe), "seeded"
    still = started(**{**settings, "focal_spread": 0.0, "spatial_coh_x_A": 0.0, "spatial_coh_y_A": 0.0})
    powers = (np.abs(still.probe) ** 2).sum(axis=(0, 1))
    assert powers[0] == pytest.approx(powers.sum())


def test_a_number_of_background_counts() -> None:
    point = started(static_background=12.0, update_static_background=1)
    band = np.fft.fftshift(band_limit((N, N), (0.4, 0.4), 2 / 3))
    assert (point.static_background**2 * band).sum() == pytest.approx(12)
    assert not point.static_background[band == 0].any()
    inside = point.static_background[band > 0]
    assert np.allclose(inside, inside[0])


def test_a_blank_object_gets_its_slices() -> None:
    assert started(num_slices=3).obj.shape[2:] == (3, 1)
    assert started(obj=np.ones((40, 40, 2, 2))).obj.shape == (40, 40, 2, 2)


def test_scenarios_start_as_copies() -> None:
    marker = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2])
    probe = started(probe_marker=marker).probe
    assert probe.shape == (N, N, 1, 3)
    assert np.array_equal(probe[..., 0], probe[..., 2])


def test_near_field_starts_with_the_flux_of_the_data() -> None:
    settings = {"recon_type": "near_field", "defocus_array": [500.0]}
    point = started(**settings)
    assert (np.abs(point.probe) ** 2).sum() == pytest.approx(params()["dataset"][0].sum(), rel=0.05)


def test_upsampled_and_padded_probes_fill_their_window() -> None:
    assert started(data_pad=4, upsample_pattern=2).probe.shape == (2 * N + 8, 2 * N + 8, 1)
    assert started(data_pad=3, use_padded_intensity=False).probe.shape == (N + 6, N + 6, 1)


def test_compressed_data_need_a_probe() -> None:
    signals = {"dataset": np.ones((9, 2)), "masks": np.ones((2, N, N)), "algorithm": "lsq_compressed"}
    with pytest.raises(ParameterError, match="compressed data tell nothing of the probe"):
        started(**signals)
    assert started(**signals, mean_pattern=disc()).probe.shape == (N, N, 1)


def test_krivanek_order() -> None:
    names = [f"C{n}{m}{part}" for n, m, part in aberrations.terms(12)]
    assert names == ["C10", "C12a", "C12b", "C21a", "C21b", "C23a", "C23b", "C30", "C32a", "C32b", "C34a", "C34b"]


def test_the_largest_frequency_is_not_nyquist() -> None:
    assert largest_frequency((8, 8), (0.5, 0.5)) == pytest.approx(3 / 4)
    # pixels exactly on the circle are inside
    assert band_limit((32, 32), (1, 1), 2 / 3)[0, 10] == 1
    assert band_limit((32, 32), (1, 1), 2 / 3)[0, 11] == 0


def test_the_wavelength() -> None:
    # Reimer and Kohl, Transmission Electron Microscopy, table 2.2
    assert electron_wavelength(100) == pytest.approx(0.037014, rel=1e-4)
    assert electron_wavelength(300) == pytest.approx(0.019687, rel=1e-4)


def test_an_object_for_the_chosen_patterns_alone() -> None:
    chosen = {"sequence": np.array([0, 1, 3])}
    whole, part = started(**chosen).obj, started(**chosen, use_full_FOV=False).obj
    assert whole.shape[:2] == (N + 8, N + 8)
    assert part.shape[:2] == (N + 4, N + 4)
    run = list(Reconstruction(params(**chosen, use_full_FOV=False, epoch_max=3, preconditioner="illumination")))
    assert run[-1].loss <= run[0].loss


def test_the_border_s_own_value_lies_around_the_field() -> None:
    obj = np.full((N + 8, N + 8, 1, 1), 0.5 + 0.5j)
    found = started(obj=obj, extra_space_on_side_px=3, lazy_clean=True).obj
    assert found.shape[:2] == (N + 14, N + 14)
    assert np.allclose(found, 0.5 + 0.5j)


def test_a_source_stretched_along_a_diagonal() -> None:
    """Correlated in x and y, the sampled beams lie along the diagonal; more samples find it more exactly."""

    def skew(correlation: float, samples: int = 512) -> float:
        settings = {"mc_n_modes": 8, "spatial_coh_x_A": 1.0, "spatial_coh_y_A": 1.0, "spatial_coh_xy": correlation}
        probe = started(**settings, n_mc_samples=samples).probe
        power = (np.abs(probe) ** 2).sum(axis=2)
        y, x = np.meshgrid(*(np.arange(N) - N // 2,) * 2, indexing="ij")
        return float((power * x * y).sum() / (power * (x * x + y * y) / 2).sum())

    assert skew(0.9) > 0.03
    assert skew(-0.9) < -0.03
    assert abs(skew(0.0)) < 0.5 * abs(skew(0.9))
    assert skew(0.9, 64) != skew(0.9, 512)


def test_a_phase_given_pixel_by_pixel() -> None:
    """beam_ctf is χ, centred; the probe is multiplied by exp(−iχ)."""
    chi = np.random.default_rng(1).uniform(-1, 1, (N, N))
    plain, bent = (np.fft.fftshift(np.fft.fft2(started(**s).probe[..., 0])) for s in ({}, {"beam_ctf": chi}))
    lit = np.abs(plain) > 1e-3
    assert np.allclose((bent / np.where(lit, plain, 1))[lit], np.exp(-1j * chi)[lit], atol=1e-6)
