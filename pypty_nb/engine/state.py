"""What one epoch hands to the next, and a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pypty_nb.backend import Backend
from pypty_nb.engine import vector
from pypty_nb.engine.lbfgs import History
from pypty_nb.engine.refinables import pack, pack_history, to_host, unpack, unpack_history
from pypty_nb.engine.regrid import Margins
from pypty_nb.params import ParameterError
from pypty_nb.records import Refinables


@dataclass(frozen=True)
class Best:
    """The state whose held-out pixels fitted best."""

    epoch: int
    validation: float
    point: Refinables


@dataclass(frozen=True)
class State:
    """Between two epochs.

    Attributes
    ----------
    epoch : int
        The next one.
    point : Refinables
    corners : int array, (pattern, 2)
        Where the patches are cut.
    grown : ((int, int), (int, int))
        Pixels that the object has grown by since the start, before and after, in y and in x.
    history : History
    rejected : int
        Epochs rejected in a row; `patience.ended` reads it.
    paused : tuple of (str, int)
        Arrays that rest, and until which epoch.
    best : Best or None
        ``None`` where nothing is held out.
    seconds : float
    """

    epoch: int
    point: Refinables
    corners: np.ndarray
    grown: Margins = ((0, 0), (0, 0))
    history: History = field(default_factory=History)
    rejected: int = 0
    paused: tuple[tuple[str, int], ...] = ()
    best: Best | None = None
    seconds: float = 0.0


def packed(state: State, backend: Backend) -> dict[str, np.ndarray]:
    """All that is needed to go on exactly as if nothing had happened."""
    arrays = {
        "epoch": np.array(state.epoch),
        "rejected": np.array(state.rejected),
        "seconds": np.array(state.seconds),
        "corners": state.corners,
        "grown": np.array(state.grown),
        **{f"paused/{name}": np.array(until) for name, until in state.paused},
        **pack(to_host(backend, state.point), "point"),
        **pack_history(state.history, backend),
    }
    if state.best is not None:
        arrays |= {"best/epoch": np.array(state.best.epoch), "best/validation": np.array(state.best.validation)}
        arrays |= pack(to_host(backend, state.best.point), "best/point")
    return arrays


def restored(checkpoint: Mapping[str, np.ndarray], start: State, backend: Backend) -> State:
    """The state that `packed` wrote, of a run that began at `start`.

    Raises
    ------
    ParameterError
        Where the arrays are not those of such a run, or some are missing.
    """
    grown = checkpoint["grown"].tolist() if "grown" in checkpoint else start.grown
    point = unpack(checkpoint, "point", backend)
    for name, array in vector.present(start.point):
        found, expected = getattr(point, name), array.shape
        if name == "obj":
            expected = (expected[0] + sum(grown[0]), expected[1] + sum(grown[1]), *expected[2:])
        if found is None or found.shape != expected:
            shape = "missing" if found is None else f"of shape {found.shape}"
            raise ParameterError(
                f"the checkpoint's {name} is {shape}, the preset asks for {expected}: it belongs to another preset"
            )
    needed = ("epoch", "rejected", "seconds", *(("best/validation",) if "best/epoch" in checkpoint else ()))
    missing = ", ".join(name for name in needed if name not in checkpoint)
    if missing:
        raise ParameterError(f"the checkpoint is damaged (it has no {missing}); delete it to start at the first epoch")
    return State(
        epoch=int(checkpoint["epoch"]),
        point=point,
        corners=checkpoint.get("corners", start.corners),
        grown=((grown[0][0], grown[0][1]), (grown[1][0], grown[1][1])),
        history=unpack_history(checkpoint, backend),
        rejected=int(checkpoint["rejected"]),
        paused=tuple((key.split("/")[1], int(until)) for key, until in checkpoint.items() if key.startswith("paused/")),
        best=_best(checkpoint, backend),
        seconds=float(checkpoint["seconds"]),
    )


def _best(checkpoint: Mapping[str, np.ndarray], backend: Backend) -> Best | None:
    if "best/epoch" not in checkpoint:
        return None
    point = unpack(checkpoint, "best/point", backend)
    return Best(int(checkpoint["best/epoch"]), float(checkpoint["best/validation"]), point)
