"""A small language of vector code: Python written once, emitted as LLVM vectors into numba's kernels.

Numba's loops are vectorised where LLVM can prove that its arrays do not overlap, which with the sixteen streams of a butterfly
it cannot. Here every operation is on a vector of `BYTES` bytes from the start. A `Place` says where a complex field lies in a
flat array of reals; `fields` turns a function of places into a loop over all vectors of a field.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

#: Bytes of a vector: the processor's registers, and at least 32, which narrower ones hold in pairs.
BYTES = 64 if binding.get_host_cpu_features().get("avx512f", False) else 32
_FLAGS = ("contract", "nsz", "arcp")
_INDEX, _LANE = ir.IntType(64), ir.IntType(32)


class Place(NamedTuple):
    """Where a field lies: vector `block` of row `y` begins at at + y·row + block·step, its imaginary part `gap` further.

    Swapping the parts (at + gap, −gap) turns a forward transform into an inverse one.
    """

    memory: Any
    at: int
    gap: int
    row: int
    step: int


class Lanes:
    """A vector of reals while code is emitted."""

    def __init__(self, builder: Any, value: Any):
        self._builder, self.value = builder, value

    def __add__(self, other: Lanes) -> Lanes:
        return Lanes(self._builder, self._builder.fadd(self.value, other.value, flags=_FLAGS))

    def __sub__(self, other: Lanes) -> Lanes:
        return Lanes(self._builder, self._builder.fsub(self.value, other.value, flags=_FLAGS))

    def __mul__(self, other: Lanes | float) -> Lanes:
        factor = other.value if isinstance(other, Lanes) else self._constant(other)
        return Lanes(self._builder, self._builder.fmul(self.value, factor, flags=_FLAGS))

    def __neg__(self) -> Lanes:
        return Lanes(self._builder, self._builder.fneg(self.value, flags=_FLAGS))

    def _constant(self, number: float) -> Any:
        kind = self.value.type
        return ir.Constant(kind, [ir.Constant(kind.element, number)] * kind.count)


class Complex(NamedTuple):
    """A vector of complex numbers, real and imaginary parts apart."""

    re: Lanes
    im: Lanes

    def plus(self, other: Complex) -> Complex:
        return Complex(self.re + other.re, self.im + other.im)

    def minus(self, other: Complex) -> Complex:
        return Complex(self.re - other.re, self.im - other.im)

    def times(self, other: Complex) -> Complex:
        return Complex(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)

    def scaled(self, factor: Lanes | float) -> Complex:
        return Complex(self.re * factor, self.im * factor)

    def conj(self) -> Complex:
        return Complex(self.re, -self.im)

    def rotated(self, k: int, n: int) -> Complex:
        """Times exp(−2πi k/n), without multiplications where it can be."""
        common = math.gcd(k % n, n)
        k, n = k % n // common, n // common
        if n <= 4:
            return {(0, 1): self, (1, 2): Complex(-self.re, -self.im), (1, 4): Complex(self.im, -self.re),
                    (3, 4): Complex(-self.im, self.re)}.get((k, n)) or self._turned(k, n)  # fmt: skip
        if n == 8:
            quarter = Complex((self.re + self.im) * math.sqrt(0.5), (self.im - self.re) * math.sqrt(0.5))
            return quarter.rotated(k // 2, 4)
        return self._turned(k, n)

    def _turned(self, k: int, n: int) -> Complex:
        cosine, sine = math.cos(2 * math.pi * k / n), math.sin(2 * math.pi * k / n)
        return Complex(self.re * cosine + self.im * sine, self.im * cosine - self.re * sine)


class Memory:
    """A flat array of reals while code is emitted."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any):
        self._builder, self._bytes = builder, kind.dtype.bitwidth // 8
        self._data = context.make_array(kind)(context, builder, value).data
        self.lanes = BYTES // self._bytes
        self._vector = ir.VectorType(context.get_value_type(kind.dtype), self.lanes)

    def load(self, index: Any) -> Lanes:
        return Lanes(self._builder, self._builder.load(self._at(index), align=self._bytes))

    def store(self, index: Any, value: Lanes) -> None:
        self._builder.store(value.value, self._at(index), align=self._bytes)

    def splat(self, index: Any) -> Lanes:
        """One number in all lanes."""
        builder, nothing = self._builder, ir.Constant(self._vector, ir.Undefined)
        number = builder.load(builder.gep(self._data, [index]))
        first = builder.insert_element(nothing, number, ir.Constant(_LANE, 0))
        everywhere = ir.Constant(ir.VectorType(_LANE, self.lanes), [0] * self.lanes)
        return Lanes(builder, builder.shuffle_vector(first, nothing, everywhere))

    def _at(self, index: Any) -> Any:
        return self._builder.bitcast(self._builder.gep(self._data, [index]), self._vector.as_pointer())


class Field:
    """A `Place` while code is emitted."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any):
        array, self._at, self._gap, self._row, self._step = cgutils.unpack_tuple(builder, value)
        self._builder, self.memory = builder, Memory(context, builder, kind.types[0], array)

    def index(self, row: Any, block: Any) -> Any:
        builder = self._builder
        return builder.add(self._at, builder.add(builder.mul(row, self._row), builder.mul(block, self._step)))

    def load(self, index: Any) -> Complex:
        return Complex(self.memory.load(index), self.memory.load(self._builder.add(index, self._gap)))

    def store(self, index: Any, value: Complex) -> None:
        self.memory.store(index, value.re)
        self.memory.store(self._builder.add(index, self._gap), value.im)

    def splat(self, index: Any) -> Complex:
        return Complex(self.memory.splat(index), self.memory.splat(self._builder.add(index, self._gap)))


class Spot:
    """One vector of a field, as the functions under `fields` see it."""

    def __init__(self, field: Field, index: Any):
        self._field, self._index = field, index

    def get(self) -> Complex:
        return self._field.load(self._index)

    def set(self, value: Complex) -> None:
        self._field.store(self._index, value)

    def real(self) -> Lanes:
        return self._field.memory.load(self._index)

    def set_real(self, value: Lanes) -> None:
        self._field.memory.store(self._index, value)

    def same(self) -> Complex:
        """The complex number there, for all lanes."""
        return self._field.splat(self._index)

    def same_real(self) -> Lanes:
        return self._field.memory.splat(self._index)


def fields(function: Callable[..., None]) -> Any:
    """Make `function(spot, …)` a kernel ``(rows, blocks, place, …)`` that numba's functions can call."""
    count = len(inspect.signature(function).parameters)

    def kernel(typingctx: Any, rows: Any, blocks: Any, places: Any) -> Any:
        if len(places) != count:
            raise TypeError(f"{function.__name__} takes {count} places")

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            values = cgutils.unpack_tuple(builder, args[2])
            found = [Field(context, builder, kind, value) for kind, value in zip(signature.args[2], values, strict=True)]
            with cgutils.for_range(builder, args[0]) as outer, cgutils.for_range(builder, args[1]) as inner:
                function(*(Spot(field, field.index(outer.index, inner.index)) for field in found))
            return context.get_dummy_value()

        return types.void(rows, blocks, places), codegen

    kernel.__name__ = kernel.__qualname__ = function.__name__
    kernel.__doc__ = function.__doc__
    return intrinsic(kernel)


def dft(values: Sequence[Complex]) -> list[Complex]:
    """The discrete Fourier transform of a few vectors, unrolled.

    Even lengths by halves (Cooley and Tukey, Math. Comput. 19, 297 (1965)), odd ones by the symmetric and antisymmetric sums.
    """
    n = len(values)
    if n == 1:
        return list(values)
    if n % 2 == 0:
        even, odd = dft(values[0::2]), dft(values[1::2])
        turned = [value.rotated(k, n) for k, value in enumerate(odd)]
        pairs = list(zip(even, turned, strict=True))
        return [a.plus(b) for a, b in pairs] + [a.minus(b) for a, b in pairs]
    half = range(1, (n + 1) // 2)
    sums, differences = ([getattr(values[k], how)(values[n - k]) for k in half] for how in ("plus", "minus"))
    out = [values[0]] * n
    for value in sums:
        out[0] = out[0].plus(value)
    for j in half:
        angles = [2 * math.pi * (j * k % n) / n for k in half]
        even = values[0]
        for angle, value in zip(angles, sums, strict=True):
            even = even.plus(value.scaled(math.cos(angle)))
        odd = differences[0].scaled(math.sin(angles[0]))
        for angle, value in zip(angles[1:], differences[1:], strict=True):
            odd = odd.plus(value.scaled(math.sin(angle)))
        out[j] = Complex(even.re + odd.im, even.im - odd.re)
        out[n - j] = Complex(even.re - odd.im, even.im + odd.re)
    return out


def transposed(builder: Any, vectors: list[Any]) -> list[Any]:
    """A square of LLVM vectors with rows and columns exchanged: log₂ of its side perfect shuffles."""
    side = len(vectors)
    half = side // 2
    low, high = (
        ir.Constant(ir.VectorType(_LANE, side), [lane for i in range(first, first + half) for lane in (i, i + side)])
        for first in (0, half)
    )
    for _ in range(side.bit_length() - 1):
        pairs = [(vectors[i], vectors[i + half]) for i in range(half)]
        vectors = [builder.shuffle_vector(a, b, mask) for a, b in pairs for mask in (low, high)]
    return vectors


def number(value: int) -> Any:
    """A constant index."""
    return ir.Constant(_INDEX, value)


def entry(context: Any, builder: Any, kind: Any, value: Any, index: Any) -> Any:
    """One entry of an array of indices."""
    return builder.load(builder.gep(context.make_array(kind)(context, builder, value).data, [index]))
