"""Fourier ring correlation: down to which length two pictures of the same thing agree.

Van Heel and Schatz, J. Struct. Biol. 151, 250 (2005): the correlation is their equation 2 on rings, the half-bit curve their
equation 17; Rosenthal and Henderson, J. Mol. Biol. 333, 721 (2003), give the reason for one seventh.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from pypty_nb.params import ParameterError
from pypty_nb.physics.phases import fitted_plane, phase_plane
from pypty_nb.physics.taper import tukey

SEVENTH = 1 / 7
#: Fraction of each side, at both ends, over which the window falls to zero.
_EDGE = 0.125
_LEAST_SIDE = 16
#: A fall below a threshold counts where this many rings stay below, or all that are left.
_LASTING = 3
#: Registration and removal of the relative ramp depend on each other; after the first round both change by little.
_ROUNDS = 3
_SUB_PIXEL = 100


@dataclass(frozen=True)
class Crossing:
    """Where the correlation first falls below a threshold.

    Attributes
    ----------
    threshold : float array, (ring,)
    frequency : float or None
        Å⁻¹, interpolated between the rings around the first crossing that lasts; ``None`` where there is none.
    agrees : bool
        Whether the correlation is above the threshold anywhere.
    """

    threshold: np.ndarray
    frequency: float | None
    agrees: bool

    @property
    def resolution(self) -> float | None:
        """1/frequency, Å."""
        return None if self.frequency is None else 1 / self.frequency


@dataclass(frozen=True)
class RingCorrelation:
    """How well two pictures agree, ring by ring.

    Attributes
    ----------
    frequency : float array, (ring,)
        Å⁻¹; from one period in the longest side to the smaller Nyquist frequency.
    correlation : float array, (ring,)
        Real part, in [-1, 1].
    count : float array, (ring,)
        Independent samples in each ring.
    seventh, half_bit : Crossing
    shift : (float, float)
        By how far the second picture lies off the first one, (y, x) px.
    """

    frequency: np.ndarray
    correlation: np.ndarray
    count: np.ndarray
    seventh: Crossing
    half_bit: Crossing
    shift: tuple[float, float]

    @property
    def finest(self) -> float:
        """The length of the last ring, Å: what is finer no pixel could show."""
        return float(1 / self.frequency[-1])

    def said(self, crossing: Crossing) -> str:
        """The resolution at `crossing` in words."""
        if crossing.resolution is not None:
            return f"{crossing.resolution:.3g} Å"
        return f"{self.finest:.3g} Å or better, as fine as the pixels go" if crossing.agrees else "none: they agree nowhere"


def ring_correlation(a: np.ndarray, b: np.ndarray, pixel_size: tuple[float, float] = (1.0, 1.0)) -> RingCorrelation:
    """Register two pictures, take planes and offsets out, and correlate them on rings.

    Of real pictures a least-squares plane is removed, of complex ones a linear phase (which a reconstruction leaves open) and
    the common phase between them. The window is a raised cosine over an eighth of each side at both ends.

    Parameters
    ----------
    a, b : real or complex arrays, (y, x)
        Of the same shape. `b` may be shifted.
    pixel_size : (float, float)
        (y, x), Å.

    Raises
    ------
    ParameterError
        Where they differ in shape, are below 16 px a side, hold no finite numbers, or overlap too little.
    """
    a, b = (np.asarray(picture) for picture in (a, b))
    _check(a, b)
    a, b, shift = _registered(_levelled(a), _levelled(b))
    window = np.multiply.outer(*(tukey(n, 2 * _EDGE) for n in a.shape))
    spectra = [np.fft.fft2((picture - np.average(picture, weights=window)) * window) for picture in (a, b)]
    spectra[1] = spectra[1] * _shifting(a.shape, shift.remainder)
    ring, frequency = _rings(a.shape, pixel_size)
    sums = [_summed(values, ring, len(frequency)) for values in
            ((spectra[0] * spectra[1].conj()).real, abs(spectra[0]) ** 2, abs(spectra[1]) ** 2)]  # fmt: skip
    power = np.sqrt(sums[1] * sums[2])
    correlation = np.divide(sums[0], power, out=np.zeros_like(power), where=power > 0)
    # a window correlates neighbours, which leaves this share independent; half of a real picture's spectrum repeats the other
    independent = (window**2).sum() ** 2 / (window.size * (window**4).sum()) / (1 if np.iscomplexobj(a) else 2)
    count = _summed(np.ones(a.shape), ring, len(frequency)) * independent
    return RingCorrelation(
        frequency,
        correlation,
        count,
        _crossing(frequency, correlation, np.full_like(frequency, SEVENTH)),
        _crossing(frequency, correlation, half_bit(count)),
        shift.total,
    )


def aligned(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Two complex pictures (y, x) where they overlap, the second moved onto the first, with no ramp or phase between them.

    The first one has its own mean phase gradient and mean phase removed; `shift` is that of `RingCorrelation`.

    Raises
    ------
    ParameterError
        As `ring_correlation`.
    """
    a, b = np.asarray(a, np.complex128), np.asarray(b, np.complex128)
    _check(a, b)
    a, b, shift = _registered(_levelled(a), _levelled(b))
    # cubic, for Fourier's shift would ring from the edges
    return a, ndimage.shift(b, -shift.remainder, order=3, mode="nearest"), shift.total


def half_bit(count: np.ndarray) -> np.ndarray:
    """The half-bit threshold for rings of `count` independent samples: (0.2071 + 1.9102/√n) / (1.2071 + 0.9102/√n)."""
    root = np.sqrt(np.maximum(count, 1.0))
    return (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)


@dataclass(frozen=True)
class _Shift:
    whole: np.ndarray
    remainder: np.ndarray

    @property
    def total(self) -> tuple[float, float]:
        y, x = self.whole + self.remainder
        return float(y), float(x)


def _check(a: np.ndarray, b: np.ndarray) -> None:
    if a.ndim != 2 or a.shape != b.shape:
        raise ParameterError(f"two pictures of one shape are compared, got {a.shape} and {b.shape}; cut them to the same part")
    if min(a.shape) < _LEAST_SIDE:
        ny, nx = a.shape
        raise ParameterError(f"pictures of {ny} × {nx} px have too few rings; give {_LEAST_SIDE} px a side or more")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ParameterError("the pictures hold NaN or infinite values; compare states of complete epochs")
    if np.ptp(abs(a - a[0, 0])) == 0 or np.ptp(abs(b - b[0, 0])) == 0:
        raise ParameterError("one of the pictures is even all over, so that there is nothing to compare")


def _levelled(picture: np.ndarray) -> np.ndarray:
    """`picture` without its plane; complex: without its mean phase gradient and its mean phase."""
    if not np.iscomplexobj(picture):
        return picture - fitted_plane(picture)
    flat = picture * np.exp(-1j * phase_plane(picture))
    return flat * np.exp(-1j * np.angle(flat.sum()))


def _registered(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, _Shift]:
    """Both on their overlap, without a ramp between them, and how far `b` lies off `a`."""
    first, second, whole = a, b, np.zeros(2)
    remainder = np.zeros(2)
    for _ in range(_ROUNDS):
        window = np.multiply.outer(*(tukey(n, 2 * _EDGE) for n in first.shape))
        seen = [(picture - np.average(picture, weights=window)) * window for picture in (first, second)]
        # by how far the second must move to lie on the first
        # annotated by its default alone, though None, the plain correlation, is what its documentation gives for noisy pictures
        found = phase_cross_correlation(*seen, upsample_factor=_SUB_PIXEL, normalization=None)  # pyright: ignore[reportArgumentType]
        move = -np.asarray(found[0])
        whole = whole + np.rint(move)
        remainder = move - np.rint(move)
        first, second = _overlap(a, b, whole.astype(int))
        if np.iscomplexobj(a):
            second = _relative_level(first, second, remainder)
    return first, second, _Shift(whole, remainder)


def _overlap(a: np.ndarray, b: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What both show, where b[r + shift] shows what a[r] does."""
    parts = []
    for step, length in zip(shift, a.shape, strict=True):
        if length - abs(step) < _LEAST_SIDE:
            raise ParameterError(f"the pictures overlap by {max(length - abs(int(step)), 0)} px of {length} only; "
                                 "compare runs of the same part of the specimen")  # fmt: skip
        parts.append((slice(max(-step, 0), length - max(step, 0)), slice(max(step, 0), length + min(step, 0))))
    (ay, by), (ax, bx) = parts
    return a[ay, ax], b[by, bx]


def _relative_level(a: np.ndarray, b: np.ndarray, remainder: np.ndarray) -> np.ndarray:
    """`b` times the linear phase that brings it nearest to `a`."""
    moved = np.fft.ifft2(np.fft.fft2(b) * _shifting(b.shape, remainder))
    window = np.multiply.outer(*(tukey(n, 2 * _EDGE) for n in a.shape))
    between = a * moved.conj() * window
    turn = np.exp(1j * phase_plane(between))
    return b * turn * np.exp(1j * np.angle((between * turn.conj()).sum()))


def _shifting(shape: tuple[int, ...], shift: np.ndarray) -> np.ndarray:
    """exp(2πi q·shift): in Fourier space it brings b[r + shift] to r."""
    qy, qx = (np.fft.fftfreq(n) for n in shape)
    return np.exp(2j * np.pi * (qy[:, None] * shift[0] + qx[None, :] * shift[1]))


def _rings(shape: tuple[int, ...], pixel_size: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Number of the ring of every pixel of a spectrum, from 0, and -1 outside; the rings' frequencies, Å⁻¹."""
    qy, qx = (np.fft.fftfreq(n, size) for n, size in zip(shape, pixel_size, strict=True))
    # as wide as the coarser of the two spacings, so that no ring is empty
    width = max(qy[1], qx[1])
    last = int(np.floor(min(0.5 / size for size in pixel_size) / width))
    ring = np.rint(np.hypot(qy[:, None], qx[None, :]) / width).astype(int) - 1
    ring[ring >= last] = -1
    return ring, width * np.arange(1, last + 1)


def _summed(values: np.ndarray, ring: np.ndarray, count: int) -> np.ndarray:
    inside = ring >= 0
    return np.bincount(ring[inside], weights=values[inside], minlength=count)


def _crossing(frequency: np.ndarray, correlation: np.ndarray, threshold: np.ndarray) -> Crossing:
    """The first fall below `threshold` that lasts; rings before the first one above it hold too few samples to say anything."""
    above = correlation >= threshold
    if not above.any():
        return Crossing(threshold, None, agrees=False)
    # among few samples single rings fall below by chance
    low = np.convolve(~above, np.ones(_LASTING), "full")[_LASTING - 1 :]
    left = np.minimum(_LASTING, len(above) - np.arange(len(above)))
    lasting = low >= left
    first = int(above.argmax())
    below = np.flatnonzero(lasting[first:])
    if not len(below):
        return Crossing(threshold, None, agrees=True)
    after = first + int(below[0])
    high, low = (correlation - threshold)[[after - 1, after]]
    share = high / (high - low)
    return Crossing(threshold, float(frequency[after - 1] + share * (frequency[after] - frequency[after - 1])), agrees=True)
