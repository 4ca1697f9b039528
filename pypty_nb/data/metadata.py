"""What a file says about its own measurement: proposals, each with where it stands, for a person to confirm or change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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


#: Facts by the key of the experiment they propose: `acc_voltage`, `scan_step_A`, `rez_pixel_size_mrad`, …
Metadata = Mapping[str, Found]
