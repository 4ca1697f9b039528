"""Two-dimensional transforms of fields of vectors, within a band limit, in numba.

Transforms run along rows, each lane of a vector on its own. Fields in real space are (x, y) with y along the lanes, spectra
(ky, kx) with kx along the lanes: between the two one-dimensional transforms blocks of vectors are transposed in registers.
All are unnormalised.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from pypty_nb.engine.executors.axes import RADICES
from pypty_nb.engine.executors.lanes import Complex, Field, Lanes, Memory, Place, dft, entry, number, transposed

#: Only what Python calls is kept on disk (`CACHED`): one file holds all of a precision, and none is compiled around another.
OPTIONS: dict[str, Any] = {
    "nogil": True,
    "fastmath": {"nsz", "contract", "arcp", "reassoc"},
    "error_model": "numpy",
}
CACHED: dict[str, Any] = OPTIONS | {"cache": True}
#: For what is called from few places: every compiled function is optimised again in each that calls it.
INLINED: dict[str, Any] = OPTIONS | {"inline": "always"}


@intrinsic
def first_pass(typingctx, radix, source, block, table, rows, scratch, twiddles, length):
    """The butterflies of row table[rows + i] of `source`, into row i of the scratch."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        field, work = Field(context, builder, kinds[1], args[1]), _Scratch(context, builder, kinds[5], args[5])
        factors = Memory(context, builder, kinds[6], args[6])
        for each in RADICES:
            with _when(builder, args[0], each):
                step = builder.udiv(args[7], number(each))
                with cgutils.for_range(builder, step) as loop:
                    points = [builder.add(loop.index, builder.mul(step, number(k))) for k in range(each)]
                    source_rows = [entry(context, builder, kinds[3], args[3], builder.add(args[4], point)) for point in points]
                    values = dft([field.load(field.index(row, args[2])) for row in source_rows])
                    for point, value in zip(points, _twisted(builder, values, factors, number(0), loop.index), strict=True):
                        work.store(point, value)
        return context.get_dummy_value()

    return types.void(radix, source, block, table, rows, scratch, twiddles, length), codegen


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
def last_pass(typingctx, radix, scratch, blocks, target, block, table, rows):
    """The butterflies of `blocks` transforms of `radix` points; result i goes to row table[rows + i] of `target`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        work, field = _Scratch(context, builder, kinds[1], args[1]), Field(context, builder, kinds[3], args[3])
        for each in RADICES:
            with _when(builder, args[0], each), cgutils.for_range(builder, args[2]) as loop:
                points = [builder.add(builder.mul(loop.index, number(each)), number(k)) for k in range(each)]
                for point, value in zip(points, dft([work.load(point) for point in points]), strict=True):
                    row = entry(context, builder, kinds[5], args[5], builder.add(args[6], point))
                    field.store(field.index(row, args[4]), value)
        return context.get_dummy_value()

    return types.void(radix, scratch, blocks, target, block, table, rows), codegen


@intrinsic
def turn(typingctx, scratch, table, order, blocks, target, first):
    """Row table[order + i] of the scratch becomes column i of `target`; its lanes are the rows from `first` on."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        work, field = _Scratch(context, builder, kinds[0], args[0]), Field(context, builder, kinds[4], args[4])
        side = work.lanes
        with cgutils.for_range(builder, args[3]) as loop:
            first = builder.add(args[2], builder.mul(loop.index, number(side)))
            columns = [builder.add(first, number(k)) for k in range(side)]
            rows = [work.load(entry(context, builder, kinds[1], args[1], column)) for column in columns]
            parts = [transposed(builder, [getattr(row, part).value for row in rows]) for part in ("re", "im")]
            for k, (re, im) in enumerate(zip(*parts, strict=True)):
                index = field.index(builder.add(args[5], number(k)), loop.index)
                field.store(index, Complex(Lanes(builder, re), Lanes(builder, im)))
        return context.get_dummy_value()

    return types.void(scratch, table, order, blocks, target, first), codegen


@njit(**OPTIONS)
def transform(axis, source, blocks, rows, scratch, target, results, columns):
    """Transform along the rows of `source`, `blocks` vectors wide, taken in the order of `rows`, which is a place in the table.

    Result i goes to the row of `target` that the table has at `results`; where there are `columns`, in vectors, column i takes
    the result that it has there, and lanes become rows.
    """
    table, vector, last = axis.table, axis.vector, axis.radix + axis.passes - 1
    here = Place(scratch, 0, vector, 2 * vector, 0)
    for block in range(blocks):
        first_pass(  # pyright: ignore[reportCallIssue]  numba adds the first argument
            table[axis.radix], source, block, table, rows, scratch, axis.twiddles, axis.length
        )
        count = table[axis.radix]
        for i in range(1, axis.passes - 1):
            radix = table[axis.radix + i]
            middle_pass(radix, scratch, axis.twiddles, table[axis.start + i], axis.length // count, count)
            count *= radix
        if columns > 0:
            last_pass(table[last], scratch, count, here, 0, table, axis.every)
            turn(scratch, table, results, columns, target, block * vector)
        else:
            last_pass(table[last], scratch, count, target, block, table, results)


@njit(**INLINED)
def forward(plan, work, source, target):
    """The kept frequencies of a field in real space."""
    # a literal 0 would have numba compile `transform` once more
    x, y, vector = plan.x, plan.y, plan.x.vector
    half = Place(work.memory, plan.half, vector, 2 * x.lanes, 2 * vector)
    transform(x, source, y.padded // vector, x.every, work.scratch, half, x.kept_order, x.lanes // vector)
    transform(y, half, x.lanes // vector, y.every, work.scratch, target, y.kept_out, np.int64(0))


@njit(**INLINED)
def inverse(plan, work, source, target):
    """The field of a spectrum's kept frequencies: forward transforms with real and imaginary parts exchanged."""
    x, y, vector = plan.x, plan.y, plan.x.vector
    swapped = Place(source.memory, source.at + source.gap, -source.gap, source.row, source.step)
    result = Place(target.memory, target.at + target.gap, -target.gap, target.row, target.step)
    back = Place(work.memory, plan.back, vector, 2 * y.padded, 2 * vector)
    transform(y, swapped, x.lanes // vector, y.kept_in, work.scratch, back, y.full_order, y.padded // vector)
    transform(x, back, y.padded // vector, x.kept_in, work.scratch, result, x.full_out, np.int64(0))


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
