"""Plans of one-dimensional transforms: radices, twiddle factors, and which row goes where."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

#: The butterflies there are, the fastest first.
RADICES = (8, 4, 2, 5, 3, 7)


class Axis(NamedTuple):
    """The transform along one axis, as the kernels read it.

    Frequencies outside the band limit are dropped: packed rows hold the `kept` ones, the low and the negative, then rows that
    hold nothing up to `lanes`; row `lanes` is zero and row `lanes` + 1 takes what is dropped.

    Attributes
    ----------
    length, kept, low, lanes : int
        Points; frequencies kept, and how many of them come first; `kept` rounded up to whole vectors.
    padded : int
        Points rounded up to whole vectors.
    radices, starts : int64 array
        Radix of every pass, and where its twiddle factors begin.
    twiddles : real array
        Real and imaginary parts in turn.
    frequencies : int64 array, (kept,)
        Signed, in packed order.
    every, kept_in : int64 array, (length,)
        The row that holds point (or frequency) i, where all are stored and where the kept are.
    full_out, kept_out : int64 array, (length,)
        The row that result i of the passes goes to.
    full_order, kept_order : int64 array, (padded or lanes,)
        The result of the passes that column i takes.
    """

    length: int
    kept: int
    low: int
    lanes: int
    padded: int
    radices: np.ndarray
    starts: np.ndarray
    twiddles: np.ndarray
    frequencies: np.ndarray
    every: np.ndarray
    kept_in: np.ndarray
    full_out: np.ndarray
    kept_out: np.ndarray
    full_order: np.ndarray
    kept_order: np.ndarray


def radices(length: int) -> tuple[int, ...] | None:
    """Factors of `length` among `RADICES`, two or more; ``None`` where there are none."""
    found, rest = [], length
    for radix in RADICES:
        while rest % radix == 0 and rest > 1:
            found.append(radix)
            rest //= radix
    if rest > 1 or length < 4:
        return None
    if len(found) == 1:
        return (found[0] // 2, 2) if found[0] % 2 == 0 else None
    if found[:1] == [8] and found[-1] == 2:
        # 8·2 is done faster as 4·4
        found[found.index(8, found.count(8) - 1)], found[-1] = 4, 4
    return tuple(found)


def axis(length: int, inside: np.ndarray, lanes: int, real: Any) -> Axis:
    """The plan for `length` points of which the frequencies `inside`, (length,) bool in FFT order, are kept.

    `lanes` is the number of `real` numbers in a vector.
    """
    chosen = radices(length)
    if chosen is None:
        raise ValueError(f"no transform of {length} points")
    starts, twiddles, result = _passes(length, chosen)
    kept = np.flatnonzero(inside)
    low = int(np.argmin(inside)) if not inside.all() else length
    packed, padded = _whole(len(kept), lanes), _whole(length, lanes)
    order = np.argsort(result)
    place = np.full(length, packed)
    place[kept] = np.arange(len(kept))
    return Axis(
        length, len(kept), low, packed, padded,
        np.array(chosen), starts, twiddles.astype(real),
        np.where(2 * kept < length, kept, kept - length),
        every=np.arange(length), kept_in=place,
        full_out=result, kept_out=np.where(place == packed, packed + 1, place)[result],
        full_order=np.pad(order, (0, padded - length)), kept_order=np.pad(order[kept], (0, packed - len(kept))),
    )  # fmt: skip


def _passes(length: int, chosen: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each pass's twiddle factors start, the factors, and the frequency that each row holds after the passes.

    Decimation in frequency: Gentleman and Sande, AFIPS Conf. Proc. 29, 563 (1966).
    """
    starts, twiddles, rows = [], [], np.arange(length)
    frequency, size, stride = np.zeros(length, np.int64), length, 1
    for radix in chosen:
        step = size // radix
        starts.append(2 * sum(map(len, twiddles)))
        twiddles.append(np.exp(-2j * np.pi * np.outer(np.arange(step), np.arange(1, radix)) / size).ravel())
        frequency += rows // step * stride
        rows, size, stride = rows % step, step, stride * radix
    return np.array(starts), np.concatenate(twiddles).view(np.float64), frequency


def _whole(count: int, lanes: int) -> int:
    return -(-count // lanes) * lanes
