"""Presets: the named starts, the reference of the parameters, checks, other programs' files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from pypty_nb.cli.console import OUT, done, fault, warn

commands = typer.Typer()


@commands.command()
def presets() -> None:
    """List the named starts and when to use them."""
    from pypty_nb.params import starts

    for name, about in starts.available().items():
        OUT.print(f"[bold]{name}[/]\n  {escape(about)}")


@commands.command()
def params(
    name: Annotated[str, typer.Argument(help="One parameter; all where none is named.")] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="The reference page, as Markdown.")] = False,
) -> None:
    """Print the reference of the parameters."""
    from pypty_nb.params import FIELDS, known_name, reference

    if markdown:
        OUT.print(reference.markdown(), end="", markup=False)
    for key in [known_name(name)] if name else [] if markdown else FIELDS:
        OUT.print(reference.plain(key, FIELDS[key]), markup=False)


@commands.command()
def validate(preset: Annotated[Path, typer.Argument(help="Preset (.json).")]) -> None:
    """Check a preset and print every problem at once."""
    from pypty_nb.params.validation import problems_of_file

    problems = problems_of_file(preset)
    for problem in problems:
        place = f"{preset}:{problem.line}: " if problem.line else f"{preset}: "
        fault(place + problem.message)
    if problems:
        raise typer.Exit(2)
    done(f"{escape(str(preset))} can be used")


@commands.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Preset of the original program: .pkl or .nxs.")],
    out: Annotated[Path, typer.Argument(help="The preset to write (.json).")],
) -> None:
    """Carry a preset of the original program over; what cannot be is listed."""
    from pypty_nb.params.legacy import carry_over

    carried = carry_over(source)
    carried.preset.to_json(out, changed_only=True)
    for sentence in carried.left_out:
        warn(f"not carried over: {sentence}")
    done(f"{escape(str(out))} written, {len(carried.preset.diff())} values differ from their defaults")


@commands.command()
def schema() -> None:
    """Print the JSON Schema of a preset."""
    from pypty_nb.params.schema import as_text

    OUT.print(as_text(), end="", markup=False)
