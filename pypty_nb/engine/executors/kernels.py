"""The model of one pattern and its adjoint, compiled: nothing leaves a core's cache between the object and its gradient.

The arithmetic is the stages'. All transforms are unnormalised; the factors 1/N² stand in the arrays these kernels multiply by.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from pypty_nb.engine.executors.axes import Axis
from pypty_nb.engine.executors.lanes import Place, fields
from pypty_nb.engine.executors.transforms import CACHED, INLINED, OPTIONS, forward, inverse

#: The losses by the number `patterns` takes.
LSQ_SQRT, ML, LSQ, LSQ_SQRT_2 = range(4)
_COUNTED = 0.5


class Plan(NamedTuple):
    """The sizes of a problem, and where in a thread's memory everything begins.

    Spectra are packed, (kept ky, lanes of kx), fields in real space (x, y): vectors of real and of imaginary parts in turn.

    Attributes
    ----------
    x, y : Axis
    modes, slices : int
    limited : bool
        Whether patches are band-limited.
    width, row : int
        Points of the object along x, and reals from one x to the next.
    left_out : int array
        Pixels that are not compared, packed; data hold zero there, as in those that no wave reaches.
    mask : 1 for the points of a window along y, 0 for what fills the last vector
    band, squared : B/N² and B²/M
    propagators : P(d)/N² of every gap
    ky, kx : frequencies of packed rows and lanes, cycles per pixel
    probes, of_probes : B/N² times the transforms of the probe's modes, and their gradients
    waves, patches : fields of every slice
    field, of_patch : cotangents of waves and of a patch
    spectra, half, back : spectra, and fields between two one-dimensional transforms
    intensity, slope, counts : of one pattern, packed
    ramp_y, ramp_x, moments : of one pattern
    """

    x: Axis
    y: Axis
    modes: int
    slices: int
    limited: bool
    width: int
    row: int
    left_out: np.ndarray
    mask: int
    band: int
    squared: int
    propagators: int
    ky: int
    kx: int
    probes: int
    of_probes: int
    waves: int
    patches: int
    field: int
    of_patch: int
    spectra: int
    half: int
    back: int
    intensity: int
    slope: int
    counts: int
    ramp_y: int
    ramp_x: int
    moments: int


class Work(NamedTuple):
    """What one thread works in.

    Attributes
    ----------
    memory : real array, flat
        See `Plan`; begins at a vector's boundary.
    scratch : real array, flat
        One vector's width of the longer axis.
    powers : complex128 array
        Of half the longer axis, and one.
    planes, of_planes : real array, flat
        (slice, real and imaginary part, x, y) of the object, which threads share, and of its gradient.
    """

    memory: np.ndarray
    scratch: np.ndarray
    powers: np.ndarray
    planes: np.ndarray
    of_planes: np.ndarray


class Wanted(NamedTuple):
    """Which gradients to add up."""

    obj: bool
    probe: bool
    positions: bool


@fields
def _shift(out, spectrum, ramp_y, ramp_x):
    """out = P̂ e_y e_x."""
    out.set(spectrum.get().times(ramp_y.same().times(ramp_x.get())))


@fields
def _shift_adjoint(g, ramp_y, ramp_x, into):
    """g ← conj(e_y e_x) g, added to `into`."""
    value = g.get().times(ramp_y.same().times(ramp_x.get()).conj())
    g.set(value)
    into.set(into.get().plus(value))


@fields
def _moments(whole, along_y, g, spectrum, ky):
    """Sums over rows of Im(conj(g) P̂), plain and times ky."""
    a, b = g.get(), spectrum.get()
    density = a.re * b.im - a.im * b.re
    whole.set_real(whole.real() + density)
    along_y.set_real(along_y.real() + density * ky.same_real())


@fields
def _multiply(out, a, b):
    out.set(a.get().times(b.get()))


@fields
def _multiply_conjugate(out, a, b):
    out.set(a.get().times(b.get().conj()))


@fields
def _add_multiplied_conjugate(out, a, b):
    out.set(out.get().plus(a.get().times(b.get().conj())))


@fields
def _scale(out, factor):
    out.set(out.get().scaled(factor.real()))


@fields
def _intensity(out, wave):
    w = wave.get()
    out.set_real(w.re * w.re + w.im * w.im)


@fields
def _add_intensity(out, wave):
    w = wave.get()
    out.set_real(out.real() + (w.re * w.re + w.im * w.im))


@fields
def _scatter(into, patch, mask):
    into.set(into.get().plus(patch.get().scaled(mask.real())))


@njit(**CACHED)
def patterns(plan, work, places, data, which, wanted, out):
    """Model patterns one by one: their losses, squared errors and moments, and their gradients added up.

    `places` are the corners, (pattern, 2) int, and the remainders, (pattern, 2), both [y, x]; `data` are counts in FFT order,
    (pattern, ky, kx). `out` takes losses and errors, (pattern,), the moments Σ k Im(conj(ĝ) Ŵ), (pattern, 2), and, once and
    for all where it is NaN, what the pixels without a wave add to loss and error, (pattern, 2).
    """
    corners, remainders = places
    losses, errors, moved, dark = out
    lit = wanted.probe or wanted.positions
    for j in range(len(data)):
        at = corners[j, 1] * plan.row + corners[j, 0]
        _ramp(plan.y, remainders[j, 0], work.powers, work.memory, plan.ramp_y, 1)
        _ramp(plan.x, remainders[j, 1], work.powers, work.memory, plan.ramp_x, plan.x.vector)
        _forward(plan, work, at)
        losses[j], errors[j] = _detect(plan, work.memory, data[j], which, dark[j])
        if wanted.obj or lit:
            _backward(plan, work, at, wanted.obj, lit)
        if lit:
            moved[j, 0], moved[j, 1] = _illumination_adjoint(plan, work, wanted.positions)


@njit(**INLINED)
def _forward(plan, work, at):
    """From the probe to the spectra on the detector."""
    memory, vector = work.memory, plan.x.vector
    rows, blocks, kept, columns = plan.x.length, plan.y.padded // vector, plan.y.kept, plan.x.lanes // vector
    ramp_y, ramp_x = Place(memory, plan.ramp_y, 1, 2, 0), Place(memory, plan.ramp_x, vector, 0, 2 * vector)
    for m in range(plan.modes):
        spectrum = _spectrum(plan, memory, plan.spectra, m)
        _shift(kept, columns, (spectrum, _spectrum(plan, memory, plan.probes, m), ramp_y, ramp_x))
        inverse(plan, work, spectrum, _wave(plan, memory, plan.waves, m))
    if plan.limited:
        for s in range(plan.slices):
            _limit(plan, work, _window(plan, work.planes, s, at), _wave(plan, memory, plan.patches, s))
    for s in range(plan.slices):
        patch = _patch(plan, work, s, at)
        for m in range(plan.modes):
            field, spectrum = _wave(plan, memory, plan.field, m), _spectrum(plan, memory, plan.spectra, m)
            _multiply(rows, blocks, (field, _wave(plan, memory, plan.waves, s * plan.modes + m), patch))
            forward(plan, work, field, spectrum)
            if s < plan.slices - 1:
                _multiply(kept, columns, (spectrum, spectrum, _spectrum(plan, memory, plan.propagators, s)))
                inverse(plan, work, spectrum, _wave(plan, memory, plan.waves, (s + 1) * plan.modes + m))


@njit(**INLINED)
def _backward(plan, work, at, of_object, lit):
    """From the cotangents on the detector to those of the illumination, where it is `lit`; the object's are added up."""
    memory, vector = work.memory, plan.x.vector
    rows, blocks, kept, columns = plan.x.length, plan.y.padded // vector, plan.y.kept, plan.x.lanes // vector
    of_patch, mask = _wave(plan, memory, plan.of_patch, 0), Place(memory, plan.mask, 0, 0, vector)
    for m in range(plan.modes):
        inverse(plan, work, _spectrum(plan, memory, plan.spectra, m), _wave(plan, memory, plan.field, m))
    for s in range(plan.slices - 1, -1, -1):
        patch = _patch(plan, work, s, at)
        for m in range(plan.modes):
            field = _wave(plan, memory, plan.field, m)
            if of_object:
                wave = _wave(plan, memory, plan.waves, s * plan.modes + m)
                if m == 0:
                    _multiply_conjugate(rows, blocks, (of_patch, field, wave))
                else:
                    _add_multiplied_conjugate(rows, blocks, (of_patch, field, wave))
            if s > 0 or lit:
                _multiply_conjugate(rows, blocks, (field, field, patch))
            if s > 0:
                spectrum, kernel = _spectrum(plan, memory, plan.spectra, 0), _spectrum(plan, memory, plan.propagators, s - 1)
                forward(plan, work, field, spectrum)
                _multiply_conjugate(kept, columns, (spectrum, spectrum, kernel))
                inverse(plan, work, spectrum, field)
        if of_object:
            if plan.limited:
                _limit(plan, work, of_patch, of_patch)
            _scatter(rows, blocks, (_window(plan, work.of_planes, s, at), of_patch, mask))


@njit(**INLINED)
def _illumination_adjoint(plan, work, moments):
    """Add what the field's cotangents say of the probe; the `moments` where they are asked for."""
    memory, vector, x = work.memory, plan.x.vector, plan.x
    rows, blocks, spectrum = plan.y.kept, x.lanes // vector, _spectrum(plan, memory, plan.spectra, 0)
    ramp_y, ramp_x = Place(memory, plan.ramp_y, 1, 2, 0), Place(memory, plan.ramp_x, vector, 0, 2 * vector)
    whole, along_y = Place(memory, plan.moments, 0, 0, vector), Place(memory, plan.moments + x.lanes, 0, 0, vector)
    for i in range(2 * x.lanes):
        memory[plan.moments + i] = 0
    for m in range(plan.modes):
        forward(plan, work, _wave(plan, memory, plan.field, m), spectrum)
        _shift_adjoint(rows, blocks, (spectrum, ramp_y, ramp_x, _spectrum(plan, memory, plan.of_probes, m)))
        if moments:
            probe = _spectrum(plan, memory, plan.probes, m)
            _moments(rows, blocks, (whole, along_y, spectrum, probe, Place(memory, plan.ky, 0, 1, 0)))
    of_y = of_x = 0.0
    for i in range(x.kept):
        of_y += memory[plan.moments + x.lanes + i]
        of_x += memory[plan.moments + i] * memory[plan.kx + i]
    return of_y, of_x


@njit(**INLINED)
def _limit(plan, work, source, target):
    """target = F⁻¹ B F source."""
    spectrum, vector = _spectrum(plan, work.memory, plan.spectra, 0), plan.x.vector
    forward(plan, work, source, spectrum)
    band = Place(work.memory, plan.band, 0, plan.x.lanes, vector)
    _scale(plan.y.kept, plan.x.lanes // vector, (spectrum, band))
    inverse(plan, work, spectrum, target)


@njit(**OPTIONS)
def _ramp(axis, remainder, powers, memory, start, vector):
    """exp(−2πi r k) of the kept frequencies, in vectors of `vector`; powers by halving, in double precision."""
    powers[0], powers[1] = 1, np.exp(-2j * np.pi * remainder / axis.length)
    for k in range(2, axis.length // 2 + 1):
        powers[k] = powers[k // 2] * powers[k - k // 2]
    for i in range(axis.kept):
        k = axis.table[axis.frequency + i]
        value = powers[abs(k)]
        at = start + i // vector * 2 * vector + i % vector
        memory[at] = value.real
        memory[at + vector] = value.imag if k >= 0 else -value.imag


@njit(**OPTIONS)
def _detect(plan, memory, data, which, dark):
    """Loss and squared error; the spectra become their own cotangents.

    I = Σ_m |B w|²/M, then w ← 2/M · dL/dI · B² w. `dark`, (2,), holds what frequencies add that no wave reaches, NaN at first.
    """
    vector, lanes = plan.x.vector, plan.x.lanes
    rows, blocks, size = plan.y.kept, lanes // vector, plan.y.kept * lanes
    summed = Place(memory, plan.intensity, 0, lanes, vector)
    for m in range(plan.modes):
        if m == 0:
            _intensity(rows, blocks, (summed, _spectrum(plan, memory, plan.spectra, m)))
        else:
            _add_intensity(rows, blocks, (summed, _spectrum(plan, memory, plan.spectra, m)))
    if np.isnan(dark[0]):
        dark[0], dark[1] = _dark(plan, data, which)
    intensity, counts = memory[plan.intensity : plan.intensity + size], memory[plan.counts : plan.counts + size]
    slope, squared = memory[plan.slope : plan.slope + size], memory[plan.squared : plan.squared + size]
    _pack(plan, data, counts)
    for i in range(size):
        intensity[i] *= squared[i]
    for i in plan.left_out:
        intensity[i] = 0
    loss, error = dark[0] + _compare(which, intensity, counts, slope), dark[1]
    for i in plan.left_out:
        slope[i] = 0
    for i in range(size):
        difference = intensity[i] - counts[i]
        error += difference * difference
        # not times 2: an integer would take single precision to double
        slope[i] *= squared[i] + squared[i]
    for m in range(plan.modes):
        _scale(rows, blocks, (_spectrum(plan, memory, plan.spectra, m), Place(memory, plan.slope, 0, lanes, vector)))
    return loss, error


@njit(**OPTIONS)
def _pack(plan, data, counts):
    """The counts of the kept frequencies."""
    x, y = plan.x, plan.y
    rest = x.length - x.kept
    for i in range(y.kept):
        row, packed = data[y.table[y.frequency + i] % y.length], counts[i * x.lanes : (i + 1) * x.lanes]
        for kx in range(x.low):
            packed[kx] = row[kx]
        for kx in range(x.low, x.kept):
            packed[kx] = row[kx + rest]


@njit(**OPTIONS)
def _dark(plan, data, which):
    """Loss and squared error of the frequencies that are not kept, where the intensity is 0."""
    x, y, loss, error = plan.x, plan.y, 0.0, 0.0
    for ky in range(y.length):
        dropped = y.low <= ky < y.low + y.length - y.kept
        for kx in range(0 if dropped else x.low, x.length if dropped else x.low + x.length - x.kept):
            count = np.float64(data[ky, kx])
            error += count * count
            if which == LSQ_SQRT:
                loss += count
            elif which == LSQ:
                loss += count * count
            elif which == LSQ_SQRT_2 and count > _COUNTED:
                loss += 0.5 * count
    return loss, error


@njit(**OPTIONS)
def _compare(which, intensity, counts, slope):
    """The loss; slope ← dL/dI."""
    total = 0.0
    if which == LSQ_SQRT:
        for x in range(len(intensity)):
            i, d = np.sqrt(intensity[x]), np.sqrt(counts[x])
            total += (i - d) * (i - d)
            slope[x] = 1 - d / i if i > 0 else 0
    elif which == ML:
        for x in range(len(intensity)):
            i, d = intensity[x], counts[x]
            total += i - d * np.log(i) if i > 0 else 0
            slope[x] = 1 - d / i if i > 0 else 0
    elif which == LSQ:
        for x in range(len(intensity)):
            difference = intensity[x] - counts[x]
            total += difference * difference
            slope[x] = 2 * difference
    else:
        for x in range(len(intensity)):
            i, d = intensity[x], counts[x]
            total += 0.5 * (i - d) * (i - d) / d if d > _COUNTED else i
            slope[x] = (i - d) / d if d > _COUNTED else 1
    return total


@njit(**INLINED)
def _wave(plan, memory, start, index):
    """Field number `index` in real space, (x, y)."""
    row = 2 * plan.y.padded
    return Place(memory, start + index * plan.x.length * row, plan.x.vector, row, 2 * plan.x.vector)


@njit(**INLINED)
def _spectrum(plan, memory, start, index):
    """Spectrum number `index`, (ky, kx) packed; one row of zeros and one of what is dropped follow."""
    row = 2 * plan.x.lanes
    return Place(memory, start + index * (plan.y.lanes + 2) * row, plan.x.vector, row, 2 * plan.x.vector)


@njit(**INLINED)
def _window(plan, planes, s, at):
    """The part of slice `s` under a pattern whose corner is at `at`."""
    size = plan.width * plan.row
    return Place(planes, 2 * s * size + at, size, plan.row, plan.x.vector)


@njit(**OPTIONS)
def _patch(plan, work, s, at):
    """The transmission of slice `s`."""
    return _wave(plan, work.memory, plan.patches, s) if plan.limited else _window(plan, work.planes, s, at)
