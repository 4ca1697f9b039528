"""The page, and the demo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from pypty_nb.cli.console import OUT, done, follow
from pypty_nb.params import ParameterError

if TYPE_CHECKING:
    from pypty_nb.workspace.server import Page

commands = typer.Typer()

Port = Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.", min=0, max=65535)]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Only serve the page; do not open it.")]


@commands.command()
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

    OUT.print("Simulating 576 diffraction patterns of nanoparticles on a thin film …")
    preset = demo_preset()
    preset.print_flag = 2
    report = follow(Reconstruction(preset), lambda: preset)
    if report is None:
        raise ParameterError("the run gave no report")
    counts = float(preset.dataset.sum())
    done(
        f"Finished. {preset.epoch_max} epochs in {report.seconds:.0f} s; "
        f"normalised amplitude error [bold]{report.terms['data'] / counts:.5f}[/]"
    )


@commands.command()
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
    jobs: Annotated[int, typer.Option(help="Runs under way at a time; the others wait for their turn.", min=1)] = 1,
) -> None:
    """Serve the page."""
    from pypty_nb.workspace.server import Page

    _serve(Page(root, port, not no_browser, host=host, token=token, jobs=jobs))


def _serve(page: Page) -> None:
    from pypty_nb.workspace import server

    server.check_access(page.host, page.token)
    page = replace(page, root=server.choose_root(page.root), port=server.choose_port(page.port, page.host))
    asks = ", which asks for the token" if page.token else ""
    root = escape(str(page.root))
    sentence = f"pypty_nb is at [bold]{page.url}[/]{asks} (Ctrl-C ends it); project folder {root}"
    server.serve(page, listening=lambda: OUT.print(sentence))
