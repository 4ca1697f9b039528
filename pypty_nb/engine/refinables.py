"""Points between host, device and checkpoint."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.engine import vector
from pypty_nb.engine.lbfgs import History, Pair
from pypty_nb.records import Refinables


def to_host(backend: Backend, point: Refinables) -> Refinables:
    """`point` as NumPy arrays."""
    return vector.each(backend.to_host, point)


def pack(point: Refinables, prefix: str) -> dict[str, np.ndarray]:
    """The arrays of a host `point` by name, for a checkpoint."""
    return {f"{prefix}/{name}": np.asarray(array) for name, array in vector.present(point)}


def unpack(state: Mapping[str, np.ndarray], prefix: str, backend: Backend) -> Refinables:
    """The point that `pack` wrote; object and probe get the memory layout the engine works in."""
    arrays = {}
    for name in vector.NAMES:
        array = state.get(f"{prefix}/{name}")
        if array is not None and name in {"obj", "probe"}:
            axes = tuple(range(2, array.ndim))
            planes = np.ascontiguousarray(np.moveaxis(array, axes, range(len(axes))))
            arrays[name] = backend.xp.moveaxis(backend.asarray(planes), tuple(range(len(axes))), axes)
        elif array is not None:
            arrays[name] = backend.asarray(array)
    return Refinables(**arrays)


def pack_history(history: History, backend: Backend) -> dict[str, np.ndarray]:
    """`history` as arrays."""
    packed: dict[str, np.ndarray] = {"history/common": np.float64(history.common)}  # pyright: ignore[reportAssignmentType]
    for name, value in history.scales:
        packed[f"history/scale/{name}"] = np.float64(value)  # pyright: ignore[reportArgumentType]
    for index, pair in enumerate(history.pairs):
        packed[f"history/{index}/curvature"] = np.float64(pair.curvature)  # pyright: ignore[reportArgumentType]
        packed |= pack(to_host(backend, pair.step), f"history/{index}/step")
        packed |= pack(to_host(backend, pair.change), f"history/{index}/change")
    return packed


def unpack_history(state: Mapping[str, np.ndarray], backend: Backend) -> History:
    """The history that `pack_history` wrote; an empty one where there is none."""
    if "history/common" not in state:
        return History()
    pairs = []
    while f"history/{len(pairs)}/curvature" in state:
        prefix = f"history/{len(pairs)}"
        step, change = unpack(state, f"{prefix}/step", backend), unpack(state, f"{prefix}/change", backend)
        pairs.append(Pair(step, change, float(state[f"{prefix}/curvature"])))
    # in the order they were written, which is that of the first steps
    scales = tuple((key.rsplit("/", 1)[1], float(value)) for key, value in state.items() if key.startswith("history/scale/"))
    return History(tuple(pairs), scales, float(state["history/common"]))
