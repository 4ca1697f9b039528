"""The model of one pattern and its adjoint, compiled: nothing leaves a core's cache between the object and its gradient.

The arithmetic is the stages'. All transforms are unnormalised, and the factors 1/N² stand in the arrays these kernels multiply by.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from pypty_nb.engine.executors.axes import Axis
from pypty_nb.engine.executors.lanes import Place, fields
from pypty_nb.engine.executors.transforms import OPTIONS, forward, inverse

#: The losses by the number `patterns` takes.
LSQ_SQRT, ML, LSQ, LSQ_SQRT_2 = range(4)


class Grid(NamedTuple):
    """What a run holds fixed; spectra are packed, (kept ky, lanes of kx).

    Attributes
    ----------
    x, y : Axis
    lanes : int
        Reals in a vector.
    limited : bool
        Whether patches are band-limited.
    mask : real array, (padded y,)
        1 for the points of a window, 0 for what fills its last vector.
    band, squared : real array, flat
        B/N² and B².
    propagators : real array, flat
        P(d)/N² of every gap.
    ky, kx : real array
        Frequencies, cycles per pixel, of packed rows and lanes.
    """

    x: Axis
    y: Axis
    lanes: int
    limited: bool
    mask: np.ndarray
    band: np.ndarray
    squared: np.ndarray
    propagators: np.ndarray
    ky: np.ndarray
    kx: np.ndarray


class Shared(NamedTuple):
    """What all patterns of one evaluation read.

    Attributes
    ----------
    planes : real array, flat
        (slice, real and imaginary part, x, y) of the object.
    shape : (int, int)
        Of a plane, (x, y).
    spectra : real array, flat
        B/N² times the transform of every probe mode, packed.
    slices, modes : int
    """

    planes: np.ndarray
    shape: tuple[int, int]
    spectra: np.ndarray
    slices: int
    modes: int


class Work(NamedTuple):
    """What one thread works in: flat real arrays that begin at a vector's boundary."""

    waves: np.ndarray
    patches: np.ndarray
    field: np.ndarray
    of_patch: np.ndarray
    spectra: np.ndarray
    half: np.ndarray
    back: np.ndarray
    scratch_x: np.ndarray
    scratch_y: np.ndarray
    intensity: np.ndarray
    slope: np.ndarray
    counts: np.ndarray
    ramp_y: np.ndarray
    ramp_x: np.ndarray
    powers: np.ndarray
    moments: np.ndarray


class Part(NamedTuple):
    """One thread's share of the gradient, as `Shared` has the object and the spectra."""

    planes: np.ndarray
    spectra: np.ndarray


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


@njit(**OPTIONS)
def patterns(grid, shared, work, part, places, data, which, wanted, out):
    """Model patterns one by one: their losses, squared errors and moments, and their gradients added to `part`.

    `places` are the corners, (pattern, 2) int, and the remainders, (pattern, 2), both [y, x]; `data` are (pattern, ky, kx) counts
    in FFT order; `out` takes losses and errors, (pattern,), and the moments Σ k Im(conj(ĝ) Ŵ), (pattern, 2).
    """
    corners, remainders = places
    losses, errors, moved = out
    for j in range(len(data)):
        _ramp(grid.y, remainders[j, 0], work.powers, work.ramp_y, 1)
        _ramp(grid.x, remainders[j, 1], work.powers, work.ramp_x, grid.lanes)
        _forward(grid, shared, work, corners[j])
        losses[j], errors[j] = _detect(grid, shared, work, data[j], which)
        if wanted.obj or wanted.probe or wanted.positions:
            _backward(grid, shared, work, part, corners[j], wanted)
        if wanted.probe or wanted.positions:
            moved[j, 0], moved[j, 1] = _illumination_adjoint(grid, shared, work, part, wanted)


@njit(**OPTIONS)
def _forward(grid, shared, work, corner):
    """From the probe to the spectra on the detector."""
    rows, blocks = grid.x.length, grid.y.padded // grid.lanes
    spectrum_rows, spectrum_blocks = grid.y.kept, grid.x.lanes // grid.lanes
    for m in range(shared.modes):
        shifted = _spectrum(grid, work.spectra, m)
        at = _spectrum(grid, shared.spectra, m), _ramp_y(grid, work), _ramp_x(grid, work)
        _shift(spectrum_rows, spectrum_blocks, (shifted, *at))
        inverse(grid, work, shifted, _wave(grid, work.waves, m))
    if grid.limited:
        for s in range(shared.slices):
            _limit(grid, work, _window(grid, shared, shared.planes, s, corner), _wave(grid, work.patches, s))
    for s in range(shared.slices):
        patch = _patch(grid, shared, work, s, corner)
        for m in range(shared.modes):
            field, spectrum = _wave(grid, work.field, m), _spectrum(grid, work.spectra, m)
            _multiply(rows, blocks, (field, _wave(grid, work.waves, s * shared.modes + m), patch))
            forward(grid, work, field, spectrum)
            if s < shared.slices - 1:
                kernel = _spectrum(grid, grid.propagators, s)
                _multiply(spectrum_rows, spectrum_blocks, (spectrum, spectrum, kernel))
                inverse(grid, work, spectrum, _wave(grid, work.waves, (s + 1) * shared.modes + m))


@njit(**OPTIONS)
def _backward(grid, shared, work, part, corner, wanted):
    """From the cotangents on the detector to those of the illumination; the object's are added up."""
    rows, blocks = grid.x.length, grid.y.padded // grid.lanes
    for m in range(shared.modes):
        inverse(grid, work, _spectrum(grid, work.spectra, m), _wave(grid, work.field, m))
    for s in range(shared.slices - 1, -1, -1):
        if wanted.obj:
            _object_adjoint(grid, shared, work, part, s, corner)
        patch = _patch(grid, shared, work, s, corner)
        if s > 0 or wanted.probe or wanted.positions:
            for m in range(shared.modes):
                field = _wave(grid, work.field, m)
                _multiply_conjugate(rows, blocks, (field, field, patch))
        if s > 0:
            kernel = _spectrum(grid, grid.propagators, s - 1)
            for m in range(shared.modes):
                field, spectrum = _wave(grid, work.field, m), _spectrum(grid, work.spectra, m)
                forward(grid, work, field, spectrum)
                _multiply_conjugate(grid.y.kept, grid.x.lanes // grid.lanes, (spectrum, spectrum, kernel))
                inverse(grid, work, spectrum, field)


@njit(**OPTIONS)
def _object_adjoint(grid, shared, work, part, s, corner):
    """Add what the field's cotangents say of slice `s`."""
    rows, blocks, of_patch = grid.x.length, grid.y.padded // grid.lanes, _wave(grid, work.of_patch, 0)
    for m in range(shared.modes):
        at = of_patch, _wave(grid, work.field, m), _wave(grid, work.waves, s * shared.modes + m)
        if m == 0:
            _multiply_conjugate(rows, blocks, at)
        else:
            _add_multiplied_conjugate(rows, blocks, at)
    if grid.limited:
        _limit(grid, work, of_patch, of_patch)
    mask = Place(grid.mask, 0, 0, 0, grid.lanes)
    _scatter(rows, blocks, (_window(grid, shared, part.planes, s, corner), of_patch, mask))


@njit(**OPTIONS)
def _illumination_adjoint(grid, shared, work, part, wanted):
    """Add what the field's cotangents say of the probe; the moments."""
    rows, blocks, lanes = grid.y.kept, grid.x.lanes // grid.lanes, grid.lanes
    spectrum = _spectrum(grid, work.spectra, 0)
    whole, along_y = Place(work.moments, 0, 0, 0, lanes), Place(work.moments, grid.x.lanes, 0, 0, lanes)
    work.moments[:] = 0
    for m in range(shared.modes):
        forward(grid, work, _wave(grid, work.field, m), spectrum)
        into = _spectrum(grid, part.spectra, m)
        _shift_adjoint(rows, blocks, (spectrum, _ramp_y(grid, work), _ramp_x(grid, work), into))
        if wanted.positions:
            at = spectrum, _spectrum(grid, shared.spectra, m), Place(grid.ky, 0, 0, 1, 0)
            _moments(rows, blocks, (whole, along_y, *at))
    of_y = of_x = 0.0
    for i in range(grid.x.kept):
        of_y += work.moments[grid.x.lanes + i]
        of_x += work.moments[i] * grid.kx[i]
    return of_y, of_x


@njit(**OPTIONS)
def _limit(grid, work, source, target):
    """target = F⁻¹ B F source."""
    spectrum = _spectrum(grid, work.spectra, 0)
    forward(grid, work, source, spectrum)
    band = Place(grid.band, 0, 0, grid.x.lanes, grid.lanes)
    _scale(grid.y.kept, grid.x.lanes // grid.lanes, (spectrum, band))
    inverse(grid, work, spectrum, target)


@njit(**OPTIONS)
def _ramp(axis, remainder, powers, out, lanes):
    """exp(−2πi r k) of the kept frequencies, in vectors of `lanes`; powers by halving, in double precision."""
    powers[0] = 1
    if axis.length > 1:
        powers[1] = np.exp(-2j * np.pi * remainder / axis.length)
    for k in range(2, axis.length // 2 + 1):
        powers[k] = powers[k // 2] * powers[k - k // 2]
    for i in range(axis.kept):
        k = axis.frequencies[i]
        value = powers[abs(k)]
        at = i // lanes * 2 * lanes + i % lanes
        out[at] = value.real
        out[at + lanes] = value.imag if k >= 0 else -value.imag


@njit(**OPTIONS)
def _detect(grid, shared, work, data, which):
    """Loss and squared error; the spectra become their own cotangents.

    I = Σ_m |B w|²/M, then w ← 2/M · dL/dI · B² w.
    """
    rows, blocks = grid.y.kept, grid.x.lanes // grid.lanes
    intensity = Place(work.intensity, 0, 0, grid.x.lanes, grid.lanes)
    for m in range(shared.modes):
        if m == 0:
            _intensity(rows, blocks, (intensity, _spectrum(grid, work.spectra, m)))
        else:
            _add_intensity(rows, blocks, (intensity, _spectrum(grid, work.spectra, m)))
    loss, error = _pack(grid, data, work.counts, which)
    share = work.intensity.dtype.type(1 / shared.modes)
    for i in range(len(work.intensity)):
        work.intensity[i] *= grid.squared[i] * share
    loss += _compare(which, work.intensity, work.counts, work.slope)
    factor = work.intensity.dtype.type(2 / shared.modes)
    for i in range(len(work.intensity)):
        difference = work.intensity[i] - work.counts[i]
        error += difference * difference
        work.slope[i] *= grid.squared[i] * factor
    slope = Place(work.slope, 0, 0, grid.x.lanes, grid.lanes)
    for m in range(shared.modes):
        _scale(rows, blocks, (_spectrum(grid, work.spectra, m), slope))
    return loss, error


@njit(**OPTIONS)
def _pack(grid, data, counts, which):
    """The counts of kept frequencies, packed; loss and squared error of all others, where no wave arrives."""
    low, kept, rest = grid.x.low, grid.x.kept, grid.x.length - grid.x.kept
    loss, error = 0.0, 0.0
    for y in range(grid.y.low, grid.y.low + grid.y.length - grid.y.kept):
        loss += _dark(which, data[y])
        error += _squares(data[y])
    for i in range(grid.y.kept):
        row, packed = data[grid.y.frequencies[i] % grid.y.length], counts[i * grid.x.lanes : (i + 1) * grid.x.lanes]
        packed[:low] = row[:low]
        packed[low:kept] = row[low + rest :]
        loss += _dark(which, row[low : low + rest])
        error += _squares(row[low : low + rest])
    return loss, error


@njit(**OPTIONS)
def _squares(counts):
    total = 0.0
    for x in range(len(counts)):
        total += counts[x] * counts[x]
    return total


@njit(**OPTIONS)
def _dark(which, counts):
    """The loss where the intensity is 0."""
    total = 0.0
    if which == LSQ_SQRT:
        for x in range(len(counts)):
            total += counts[x]
    elif which == LSQ:
        total = _squares(counts)
    elif which == LSQ_SQRT_2:
        for x in range(len(counts)):
            total += 0.5 * counts[x] if counts[x] > 0.5 else 0
    return total


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
            total += 0.5 * (i - d) * (i - d) / d if d > 0.5 else i
            slope[x] = (i - d) / d if d > 0.5 else 1
    return total


@njit(**OPTIONS)
def _wave(grid, memory, index):
    """Field number `index` in real space, (x, y)."""
    row = 2 * grid.y.padded
    return Place(memory, index * grid.x.length * row, grid.lanes, row, 2 * grid.lanes)


@njit(**OPTIONS)
def _spectrum(grid, memory, index):
    """Spectrum number `index`, (ky, kx) packed; one row of zeros and one of what is dropped follow."""
    row = 2 * grid.x.lanes
    return Place(memory, index * (grid.y.lanes + 2) * row, grid.lanes, row, 2 * grid.lanes)


@njit(**OPTIONS)
def _window(grid, shared, planes, s, corner):
    """The part of slice `s` under a pattern."""
    size = shared.shape[0] * shared.shape[1]
    return Place(planes, 2 * s * size + corner[1] * shared.shape[1] + corner[0], size, shared.shape[1], grid.lanes)


@njit(**OPTIONS)
def _patch(grid, shared, work, s, corner):
    """The transmission of slice `s`."""
    return _wave(grid, work.patches, s) if grid.limited else _window(grid, shared, shared.planes, s, corner)


@njit(**OPTIONS)
def _ramp_y(grid, work):
    return Place(work.ramp_y, 0, 1, 2, 0)


@njit(**OPTIONS)
def _ramp_x(grid, work):
    return Place(work.ramp_x, 0, grid.lanes, 0, 2 * grid.lanes)
