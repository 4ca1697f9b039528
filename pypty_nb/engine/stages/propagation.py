"""Through the specimen: transmission through slices and propagation between them.

Each method is a sum of words, and a word is a sequence of two kinds of letters: multiply by a power of a slice, and propagate.
One forward and one adjoint serve them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.records import Array

#: Yoshida's constant, Phys. Lett. A 150, 262 (1990), in the form (2 + 2^(-1/3) + 2^(1/3))/3 = 1/(2 − 2^(1/3)).
SIGMA = (2 + 2 ** (-1 / 3) + 2 ** (1 / 3)) / 3


class Transmit(NamedTuple):
    """Multiply by slice number `at` to the power `power`."""

    at: int
    power: float = 1.0


class Propagate(NamedTuple):
    """Propagate by `distance`, Å, within the band limit; by 0 it is the band limit alone."""

    distance: float


class Term(NamedTuple):
    """One word of a sum: the letters in the order they act."""

    weight: float
    letters: tuple[Transmit | Propagate, ...]


#: A method: sums of words, applied one after the other.
Program = tuple[tuple[Term, ...], ...]


def multislice(distances: tuple[float, ...], slices: int) -> Program:
    """ψ ← t_1 ψ, then ψ ← t_s P(d_{s−1}) ψ: slices at the centres of their slabs.

    Cowley and Moodie, Acta Cryst. 10, 609 (1957).
    """
    letters: list[Transmit | Propagate] = [Transmit(0)]
    for index in range(1, slices):
        letters += [Propagate(distances[index - 1]), Transmit(index)]
    return ((Term(1.0, tuple(letters)),),)


def better_multislice(distances: tuple[float, ...], slices: int) -> Program:
    """Per slice: ψ ← ⅔(H t½ H t½ ψ + t½ H t½ H ψ) − ⅙(t P ψ + P t ψ), H = P(d/2), t½ = √t; fourth order."""
    sums = []
    for s, d in zip(range(slices), distances, strict=True):
        root, half = Transmit(s, 0.5), Propagate(d / 2)
        sums.append(
            (
                Term(2 / 3, (root, half, root, half)),
                Term(2 / 3, (half, root, half, root)),
                Term(-1 / 6, (Propagate(d), Transmit(s))),
                Term(-1 / 6, (Transmit(s), Propagate(d))),
            )
        )
    return _limited_between(sums)


def yoshida(distances: tuple[float, ...], slices: int) -> Program:
    """Per slice: ψ ← t^(σ/2) P(σd) t^((1−σ)/2) P((1−2σ)d) t^((1−σ)/2) P(σd) t^(σ/2) ψ; fourth order, symplectic."""
    sums = []
    for s, d in zip(range(slices), distances, strict=True):
        outer, inner = Transmit(s, SIGMA / 2), Transmit(s, (1 - SIGMA) / 2)
        long, back = Propagate(SIGMA * d), Propagate((1 - 2 * SIGMA) * d)
        sums.append((Term(1.0, (outer, long, inner, back, inner, long, outer)),))
    return _limited_between(sums)


METHODS: dict[str, Callable[[tuple[float, ...], int], Program]] = {
    "multislice": multislice,
    "better_multislice": better_multislice,
    "yoshida": yoshida,
}


def gaps(method: str, slices: int) -> int:
    """How many distances `method` needs: one between each two slices, or one a slice."""
    return slices - 1 if method == "multislice" else slices


def _limited_between(sums: list[tuple[Term, ...]]) -> Program:
    """A band limit after every slice but the last."""
    between = (Term(1.0, (Propagate(0.0),)),)
    program: list[tuple[Term, ...]] = []
    for index, terms in enumerate(sums):
        program += [between, terms] if index else [terms]
    return tuple(program)


@dataclass
class _Pass:
    """What one forward pass leaves behind: powers of the slices, kernels, and every word's intermediate waves."""

    powers: dict[Transmit, Array] = field(default_factory=dict)
    kernels: dict[float, Array] = field(default_factory=dict)
    waves: list[list[list[Array]]] = field(default_factory=list)


class Propagation:
    """Run a program on the waves.

    Notes
    -----
    Transmit: ψ ← t^p ψ (p ≠ 1: principal branch, band-limited). Its adjoint: g_ψ = conj(t^p) g,
    g_t = conj(p t^(p−1)) · B conj(ψ) g.
    Propagate: ψ ← F⁻¹ K F ψ, K = exp(−iπ d (λq² + 2(q_x t_x + q_y t_y))) B. Its adjoint: conj(K), and for the tilts with ĝ the
    cotangent and Ψ the wave in Fourier space behind it, g_t_y = (2π d/N²) Σ q_y Im(conj(ĝ) Ψ), likewise x.
    """

    def __init__(self, backend: Backend, program: Program, band: Array, pixel_size: tuple[float, float], wavelength: float):
        self._backend, self._program, self._band = backend, program, band
        window = band.shape
        qy, qx = np.fft.fftfreq(window[0], pixel_size[0]), np.fft.fftfreq(window[1], pixel_size[1])
        self._qy, self._qx = backend.asarray(qy, backend.real), backend.asarray(qx, backend.real)
        self._paraxial = -np.pi * wavelength * (qy[:, None] ** 2 + qx[None, :] ** 2)
        self._fixed = {d: self._kernel(d) for d in _distances(program)}
        self._size = window[0] * window[1]

    def forward(self, waves: Array, slices: Array, tilts: Array | None) -> tuple[Array, _Pass]:
        """`waves` (pattern, probe mode, y, x), `slices` (pattern, slice, object mode, y, x), `tilts` (pattern, 2) or ``None``.

        Returns exit waves (pattern, probe mode, object mode, y, x).
        """
        done = _Pass(powers=self._powers(slices), kernels=self._tilted(tilts))
        psi = waves[:, :, None]
        for terms in self._program:
            outs, tapes = [], []
            for term in terms:
                out, tape = self._word(term, psi, done)
                outs.append(out if term.weight == 1 else out * term.weight)
                tapes.append(tape)
            done.waves.append(tapes)
            psi = outs[0] if len(outs) == 1 else sum(outs[1:], outs[0])
        return psi, done

    def adjoint(self, done: _Pass, slices: Array, cotangent: Array, *, tilted: bool) -> tuple[Array, Array, Array | None]:
        """Cotangents of waves, slices, and, where they are `tilted`, tilts, (pattern, 2); uses up `cotangent`."""
        xp = self._backend.xp
        of_powers: dict[Transmit, Array] = {}
        of_tilts = xp.zeros((len(slices), 2), self._backend.real) if tilted else None
        for terms, tapes in zip(reversed(self._program), reversed(done.waves), strict=True):
            parts = []
            for term, tape in zip(terms, tapes, strict=True):
                weighted = cotangent.copy() if len(terms) > 1 else cotangent
                weighted = weighted if term.weight == 1 else weighted * term.weight
                parts.append(self._word_adjoint(term, tape, weighted, done, of_powers, of_tilts))
            cotangent = parts[0] if len(parts) == 1 else sum(parts[1:], parts[0])
        return cotangent.sum(axis=2), self._of_slices(slices, of_powers), of_tilts

    def _word(self, term: Term, psi: Array, done: _Pass) -> tuple[Array, list[Array]]:
        tape = []
        for letter in term.letters:
            if isinstance(letter, Transmit):
                tape.append(psi)
                psi = psi * done.powers[letter]
            else:
                spectrum = self._backend.fft2(psi.copy())
                spectrum *= done.kernels[letter.distance]
                tape.append(spectrum)
                psi = self._backend.ifft2(spectrum.copy())
        return psi, tape

    def _word_adjoint(
        self, term: Term, tape: list[Array], g: Array, done: _Pass, of_powers: dict, of_tilts: Array | None
    ) -> Array:
        xp = self._backend.xp
        for letter, kept in zip(reversed(term.letters), reversed(tape), strict=True):
            if isinstance(letter, Transmit):
                part = (xp.conj(kept) * g).sum(axis=1, keepdims=True)
                of_powers[letter] = part if letter not in of_powers else of_powers[letter] + part
                g = g * xp.conj(done.powers[letter])
                if kept.shape[2] < g.shape[2]:
                    g = g.sum(axis=2, keepdims=True)
            else:
                g = self._backend.fft2(g)
                if of_tilts is not None and letter.distance:
                    of_tilts += self._of_tilts(g, kept, letter.distance)
                g *= xp.conj(done.kernels[letter.distance])
                g = self._backend.ifft2(g)
        return g

    def _powers(self, slices: Array) -> dict[Transmit, Array]:
        powers = {}
        for letter in _letters(self._program):
            part = slices[:, letter.at][:, None]
            powers[letter] = part if letter.power == 1 else self._limited(part**letter.power)
        return powers

    def _of_slices(self, slices: Array, of_powers: dict[Transmit, Array]) -> Array:
        out = self._backend.xp.zeros_like(slices)
        for letter, part in of_powers.items():
            if letter.power != 1:
                t = slices[:, letter.at][:, None]
                part = self._limited(part) * self._backend.xp.conj(letter.power * t ** (letter.power - 1))
            out[:, letter.at] += part[:, 0]
        return out

    def _limited(self, array: Array) -> Array:
        spectrum = self._backend.fft2(array)
        spectrum *= self._band
        return self._backend.ifft2(spectrum)

    def _kernel(self, distance: float) -> Array:
        phase = np.exp(1j * distance * self._paraxial)
        return self._backend.asarray(phase, self._backend.complex) * self._band

    def _tilted(self, tilts: Array | None) -> dict[float, Array]:
        """The kernels for every pattern where its tilt is not zero; else the common ones."""
        if tilts is None or not bool((tilts != 0).any()):
            return self._fixed
        xp = self._backend.xp
        found = {}
        for distance, kernel in self._fixed.items():
            ramp_y = xp.exp(-2j * np.pi * distance * tilts[:, :1] * self._qy).astype(self._backend.complex)
            ramp_x = xp.exp(-2j * np.pi * distance * tilts[:, 1:] * self._qx).astype(self._backend.complex)
            found[distance] = kernel * ramp_y[:, None, None, :, None] * ramp_x[:, None, None, None, :]
        return found

    def _of_tilts(self, g: Array, behind: Array, distance: float) -> Array:
        xp = self._backend.xp
        density = (xp.conj(g) * behind).imag.sum(axis=(1, 2))
        along = [(density.sum(axis=2) * self._qy).sum(axis=1), (density.sum(axis=1) * self._qx).sum(axis=1)]
        return xp.stack(along, axis=1) * (2 * np.pi * distance / self._size)


def _letters(program: Program) -> list[Transmit]:
    return list(dict.fromkeys(x for terms in program for term in terms for x in term.letters if isinstance(x, Transmit)))


def _distances(program: Program) -> list[float]:
    return list(
        dict.fromkeys(x.distance for terms in program for term in terms for x in term.letters if isinstance(x, Propagate))
    )
