"""When a run gains nothing: which arrays rest after rejected epochs, and when the held-out pixels end it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from pypty_nb.engine.lbfgs import History
from pypty_nb.engine.state import Best, State

#: After this many rejected epochs in a row these arrays pause, one after the other, and then the run ends.
_PAUSE_ORDER = ("positions", "tilts", "static_background", "aberrations_array", "probe")
_PAUSE_EPOCHS = 10
_FIRST_PAUSE = 2
_MAX_REJECTED = 7


def ended(state: State) -> bool:
    """Whether nothing more can be gained, so that no epoch follows."""
    return state.rejected >= _MAX_REJECTED


def at_the_bottom(state: State) -> State:
    """The state after an epoch that began where the gradient is zero: the last one."""
    return replace(state, history=History(), rejected=_MAX_REJECTED)


def changed(state: State, *, comparable: bool) -> State:
    """The state after a change of parameters: what was rejected may be accepted now; losses may compare no longer."""
    return replace(state, rejected=0, best=state.best if comparable else None)


def resting(state: State, epoch: int) -> set[str]:
    """The arrays that are held fixed in `epoch`."""
    return {name for name, until in state.paused if epoch < until}


def rejected(state: State, epoch: int, refined: Collection[str]) -> tuple[State, tuple[str, ...]]:
    """The state after `epoch`, in which no step lowered the loss and `refined` arrays moved, and what is to be said."""
    times, paused = state.rejected + 1, state.paused
    warnings = [f"the update of epoch {epoch} was rejected: no step lowered the loss; the history was reset"]
    index = times - _FIRST_PAUSE
    if 0 <= index < len(_PAUSE_ORDER) and _PAUSE_ORDER[index] in refined:
        name = _PAUSE_ORDER[index]
        paused = (*((n, until) for n, until in paused if n != name), (name, epoch + 1 + _PAUSE_EPOCHS))
        warnings.append(f"refinement of {name} pauses for {_PAUSE_EPOCHS} epochs")
    return replace(state, history=History(), rejected=times, paused=paused), tuple(warnings)


def overfits(state: State, epoch: int, validation: float | None, patience: int) -> tuple[State, bool]:
    """Remember the best state of the held-out pixels; whether their loss has not fallen for `patience` epochs.

    Then the best state is the present one again.
    """
    best = state.best
    if validation is None:
        return state, False
    if best is None or validation < best.validation:
        return replace(state, best=Best(epoch, validation, state.point)), False
    if not patience or epoch - best.epoch < patience:
        return state, False
    return replace(state, point=best.point, history=History()), True


def words_on_the_end(state: State) -> tuple[str, ...]:
    """What is to be said of the end of a run that `overfits` ended."""
    best = state.best
    if best is None or state.point is not best.point or best.epoch == state.epoch:
        return ()
    return (f"the held-out loss has not fallen since epoch {best.epoch}: the run ends with the state before that epoch",)
