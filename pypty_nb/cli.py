"""The command `pypty-nb`."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape as _escaped
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

import pypty_nb
from pypty_nb.params import ParameterError, Preset
from pypty_nb.records import EpochReport

cli = typer.Typer(
    help="Ptychography in a web page, a notebook and a shell.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)

#: What typer raises where the command line itself cannot be used; its own box of several lines is not one sentence.
_UsageError = typer.BadParameter if TYPE_CHECKING else typer.BadParameter.__base__
_INTERRUPTED = 130

Port = Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.", min=0, max=65535)]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Only serve the page; do not open it.")]


def main() -> None:
    """Run the command; faults a person can mend are one sentence and exit code 2."""
    try:
        status = cli(standalone_mode=False)
    except _UsageError as error:
        # without a message where no command was given, and the help has been shown
        status = _fault(error.format_message().rstrip(".")) if error.format_message() else 2
    except (ValueError, OSError) as error:
        status = _fault(str(error) or type(error).__name__)
    except (KeyboardInterrupt, typer.Abort):
        status = _INTERRUPTED
    if status == _INTERRUPTED:
        _err.print("interrupted; complete epochs are saved")
    sys.exit(status)


def _fault(sentence: str) -> int:
    _err.print(f"[bold red]✕[/] {_escaped(sentence)}")
    return 2


def _version(wanted: bool) -> None:
    if wanted:
        _out.print(f"pypty_nb {pypty_nb.__version__}")
        raise typer.Exit


@cli.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass


@cli.command()
def demo(
    headless: Annotated[bool, typer.Option("--headless", help="In the terminal, without the page.")] = False,
    port: Port = 8866,
    no_browser: NoBrowser = False,
) -> None:
    """Simulate a small specimen, open the page and reconstruct it."""
    if not headless:
        from tempfile import mkdtemp

        _serve(Path(mkdtemp(prefix="pypty-nb-demo-")), port, open_browser=not no_browser, demo=True)
        return
    from pypty_nb.engine import Reconstruction
    from pypty_nb.initialize import demo_preset

    _out.print("Simulating 576 diffraction patterns of nanoparticles on a thin film …")
    preset = demo_preset()
    report = _follow(Reconstruction(preset), preset)
    counts = float(preset.dataset.sum())
    _out.print(
        f"[bold green]✓[/] Finished. {preset.epoch_max} epochs in {report.seconds:.0f} s; "
        f"normalised amplitude error [bold]{report.terms['data'] / counts:.5f}[/]"
    )


@cli.command()
def app(
    root: Annotated[Path, typer.Option(help="Project folder: files are chosen in it, runs written under it.")] = Path(),
    port: Port = 8866,
    no_browser: NoBrowser = False,
) -> None:
    """Serve the page."""
    _serve(root, port, open_browser=not no_browser, demo=False)


@cli.command()
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
    with _err.status("Reading patterns …"):
        recorded = RecordedRun.start(loaded, folder)
    _ended(_follow(recorded, loaded), folder)


@cli.command()
def resume(folder: Annotated[Path, typer.Argument(help="Folder of a run.")]) -> None:
    """Go on with a run after its last complete epoch."""
    from pypty_nb.runs import RecordedRun, RunFolder

    opened = RunFolder.open(folder)
    if opened.is_finished():
        _out.print(f"{folder}: this run has finished; nothing is left to do")
        return
    with _err.status("Reading patterns …"):
        recorded = RecordedRun.resume(folder)
    _ended(_follow(recorded, recorded.reconstruction.preset), folder)


@cli.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
    form: Annotated[str, typer.Option("--format", help="png, tiff, npy, nxs (NeXus) or cxi.")] = "png",
    out: Annotated[Path | None, typer.Option(help="Folder for the files; 'export' in the run's where not given.")] = None,
) -> None:
    """Write a run's object and probe in another format."""
    from pypty_nb.runs import export as exports
    from pypty_nb.runs import open_run

    for path in exports.export(open_run(folder), form, out or folder / "export"):
        _out.print(str(path))


@cli.command()
def runs(root: Annotated[Path, typer.Argument(help="Project folder.")] = Path()) -> None:
    """List the runs of a project folder."""
    from pypty_nb.workspace.ledger import Ledger

    entries = Ledger(root).entries()
    if not entries:
        _out.print(f"{_escaped(str(root))}: no runs yet")
        return
    rows: list[tuple[str, ...]] = [("run", "name", "state", "epochs", "loss first", "last", "took", "began", "note")]
    for entry in entries:
        losses = ["" if loss is None else f"{loss:.6g}" for loss in (entry.first_loss, entry.last_loss)]
        took = "" if entry.seconds is None else str(timedelta(seconds=round(entry.seconds)))
        began = "" if entry.began is None else f"{entry.began.astimezone():%Y-%m-%d %H:%M}"
        state = f"{entry.state}: {entry.problem}" if entry.problem else entry.state
        rows.append((entry.run, entry.name, state, str(entry.epochs), *losses, took, began, " ".join(entry.note.split())))
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(set_cell_size(text, width) for text, width in zip(row, widths, strict=True))
        _out.print(line.rstrip(), markup=False)


@cli.command()
def frc(
    first: Annotated[Path, typer.Argument(help="Folder of a run.")],
    second: Annotated[Path, typer.Argument(help="Folder of another run of the same specimen, of other patterns at best.")],
    out: Annotated[Path | None, typer.Option(help="File for the curve (.csv).")] = None,
) -> None:
    """Print down to which length the objects of two runs agree (Fourier ring correlation)."""
    from pypty_nb.runs import compare, open_run

    found = compare.frc_of_runs(open_run(first), open_run(second))
    _out.print(f"half-bit     {found.said(found.half_bit)}\none seventh  {found.said(found.seventh)}")
    _out.print(f"the second lies {found.shift[0]:+.2f}, {found.shift[1]:+.2f} px (y, x) off the first")
    if out is not None:
        _out.print(str(compare.write_csv(out, found)))


@cli.command()
def validate(preset: Annotated[Path, typer.Argument(help="Preset (.json).")]) -> None:
    """Check a preset and print every problem at once."""
    from pypty_nb.params.validation import problems_of_file

    problems = problems_of_file(preset)
    for problem in problems:
        place = f"{preset}:{problem.line}: " if problem.line else f"{preset}: "
        _err.print(f"[bold red]✕[/] {_escaped(place + problem.message)}")
    if problems:
        raise typer.Exit(2)
    _out.print(f"[bold green]✓[/] {_escaped(str(preset))} can be used")


@cli.command()
def params(
    name: Annotated[str, typer.Argument(help="One parameter; all where none is named.")] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="The reference page, as Markdown.")] = False,
) -> None:
    """Print the reference of the parameters."""
    from pypty_nb.params import FIELDS, known_name, reference

    if markdown:
        _out.print(reference.markdown(), end="", markup=False)
    for key in [known_name(name)] if name else [] if markdown else FIELDS:
        _out.print(reference.plain(key, FIELDS[key]), markup=False)


@cli.command()
def schema() -> None:
    """Print the JSON Schema of a preset."""
    from pypty_nb.params.schema import as_text

    _out.print(as_text(), end="", markup=False)


@cli.command()
def presets() -> None:
    """List the named starts and when to use them."""
    from pypty_nb.params import starts

    for name, about in starts.available().items():
        _out.print(f"[bold]{name}[/]\n  {_escaped(about)}")


@cli.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Preset of the original program: .pkl or .nxs.")],
    out: Annotated[Path, typer.Argument(help="The preset to write (.json).")],
) -> None:
    """Carry a preset of the original program over; what cannot be is listed."""
    from pypty_nb.params.legacy import carry_over

    carried = carry_over(source)
    carried.preset.to_json(out, changed_only=True)
    for sentence in carried.left_out:
        _err.print(f"[yellow]▲[/] not carried over: {_escaped(sentence)}")
    _out.print(f"[bold green]✓[/] {_escaped(str(out))} written, {len(carried.preset.diff())} values differ from their defaults")


def _serve(root: Path, port: int, *, open_browser: bool, demo: bool) -> None:
    from pypty_nb.workspace import server

    root, port = server.choose_root(root), server.choose_port(port)
    _out.print(f"pypty_nb is at [bold]http://{server.HOST}:{port}/[/] (Ctrl-C ends it); project folder {_escaped(str(root))}")
    server.serve(server.Page(root, port, open_browser, demo))


def _follow(reports, preset: Preset) -> EpochReport:
    """Show a progress bar while `reports` come; the last one."""
    columns = (
        TextColumn("epoch {task.completed:.0f} of {task.total:.0f}"),
        BarColumn(None),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
    )  # fmt: skip
    last = None
    with Progress(*columns, console=_err) as progress:
        task = progress.add_task("", total=preset.epoch_max, completed=preset.epoch_prev, loss="")
        for last in reports:
            progress.update(task, completed=last.epoch + (not last.final), loss=f"data loss {last.terms['data']:.6g}")
            for warning in last.warnings:
                progress.console.print(f"[yellow]▲[/] epoch {last.epoch}: {_escaped(warning)}")
            if preset.print_flag >= 2 and not _err.is_terminal and not last.final:
                _err.print(
                    f"epoch {last.epoch}  loss {last.loss:.8g}  step {last.step:.3g}  evaluations {last.evaluations}  "
                    f"{last.seconds:.1f} s"
                )
    if last is None:
        raise ParameterError("the run gave no report")
    return last


def _ended(report: EpochReport, folder: Path) -> None:
    _out.print(
        f"[bold green]✓[/] Finished after epoch {report.epoch}. Data loss [bold]{report.terms['data']:.8g}[/], "
        f"{report.seconds:.1f} s. "
        f"Results are in {_escaped(str(folder))}"
    )


def _free_folder(stem: str) -> str:
    candidates = (f"{stem}-run-{number:03d}" for number in range(1, 100000))
    return next(name for name in candidates if not Path(name).exists())


if __name__ == "__main__":
    main()
