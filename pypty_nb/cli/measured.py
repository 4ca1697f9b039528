"""What was measured: files of patterns, and the preset that fits them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pypty_nb.cli.arguments import assignments, integers
from pypty_nb.cli.console import ERR, OUT, bar, done, warn
from pypty_nb.params import Preset

if TYPE_CHECKING:
    from pypty_nb.data.dataset import SourceDataset
    from pypty_nb.data.metadata import Metadata

commands = typer.Typer()

InFile = Annotated[Path, typer.Argument(metavar="FILE", help="File of patterns, of any format that is read.")]
DatasetPath = Annotated[str | None, typer.Option("--dataset", help="Path of the patterns in an HDF5 file.")]
Axes = Annotated[str | None, typer.Option(help="The axes in the file's order, such as ky,kx,scan_y,-scan_x; a minus reverses.")]
ScanSize = Annotated[str | None, typer.Option(help="Scan positions Y,X.")]
Shape = Annotated[str | None, typer.Option(help="Lengths of the axes of a file of plain numbers.")]
Dtype = Annotated[str | None, typer.Option(help="Type of a number in it, such as uint16 or '>u2'.")]
Offset = Annotated[int, typer.Option(help="Bytes before the first.")]


@commands.command()
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
        file, dataset=dataset, axes=axes, scan_size=integers(scan_size), shape=integers(shape), dtype=dtype, offset=offset
    )
    _say_dataset(found)


@commands.command("import")
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
    comx: Annotated[int | None, typer.Option(help="The beam's offset along x, px; its disc's where not given.")] = None,
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

    found = open_dataset(source, dataset=dataset, axes=axes, shape=integers(shape), dtype=dtype, offset=offset)
    size, dropped = integers(scan_size), integers(drop_columns) or ()
    with bar("pattern") as update:
        written = create_pypty_data(
            found, out, swap_axes, flip_ky, flip_kx, flip_y, flip_x, comcalc_len, comx, comy, bin, crop_left, crop_right,
            crop_top, crop_bottom, normalize, cutoff_ratio, pad_k, data_dtype, rescale, not overwrite,
            scan_size=size, drop_columns=dropped if len(dropped) != 1 else dropped[0], bad_pixels=bad_pixels,
            negative=negative, experiment=assignments(facts), progress=update,
        )  # fmt: skip
    _say_metadata(written.metadata)
    if written.centre is not None:
        OUT.print(written.centre.sentence)
    for note in written.notes:
        warn(note)
    if written.written:
        done(f"{escape(str(written.path))} written: {' × '.join(map(str, written.shape))} (pattern, ky, kx)")


@commands.command()
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
    from pypty_nb.params.storage import check_place

    # not only when all is found
    check_place(out)
    given = {"data_path": str(data.resolve()), **({} if voltage is None else {"acc_voltage": voltage}), **assignments(facts)}
    with bar("calibrating", "") as update:
        found = calibrate_experiment(given, Preset.named(start), progress=update)
    table = Table("", "Value", "", "From", box=None, pad_edge=False)
    for label, value, tag, source in found.rows():
        table.add_row(escape(label), escape(value), tag, escape(source))
    OUT.print(table)
    for warning in found.warnings:
        warn(warning)
    found.preset.to_json(out, changed_only=True, about=found.about)
    done(f"{escape(str(out))} written; pypty-nb run {escape(str(out))} reconstructs it")


@commands.command()
def preflight(preset: Annotated[Path, typer.Argument(help="Preset (.json).")]) -> None:
    """Say what a run would need and how long it would take, and whether the measurement supports it."""
    from pypty_nb.initialize import preflight as looked_at

    with ERR.status("Measuring a few patterns …"):
        report = looked_at(preset)
    marks = {"ok": "[bold green]✓[/]", "amber": "[yellow]▲[/]", "red": "[bold red]✕[/]"}
    table = Table("", "what", "found", "what to change")
    for line in report.lines:
        table.add_row(marks[line.standing], *map(escape, (line.name, line.value, line.advice)))
    # to a file or a pipe whole lines, which can be searched
    (OUT if OUT.is_terminal else Console(width=240, highlight=False)).print(table)
    if not report.can_run:
        raise typer.Exit(2)


def _say_dataset(found: SourceDataset) -> None:
    back = (f" {'reversed' * (axis in found.reversed_axes)}".rstrip() for axis in found.axes)
    lengths = ", ".join(
        f"{axis} {length}{turned}" for axis, length, turned in zip(found.axes, found.source_shape, back, strict=True)
    )
    OUT.print(f"{escape(found.name)}: {found.shape[0]} patterns of {found.shape[1]} × {found.shape[2]}, {found.dtype}")
    OUT.print(f"axes {lengths}" + ("" if found.scan_shape else "; no scan size is stated"))
    _say_metadata(found.metadata)


def _say_metadata(metadata: Metadata) -> None:
    """A table of facts, each with its source."""
    from pypty_nb.data.metadata import KEYS, as_text

    if not metadata:
        OUT.print("the file says nothing of the experiment")
        return
    table = Table("", "value", "source", box=None, pad_edge=False)
    for key in (key for key in KEYS if key in metadata):
        table.add_row(key, f"{as_text(metadata[key].value)} {KEYS[key][0]}".strip(), escape(metadata[key].source))
    OUT.print(table)
