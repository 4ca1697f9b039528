"""How scan and detector lie to each other, found from the data.

Displacements of shadow images give rotation and handedness to a fraction of a degree wherever the beam is out of focus; and
the centre of mass, which is a gradient, is free of curl in the right orientation and no other. The surer of the two is taken.
Neither tells a reading from the same one turned by 180°: the data are then those of the complex conjugate specimen and beam,
exactly, in which phase and C10 change sign. What decides is that dense matter both advances the phase and scatters beyond
the disc.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import scipy.ndimage as ndi

from pypty_nb.data import DataError
from pypty_nb.initialize.scan_grid import READINGS, rotation_of, scan_matrix, split
from pypty_nb.initialize.shadow import Shadows
from pypty_nb.initialize.survey import ScanMaps
from pypty_nb.physics.taper import tukey

#: Above this many standard deviations a choice of sign counts as settled.
SETTLED = 4.0
#: Frequencies of the maps that take part, cycles per scan point: drift below, noise above.
_BAND = (0.02, 0.3)
_PARTS = 16
#: Scan points each way below which there is nothing to tell it from, nor C10.
FEWEST = 4
#: What shadow images are off by where noise is no matter, as found on simulated scans.
_SYSTEMATIC_DEG = 0.5


class OrientationError(DataError):
    """An orientation that the data do not tell."""


@dataclass(frozen=True)
class Orientation:
    """How the scan lies to the detector.

    Attributes
    ----------
    matrix : float array, (2, 2)
        Scan to detector on [y, x], orthogonal.
    reading : str
        Which of `READINGS` comes nearest.
    rotation_deg : float
        `PLRotation_deg` beside it, within ±45°.
    uncertainty_deg : float
    source : str
        "shadow images" or "centre of mass".
    sign_score : float
        In standard deviations, how clearly it is this way round and not turned by 180°; 0 where nothing told.
    sign_source : str
        What told.
    images : mapping of str to array
        "phase" (scan_y, scan_x): the integrated centre of mass as this orientation has it.
    """

    matrix: np.ndarray
    reading: str
    rotation_deg: float
    uncertainty_deg: float
    source: str
    sign_score: float
    sign_source: str
    images: Mapping[str, np.ndarray] = field(repr=False)

    @property
    def sign_settled(self) -> bool:
        return abs(self.sign_score) >= SETTLED


@dataclass(frozen=True)
class Candidate:
    """One of the eight readings at a rotation, as the page shows it.

    Attributes
    ----------
    reading : str
    matrix : float array, (2, 2)
    curl, divergence : float
        Standard deviations over the scan, px per scan point.
    phase : float array, (scan_y, scan_x)
        Integrated centre of mass, arbitrary unit.
    """

    reading: str
    matrix: np.ndarray
    curl: float
    divergence: float
    phase: np.ndarray = field(repr=False)

    @property
    def score(self) -> float:
        """Curl over divergence: smaller is better."""
        return self.curl / self.divergence if self.divergence else np.inf


def orientation_candidates(
    maps: ScanMaps, rotation_deg: float = 0.0, smooth: float = 1.0, *, trying: Callable[[str, int, int], None] | None = None
) -> tuple[Candidate, ...]:
    """All eight readings at `PLRotation_deg` = `rotation_deg`, in the order of `READINGS`.

    Curl and divergence are those of the centre of mass smoothed over `smooth` scan points, which keeps noise out of the score.
    `trying`, where given, is called with the reading that is looked at next, how many have been, and how many there are.
    """
    found = []
    for name in READINGS:
        if trying is not None:
            trying(name, len(found), len(READINGS))
        matrix = scan_matrix(rotation_deg, name)
        field = _in_scan(maps, matrix, smooth)
        curl, divergence = (float(image.std()) for image in (_curl(field), _divergence(field)))
        found.append(Candidate(name, matrix, curl, divergence, com_phase(maps, matrix)))
    return tuple(found)


def curl_against_rotation(
    maps: ScanMaps, reading: str = "as read", smooth: float = 1.0, count: int = 181
) -> tuple[np.ndarray, np.ndarray]:
    """Rotations from 0° to 360°, (count,), and the curl of the smoothed centre of mass (px per scan point) at each."""
    angles = np.linspace(0, 360, count)
    first, second = (_curl(_in_scan(maps, scan_matrix(angle, reading), smooth)) for angle in (0.0, 90.0))
    turns = np.deg2rad(angles)
    # the curl of a turned field is a mixture of the field's own curl and divergence
    products = np.array([np.mean(first**2), np.mean(first * second), np.mean(second**2)])
    cos, sin = np.cos(turns), np.sin(turns)
    squares = products[0] * cos**2 + 2 * products[1] * cos * sin + products[2] * sin**2
    return angles, np.sqrt(np.maximum(squares, 0))


def find_orientation(maps: ScanMaps, shadows: Shadows, *, axes: np.ndarray | None = None, c10_sign: int = 0) -> Orientation:
    """The orientation that the maps tell best.

    Parameters
    ----------
    maps : ScanMaps
    shadows : Shadows
    axes : float array, (2, 2), or None
        `transform_axis_matrix` where it is known; only the rotation is then looked for.
    c10_sign : -1, 0 or 1
        The sign of C10 where it is known: it decides between 180°.

    Raises
    ------
    OrientationError
        Where neither shadow images nor centre of mass tell it.
    """
    if min(maps.scan_size) < FEWEST:
        rows, columns = maps.scan_size
        raise OrientationError(
            f"PLRotation_deg: the rotation cannot be told from a scan of {rows} × {columns} points, which would have to be "
            f"{FEWEST} each way at least. Give PLRotation_deg and transform_axis_matrix"
        )
    fits = [(*_from_shadows(shadows, axes), "shadow images")] if shadows.clear else []
    try:
        fits.append((*_from_centre_of_mass(maps, axes), "centre of mass"))
    except OrientationError:
        if not fits:
            raise
    matrix, uncertainty, source = min(fits, key=lambda fit: fit[1])
    focus = c10_sign_of(shadows, matrix) if shadows.clear else 0
    score, why = dark_field_score(maps, matrix), "dense matter scatters beyond the disc"
    if c10_sign and focus:
        score, why = np.inf if c10_sign == focus else -np.inf, "the sign of C10"
    if score < 0:
        matrix, score = -matrix, -score
    return _described(maps, matrix, uncertainty, source, score, why)


def turned(orientation: Orientation, maps: ScanMaps, score: float, why: str) -> Orientation:
    """The same the other way round (by 180°) where `score` is negative, with what told."""
    matrix = -orientation.matrix if score < 0 else orientation.matrix
    return _described(maps, matrix, orientation.uncertainty_deg, orientation.source, abs(score), why)


def dark_field_score(maps: ScanMaps, matrix: np.ndarray) -> float:
    """How clearly bright in the dark field goes with advanced phase, in standard deviations; negative where the reverse.

    The score is normally distributed where phase and dark field have nothing to do with each other.
    """
    return common_score(com_phase(maps, matrix), maps.dark)


def common_score(first: np.ndarray, second: np.ndarray, band: tuple[float, float] = _BAND) -> float:
    """How clearly two images (y, x) go up and down together, in standard deviations, at the frequencies of `band`, cycles/px.

    Normally distributed with deviation 1 where they have nothing to do with each other.
    """
    one, other = (_transform(image)[_frequencies(image.shape, band)[2]] for image in (first, second))
    product = np.real(one * other.conj())
    deviation = np.sqrt((np.abs(one) ** 2 * np.abs(other) ** 2).sum())
    # opposite frequencies are the same number twice, and a product of random phases has half the variance
    return float(product.sum() / deviation) if deviation else 0.0


def com_phase(maps: ScanMaps, matrix: np.ndarray) -> np.ndarray:
    """The centre of mass integrated as the gradient of a phase, (scan_y, scan_x), mean 0.

    Mirrored at the borders, so that the transform sees no jump; Close, Chen, Shibata and Findlay, Ultramicroscopy 159, 124
    (2015).
    """
    gradient = _in_scan(maps, matrix)
    y, x = gradient[..., 0], gradient[..., 1]
    y = np.concatenate([np.concatenate([y, y[:, ::-1]], 1), -np.concatenate([y, y[:, ::-1]], 1)[::-1]], 0)
    x = np.concatenate([np.concatenate([x, -x[:, ::-1]], 1), np.concatenate([x, -x[:, ::-1]], 1)[::-1]], 0)
    qy, qx = np.fft.fftfreq(y.shape[0])[:, None], np.fft.fftfreq(y.shape[1])[None, :]
    square = qy**2 + qx**2
    square[0, 0] = 1
    spectrum = (qy * np.fft.fft2(y) + qx * np.fft.fft2(x)) / (2j * np.pi * square)
    spectrum[0, 0] = 0
    phase = np.fft.ifft2(spectrum).real[: maps.scan_size[0], : maps.scan_size[1]]
    return phase - phase.mean()


def _described(maps: ScanMaps, matrix: np.ndarray, uncertainty: float, source: str, score: float, why: str) -> Orientation:
    reading, rotation = split(matrix)
    return Orientation(matrix, reading, rotation, uncertainty, source, score, why, {"phase": com_phase(maps, matrix)})


def c10_sign_of(shadows: Shadows, matrix: np.ndarray) -> int:
    """The sign of C10 where the scan lies as `matrix` says: 1 or −1."""
    return -1 if np.trace(matrix @ shadows.matrix) > 0 else 1


def _from_shadows(shadows: Shadows, axes: np.ndarray | None) -> tuple[np.ndarray, float]:
    """Orientation for which T·A is as symmetric and definite as it can be, and its uncertainty, degrees.

    Shifts A·k = −T⁻¹·H·k, where H holds C10 and astigmatism and is symmetric.
    """
    best = None
    for mirror in [READINGS["as read"], READINGS["flip y"]] if axes is None else [axes]:
        product = mirror @ shadows.matrix
        aligned = np.array([product[0, 0] + product[1, 1], product[0, 1] - product[1, 0]])
        size = float(np.hypot(*aligned))
        if best is None or size > best[0]:
            best = size, scan_matrix(-float(np.rad2deg(np.arctan2(aligned[1], aligned[0]))), mirror)
    assert best is not None
    size, matrix = best
    random = float(np.rad2deg(np.sqrt(2) * shadows.uncertainty / max(size, 1e-30)))
    return matrix, float(np.hypot(random, _SYSTEMATIC_DEG))


def _from_centre_of_mass(maps: ScanMaps, axes: np.ndarray | None) -> tuple[np.ndarray, float]:
    """The orientation in which the centre of mass has the least curl, and its uncertainty in degrees."""
    fits = [_least_curl(maps, mirror) for mirror in ([READINGS["as read"], READINGS["flip y"]] if axes is None else [axes])]
    share, matrix, parts = max(fits, key=lambda fit: fit[0])
    spread = [abs((part - rotation_of(matrix, _mirror_of(matrix, axes)) + 90) % 180 - 90) for part in parts]
    uncertainty = float(np.median(spread) * 1.4826 / np.sqrt(len(parts)))
    others = [fit[0] for fit in fits if fit[0] != share]
    count = _count(maps)
    # of noise, half is curl; the share that is not scatters by 1/√(2n)
    clear = share - 0.5 > 6 / np.sqrt(2 * count) and uncertainty < 5
    told = not others or share - others[0] > 4 / np.sqrt(2 * count)
    if not (clear and told):
        raise OrientationError(
            "PLRotation_deg: the rotation cannot be told from these data: the shadow images of the bright field do not move "
            f"with angle, and {'no rotation frees' if not clear else 'both a scan as read and a mirrored one free'} the centre "
            f"of mass of curl ({100 * (1 - share):.0f} % is left). Give PLRotation_deg and transform_axis_matrix, or find them "
            "from a region with structure, or out of focus"
        )
    return matrix, uncertainty


def _mirror_of(matrix: np.ndarray, axes: np.ndarray | None) -> np.ndarray:
    if axes is not None:
        return axes
    return READINGS["as read"] if np.linalg.det(matrix) > 0 else READINGS["flip y"]


def _least_curl(maps: ScanMaps, mirror: np.ndarray) -> tuple[float, np.ndarray, list[float]]:
    """Share of the field that is no curl, orientation, and the rotations that parts of the frequencies give on their own."""
    along, across = _components(maps, mirror)
    order = np.random.default_rng(0).permutation(len(along))
    share, rotation = _best_turn(along, across)
    parts = [_best_turn(along[part], across[part])[1] for part in np.array_split(order, _PARTS)]
    return share, scan_matrix(rotation, mirror), parts


def _best_turn(along: np.ndarray, across: np.ndarray) -> tuple[float, float]:
    """Largest share of |cos θ·along + sin θ·across|², and `PLRotation_deg` = −θ of it within ±90°."""
    square = np.array([[np.vdot(a, b).real for b in (along, across)] for a in (along, across)])
    values, vectors = np.linalg.eigh(square)
    cos, sin = vectors[:, 1]
    total = values.sum()
    return (float(values[1] / total) if total > 0 else 0.0), float(-np.rad2deg(np.arctan(sin / cos) if cos else np.pi / 2))


def _components(maps: ScanMaps, mirror: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """q̂·g of the field as read in `mirror`, and of it turned by θ = 90°, at the frequencies that take part, complex."""
    fields = [_in_scan(maps, scan_matrix(angle, mirror)) for angle in (0.0, -90.0)]
    found = []
    for vector in fields:
        spectra = np.stack([_transform(vector[..., axis]) for axis in (0, 1)])
        qy, qx, chosen = _frequencies(maps.scan_size)
        length = np.where(chosen, np.hypot(qy, qx), 1)
        found.append(((qy * spectra[0] + qx * spectra[1]) / length)[chosen])
    return found[0], found[1]


def _in_scan(maps: ScanMaps, matrix: np.ndarray, smooth: float = 0.0) -> np.ndarray:
    """The centre of mass as a vector in the scan's axes, Tᵀ·c, mean 0, (scan_y, scan_x, 2)."""
    field = maps.com @ matrix
    field = ndi.gaussian_filter(field, (smooth, smooth, 0)) if smooth else field
    return field - field.mean(axis=(0, 1))


def _curl(field: np.ndarray) -> np.ndarray:
    return np.gradient(field[..., 1], axis=0) - np.gradient(field[..., 0], axis=1)


def _divergence(field: np.ndarray) -> np.ndarray:
    return np.gradient(field[..., 0], axis=0) + np.gradient(field[..., 1], axis=1)


def _frequencies(shape: tuple[int, ...], band: tuple[float, float] = _BAND) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """qy, qx in cycles per point, and which of them lie within `band`."""
    qy, qx = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :]
    q = np.hypot(qy, qx)
    return qy, qx, (q >= band[0]) & (q <= band[1])


def _count(maps: ScanMaps) -> int:
    return int(_frequencies(maps.scan_size)[2].sum())


def _transform(image: np.ndarray) -> np.ndarray:
    taper = np.outer(*(tukey(n + 2, 0.3)[1:-1] for n in image.shape))
    return np.fft.fft2((image - image.mean()) * taper)
