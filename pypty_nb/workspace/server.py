"""The page as a web application: Voila, its settings, and what the page's kernels are told."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from traitlets.config import Config

from pypty_nb.params import ParameterError

#: What a kernel of the page reads: the project folder, and whether to start with the demo.
ROOT_VARIABLE = "PYPTY_NB_ROOT"
DEMO_VARIABLE = "PYPTY_NB_DEMO"

HOST = "127.0.0.1"
_CULL_AFTER_S = 3600
_UPLOAD_BYTES = 512 * 2**20


@dataclass(frozen=True)
class Page:
    """How the page is served.

    Attributes
    ----------
    root : Path
        Project folder: files are chosen in it, runs written under it.
    port : int
        0 takes a free one.
    open_browser, demo : bool
    """

    root: Path
    port: int = 0
    open_browser: bool = True
    demo: bool = False


def serve(page: Page) -> None:
    """Serve `page` on this machine until interrupted.

    Raises
    ------
    ParameterError
        Where the page's files are not installed.
    """
    from voila.app import Voila

    os.environ[ROOT_VARIABLE] = str(page.root)
    os.environ[DEMO_VARIABLE] = "1" if page.demo else "0"
    arguments = [str(notebook()), "--template=pypty_nb"]
    Voila.launch_instance(argv=arguments if page.open_browser else [*arguments, "--no-browser"], config=settings(page))


def settings(page: Page) -> Config:
    """Voila's settings. All stand here: a voila.json would be read from whatever folder one is in."""
    return Config(
        Voila={
            "ip": HOST,
            "port": page.port,
            "port_retries": 0,
            # the command says where the page is; what else is normal needs no line in a terminal
            "log_level": "ERROR",
            "tornado_settings": {"websocket_max_message_size": _UPLOAD_BYTES},
        },
        # kernels of closed pages stay behind otherwise (voila issue 1458)
        MappingKernelManager={"cull_idle_timeout": _CULL_AFTER_S, "cull_interval": 60},
        VoilaConfiguration={"show_tracebacks": False},
    )


def choose_root(root: Path) -> Path:
    """`root` in full.

    Raises
    ------
    ParameterError
        Where there is no such folder.
    """
    if not root.is_dir():
        raise ParameterError(f"--root: there is no folder {root}")
    return root.resolve()


def choose_port(port: int) -> int:
    """`port` where it is free; a free one where it is 0.

    Raises
    ------
    ParameterError
        Where `port` is taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise ParameterError(
                f"--port: {port} cannot be used on {HOST} ({error}); choose another, or 0 for a free one"
            ) from None
        return probe.getsockname()[1]


def notebook() -> Path:
    """The page's notebook, as the wheel installed it.

    Raises
    ------
    ParameterError
        Where it is not there.
    """
    from jupyter_core.paths import jupyter_path

    for folder in jupyter_path("pypty_nb"):
        path = Path(folder) / "pypty_nb.ipynb"
        if path.is_file():
            return path
    raise ParameterError(
        "the page's notebook is not installed; install pypty_nb with pip, which puts it beside Jupyter's own files"
    )
