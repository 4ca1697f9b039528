"""A run's state in words: mark, top bar, sentence, and what the one slot button does."""

from __future__ import annotations

from dataclasses import dataclass

from pypty_nb.widgets import text
from pypty_nb.workspace import Phase, RunState

_FIRST = "First epoch: the longest, its step is searched for. The first run on a machine also compiles for some ten seconds"
_WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight", 9: "nine"}


@dataclass(frozen=True)
class Status:
    """What the bars say of a run.

    Attributes
    ----------
    mark : str
        Of `text.mark`.
    words : str
        For the top bar.
    sentence : str
        For the bottom bar; "" where the read-outs say it.
    action : str
        Run, Pause, Resume or Run again.
    """

    mark: str
    words: str
    sentence: str
    action: str


def status(state: RunState, seconds: float = 0.0, rejected: int = 0) -> Status:
    """Words for `state`; `seconds` is how long the run has taken, `rejected` how many steps in a row were of no use."""
    done, last = state.epoch, state.epoch_max
    match state.phase:
        case Phase.IDLE:
            return Status("todo", "Idle", "Idle. Nothing has been run with this preset.", "Run")
        case Phase.QUEUED:
            return Status(
                "pause", f"Waits, place {state.place}", f"Waits for its turn: place {state.place} in the queue", "Run"
            )
        case Phase.LOST:
            return Status("err", "Lost", f"Lost: {state.message}", "Resume")
        case Phase.PREPARING:
            return Status("run", "Preparing", "Preparing: reading the data and building the model.", "Pause")
        case Phase.RUNNING:
            sentence = _FIRST if done == state.epoch_first else ""
            return Status("run", f"Running, epoch {max(done, 1)} of {last}", sentence, "Pause")
        case Phase.PAUSED:
            sentence = "Paused. Nothing is lost; Resume goes on from here"
            return Status("pause", f"Paused after epoch {done}", sentence, "Resume")
        case Phase.STOPPING:
            return Status("run", f"Stopping after epoch {done + 1}", f"Stopping: epoch {done + 1} goes on to its end", "Pause")
        case Phase.STOPPED:
            return Status(
                "stop", f"Stopped by you, epoch {done}", f"Stopped by you after epoch {done}. The state is saved", "Run again"
            )
        case Phase.FINISHED:
            return _finished(state, seconds, rejected)
        case Phase.FAILED:
            where = f" at epoch {done + 1}" if done > state.epoch_first else ""
            return Status("err", "Failed", f"Failed{where}: {state.message}", "Run again")


def _finished(state: RunState, seconds: float, rejected: int) -> Status:
    done, last = state.epoch, state.epoch_max
    took = f" in {text.duration(seconds)}" if seconds else ""
    if done < last and rejected > 1:
        times = f"Rejected {_WORDS.get(rejected, rejected)} times"
        return Status(
            "rej", times, f"{times} at epoch {done}: no step lowered the loss. The last good state is kept", "Run again"
        )
    if done < last:
        sentence = f"Ended at epoch {done} of {last}{took}. The last state is kept"
        return Status("rej", f"Ended at epoch {done} of {last}", sentence, "Run again")
    return Status("ok", f"Finished, {done} epochs", f"Finished. {done} of {last} epochs{took}", "Run again")
