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


def epochs_bar(*, silent: bool = False) -> Progress:
    """A progress bar of epochs, with words on the `loss` beside it."""
    return Progress(
        TextColumn("epoch {task.completed:.0f} of {task.total:.0f}"),
        BarColumn(None),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
        console=ERR,
        disable=silent,
    )


def follow(reports: Iterable[EpochReport], current: Callable[[], Preset]) -> EpochReport | None:
    """Print what `print_flag` of the `current` preset asks for while `reports` come; the last one.

    0 nothing; 1 a bar, with warnings; 2 a line for every epoch too; 3 every step that its line search tried; 4 the terms of
    its loss.
    """
    last, preset = None, current()
    with epochs_bar(silent=preset.print_flag == 0) as progress:
        task = progress.add_task("", total=preset.epoch_max, completed=preset.epoch_prev, loss="")
        for last in reports:
            level = current().print_flag
            progress.update(task, completed=last.epoch + (not last.final), loss=f"data loss {last.terms['data']:.6g}")
            for warning in last.warnings if level else ():
                warn(f"epoch {last.epoch}: {warning}")
            for line in _lines(last, level):
                ERR.print(line, markup=False)
    return last


def _lines(report: EpochReport, level: int) -> Iterator[str]:
    """What is printed of an epoch at the `level` of `print_flag`; the last report is no epoch, and its loss is told apart."""
    if level < 2 or report.final:
        return
    beside = "" if report.validation is None else f"  held out {report.validation:.8g}"
    yield (
        f"epoch {report.epoch}  loss {report.loss:.8g}{beside}  step {report.step:.3g}  evaluations {report.evaluations}  "
        f"{report.seconds:.1f} s"
    )
    if level > 2:
        yield from (f"  tried step {step:.6g}  loss {loss:.8g}" for step, loss in report.search.trials)
    if level > 3:
        yield "  " + "  ".join(f"{name} {value:.8g}" for name, value in report.terms.items())
