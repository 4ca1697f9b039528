"""A run: begun, gone on with, looked at, told what to do."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from pypty_nb.cli.arguments import assignments
from pypty_nb.cli.console import ERR, OUT, done, epochs_bar, follow, warn
from pypty_nb.params import ParameterError, Preset

if TYPE_CHECKING:
    from pypty_nb.runs import Hooks, RecordedRun, RunState

commands = typer.Typer()


@commands.command()
def run(
    preset: Annotated[Path, typer.Argument(help="Preset (.json), as the page exports it.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run; its own new one in the current folder where not given.")
    ] = None,
) -> None:
    """Reconstruct a preset."""
    from pypty_nb.runs import RecordedRun

    loaded = Preset.from_json(preset)
    folder = out or Path(loaded.output_folder or _free_folder(preset.stem))
    _to_the_end(folder, lambda hooks: RecordedRun.start(loaded, folder, hooks), silent=loaded.print_flag == 0)


@commands.command()
def resume(folder: Annotated[Path, typer.Argument(help="Folder of a run.")]) -> None:
    """Go on with a run after its last complete epoch."""
    from pypty_nb.runs import RecordedRun, RunFolder

    opened = RunFolder.open(folder)
    if opened.is_finished():
        OUT.print(f"{escape(str(folder))}: this run has finished; nothing is left to do")
        return
    _to_the_end(folder, lambda hooks: RecordedRun.resume(folder, hooks), silent=opened.preset().print_flag == 0)


@commands.command()
def watch(folder: Annotated[Path, typer.Argument(help="Folder of a run, on this machine or shared by another.")]) -> None:
    """Show a run's progress; Ctrl-C looks away and leaves the run alone."""
    try:
        state = _watch(folder)
    except KeyboardInterrupt:
        OUT.print(f"{escape(str(folder))}: the run goes on")
        return
    why = f": {state.message}" if state.message else ""
    OUT.print(escape(f"{folder}: {state.phase} after epoch {state.epoch}{why}"))


def _watch(folder: Path) -> RunState:
    """Show the progress of the run in `folder` until it has ended; its last state."""
    from pypty_nb.runs import Follower, Phase

    follower = Follower(folder)
    state, data = follower.poll().state, ""
    with epochs_bar() as progress:
        task = progress.add_task("", total=state.epoch_max, completed=state.epoch, loss=str(state.phase))
        for update in follower.updates():
            state = update.state
            if update.reports:
                data = f"data loss {update.reports[-1].terms['data']:.6g}"
            words = data if state.phase is Phase.RUNNING else str(state.phase)
            progress.update(task, total=state.epoch_max, completed=state.epoch, loss=words)
            for warning in (event for event in update.events if event.get("event") == "warning"):
                warn(f"epoch {warning['epoch']}: {warning['warning']}")
    return state


@commands.command()
def tell(
    folder: Annotated[Path, typer.Argument(help="Folder of a run that is under way.")],
    command: Annotated[str, typer.Argument(help="pause, resume, stop, abort, change or undo.")],
    values: Annotated[list[str] | None, typer.Argument(help="For change: name=value …")] = None,
) -> None:
    """Tell a run that is under way what to do; it does so between epochs."""
    from pypty_nb.runs import Follower, send

    follower = Follower(folder)
    state = follower.poll().state
    if not state.busy:
        raise ParameterError(f"{folder}: the run is not under way, but {state.phase}")
    given = assignments(values)
    if given and command != "change":
        raise ParameterError(f"{command}: takes no values; they are for change")
    sent = send(folder, command, given)
    for update in follower.updates():
        for answer in update.events:
            if answer.get("id") == sent:
                if not answer["accepted"]:
                    raise ParameterError(f"{command}: {answer['why']}")
                done(f"{escape(command)}, after epoch {answer['epoch']}")
                return
    raise ParameterError(f"{folder}: the run has ended before it answered")


def _to_the_end(folder: Path, begin: Callable[[Hooks], RecordedRun], *, silent: bool) -> None:
    """Run in this process, which may be ended by Ctrl-C, by SIGTERM, or through the folder."""
    from _thread import interrupt_main
    from functools import partial

    from pypty_nb.runs import Hooks, Phase

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with nullcontext() if silent else ERR.status("Reading patterns …"):
            recorded = begin(Hooks(interrupt=partial(interrupt_main, signal.SIGTERM)))
        with recorded:
            report = follow(recorded, lambda: recorded.reconstruction.preset)
            state = recorded.state
    finally:
        if "PYPTY_NB_QUEUE" in os.environ:
            from pypty_nb.workspace.jobs import advance_surroundings

            advance_surroundings()
    if recorded.reconstruction.preset.print_flag == 0:
        return
    if state.phase is Phase.FINISHED and report is not None:
        done(
            f"Finished after epoch {report.epoch}. Data loss [bold]{report.terms['data']:.8g}[/], "
            f"{report.seconds:.1f} s. "
            f"Results are in {escape(str(folder))}"
        )
    else:
        OUT.print(f"Stopped after epoch {state.epoch}. Complete epochs are saved in {escape(str(folder))}")


def _free_folder(stem: str) -> str:
    candidates = (f"{stem}-run-{number:03d}" for number in range(1, 100000))
    return next(name for name in candidates if not Path(name).exists())
