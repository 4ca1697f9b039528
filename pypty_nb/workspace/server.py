"""The page as a web application: Voila, its settings, and what the page's kernels are told."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from jupyter_server import DEFAULT_STATIC_FILES_PATH
from tornado.websocket import WebSocketClosedError
from traitlets.config import Config

from pypty_nb.params import ParameterError
from pypty_nb.workspace.jobs import AT_MOST_VARIABLE

#: What a kernel of the page reads: the project folder, and whether to start with the demo; `AT_MOST_VARIABLE` too.
ROOT_VARIABLE = "PYPTY_NB_ROOT"
DEMO_VARIABLE = "PYPTY_NB_DEMO"
#: Where the token may stand instead of on the command line, which other users of the machine can read.
TOKEN_VARIABLE = "PYPTY_NB_TOKEN"

HOST = "127.0.0.1"
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
    host : str
        The address it is served at.
    token : str
        What a visitor must show; "" asks for nothing, which only the machine itself may be served with.
    cull_after : int
        Seconds after which the kernel of a closed page is ended.
    jobs : int
        Runs under way at a time; the others wait for their turn.
    """

    root: Path
    port: int = 0
    open_browser: bool = True
    demo: bool = False
    host: str = HOST
    token: str = ""
    cull_after: int = 3600
    jobs: int = 1

    @property
    def url(self) -> str:
        """Where a browser finds it, without the token."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/"


def serve(page: Page, listening: Callable[[], None] | None = None) -> None:
    """Serve `page` until interrupted; calls `listening` once, when visitors are let in.

    Raises
    ------
    ParameterError
        Where the page's files are not installed, or others could reach it without a token.
    """
    from tornado.ioloop import IOLoop
    from voila.app import Voila

    check_access(page.host, page.token)
    os.environ.update(told(page))
    # so that the kernels, which inherit all this, do not carry it
    os.environ.pop(TOKEN_VARIABLE, None)
    # a pair of ping times that tornado shortens, and the end of a kernel that a closing page asks for in vain: both usual
    for name in ("tornado.general", "tornado.access"):
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.getLogger("asyncio").addFilter(tells_more_than_a_closed_page)
    arguments = [str(notebook()), "--template=pypty_nb"]
    voila = Voila.instance(config=settings(page))
    voila.initialize(arguments if page.open_browser else [*arguments, "--no-browser"])
    if listening is not None:
        # its loop begins when its port is bound, and not where that fails
        IOLoop.current().add_callback(listening)
    voila.start()


def told(page: Page) -> dict[str, str]:
    """What the page's kernels find in their surroundings."""
    return {ROOT_VARIABLE: str(page.root), DEMO_VARIABLE: "1" if page.demo else "0", AT_MOST_VARIABLE: str(page.jobs)}


def tells_more_than_a_closed_page(record: logging.LogRecord) -> bool:
    """Whether a line of the log is about anything but a message that a page did not wait for, which is usual too."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, WebSocketClosedError)


def settings(page: Page) -> Config:
    """Voila's settings. All stand here: a voila.json would be read from whatever folder one is in."""
    tornado: dict[str, object] = {
        "websocket_max_message_size": _UPLOAD_BYTES,
        # the server's own error pages ask for it
        "static_path": DEFAULT_STATIC_FILES_PATH,
    }
    if not page.token:
        # else any web page could have a browser on this machine ask under a name of its own (DNS rebinding)
        tornado["allow_remote_access"] = False
    return Config(
        Voila={
            "ip": page.host,
            "port": page.port,
            "port_retries": 0,
            "token": page.token,
            "identity_provider_class": "pypty_nb.workspace.login.TokenLogin",
            # the command says where the page is; what else is normal needs no line in a terminal
            "log_level": "ERROR",
            "tornado_settings": tornado,
        },
        ReadyKernels={"folder": str(notebook().parent)},
        # through files that only this user may open, not through ports of this machine
        KernelManager={"transport": "ipc" if os.name == "posix" else "tcp"},
        # a closing page ends its kernel; one that is lost cannot
        MappingKernelManager={"cull_idle_timeout": page.cull_after, "cull_interval": max(1, page.cull_after // 60)},
        VoilaConfiguration={
            "show_tracebacks": False,
            "multi_kernel_manager_class": "pypty_nb.workspace.kernels.ReadyKernels",
        },
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


def check_access(host: str, token: str) -> None:
    """Refuse to serve other machines without a token.

    Raises
    ------
    ParameterError
        Where `host` is no address, or others can reach it and there is no token.
    """
    if token != token.strip() or not token.isprintable():
        raise ParameterError("--token: a token has no spaces around it and no control characters; choose another")
    if not token and not _is_loopback(host):
        raise ParameterError(f"--host: {host} can be reached from other machines; give a --token too, or leave out --host")


def _is_loopback(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM) if host else []
    except (OSError, UnicodeError) as error:
        raise ParameterError(f"--host: {host!r} is no address of this machine ({error})") from None
    return bool(found) and all(ipaddress.ip_address(str(info[4][0]).partition("%")[0]).is_loopback for info in found)


def choose_port(port: int, host: str = HOST) -> int:
    """`port` where it is free at `host`; a free one where it is 0.

    Raises
    ------
    ParameterError
        Where `port` is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return probe.getsockname()[1]
    except (OSError, OverflowError) as error:
        raise ParameterError(
            f"--port: {port} cannot be used on {host} ({error}); choose another, or 0 for a free one"
        ) from None


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
