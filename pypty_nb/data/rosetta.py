"""Files that RosettaSciIO reads, as our data sets: opened lazily, axes and metadata as proposals, faults as sentences."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from pypty_nb.data.dataset import DAMAGED, DataError, SourceDataset, Stated
from pypty_nb.data.metadata import Facts


class Lazy:
    """An array of Dask, of which the part that is asked for is computed, in the thread that asks."""

    def __init__(self, array: Any):
        self._array, self.shape, self.dtype = array, tuple(int(n) for n in array.shape), np.dtype(array.dtype)

    def __getitem__(self, key: Any) -> np.ndarray:
        return np.asarray(self._array[key].compute(scheduler="synchronous"))


def open_signals(
    path: Path,
    plugin: str,
    stated: Stated,
    *,
    describe: Callable[[dict[str, Any], Facts], None] | None = None,
) -> SourceDataset:
    """The only stack of patterns in `path`, as RosettaSciIO reads it.

    Parameters
    ----------
    path : Path
    plugin : str
        Name of the reader in RosettaSciIO.
    stated : Stated
    describe : function, optional
        Gathers what this format alone says, before what all do.

    Raises
    ------
    DataError
        Where the file cannot be read or holds no stack of patterns, or several.
    """
    reader = import_module(f"rsciio.{plugin}")
    with _quiet():
        found = reader.file_reader(str(path), lazy=True)
    stacks = [signal for signal in found if np.ndim(signal["data"]) >= 3]
    if len(stacks) != 1:
        shapes = ", ".join(str(tuple(np.shape(signal["data"]))) for signal in found) or "nothing"
        many = "several stacks" if stacks else "no stack"
        raise DataError(f"{path}: holds {many} of patterns; it holds {shapes}")
    signal = stacks[0]
    data, axes = signal["data"], axes_of(signal)
    facts = Facts()
    if describe is not None:
        describe(signal, facts)
    instrument(signal, facts)
    facts.add_scales(axes, [(axis.get("scale"), axis.get("units")) for axis in signal["axes"]], "the scales of the file")
    return SourceDataset(Lazy(data), str(path), stated, axes=axes, metadata=facts)


def axes_of(signal: dict[str, Any]) -> Sequence[str]:
    """What the axes of a signal are: those to navigate by are the scan's, where the reader can tell."""
    shape = np.shape(signal["data"])
    navigate = [bool(axis.get("navigate")) for axis in signal["axes"]]
    if len(shape) == len(navigate) and len(shape) - sum(navigate) == 2:
        names = iter(("scan_y", "scan_x") if len(shape) == 4 else ("pattern",))
        detector = iter(("ky", "kx"))
        return [next(names if scan else detector, "1") for scan in navigate]
    return ("scan_y", "scan_x", "ky", "kx") if len(shape) == 4 else ("pattern", "ky", "kx")


def instrument(signal: dict[str, Any], facts: Facts) -> None:
    """What the common metadata of RosettaSciIO say of the microscope."""
    microscope = signal.get("metadata", {}).get("Acquisition_instrument", {}).get("TEM", {})
    facts.add("acc_voltage", microscope.get("beam_energy"), "beam energy of the file")
    facts.add("conv_semiangle_mrad", microscope.get("convergence_angle"), "convergence angle of the file")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the reader has to say beside the data, which is not for the terminal; what matters is checked by us."""
    logger = logging.getLogger("rsciio")
    level = logger.level
    try:
        logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def check_size(path: Path, needed: int) -> None:
    """Raise a `DataError` where the file has fewer than `needed` bytes."""
    found = path.stat().st_size
    if found < needed:
        raise DataError(f"{path}: is cut short: its header speaks of {needed} bytes, it has {found}: {DAMAGED}")
