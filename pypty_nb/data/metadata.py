"""What a file says about its own measurement: proposals, each with where it stands, for a person to confirm or change."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Found:
    """One fact a file states.

    Attributes
    ----------
    value : number, tuple or array
        In the unit of the key it stands under: kV, Å, mrad, degrees.
    source : str
        Where it stands, for a person: "attribute voltage_kV of the file".
    """

    value: Any
    source: str


#: Facts by the key of the experiment they propose, those of `KEYS`.
Metadata = Mapping[str, Found]

#: Every key a reader may state, with its unit and what it means. All but the last eight are keys of the experiment.
KEYS: dict[str, tuple[str, str]] = {
    "acc_voltage": ("kV", "acceleration voltage"),
    "scan_step_A": ("Å", "scan step along the fast axis"),
    "fov_nm": ("nm", "width of the scan, first to last point"),
    "scan_size": ("", "scan positions (y, x)"),
    "rez_pixel_size_mrad": ("mrad", "detector pixel"),
    "rez_pixel_size_A": ("Å⁻¹", "detector pixel"),
    "conv_semiangle_mrad": ("mrad", "convergence semi-angle"),
    "defocus": ("Å", "C10, positive is overfocus"),
    "PLRotation_deg": ("°", "rotation of the scan against the detector"),
    "defocus_magnitude": ("Å", "defocus of unknown sign"),
    "scan_rotation_deg": ("°", "rotation set in the scan unit, in the maker's own convention"),
    "positions": ("Å", "scan positions, (pattern, 2), [y, x]"),
    "positions_px": ("px", "scan positions in object pixels, (pattern, 2), [y, x]"),
    "energy": ("eV", "photon energy"),
    "wavelength": ("Å", "wavelength"),
    "distance": ("m", "specimen to detector"),
    "mask": ("", "detector pixels that count, (ky, kx), bool"),
}
#: Numbers that may be negative, or 0.
SIGNED = {"defocus", "PLRotation_deg", "scan_rotation_deg"}
#: What axes that are turned or named otherwise make meaningless.
_TURNED = {"PLRotation_deg", "scan_rotation_deg"}
_OF_AXES = {"scan_step_A", "fov_nm", "rez_pixel_size_mrad", "rez_pixel_size_A"}
_ARRAYS = {"positions", "positions_px", "mask", "scan_size"}

_LENGTHS = {"m": 1e10, "mm": 1e7, "um": 1e4, "µm": 1e4, "μm": 1e4, "nm": 10.0, "pm": 0.01, "a": 1.0, "å": 1.0, "ang": 1.0}
_LENGTHS |= {"angstrom": 1.0, "angstroms": 1.0, "meter": 1e10, "meters": 1e10, "metre": 1e10, "micron": 1e4}
_ANGLES = {"mrad": 1.0, "rad": 1e3, "urad": 1e-3, "µrad": 1e-3, "deg": math.radians(1) * 1e3, "°": math.radians(1) * 1e3}
#: h·c in eV·Å, from the exact constants of the SI.
HC_EV_A = 6.62607015e-34 * 299792458.0 / 1.602176634e-19 * 1e10


class Facts(dict[str, Found]):
    """Facts being gathered: what is no usable value is passed over, and the first statement of a key stands."""

    def add(self, key: str, value: Any, source: str, factor: float = 1.0) -> None:
        """State `value` × `factor` under `key`, where it is one."""
        if key in self or value is None:
            return
        if key in _ARRAYS:
            self[key] = Found(value, source)
            return
        number = as_number(value)
        if number is not None and (number > 0 or key in SIGNED):
            self[key] = Found(number * factor, source)

    def add_length(self, key: str, value: Any, unit: Any, source: str) -> None:
        """State a length in Å, where `unit` is one of length."""
        factor = _LENGTHS.get(plain_unit(unit))
        if factor is not None:
            self.add(key, value, source, factor)

    def add_pixel(self, value: Any, unit: Any, source: str) -> None:
        """State the detector pixel, where `unit` is an angle or a reciprocal length."""
        name = plain_unit(unit)
        if name in _ANGLES:
            self.add("rez_pixel_size_mrad", value, source, _ANGLES[name])
        inverse = name[2:] if name.startswith("1/") else name[:-3] if name.endswith("^-1") else ""
        if inverse in _LENGTHS:
            self.add("rez_pixel_size_A", value, source, 1 / _LENGTHS[inverse])

    def add_energy(self, value: Any, unit: Any, source: str) -> None:
        """State a photon's energy, and the wavelength hc/E that follows from it."""
        number = as_number(value)
        factor = {"j": 1 / 1.602176634e-19, "ev": 1.0, "kev": 1e3}.get(plain_unit(unit).lower() or "j")
        if number is None or factor is None or number <= 0:
            return
        self.add("energy", number * factor, source)
        self.add("wavelength", HC_EV_A / (number * factor), f"hc/E from {source}")

    def add_scales(self, axes: Sequence[str], scales: Sequence[tuple[Any, Any]], source: str) -> None:
        """State scan step and detector pixel from the (scale, unit) of every axis; of two that differ, x and says so."""
        by_axis = dict(zip(axes, scales, strict=False))
        for first, second, add in (("scan_x", "scan_y", self._add_step), ("kx", "ky", self.add_pixel)):
            if first not in by_axis:
                continue
            (scale, unit), (other, _) = by_axis[first], by_axis.get(second, by_axis[first])
            x, y = as_number(scale), as_number(other)
            differs = x is not None and y is not None and not math.isclose(x, y, rel_tol=1e-3)
            add(scale, unit, f"{source}, {first}" + (f" ({second} differs: {y:.6g})" if differs else ""))

    def _add_step(self, value: Any, unit: Any, source: str) -> None:
        self.add_length("scan_step_A", value, unit, source)


def plain_unit(unit: Any) -> str:
    """`unit` without brackets, blanks and spelling variants: "[n_m^-1]", "1 / nm" and "nm⁻¹" are all one."""
    text = unit.decode("latin1") if isinstance(unit, bytes) else str(unit or "")
    for old, new in ((" ", ""), ("[", ""), ("]", ""), ("_", ""), ("⁻¹", "^-1"), ("**-1", "^-1"), ("Å", "A"), ("Å", "A")):
        text = text.replace(old, new)
    text = text.replace("(", "").replace(")", "")
    return text.lower()


def as_number(value: Any) -> float | None:
    """`value` as a finite float; None where it is none."""
    try:
        array = np.asarray(value)
        if array.size != 1:
            return None
        number = float(array.reshape(())[()])
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def as_text(value: Any) -> str:
    """`value` for a person: a number to six digits, an array by its shape."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        count = f", {int(np.count_nonzero(~value))} left out" if value.dtype == bool else ""
        return f"array {' × '.join(map(str, value.shape))}{count}"
    if isinstance(value, tuple):
        return " × ".join(map(str, value))
    number = as_number(value)
    return str(value) if number is None else f"{number:.6g}"


def as_read(
    metadata: Metadata, source: tuple[Sequence[str], Sequence[int]], stated: tuple[Sequence[str], frozenset[str]]
) -> dict[str, Found]:
    """Facts of a file whose axes are read as a person states them.

    Arrays are turned with the axes they follow; what no longer holds is left out.

    Parameters
    ----------
    metadata : Metadata
    source : names that the file gives its axes, and their lengths
    stated : names that they are read under, and those that are reversed
    """
    (proposed, lengths), (names, back) = source, stated
    if tuple(proposed) == tuple(names) and not back:
        return dict(metadata)
    detector = _turn(proposed, lengths, names, back, ("ky", "kx"))
    scan = _turn(proposed, lengths, names, back, ("scan_y", "scan_x") if "scan_y" in names else ("pattern",))
    out = {}
    for key, found in metadata.items():
        if key == "mask":
            if detector is not None and np.shape(found.value) == detector.shape:
                out[key] = Found(np.asarray(found.value).ravel()[detector.turned], found.source)
        elif key in ("positions", "positions_px"):
            if scan is not None and len(found.value) == scan.turned.size:
                out[key] = Found(np.asarray(found.value)[scan.turned.ravel()], found.source)
        elif key == "scan_size":
            if scan is not None:
                out[key] = Found(scan.turned.shape if scan.turned.ndim == 2 else found.value, found.source)
        elif key not in _TURNED and (detector is not None or key not in _OF_AXES):
            out[key] = found
    return out


@dataclass(frozen=True)
class _Turn:
    """How two axes lie: their lengths as the file has them, and for every place now its number there."""

    shape: tuple[int, ...]
    turned: np.ndarray


def _turn(
    proposed: Sequence[str], lengths: Sequence[int], names: Sequence[str], back: frozenset[str], wanted: tuple[str, ...]
) -> _Turn | None:
    """How the axes `wanted` lie; None where they are others than the file proposes."""
    before, now = ([list(order).index(axis) if axis in order else -1 for axis in wanted] for order in (proposed, names))
    if sorted(before) != sorted(now) or -1 in now:
        return None
    shape = tuple(int(lengths[place]) for place in before)
    turned = np.arange(int(np.prod(shape))).reshape(shape).transpose([before.index(place) for place in now])
    return _Turn(shape, turned[tuple(slice(None, None, -1 if axis in back else 1) for axis in wanted)])
