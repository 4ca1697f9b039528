"""The frozen records that pass between the layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

#: NumPy on the host, CuPy on a device; the engine works on either.
Array = Any


@dataclass(frozen=True)
class Refinables:
    """Everything a reconstruction may refine, as one vector of arrays.

    A *point* holds all seven; a gradient or a direction has ``None`` where an array is held fixed.
    The gradient convention is ``g = dL/dRe + i dL/dIm``, so ``L(x + eps d) = L + eps <g, d>`` with
    ``<a, b> = sum Re(conj(a) b)`` for real and complex arrays alike.

    Attributes
    ----------
    obj : complex array, (y, x, slice, mode)
        Transmission function.
    probe : complex array, (y, x, mode) or (y, x, mode, scenario)
        Real-space illumination, centred in its window.
    positions : float array, (pattern, 2)
        Top-left corner of every patch as [y, x], pixels.
    tilts : float array, (1 or pattern, 6)
        [y, x] before, inside and after the specimen, tangents.
    static_background : float array, (ky, kx) or (1, 1)
        Square root of a constant offset in counts, centred.
    beam_current : float array, (pattern,)
        Factor on the probe's amplitude.
    aberrations_array : float array, (scan, coefficient)
        Krivanek coefficients per scan, angstrom.
    """

    obj: Array = None
    probe: Array = None
    positions: Array = None
    tilts: Array = None
    static_background: Array = None
    beam_current: Array = None
    aberrations_array: Array = None

    def __repr__(self) -> str:
        """Names, dtypes and shapes; the numbers would fill pages."""
        held = {part.name: getattr(self, part.name) for part in fields(self)}
        told = (f"{name}={value.dtype}{list(value.shape)}" for name, value in held.items() if value is not None)
        return f"{type(self).__name__}({', '.join(told)})"


@dataclass(frozen=True)
class Evaluation:
    """Loss and gradient at one point.

    Attributes
    ----------
    loss : float
        Sum of all terms.
    sse : float
        Summed squared error of the intensities, unweighted, counts squared.
    terms : mapping of str to float
        Each term of the loss by name; the data term is ``"data"``.
    gradient : Refinables
        ``None`` where ``update_*`` is off.
    residual : float array, (pattern,), or None
        The data term of every pattern.
    validation : float or None
        The data term of the pixels held out of the loss, per pixel on the scale of the data term; ``None`` where none are.
    """

    loss: float
    sse: float
    terms: Mapping[str, float]
    gradient: Refinables
    residual: Array = None
    validation: float | None = None


@dataclass(frozen=True)
class LineSearchReport:
    """How one step was found.

    ``initial_step`` and ``step`` are multiples of the direction; ``slope`` and ``new_slope`` the directional
    derivatives at both ends; ``evaluations`` counts losses with gradient; ``accepted`` is False where no step
    met the conditions; ``trials`` holds every step tried, in turn, and the loss there.
    """

    initial_step: float = 0.0
    step: float = 0.0
    slope: float = 0.0
    new_slope: float = 0.0
    evaluations: int = 0
    accepted: bool = True
    trials: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class EpochReport:
    """What one epoch says about itself.

    The loss, its terms, the sse and the residual are those of the state the epoch started from; ``point`` is that
    state after the step. The last report of a run repeats the final state's loss with ``final`` set.

    Attributes
    ----------
    epoch : int
    loss, sse : float
    terms : mapping of str to float
    search : LineSearchReport
    seconds : float
        Wall-clock time since the run (or its resumption) began.
    warnings : tuple of str
    residual : float array, (pattern,)
    point : Refinables
        NumPy on the host.
    final : bool
    validation : float or None
        As in `Evaluation`.
    """

    epoch: int
    loss: float
    sse: float
    terms: Mapping[str, float]
    search: LineSearchReport
    seconds: float
    warnings: tuple[str, ...] = ()
    residual: Array = field(default=None, repr=False)
    point: Refinables = field(default_factory=Refinables)
    final: bool = False
    validation: float | None = None

    @property
    def step(self) -> float:
        """The accepted multiple of the search direction; 0 where the step was rejected."""
        return self.search.step

    @property
    def evaluations(self) -> int:
        """Losses with gradient that this epoch took."""
        return self.search.evaluations
