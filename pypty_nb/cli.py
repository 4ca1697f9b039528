"""The command `pypty-nb`."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape as _escaped
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import pypty_nb
from pypty_nb.params import ParameterError, Preset
from pypty_nb.records import EpochReport

if TYPE_CHECKING:
    from pypty_nb.data.dataset import SourceDataset
    from pypty_nb.data.metadata import Metadata
    from pypty_nb.runs import Hooks, RecordedRun, RunState
    from pypty_nb.workspace.server import Page

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

        from pypty_nb.workspace.server import Page

        _serve(Page(Path(mkdtemp(prefix="pypty-nb-demo-")), port, not no_browser, demo=True))
        return
    from pypty_nb.engine import Reconstruction
    from pypty_nb.initialize import demo_preset

    _out.print("Simulating 576 diffraction patterns of nanoparticles on a thin film …")
    preset = demo_preset()
    report = _follow(Reconstruction(preset), preset)
    if report is None:
        raise ParameterError("the run gave no report")
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
    host: Annotated[
        str, typer.Option(help="Address to serve at; other machines reach it only where there is a token.")
    ] = "127.0.0.1",
    token: Annotated[
        str,
        typer.Option(
            envvar="PYPTY_NB_TOKEN", show_envvar=True, help="What visitors must show: a login, or ?token= in the address."
        ),
    ] = "",
) -> None:
    """Serve the page."""
    from pypty_nb.workspace.server import Page

    _serve(Page(root, port, not no_browser, host=host, token=token))


@cli.command()
def setup(
    data: Annotated[Path, typer.Argument(help="File of measured patterns.")],
    out: Annotated[Path, typer.Argument(help="The preset to write (.json).")],
    facts: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="What you know better than the file: defocus=-2000.")
    ] = None,
    voltage: Annotated[float | None, typer.Option(help="Acceleration voltage, kV.")] = None,
    start: Annotated[str, typer.Option(help="Named start to calibrate; `pypty-nb presets` lists them.")] = "quick",
) -> None:
    """Calibrate a preset to a file: disc, pixel size, orientation, C10, positions."""
    from pypty_nb.initialize import calibrate_experiment

    given = {"data_path": str(data.resolve()), **({} if voltage is None else {"acc_voltage": voltage}), **_facts(facts or [])}
    with _bar("calibrating", "") as update:
        found = calibrate_experiment(given, Preset.named(start), progress=update)
    table = Table("", "Value", "", "From", box=None, pad_edge=False)
    for label, value, tag, source in found.rows():
        table.add_row(_escaped(label), _escaped(value), tag, _escaped(source))
    _out.print(table)
    for warning in found.warnings:
        _err.print(f"[yellow]▲[/] {_escaped(warning)}")
    found.preset.to_json(out, changed_only=True, about=found.about)
    _out.print(f"[bold green]✓[/] {_escaped(str(out))} written; pypty-nb run {_escaped(str(out))} reconstructs it")


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
    _to_the_end(folder, lambda hooks: RecordedRun.start(loaded, folder, hooks))


@cli.command()
def resume(folder: Annotated[Path, typer.Argument(help="Folder of a run.")]) -> None:
    """Go on with a run after its last complete epoch."""
    from pypty_nb.runs import RecordedRun, RunFolder

    opened = RunFolder.open(folder)
    if opened.is_finished():
        _out.print(f"{folder}: this run has finished; nothing is left to do")
        return
    _to_the_end(folder, lambda hooks: RecordedRun.resume(folder, hooks))


@cli.command()
def watch(folder: Annotated[Path, typer.Argument(help="Folder of a run, on this machine or shared by another.")]) -> None:
    """Show a run's progress; Ctrl-C looks away and leaves the run alone."""
    try:
        state = _watch(folder)
    except KeyboardInterrupt:
        _out.print(f"{_escaped(str(folder))}: the run goes on")
        return
    why = f": {state.message}" if state.message else ""
    _out.print(_escaped(f"{folder}: {state.phase} after epoch {state.epoch}{why}"))


def _watch(folder: Path) -> RunState:
    """Show the progress of the run in `folder` until it has ended; its last state."""
    from pypty_nb.runs import Follower, Phase

    follower = Follower(folder)
    state, data = follower.poll().state, ""
    with _progress() as progress:
        task = progress.add_task("", total=state.epoch_max, completed=state.epoch, loss=str(state.phase))
        for update in follower.updates():
            state = update.state
            if update.reports:
                data = f"data loss {update.reports[-1].terms['data']:.6g}"
            words = data if state.phase is Phase.RUNNING else str(state.phase)
            progress.update(task, total=state.epoch_max, completed=state.epoch, loss=words)
            for warning in (event for event in update.events if event.get("event") == "warning"):
                progress.console.print(f"[yellow]▲[/] epoch {warning['epoch']}: {_escaped(warning['warning'])}")
    return state


@cli.command()
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
    given = dict(_assigned(text) for text in values or ())
    if given and command != "change":
        raise ParameterError(f"{command}: takes no values; they are for change")
    sent = send(folder, command, given)
    for update in follower.updates():
        for answer in update.events:
            if answer.get("id") == sent:
                if not answer["accepted"]:
                    raise ParameterError(f"{command}: {answer['why']}")
                _out.print(f"[bold green]✓[/] {_escaped(command)}, after epoch {answer['epoch']}")
                return
    raise ParameterError(f"{folder}: the run has ended before it answered")


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
def preflight(preset: Annotated[Path, typer.Argument(help="Preset (.json).")]) -> None:
    """Say what a run would need and how long it would take, and whether the measurement supports it."""
    from pypty_nb.initialize import preflight as looked_at

    with _err.status("Measuring a few patterns …"):
        report = looked_at(preset)
    marks = {"ok": "[bold green]✓[/]", "amber": "[yellow]▲[/]", "red": "[bold red]✕[/]"}
    table = Table("", "what", "found", "what to change")
    for line in report.lines:
        table.add_row(marks[line.standing], *map(_escaped, (line.name, line.value, line.advice)))
    # to a file or a pipe whole lines, which can be searched
    (_out if _out.is_terminal else Console(width=240, highlight=False)).print(table)
    if not report.can_run:
        raise typer.Exit(2)


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


InFile = Annotated[Path, typer.Argument(metavar="FILE", help="File of patterns, of any format that is read.")]
DatasetPath = Annotated[str | None, typer.Option("--dataset", help="Path of the patterns in an HDF5 file.")]
Axes = Annotated[str | None, typer.Option(help="The axes in the file's order, such as ky,kx,scan_y,-scan_x; a minus reverses.")]
ScanSize = Annotated[str | None, typer.Option(help="Scan positions Y,X.")]
Shape = Annotated[str | None, typer.Option(help="Lengths of the axes of a file of plain numbers.")]
Dtype = Annotated[str | None, typer.Option(help="Type of a number in it, such as uint16 or '>u2'.")]
Offset = Annotated[int, typer.Option(help="Bytes before the first.")]


@cli.command()
def info(
    file: InFile,
    dataset: DatasetPath = None,
    axes: Axes = None,
    scan_size: ScanSize = None,
    shape: Shape = None,
    dtype: Dtype = None,
    offset: Offset = 0,
) -> None:
    """Say what a file of patterns holds, and what it says of the experiment."""
    from pypty_nb.data import open_dataset

    found = open_dataset(
        file, dataset=dataset, axes=axes, scan_size=_integers(scan_size), shape=_integers(shape), dtype=dtype, offset=offset
    )
    _say_dataset(found)


@cli.command("import")
def import_(
    source: InFile,
    out: Annotated[Path, typer.Argument(help="The file to write (.h5).")],
    dataset: DatasetPath = None,
    axes: Axes = None,
    scan_size: ScanSize = None,
    shape: Shape = None,
    dtype: Dtype = None,
    offset: Offset = 0,
    swap_axes: Annotated[bool, typer.Option("--swap-axes", help="Transpose the patterns, after the flips.")] = False,
    flip_ky: Annotated[bool, typer.Option("--flip-ky", help="Reverse ky.")] = False,
    flip_kx: Annotated[bool, typer.Option("--flip-kx", help="Reverse kx.")] = False,
    flip_y: Annotated[bool, typer.Option("--flip-y", help="Reverse the scan's y.")] = False,
    flip_x: Annotated[bool, typer.Option("--flip-x", help="Reverse the scan's x.")] = False,
    comcalc_len: Annotated[int, typer.Option(help="Patterns that give the centre and the bad pixels.")] = 1000,
    comx: Annotated[int | None, typer.Option(help="The beam's offset along x, px; measured where not given.")] = None,
    comy: Annotated[int | None, typer.Option(help="The same along y.")] = None,
    bin: Annotated[int, typer.Option(help="Sum this many pixels each way.")] = 1,
    crop_left: Annotated[int, typer.Option(help="Pixels to cut.")] = 0,
    crop_right: Annotated[int, typer.Option(help="Pixels to cut.")] = 0,
    crop_top: Annotated[int, typer.Option(help="Pixels to cut.")] = 0,
    crop_bottom: Annotated[int, typer.Option(help="Pixels to cut.")] = 0,
    normalize: Annotated[bool, typer.Option("--normalize", help="Scale the patterns to a mean sum of 1.")] = False,
    cutoff_ratio: Annotated[float | None, typer.Option(help="Zero beyond this fraction of half the width.")] = None,
    pad_k: Annotated[int, typer.Option(help="Zeros on each side.")] = 0,
    data_dtype: Annotated[str, typer.Option(help="Type of a number in the new file.")] = "float32",
    rescale: Annotated[float, typer.Option(help="Divide all patterns by this.")] = 1.0,
    drop_columns: Annotated[str, typer.Option(help="Fly-back columns to leave out: END, or START,END.")] = "0",
    bad_pixels: Annotated[str, typer.Option(help="Hot and dead pixels: interpolate, mask, zero or keep.")] = "interpolate",
    negative: Annotated[str, typer.Option(help="Counts below zero: clip or refuse.")] = "clip",
    facts: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A fact of the experiment.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Write the centred .h5 of patterns that reconstructions start from."""
    from pypty_nb.data import open_dataset
    from pypty_nb.initialize import create_pypty_data

    found = open_dataset(source, dataset=dataset, axes=axes, shape=_integers(shape), dtype=dtype, offset=offset)
    size, dropped = _integers(scan_size), _integers(drop_columns) or ()
    with _bar("pattern") as update:
        done = create_pypty_data(
            found, out, swap_axes, flip_ky, flip_kx, flip_y, flip_x, comcalc_len, comx, comy, bin, crop_left, crop_right,
            crop_top, crop_bottom, normalize, cutoff_ratio, pad_k, data_dtype, rescale, not overwrite,
            scan_size=size, drop_columns=dropped if len(dropped) != 1 else dropped[0], bad_pixels=bad_pixels,
            negative=negative, experiment=_facts(facts or []), progress=update,
        )  # fmt: skip
    _say_metadata(done.metadata)
    for note in done.notes:
        _err.print(f"[yellow]▲[/] {_escaped(note)}")
    if done.written:
        _out.print(f"[bold green]✓[/] {_escaped(str(done.path))} written: {' × '.join(map(str, done.shape))} (pattern, ky, kx)")


@contextmanager
def _bar(what: str, count: str = " {task.completed:.0f} of {task.total:.0f}") -> Iterator[Callable[[int, int], None]]:
    """A progress bar, and the function that moves it."""
    columns = (TextColumn(what + count), BarColumn(None), TimeRemainingColumn())
    with Progress(*columns, console=_err) as progress:
        task = progress.add_task("", total=1)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _say_dataset(found: SourceDataset) -> None:
    back = (f" {'reversed' * (axis in found.reversed_axes)}".rstrip() for axis in found.axes)
    lengths = ", ".join(
        f"{axis} {length}{turned}" for axis, length, turned in zip(found.axes, found.source_shape, back, strict=True)
    )
    _out.print(f"{_escaped(found.name)}: {found.shape[0]} patterns of {found.shape[1]} × {found.shape[2]}, {found.dtype}")
    _out.print(f"axes {lengths}" + ("" if found.scan_shape else "; no scan size is stated"))
    _say_metadata(found.metadata)


def _say_metadata(metadata: Metadata) -> None:
    """A table of facts, each with its source."""
    from pypty_nb.data.metadata import KEYS, as_text

    if not metadata:
        _out.print("the file says nothing of the experiment")
        return
    table = Table("", "value", "source", box=None, pad_edge=False)
    for key in (key for key in KEYS if key in metadata):
        table.add_row(key, f"{as_text(metadata[key].value)} {KEYS[key][0]}".strip(), _escaped(metadata[key].source))
    _out.print(table)


def _integers(said: str | None) -> tuple[int, ...] | None:
    if said is None:
        return None
    try:
        return tuple(int(part) for part in said.replace("x", ",").replace("×", ",").split(","))
    except ValueError:
        raise ParameterError(f"{said!r} is no list of whole numbers such as 44,52") from None


def _serve(page: Page) -> None:
    from pypty_nb.workspace import server

    server.check_access(page.host, page.token)
    page = replace(page, root=server.choose_root(page.root), port=server.choose_port(page.port, page.host))
    asks = ", which asks for the token" if page.token else ""
    root = _escaped(str(page.root))
    _out.print(f"pypty_nb is at [bold]{page.url}[/]{asks} (Ctrl-C ends it); project folder {root}")
    server.serve(page)


def _to_the_end(folder: Path, begin: Callable[[Hooks], RecordedRun]) -> None:
    """Run in this process, which may be ended by Ctrl-C, by SIGTERM, or through the folder."""
    from _thread import interrupt_main
    from functools import partial

    from pypty_nb.runs import Hooks, Phase

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with _err.status("Reading patterns …"):
            recorded = begin(Hooks(interrupt=partial(interrupt_main, signal.SIGTERM)))
        with recorded:
            report = _follow(recorded, recorded.reconstruction.preset)
            state = recorded.state
    finally:
        if "PYPTY_NB_QUEUE" in os.environ:
            from pypty_nb.workspace.jobs import advance_surroundings

            advance_surroundings()
    if state.phase is Phase.FINISHED and report is not None:
        _out.print(
            f"[bold green]✓[/] Finished after epoch {report.epoch}. Data loss [bold]{report.terms['data']:.8g}[/], "
            f"{report.seconds:.1f} s. "
            f"Results are in {_escaped(str(folder))}"
        )
    else:
        _out.print(f"Stopped after epoch {state.epoch}. Complete epochs are saved in {_escaped(str(folder))}")


def _assigned(text: str) -> tuple[str, Any]:
    """Name and value of ``name=value``; the value is JSON where it can be read as such, else text."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise ParameterError(f"{text!r:.60}: takes name=value, for instance scan_step_A=0.4")
    try:
        return name.strip(), json.loads(value)
    except json.JSONDecodeError:
        return name.strip(), {"True": True, "False": False, "None": None}.get(value.strip(), value)


def _progress() -> Progress:
    return Progress(
        TextColumn("epoch {task.completed:.0f} of {task.total:.0f}"),
        BarColumn(None),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(),
        console=_err,
    )


def _follow(reports: Iterable[EpochReport], preset: Preset) -> EpochReport | None:
    """Show a progress bar while `reports` come; the last one."""
    last = None
    with _progress() as progress:
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
    return last


def _facts(words: list[str]) -> dict[str, Any]:
    """Names and values of several ``name=value``."""
    return dict(map(_assigned, words))


def _free_folder(stem: str) -> str:
    candidates = (f"{stem}-run-{number:03d}" for number in range(1, 100000))
    return next(name for name in candidates if not Path(name).exists())


if __name__ == "__main__":
    main()
