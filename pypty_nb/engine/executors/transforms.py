"""Two-dimensional transforms of fields of vectors, within a band limit, in numba.

Transforms run along rows, each lane of a vector on its own. Fields in real space are (x, y) with y along the lanes, spectra
(ky, kx) with kx along the lanes: between the two one-dimensional transforms a block of vectors is transposed in registers. All are
unnormalised. Functions are at module level so that their machine code is cached on disk.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from pypty_nb.engine.executors.axes import RADICES
from pypty_nb.engine.executors.lanes import Complex, Field, Lanes, Memory, Place, dft, entry, number, transposed

OPTIONS = {"nogil": True, "cache": True, "fastmath": {"nsz", "contract", "arcp", "reassoc"}, "error_model": "numpy"}


@intrinsic
def first_pass(typingctx, radix, source, block, rows, scratch, twiddles, length):
    """The butterflies of row rows[i] of `source`, into row i of the scratch."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        field, work = Field(context, builder, kinds[1], args[1]), _Scratch(context, builder, kinds[4], args[4])
        factors = Memory(context, builder, kinds[5], args[5])
        for each in RADICES:
            with _when(builder, args[0], each):
                step = builder.udiv(args[6], number(each))
                with cgutils.for_range(builder, step) as loop:
                    points = [builder.add(loop.index, builder.mul(step, number(k))) for k in range(each)]
                    source_rows = [entry(context, builder, kinds[3], args[3], point) for point in points]
                    values = dft([field.load(field.index(row, args[2])) for row in source_rows])
                    for point, value in zip(points, _twisted(builder, values, factors, number(0), loop.index), strict=True):
                        work.store(point, value)
        return context.get_dummy_value()

    return types.void(radix, source, block, rows, scratch, twiddles, length), codegen


@intrinsic
def middle_pass(typingctx, radix, scratch, twiddles, start, length, blocks):
    """The butterflies of `blocks` transforms of `length` points, in place."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        work = _Scratch(context, builder, signature.args[1], args[1])
        factors = Memory(context, builder, signature.args[2], args[2])
        for each in RADICES:
            with _when(builder, args[0], each):
                step = builder.udiv(args[4], number(each))
                with cgutils.for_range(builder, step) as outer, cgutils.for_range(builder, args[5]) as inner:
                    first = builder.add(builder.mul(inner.index, args[4]), outer.index)
                    points = [builder.add(first, builder.mul(step, number(k))) for k in range(each)]
                    values = dft([work.load(point) for point in points])
                    for point, value in zip(points, _twisted(builder, values, factors, args[3], outer.index), strict=True):
                        work.store(point, value)
        return context.get_dummy_value()

    return types.void(radix, scratch, twiddles, start, length, blocks), codegen


@intrinsic
def last_pass(typingctx, radix, scratch, blocks, target, block, rows):
    """The butterflies of `blocks` transforms of `radix` points; result i goes to row rows[i] of `target`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        work, field = _Scratch(context, builder, kinds[1], args[1]), Field(context, builder, kinds[3], args[3])
        for each in RADICES:
            with _when(builder, args[0], each), cgutils.for_range(builder, args[2]) as loop:
                points = [builder.add(builder.mul(loop.index, number(each)), number(k)) for k in range(each)]
                for point, value in zip(points, dft([work.load(point) for point in points]), strict=True):
                    field.store(field.index(entry(context, builder, kinds[5], args[5], point), args[4]), value)
        return context.get_dummy_value()

    return types.void(radix, scratch, blocks, target, block, rows), codegen


@intrinsic
def turn(typingctx, scratch, order, blocks, target, first):
    """Row order[i] of the scratch becomes column i of `target`; its lanes are the rows from `first` on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        work, field = _Scratch(context, builder, kinds[0], args[0]), Field(context, builder, kinds[3], args[3])
        side = work.lanes
        with cgutils.for_range(builder, args[2]) as loop:
            columns = [builder.add(builder.mul(loop.index, number(side)), number(k)) for k in range(side)]
            rows = [work.load(entry(context, builder, kinds[1], args[1], column)) for column in columns]
            parts = [transposed(builder, [getattr(row, part).value for row in rows]) for part in ("re", "im")]
            for k, (re, im) in enumerate(zip(*parts, strict=True)):
                index = field.index(builder.add(args[4], number(k)), loop.index)
                field.store(index, Complex(Lanes(builder, re), Lanes(builder, im)))
        return context.get_dummy_value()

    return types.void(scratch, order, blocks, target, first), codegen


@njit(**OPTIONS)
def swapped(place):
    """The field with real and imaginary parts exchanged."""
    return Place(place.memory, place.at + place.gap, -place.gap, place.row, place.step)


@njit(**OPTIONS)
def transform(axis, source, blocks, rows, scratch, target, results, turning):
    """Transform along the rows of `source`; turned, results[i] is column i of `target`, else result i is its row results[i]."""
    last = len(axis.radices) - 1
    lanes = len(scratch) // (2 * axis.length)
    for block in range(blocks):
        first_pass(axis.radices[0], source, block, rows, scratch, axis.twiddles, axis.length)
        count = axis.radices[0]
        for i in range(1, last):
            middle_pass(axis.radices[i], scratch, axis.twiddles, axis.starts[i], axis.length // count, count)
            count *= axis.radices[i]
        if turning:
            middle_pass(axis.radices[last], scratch, axis.twiddles, axis.starts[last], axis.radices[last], count)
            turn(scratch, results, len(results) // lanes, target, block * lanes)
        else:
            last_pass(axis.radices[last], scratch, count, target, block, results)


@njit(**OPTIONS)
def forward(grid, work, source, target):
    """The kept frequencies of a field in real space."""
    lanes = grid.lanes
    half = Place(work.half, 0, lanes, 2 * grid.x.lanes, 2 * lanes)
    transform(grid.x, source, grid.y.padded // lanes, grid.x.every, work.scratch_x, half, grid.x.kept_order, True)
    transform(grid.y, half, grid.x.lanes // lanes, grid.y.every, work.scratch_y, target, grid.y.kept_out, False)


@njit(**OPTIONS)
def inverse(grid, work, source, target):
    """The field of a spectrum's kept frequencies."""
    lanes = grid.lanes
    back = swapped(Place(work.back, 0, lanes, 2 * grid.y.padded, 2 * lanes))
    transform(
        grid.y, swapped(source), grid.x.lanes // lanes, grid.y.kept_in, work.scratch_y, back, grid.y.full_order, True
    )
    transform(
        grid.x, back, grid.y.padded // lanes, grid.x.kept_in, work.scratch_x, swapped(target), grid.x.full_out, False
    )


class _Scratch:
    """The rows of one block of vectors, real and imaginary parts side by side."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any):
        self._builder, self._memory = builder, Memory(context, builder, kind, value)
        self.lanes = self._memory.lanes

    def load(self, row: Any) -> Complex:
        index = self._builder.mul(row, number(2 * self.lanes))
        return Complex(self._memory.load(index), self._memory.load(self._builder.add(index, number(self.lanes))))

    def store(self, row: Any, value: Complex) -> None:
        index = self._builder.mul(row, number(2 * self.lanes))
        self._memory.store(index, value.re)
        self._memory.store(self._builder.add(index, number(self.lanes)), value.im)


def _when(builder: Any, radix: Any, each: int) -> AbstractContextManager[Any]:
    return builder.if_then(builder.icmp_signed("==", radix, number(each)))


def _twisted(builder: Any, values: list[Complex], factors: Memory, start: Any, p: Any) -> list[Complex]:
    """Results k of butterfly p times exp(−2πi pk/length)."""
    out = values[:1]
    first = builder.add(start, builder.mul(p, number(2 * (len(values) - 1))))
    for k, value in enumerate(values[1:]):
        re = builder.add(first, number(2 * k))
        out.append(value.times(Complex(factors.splat(re), factors.splat(builder.add(re, number(1))))))
    return out
