"""Our patterns against abTEM's: the same transmission functions, aperture and aberrations, two programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pypty_nb import Preset
from pypty_nb.engine import simulate
from pypty_nb.physics.aberrations import chi, terms
from pypty_nb.physics.units import electron_wavelength

abtem = pytest.importorskip("abtem", reason="abTEM is not installed; pip install '.[test]' brings it")
build = pytest.importorskip("ase.build", reason="ASE, which abTEM builds on, is not installed")

KILOVOLTS, SEMIANGLE = 80.0, 22.0
#: x and y differ, so that an exchanged axis shows.
COLUMNS, ROWS, SLICES = 80, 84, 3
#: Where the beam is centred, [y, x] px: whole, fractional, and one that reaches across the cell's edge.
BEAMS = np.array([[12.0, 10.0], [20.8, 33.3], [70.4, 61.0]])
#: Å; the angles φ in rad. Every coefficient up to C34, each turning the aperture's edge by half a radian or more.
ABERRATIONS = {"C10": 120.0, "C12": 60.0, "phi12": 0.4, "C21": 3e3, "phi21": 0.7, "C23": 3e3, "phi23": -0.25,
               "C30": -2e5, "C32": 2e5, "phi32": 0.3, "C34": 2e5, "phi34": 0.2}  # fmt: skip
#: mrad, x and y.
TILT = (8.0, -5.0)


@dataclass(frozen=True)
class Case:
    """What abTEM simulated, and what our model needs to repeat it; arrays are (y, x)."""

    taper: float
    sampling: tuple[float, float]
    gaps: tuple[float, ...]
    transmission: np.ndarray
    aperture: np.ndarray
    patterns: np.ndarray


@pytest.fixture(scope="module", autouse=True)
def double() -> Iterator[None]:
    """Double precision and no task graph."""
    with abtem.config.set({"precision": "float64", "dask.lazy": False}):
        yield


@pytest.fixture(scope="module")
def sharp() -> Case:
    """abTEM with its antialiasing aperture cut sharply, as our band limit is."""
    return abtem_case(taper=0.0)


@pytest.fixture(scope="module")
def usual() -> Case:
    """abTEM as it comes: its aperture falls smoothly over the last hundredth of a cycle a pixel."""
    return abtem_case(taper=0.01)


def specimen() -> Any:
    """Two layers of MoS2, 15.9 × 16.5 Å, one shifted against the other; no symmetry is left to hide an exchange or a flip."""
    layer = abtem.orthogonalize_cell(build.mx2("MoS2", vacuum=1.5)) * (5, 3, 1)
    height = layer.cell[2, 2]
    second = layer.copy()
    second.positions += (0.9, 1.1, height)
    both = layer + second
    both.cell[2, 2] = 2 * height
    both.rattle(0.08, seed=1)
    both.wrap()
    return both


def abtem_case(taper: float) -> Case:
    atoms = specimen()
    energy = 1e3 * KILOVOLTS
    with abtem.config.set({"antialias.taper": taper}):
        thickness = atoms.cell[2, 2] / SLICES
        potential = abtem.Potential(atoms, gpts=(COLUMNS, ROWS), slice_thickness=thickness, projection="infinite").build()
        probe = abtem.Probe(energy=energy, semiangle_cutoff=SEMIANGLE, soft=True, tilt=TILT, **ABERRATIONS)
        plain = abtem.Probe(energy=energy, semiangle_cutoff=SEMIANGLE, soft=True)
        for beam in (probe, plain):
            beam.grid.match(potential)
        scan = abtem.CustomScan(BEAMS[:, ::-1] * potential.sampling)
        exits = probe.multislice(potential, scan=scan)
        patterns = exits.diffraction_patterns(max_angle="full", parity="same", block_direct=False)
        transmission = potential.transmission_function(energy).array
        aperture = np.abs(np.fft.fft2(np.squeeze(plain.build((0.0, 0.0)).array)))
    # abTEM's arrays are (x, y)
    return Case(
        taper=taper,
        sampling=(potential.sampling[1], potential.sampling[0]),
        gaps=tuple(potential.slice_thickness[: SLICES - 1]),
        transmission=np.swapaxes(transmission, 1, 2),
        aperture=aperture.T,
        patterns=np.swapaxes(patterns.array, 1, 2),
    )


def krivanek() -> np.ndarray:
    """`ABERRATIONS` as the model takes them: C_nm a = C_nm cos mφ, C_nm b = C_nm sin mφ."""
    turn = {"": lambda angle: 1.0, "a": np.cos, "b": np.sin}
    return np.array([ABERRATIONS[f"C{n}{m}"] * turn[part](m * ABERRATIONS.get(f"phi{n}{m}", 0.0)) for n, m, part in terms(12)])


def simulated(case: Case, coefficients: np.ndarray, rolloff: float | None = None, *, conjugate: bool = False) -> np.ndarray:
    """The same patterns from our model; the periodic cell is laid out twice each way, so that no patch leaves it."""
    window, wavelength = (ROWS, COLUMNS), electron_wavelength(KILOVOLTS)
    spectrum = case.aperture * np.exp(-1j * chi(coefficients, 0.0, window, case.sampling, wavelength))
    planes = case.transmission.conj() if conjugate else case.transmission
    # the corner of the patch that has the beam in its centre
    corners = (BEAMS - np.array(window) // 2) % window
    # abTEM counts its cutoff, 2/3, and taper from Nyquist's frequency of the coarser axis, we from the largest of x
    unit = 0.5 / max(case.sampling) / np.fft.fftfreq(COLUMNS, case.sampling[1]).max()
    preset = Preset(
        acc_voltage=KILOVOLTS,
        pixel_size_y_A=case.sampling[0],
        pixel_size_x_A=case.sampling[1],
        positions=corners,
        obj=np.tile(planes, (1, 2, 2)).transpose(1, 2, 0)[..., None],
        probe=np.fft.fftshift(np.fft.ifft2(spectrum))[..., None],
        tilts=np.array([[0.0, 0.0, *np.tan(1e-3 * np.array(TILT[::-1])), 0.0, 0.0]]),
        slice_distances=np.array(case.gaps),
        damping_cutoff_multislice=2 / 3 * unit,
        smooth_rolloff=2 * unit * (case.taper if rolloff is None else rolloff),
        default_dtype="double",
    )
    return simulate(preset)


def compared(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """The worst correlation and relative distance over the patterns, each scaled to the same sum."""
    pairs = [(a / a.sum(), b / b.sum()) for a, b in zip(ours, theirs, strict=True)]
    correlation = min(float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in pairs)
    distance = max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in pairs)
    print(f"1 − correlation {1 - correlation:.1e}, relative distance {distance:.1e}")
    return correlation, distance


def test_the_patterns_are_abtems_with_the_same_sharp_band_limit(sharp: Case) -> None:
    # 3e-9 is left: the two programs' physical constants, and the wavelength with them, differ by as much
    ours = simulated(sharp, krivanek())
    correlation, distance = compared(ours, sharp.patterns)
    assert correlation > 1 - 1e-12
    assert distance < 1e-8
    assert ours.sum() == pytest.approx(sharp.patterns.sum(), rel=1e-8)


def test_the_patterns_are_abtems_as_it_comes(usual: Case) -> None:
    # 3e-6 is left: both limits fall as a raised cosine over the same ring, abTEM's in q, ours in q²
    correlation, distance = compared(simulated(usual, krivanek()), usual.patterns)
    assert correlation > 1 - 1e-9
    assert distance < 2e-5


def test_a_sharp_band_limit_differs_from_abtems_only_in_the_ring_of_its_taper(usual: Case) -> None:
    ours = simulated(usual, krivanek(), rolloff=0.0)
    correlation, distance = compared(ours, usual.patterns)
    assert correlation > 0.9999
    assert distance < 2e-3


@pytest.mark.parametrize("wrong", range(12))
def test_a_coefficient_of_the_wrong_sign_would_show(wrong: int, sharp: Case) -> None:
    coefficients = krivanek()
    coefficients[wrong] *= -1
    assert compared(simulated(sharp, coefficients), sharp.patterns)[0] < 0.9999


def test_a_phase_of_the_wrong_sign_would_show(sharp: Case) -> None:
    assert compared(simulated(sharp, krivanek(), conjugate=True), sharp.patterns)[0] < 0.9999


@pytest.mark.parametrize("kilovolts", [20.0, 80.0, 300.0])
def test_the_wavelength_is_abtems(kilovolts: float) -> None:
    theirs = abtem.Probe(energy=1e3 * kilovolts, semiangle_cutoff=SEMIANGLE).wavelength
    assert electron_wavelength(kilovolts) == pytest.approx(theirs, rel=1e-7)


def test_our_c10_is_minus_abtems_defocus() -> None:
    # abTEM's defocus is positive for underfocus
    assert abtem.CTF(energy=1e3 * KILOVOLTS, defocus=150.0).C10 == -150.0
    window, sampling, wavelength = (32, 32), (0.2, 0.2), electron_wavelength(KILOVOLTS)
    waves = {}
    for name, value in (("plain", {}), ("over", {"defocus": -150.0})):
        beam = abtem.Probe(energy=1e3 * KILOVOLTS, semiangle_cutoff=SEMIANGLE, gpts=window, sampling=sampling, **value)
        waves[name] = np.fft.fft2(np.squeeze(beam.build((0.0, 0.0)).array))
    expected = waves["plain"] * np.exp(-1j * chi(np.array([150.0]), 0.0, window, sampling, wavelength))
    np.testing.assert_allclose(waves["over"], expected, atol=1e-7 * np.abs(expected).max())
