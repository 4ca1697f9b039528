"""A band limit on the whole object and the whole probe: a linear change of variable ahead of the model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.physics.grids import disc
from pypty_nb.records import Array, Refinables


class WholeBand:
    """Keep object and probe within q ≤ ½(cutoff − extra) cycles per pixel, true Nyquist.

    Notes
    -----
    forward: x ← F⁻¹ D F x with D the disc's 0 and 1: an orthogonal projection, so its own adjoint. The run's variable lies in
    the projection's range from the start, and so do all its gradients and steps.
    """

    def __init__(self, backend: Backend, radius: float, obj_shape: tuple[int, int] | None, window: tuple[int, int]):
        self._backend = backend
        self._obj = backend.asarray(disc(obj_shape, radius), backend.real) if obj_shape is not None else None
        self._probe = backend.asarray(disc(window, radius), backend.real)

    def forward(self, point: Refinables) -> Refinables:
        """`point` with object and probe band-limited; what it holds fixed (``None``) stays so."""
        return replace(point, obj=self._limited(point.obj, self._obj), probe=self._limited(point.probe, self._probe))

    adjoint = forward

    def _limited(self, array: Array, band: Array | None) -> Array:
        if array is None or band is None:
            return array
        axes = tuple(range(2, array.ndim))
        planes = np.moveaxis(array, axes, range(len(axes)))
        spectra = self._backend.fft2(self._backend.xp.array(planes, order="C"))
        spectra *= band
        return np.moveaxis(self._backend.ifft2(spectra), range(len(axes)), axes)
