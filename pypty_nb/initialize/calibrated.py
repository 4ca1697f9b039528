"""A calibrated value: what it is, how well it is known, and where it comes from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Tag = Literal["file", "measured", "guessed", "user", "default"]

#: Labels and units of the quantities, in the order in which they are shown.
QUANTITIES: dict[str, tuple[str, str]] = {
    "acc_voltage": ("Voltage", "kV"),
    "scan_size": ("Scan size", ""),
    "scan_step_A": ("Scan step", "Å"),
    "positions": ("Positions", ""),
    "centre": ("Disc centre", "px"),
    "radius": ("Disc radius", "px"),
    "rez_pixel_size_mrad": ("Detector pixel", "mrad"),
    "rez_pixel_size_A": ("Detector pixel", "Å⁻¹"),
    "conv_semiangle_mrad": ("Semi-angle", "mrad"),
    "transform_axis_matrix": ("Scan axes", ""),
    "PLRotation_deg": ("Rotation", "°"),
    "defocus": ("C10", "Å"),
    "aberrations": ("Aberrations", "Å"),
    "data_shift_vector": ("Shift pattern", "px"),
    "bad_pixels": ("Bad pixels", ""),
    "data_pad": ("Pad pattern", "px"),
    "pixel_size_A": ("Object pixel", "Å"),
    "chemical_formula": ("Formula", ""),
    "sample_name": ("Sample", ""),
}


@dataclass(frozen=True)
class Calibrated:
    """One quantity.

    Attributes
    ----------
    value : number, tuple or array
        In the unit of `QUANTITIES`.
    tag : str
        "file", "measured", "guessed", "user" or "default".
    source : str
        Where it stands or how it was found, for a person.
    uncertainty : float or None
        Standard deviation; ``None`` where nobody knows.
    """

    value: Any
    tag: Tag
    source: str = ""
    uncertainty: float | None = None

    @property
    def digits(self) -> int | None:
        """Decimal places up to the second digit of the uncertainty, negative ahead of the point; ``None``: unknown."""
        return 1 - math.floor(math.log10(self.uncertainty)) if self.uncertainty else None

    @property
    def rounded(self) -> Any:
        """A number without the digits that its uncertainty leaves no meaning."""
        return self.value if self.digits is None else round(self.value, self.digits)


def as_text(name: str, calibrated: Calibrated) -> tuple[str, str, str, str]:
    """Label, value with its uncertainty and unit, tag, and source of a quantity, for a table."""
    label, unit = QUANTITIES[name]
    value, spread, digits = calibrated.value, calibrated.uncertainty, calibrated.digits
    if name == "bad_pixels":
        text = "none" if value is None else f"{len(value)} left out"
    elif name == "positions":
        text = f"{len(value)}, one by one"
    elif isinstance(value, (tuple, list, np.ndarray)):
        numbers = np.asarray(value)
        places, mode = (4, "maxprec") if digits is None else (max(digits, 0), "fixed")
        text = np.array2string(numbers, separator=", ", precision=places, floatmode=mode, suppress_small=True).replace("\n", "")
    elif isinstance(value, float):
        text = f"{value:.6g}" if digits is None else _to_place(value, digits)
    else:
        text = str(value)
    if spread and digits is not None:
        text += f" ± {_to_place(spread, digits)}"
    return label, f"{text} {unit}".strip(), calibrated.tag, calibrated.source


def _to_place(value: float, digits: int) -> str:
    return f"{round(value, digits):.{max(digits, 0)}f}"


def about(values: Mapping[str, Calibrated]) -> str:
    """All values in one paragraph, for the preset that is made from them."""
    rows = [as_text(name, values[name]) for name in QUANTITIES if name in values]
    return "Calibrated: " + "; ".join(f"{label} {text} ({tag}: {source})" if source else f"{label} {text} ({tag})"
                                      for label, text, tag, source in rows) + "."  # fmt: skip
