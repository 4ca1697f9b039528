"""What several values must agree on, as far as the preset itself tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from pypty_nb.params.errors import ParameterError
from pypty_nb.params.schedule import CHECKED_EPOCHS, Schedule

Values = Mapping[str, Any]


def problems(values: Values) -> list[str]:
    """Every contradiction, one sentence each."""
    return [problem for check in _CHECKS for problem in check(values)]


def _wolfe(values: Values) -> Iterator[str]:
    for epoch, (c1, c2) in _over_epochs(values, "wolfe_c1_constant", "wolfe_c2_constant"):
        # what is no number at all is refused where a schedule's values are looked at
        if isinstance(c1, (int, float)) and isinstance(c2, (int, float)) and c1 >= c2:
            when = f" in epoch {epoch}" if epoch is not None else ""
            yield f"wolfe_c1_constant: must be below wolfe_c2_constant = {c2:g}{when}; got {c1:g}"
            return


def _pattern_count(values: Values) -> Iterator[str]:
    count = _patterns(values)
    if count is None:
        return
    for name in ("positions", "tilts", "beam_current", "aberration_marker", "probe_marker"):
        array = values[name]
        if not isinstance(array, np.ndarray) or len(array) == count:
            continue
        common = name in {"positions", "tilts"}
        if not (common and len(array) == 1):
            yield f"{name}: has {len(array)} rows for {count} patterns; give one a pattern" + (
                " or one for all" if common else ""
            )


def _probe_window(values: Values) -> Iterator[str]:
    probe, dataset = values["probe"], values["dataset"]
    if (
        not isinstance(probe, np.ndarray)
        or not isinstance(dataset, np.ndarray)
        or values["masks"] is not None
        or dataset.ndim < 3
    ):
        return
    binning, scale, pad = values["data_bin"], values["upsample_pattern"], values["data_pad"]
    window = tuple(length // binning * scale + 2 * pad for length in dataset.shape[-2:])
    if probe.shape[:2] != window:
        is_, wanted = (f"{shape[0]} × {shape[1]}" for shape in (probe.shape, window))
        yield f"probe: is {is_} px; the patterns, as binned, upsampled and padded, ask for {wanted}"


def _scan_size(values: Values) -> Iterator[str]:
    size, count = values["scan_size"], _patterns(values)
    if size is not None and count is not None and size[0] * size[1] != count:
        yield f"scan_size: {size[0]} × {size[1]} = {size[0] * size[1]} points for {count} patterns"


def _finite(values: Values) -> Iterator[str]:
    for name, value in values.items():
        # the data are checked where they are read, which may be a file
        if name != "dataset" and isinstance(value, np.ndarray) and value.dtype.kind in "fc" and not np.isfinite(value).all():
            yield f"{name}: holds NaN or infinite numbers"


def _compressed(values: Values) -> Iterator[str]:
    for _, (algorithm,) in _over_epochs(values, "algorithm"):
        compressed = str(algorithm).endswith("_compressed")
        if (values["masks"] is not None) != compressed:
            if compressed:
                yield f"algorithm: {algorithm} compares virtual detectors; give them in masks"
            else:
                yield f"masks: virtual detectors demand a compressed algorithm, such as lsq_compressed; got {algorithm}"
            return


def _bad_pixels(values: Values) -> Iterator[str]:
    pixels = values["bad_pixels"]
    if pixels is None:
        return
    if values["masks"] is not None:
        yield "bad_pixels: signals of virtual detectors have no pixels; set the weights of masks to zero there"
    if (pixels < 0).any():
        yield f"bad_pixels: {pixels[(pixels < 0).any(axis=1)][0].tolist()} is no pixel; they are [y, x], numbered from 0"


def _over_epochs(values: Values, *names: str) -> Iterator[tuple[int | None, tuple[Any, ...]]]:
    """Epoch and values of some parameters together; once, without an epoch, where none of them is scheduled."""
    given = [values[name] for name in names]
    if not any(isinstance(value, Schedule) for value in given):
        yield None, tuple(given)
        return
    first = values["epoch_prev"]
    for epoch in range(first, min(max(values["epoch_max"], first + 1), first + CHECKED_EPOCHS)):
        try:
            yield epoch, tuple(value.value(epoch) if isinstance(value, Schedule) else value for value in given)
        except ParameterError:
            return  # a schedule that gives no value is a problem of its own, said where it is looked at


def _patterns(values: Values) -> int | None:
    dataset = values["dataset"]
    if dataset is None:
        return None
    if dataset.ndim == 4:
        return dataset.shape[0] * dataset.shape[1]
    return dataset.shape[0]


_CHECKS: tuple[Callable[[Values], Iterator[str]], ...] = (
    _wolfe,
    _pattern_count,
    _probe_window,
    _scan_size,
    _finite,
    _compressed,
    _bad_pixels,
)
