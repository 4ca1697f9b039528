"""Plans of one-dimensional transforms: radices, twiddle factors, and which row goes where."""

from __future__ import annotations

from itertools import accumulate
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
    length, kept, low : int
        Points; frequencies kept, and how many of them come first.
    vector : int
        Reals in a vector.
    padded, lanes : int
        `length` and `kept` rounded up to whole vectors.
    passes : int
    table : int64 array, flat
    radix, start : where in `table` the radix of every pass is, and where its twiddle factors begin
    frequency : where the signed frequencies are, in packed order
    every, kept_in : where the row of every point is, and the packed row of every frequency
    full_out, kept_out : where the row is that result i of the passes goes to, of all and of the kept
    full_order, kept_order : where the result of the passes is that column i takes, of all and of the kept
    twiddles : real array
        Real and imaginary parts in turn.
    """

    length: int
    kept: int
    low: int
    vector: int
    padded: int
    lanes: int
    passes: int
    table: np.ndarray
    radix: int
    start: int
    frequency: int
    every: int
    kept_in: int
    full_out: int
    kept_out: int
    full_order: int
    kept_order: int
    twiddles: np.ndarray

    @property
    def frequencies(self) -> np.ndarray:
        """The signed frequencies kept, in packed order."""
        return self.table[self.frequency :][: self.kept]


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
    if 8 in found and 2 in found:
        # done faster as 4·4
        for old in (8, 2):
            found[found.index(old)] = 4
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
    order, every = np.argsort(result), np.arange(length)
    place = np.full(length, packed)
    place[kept] = np.arange(len(kept))
    kept_out = np.where(place == packed, packed + 1, place)[result]
    signed = np.where(2 * kept < length, kept, kept - length)
    rows = {
        "radix": chosen, "start": starts, "frequency": signed, "every": every, "kept_in": place, "full_out": result,
        "kept_out": kept_out, "full_order": np.pad(order, (0, padded - length)),
        "kept_order": np.pad(order[kept], (0, packed - len(kept))),
    }  # fmt: skip
    begin = dict(zip(rows, accumulate(map(len, rows.values()), initial=0), strict=False))
    table = np.concatenate(list(rows.values())).astype(np.int64)
    sizes = {"length": length, "kept": len(kept), "low": low, "vector": lanes, "padded": padded, "lanes": packed}
    return Axis(**sizes, passes=len(chosen), table=table, twiddles=twiddles.astype(real), **begin)


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
