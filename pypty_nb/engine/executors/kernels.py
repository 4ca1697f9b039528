"""Compiled elementwise steps between the transforms of the fused executor.

Each does in one pass over memory what the stages do in several. Waves are (pattern, mode, y, x), patches (pattern, slice, y, x)
and spectra in FFT order; all transforms around them are unnormalised, and the factors 1/N² stand in the arrays these kernels
multiply by. Functions are at module level so that their machine code is cached on disk.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_OPTIONS = {"nogil": True, "cache": True, "fastmath": {"nsz", "contract", "arcp", "reassoc"}, "boundscheck": False}

#: The losses by the number `detect` takes.
LSQ_SQRT, ML, LSQ, LSQ_SQRT_2 = range(4)


@njit(**_OPTIONS)
def shift(spectrum, ramp_y, ramp_x, out):
    """out_jm = P̂_m · e_y e_x."""
    for j in range(out.shape[0]):
        row_x = ramp_x[j]
        for m in range(out.shape[1]):
            for y in range(out.shape[2]):
                factor, source, target = ramp_y[j, y], spectrum[m, y], out[j, m, y]
                for x in range(out.shape[3]):
                    target[x] = source[x] * (factor * row_x[x])


@njit(**_OPTIONS)
def gather(planes, corners, out):
    """out_js = the window of slice s at corner j."""
    for j in range(out.shape[0]):
        y0, x0 = corners[j, 0], corners[j, 1]
        for s in range(out.shape[1]):
            for y in range(out.shape[2]):
                source, target = planes[s, y0 + y, x0 : x0 + out.shape[3]], out[j, s, y]
                for x in range(out.shape[3]):
                    target[x] = source[x]


@njit(**_OPTIONS)
def scatter(patches, corners, into):
    """Add every patch at its corner."""
    for j in range(patches.shape[0]):
        y0, x0 = corners[j, 0], corners[j, 1]
        for s in range(patches.shape[1]):
            for y in range(patches.shape[2]):
                source, target = patches[j, s, y], into[s, y0 + y, x0 : x0 + patches.shape[3]]
                for x in range(patches.shape[3]):
                    target[x] += source[x]


@njit(**_OPTIONS)
def multiply(factor, arrays):
    """arrays_ji ← factor · arrays_ji, factor (y, x) real or complex."""
    for j in range(arrays.shape[0]):
        for i in range(arrays.shape[1]):
            for y in range(arrays.shape[2]):
                row, target = factor[y], arrays[j, i, y]
                for x in range(arrays.shape[3]):
                    target[x] *= row[x]


@njit(**_OPTIONS)
def transmit(waves, patches, s, out):
    """out_jm = t_js ψ_jm."""
    for j in range(waves.shape[0]):
        for m in range(waves.shape[1]):
            for y in range(waves.shape[2]):
                a, b, target = waves[j, m, y], patches[j, s, y], out[j, m, y]
                for x in range(waves.shape[3]):
                    target[x] = a[x] * b[x]


@njit(**_OPTIONS)
def transmit_adjoint(waves, patches, s, g, of_patches):
    """of_patches_js = Σ_m conj(ψ_jm) g_jm, then g_jm ← conj(t_js) g_jm."""
    for j in range(waves.shape[0]):
        for m in range(waves.shape[1]):
            for y in range(waves.shape[2]):
                wave, patch, row, target = waves[j, m, y], patches[j, s, y], g[j, m, y], of_patches[j, s, y]
                for x in range(waves.shape[3]):
                    value = row[x]
                    part = wave[x].conjugate() * value
                    target[x] = part if m == 0 else target[x] + part
                    row[x] = patch[x].conjugate() * value


@njit(**_OPTIONS)
def detect(waves, band, data, which, losses, errors, intensity):
    """Loss and squared error of every pattern; waves become the cotangents of the far field's input.

    w ← B w, I = Σ_m |w|²/M, then w ← 2/M · dL/dI · B w. `intensity` is a row's scratch space, (2, x) real.
    """
    count = waves.shape[1]
    for j in range(waves.shape[0]):
        loss, error = 0.0, 0.0
        for y in range(waves.shape[2]):
            row, counts, summed, slope = band[y], data[j, y], intensity[0], intensity[1]
            for x in range(waves.shape[3]):
                summed[x] = 0
            for m in range(count):
                wave = waves[j, m, y]
                for x in range(waves.shape[3]):
                    value = wave[x] * row[x]
                    wave[x] = value
                    summed[x] += value.real * value.real + value.imag * value.imag
            loss += _compare(which, summed, counts, slope, count)
            for x in range(waves.shape[3]):
                difference = summed[x] - counts[x]
                error += difference * difference
                slope[x] *= row[x]
            for m in range(count):
                wave = waves[j, m, y]
                for x in range(waves.shape[3]):
                    wave[x] *= slope[x]
        losses[j], errors[j] = loss, error


@njit(**_OPTIONS)
def _compare(which, intensity, counts, slope, modes):
    """Divide the row of summed intensities by the modes; its loss; slope ← 2/M · dL/dI."""
    total, factor = 0.0, 2.0 / modes
    share = 1.0 / modes
    for x in range(intensity.shape[0]):
        intensity[x] *= share
    if which == LSQ_SQRT:
        for x in range(intensity.shape[0]):
            i, d = np.sqrt(intensity[x]), np.sqrt(counts[x])
            total += (i - d) * (i - d)
            slope[x] = factor * (1 - d / i) if i > 0 else 0
    elif which == ML:
        for x in range(intensity.shape[0]):
            i, d = intensity[x], counts[x]
            total += i - d * np.log(i) if i > 0 else 0
            slope[x] = factor * (1 - d / i) if i > 0 else 0
    elif which == LSQ:
        for x in range(intensity.shape[0]):
            difference = intensity[x] - counts[x]
            total += difference * difference
            slope[x] = factor * 2 * difference
    else:
        for x in range(intensity.shape[0]):
            i, d = intensity[x], counts[x]
            total += 0.5 * (i - d) * (i - d) / d if d > 0.5 else i
            slope[x] = factor * ((i - d) / d if d > 0.5 else 1)
    return total


@njit(**_OPTIONS)
def shift_adjoint(g, spectrum, ramp_y, ramp_x, ky, kx, into, moved):
    """Add conj(e_y e_x) ĝ_j to `into`, and the two moments Σ k Im(conj(ĝ_j) Ŵ_j) to moved_j."""
    for j in range(g.shape[0]):
        row_x = ramp_x[j]
        along_y, along_x = 0.0, 0.0
        for m in range(g.shape[1]):
            for y in range(g.shape[2]):
                factor, source, target, wave = ramp_y[j, y].conjugate(), g[j, m, y], into[m, y], spectrum[m, y]
                whole, weighted = 0.0, 0.0
                for x in range(g.shape[3]):
                    back = source[x] * (factor * row_x[x].conjugate())
                    target[x] += back
                    density = back.real * wave[x].imag - back.imag * wave[x].real
                    whole += density
                    weighted += density * kx[x]
                along_y += whole * ky[y]
                along_x += weighted
        moved[j, 0] = along_y
        moved[j, 1] = along_x
