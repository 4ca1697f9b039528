"""FEI TIA: a ``.ser`` series, or the ``.emi`` that describes those beside it."""

from __future__ import annotations

from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import Any

from pypty_nb.data.dataset import DataError, Dataset, Stated
from pypty_nb.data.metadata import Facts, as_number
from pypty_nb.data.rosetta import open_signals

FORMAT = "TIA"
ENDINGS = (".ser", ".emi")


def open_file(path: Path, stated: Stated) -> Dataset:
    """Open `path`."""
    if path.suffix.lower() == ".ser":
        with path.open("rb") as file:
            start = file.read(2)
        if start not in (b"II", b"MM"):
            raise DataError(f"{path}: cannot be read as .ser: it starts with {start!r}, not with its byte order")
    return open_signals(path, "tia", stated, describe=_describe)


def parts(path: Path) -> Iterator[Path]:
    """The series that an ``.emi`` describes, found as RosettaSciIO finds them."""
    return map(Path, glob(f"{path.with_suffix('')}_[0-9].ser") if path.suffix.lower() == ".emi" else ())  # noqa: PTH207


def _describe(signal: dict[str, Any], facts: Facts) -> None:
    described = signal["original_metadata"].get("ObjectInfo", {}).get("ExperimentalConditions", {})
    said = described.get("MicroscopeConditions", {})
    facts.add("acc_voltage", said.get("AcceleratingVoltage"), "AcceleratingVoltage of the .emi", 1e-3)
    for axis in signal["axes"]:
        # a pixel of reciprocal space without an .emi to say so is called nm, many orders of magnitude too long
        scale = as_number(axis.get("scale"))
        if scale is not None and scale > 1e9:
            axis["units"] = ""
