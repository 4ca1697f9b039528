"""The command `pypty-nb`: a group of commands a file."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

import pypty_nb
from pypty_nb.cli import measured, page, presets, results, running
from pypty_nb.cli.console import ERR, OUT, fault

#: What typer raises where the command line itself cannot be used; its own box of several lines is not one sentence.
_UsageError = typer.BadParameter if TYPE_CHECKING else typer.BadParameter.__base__
_INTERRUPTED = 130

cli = typer.Typer(
    help="Ptychography in a web page, a notebook and a shell.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (page, measured, running, results, presets):
    cli.add_typer(group.commands)


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
        ERR.print("interrupted; complete epochs are saved")
    sys.exit(status)


def _fault(sentence: str) -> int:
    fault(sentence)
    return 2


def _version(wanted: bool) -> None:
    if wanted:
        OUT.print(f"pypty_nb {pypty_nb.__version__}")
        raise typer.Exit


@cli.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    pass
