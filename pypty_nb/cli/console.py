"""What the commands print to the terminal: sentences and progress bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pypty_nb.params import Preset
from pypty_nb.records import EpochReport

OUT = Console(highlight=False, soft_wrap=True)
ERR = Console(stderr=True, highlight=False, soft_wrap=True)


def done(sentence: str) -> None:
    """Say what was done; the only one of these sentences with markup in it."""
    OUT.print("[bold green]✓[/] " + sentence)


def warn(sentence: str) -> None:
    """Say what to look at."""
    ERR.print("[yellow]▲[/] " + escape(sentence))


def fault(sentence: str) -> None:
    """Say what cannot be used."""
    ERR.print("[bold red]✕[/] " + escape(sentence))


@contextmanager
def bar(what: str, count: str = " {task.completed:.0f} of {task.total:.0f}") -> Iterator[Callable[[int, int], None]]:
    """A progress bar, and the function that moves it."""
    columns = (TextColumn(what + count), BarColumn(None), TimeRemainingColumn())
    with Progress(*columns, console=ERR) as progress:
        task = progress.add_task("", total=1)
        yield lambda past, total: progress.update(task, completed=past, total=total)


def epochs_bar() -> Progress:
    """A progress bar of epochs, with words on the `loss` beside it."""
    return Progress(
        TextColumn("epoch {task.completed:.0f} of {task.total:.0f}"),
        BarColumn(None),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
        console=ERR,
    )


def follow(reports: Iterable[EpochReport], preset: Preset) -> EpochReport | None:
    """Show a progress bar while `reports` come; the last one."""
    last = None
    with epochs_bar() as progress:
        task = progress.add_task("", total=preset.epoch_max, completed=preset.epoch_prev, loss="")
        for last in reports:
            progress.update(task, completed=last.epoch + (not last.final), loss=f"data loss {last.terms['data']:.6g}")
            for warning in last.warnings:
                warn(f"epoch {last.epoch}: {warning}")
            if preset.print_flag >= 2 and not ERR.is_terminal and not last.final:
                beside = "" if last.validation is None else f"  held out {last.validation:.8g}"
                ERR.print(
                    f"epoch {last.epoch}  loss {last.loss:.8g}{beside}  step {last.step:.3g}  evaluations {last.evaluations}  "
                    f"{last.seconds:.1f} s"
                )
    return last
