"""From the intensity on the computed grid to what the detector says: padding, upsampling, background, virtual detectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.records import Array


@dataclass(frozen=True)
class ReadoutLayout:
    """How computed pixels become measured ones.

    Attributes
    ----------
    window : (int, int)
        Computed grid.
    pad : int
        Computed pixels per side outside the measured pattern.
    upsample : int
        Computed pixels per measured one, along each axis.
    crop : bool
        Drop the padding (else the measurement is padded with zeros).
    centred : bool
        Whether the intensity comes centred (near field) or in FFT order (far field).
    """

    window: tuple[int, int]
    pad: int = 0
    upsample: int = 1
    crop: bool = False
    centred: bool = False

    @property
    def plain(self) -> bool:
        """Whether computed and measured pixels are the same, so that the order can stay the transform's."""
        return self.upsample == 1 and not (self.crop and self.pad)

    @property
    def measured(self) -> tuple[int, int]:
        """The measured grid, (y, x)."""
        border = 2 * self.pad if self.crop else 0
        return (self.window[0] - border) // self.upsample, (self.window[1] - border) // self.upsample


class PixelSum:
    """Centre, crop the padding, and sum `upsample`² pixels to one.

    Notes
    -----
    forward: I'_n = Σ I over the computed pixels of measured pixel n. adjoint: every computed pixel gets its measured pixel's
    cotangent, those outside zero.
    """

    def __init__(self, backend: Backend, layout: ReadoutLayout):
        self._backend, self._layout = backend, layout
        border = layout.pad if layout.crop else 0
        self._inside = tuple(slice(border, n - border) for n in layout.window)

    def forward(self, intensity: Array) -> Array:
        """(pattern, y, x) on the computed grid to (pattern, y, x) on the measured one."""
        if self._layout.plain:
            return intensity
        if not self._layout.centred:
            intensity = self._backend.xp.fft.fftshift(intensity, axes=(-2, -1))
        cut = intensity[..., self._inside[0], self._inside[1]]
        u, (ny, nx) = self._layout.upsample, self._layout.measured
        return cut if u == 1 else cut.reshape(*cut.shape[:-2], ny, u, nx, u).sum(axis=(-3, -1))

    def adjoint(self, cotangent: Array) -> Array:
        """Back to the computed grid."""
        if self._layout.plain:
            return cotangent
        xp, u = self._backend.xp, self._layout.upsample
        out = xp.zeros((*cotangent.shape[:-2], *self._layout.window), cotangent.dtype)
        spread = cotangent if u == 1 else xp.repeat(xp.repeat(cotangent, u, axis=-2), u, axis=-1)
        out[..., self._inside[0], self._inside[1]] = spread
        return out if self._layout.centred else xp.fft.ifftshift(out, axes=(-2, -1))


class Background:
    """A constant offset behind the band limit.

    Notes
    -----
    forward: I ← I + b² B, with b the array (the square root of the offset, counts^½) and B averaged over the upsampled pixels.
    adjoint: g_b = 2 b B Σ_j g_I.
    """

    def __init__(self, backend: Backend, layout: ReadoutLayout, band: np.ndarray):
        self._backend, self._layout = backend, layout
        centred = band if layout.centred else np.fft.fftshift(band)
        u = layout.upsample
        border = layout.pad if layout.crop else 0
        cut = centred[border : band.shape[0] - border, border : band.shape[1] - border]
        averaged = cut.reshape(cut.shape[0] // u, u, cut.shape[1] // u, u).mean(axis=(1, 3))
        self._band = backend.asarray(averaged, backend.real)
        # given with the padding's border, of which a cropped measurement sees nothing
        edge = border // u
        self._seen = (slice(edge, edge + layout.measured[0]), slice(edge, edge + layout.measured[1]))

    def forward(self, intensity: Array, background: Array) -> Array:
        """`intensity` (pattern, y, x), `background` (y, x) centred."""
        return intensity + self._ordered(background[self._seen] ** 2 * self._band)

    def adjoint(self, background: Array, cotangent: Array) -> Array:
        """Cotangent of the background, (y, x)."""
        summed = cotangent.sum(axis=0)
        if self._layout.plain and not self._layout.centred:
            summed = self._backend.xp.fft.fftshift(summed)
        out = self._backend.xp.zeros_like(background)
        out[self._seen] = 2 * background[self._seen] * self._band * summed
        return out

    def _ordered(self, offset: Array) -> Array:
        unshifted = self._layout.plain and not self._layout.centred
        return self._backend.xp.fft.ifftshift(offset) if unshifted else offset


class VirtualDetectors:
    """Weighted sums of the pattern.

    Notes
    -----
    forward: c_k = Σ masks_k · I. adjoint: g_I = Σ_k masks_k g_k.
    """

    def __init__(self, backend: Backend, masks: Array):
        self._backend, self._masks = backend, masks

    def forward(self, intensity: Array) -> Array:
        """(pattern, y, x) to (pattern, detector)."""
        return self._backend.xp.tensordot(intensity, self._masks, axes=((1, 2), (1, 2)))

    def adjoint(self, cotangent: Array) -> Array:
        """(pattern, detector) to (pattern, y, x)."""
        return self._backend.xp.tensordot(cotangent, self._masks, axes=1)
