"""What runs left: their list, their results in other formats, how far two agree."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.cells import cell_len, set_cell_size
from rich.markup import escape

from pypty_nb.cli.console import OUT

commands = typer.Typer()


@commands.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Folder of a run.")],
    form: Annotated[str, typer.Option("--format", help="png, tiff, npy, nxs (NeXus) or cxi.")] = "png",
    out: Annotated[Path | None, typer.Option(help="Folder for the files; 'export' in the run's where not given.")] = None,
) -> None:
    """Write a run's object and probe in another format."""
    from pypty_nb.runs import export as exports
    from pypty_nb.runs import open_run

    for path in exports.export(open_run(folder), form, out or folder / "export"):
        OUT.print(escape(str(path)))


@commands.command()
def runs(root: Annotated[Path, typer.Argument(help="Project folder.")] = Path()) -> None:
    """List the runs of a project folder: those in its folder `runs`, and those written into it directly."""
    from pypty_nb.workspace.ledger import Ledger, runs_beside

    entries = [*Ledger(root).entries(), *runs_beside(root)]
    if not entries:
        OUT.print(f"{escape(str(root))}: no runs yet")
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
        OUT.print(line.rstrip(), markup=False)


@commands.command()
def frc(
    first: Annotated[Path, typer.Argument(help="Folder of a run.")],
    second: Annotated[Path, typer.Argument(help="Folder of another run of the same specimen, of other patterns at best.")],
    out: Annotated[Path | None, typer.Option(help="File for the curve (.csv).")] = None,
) -> None:
    """Print down to which length the objects of two runs agree (Fourier ring correlation)."""
    from pypty_nb.runs import compare, open_run

    found = compare.frc_of_runs(open_run(first), open_run(second))
    OUT.print(f"half-bit     {found.said(found.half_bit)}\none seventh  {found.said(found.seventh)}")
    OUT.print(f"the second lies {found.shift[0]:+.2f}, {found.shift[1]:+.2f} px (y, x) off the first")
    if out is not None:
        OUT.print(escape(str(compare.write_csv(out, found))))
