"""The page as others may reach it: tokens, host names, paths, files and presets that mean harm."""

from __future__ import annotations

import json
import logging
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path

import h5py
import numpy as np
import pytest
from tornado.websocket import WebSocketClosedError

from pypty_nb.params import ParameterError, Preset
from pypty_nb.workspace import Workspace, server
from pypty_nb.workspace.paths import PATHS
from tests.browser import COMMAND, PATIENCE_MS, Record, Site, button, end, free_port, installed, leave, open_page, served

TOKEN = "glass-bead-17"
HOSTILE = '<img src=x onerror="window.harmed=1">'


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    root = tmp_path / "root"
    root.mkdir()
    return Workspace(root, lambda state: None, lambda report: None)


# ---- who may be served
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.0.0.2"])
def test_this_machine_needs_no_token(host: str) -> None:
    server.check_access(host, "")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.7"])
def test_others_need_one(host: str) -> None:
    with pytest.raises(ParameterError, match=r"--host: .* can be reached from other machines; give a --token too"):
        server.check_access(host, "")
    server.check_access(host, TOKEN)


@pytest.mark.parametrize("token", [" x", "x\n", "a\x00b"])
def test_tokens_that_cannot_be_typed(token: str) -> None:
    with pytest.raises(ParameterError, match="--token: a token has no spaces around it"):
        server.check_access("127.0.0.1", token)


def test_a_host_that_is_none() -> None:
    with pytest.raises(ParameterError, match="--host: 'no such host' is no address"):
        server.check_access("no such host", "")


# ---- what its terminal shows
def test_a_page_that_left_in_mid_message_needs_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """Only that: every other failure of the server is told."""
    caplog.handler.addFilter(server.tells_more_than_a_closed_page)
    for kind in (WebSocketClosedError, OSError):
        try:
            raise kind("seen")
        except Exception:
            logging.getLogger("asyncio").exception("Task exception was never retrieved")
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [OSError]


def test_it_says_where_the_page_is_when_it_answers_there(tmp_path: Path) -> None:
    pytest.importorskip("voila", reason="the page is served by voila")
    surroundings, port = installed(tmp_path / "jupyter"), free_port()
    command = [sys.executable, *COMMAND, "--root", str(tmp_path), "--port", str(port), "--no-browser"]
    with subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            # at once: nobody who reads the line waits any longer
            with socket.create_connection(("127.0.0.1", port), timeout=60):
                pass
            assert f"pypty_nb is at http://127.0.0.1:{port}/ (Ctrl-C ends it)" in said and process.poll() is None
        finally:
            end(process)


# ---- paths
def test_every_path_of_the_tables_is_watched() -> None:
    assert set(PATHS) == {"data_path", "phase_plate_in_h5", "output_folder", "data_simulation_flag"}


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("path", ["/etc/passwd", "../beside.h5", "sub/../../beside.h5", "link/beside.h5", "link"])
def test_no_path_leads_out(workspace: Workspace, name: str, path: str) -> None:
    (workspace.root / "link").symlink_to(workspace.root.parent)
    workspace.preset[name] = path
    assert set(workspace.path_problems()) == {name}
    with pytest.raises(ParameterError, match=rf"{name}: .*outside the project folder"):
        workspace.start()
    assert not (workspace.root / "runs").exists()


def test_a_link_in_a_circle(workspace: Workspace) -> None:
    (workspace.root / "a").symlink_to(workspace.root / "b")
    (workspace.root / "b").symlink_to(workspace.root / "a")
    workspace.preset.output_folder = "a/x"
    assert "leads nowhere" in workspace.path_problems()["output_folder"]


def test_paths_are_taken_from_the_project_folder(workspace: Workspace) -> None:
    np.save(workspace.root / "scan.npy", np.ones((4, 8, 8)))
    workspace.preset.update(data_path="scan.npy", data_simulation_flag="sim.h5", output_folder="mine")
    confined = workspace.confined()
    assert confined.data_path == str(workspace.root / "scan.npy")
    assert confined.data_simulation_flag == str(workspace.root / "sim.h5")
    assert workspace.next_folder() == workspace.root / "mine"
    assert workspace.preset.data_path == "scan.npy"


def test_an_opened_preset_is_held_to_it_too(workspace: Workspace) -> None:
    Preset(data_path="../scan.npy", output_folder="/var/tmp/x").to_json(workspace.root / "preset.json")
    workspace.use_file(Path("preset.json"))
    assert set(workspace.path_problems()) == {"data_path", "output_folder"}
    workspace.preset.update(data_path="", output_folder="")
    assert workspace.path_problems() == {}


@pytest.mark.parametrize("kind", ["link", "chain", "virtual", "external"])
def test_files_that_take_parts_from_outside(workspace: Workspace, kind: str) -> None:
    """HDF5 links, virtual datasets and external storage are ways out as well."""
    outside = workspace.root.parent / "secret.h5"
    with h5py.File(outside, "w") as file:
        file["data"] = np.ones((4, 8, 8))
    (workspace.root.parent / "secret.raw").write_bytes(b"\1" * 256)
    with h5py.File(workspace.root / "scan.h5", "w") as file:
        if kind == "link":
            file["data"] = h5py.ExternalLink("../secret.h5", "data")
        elif kind == "chain":
            with h5py.File(workspace.root / "between.h5", "w") as between:
                between["data"] = h5py.ExternalLink(str(outside), "data")
            file["data"] = h5py.ExternalLink("between.h5", "data")
        elif kind == "virtual":
            layout = h5py.VirtualLayout((4, 8, 8), float)
            layout[:] = h5py.VirtualSource(str(outside), "data", (4, 8, 8))
            file.create_virtual_dataset("data", layout)
        else:
            raw = [(str(workspace.root.parent / "secret.raw"), 0, 256)]
            file.create_dataset("data", (4, 8, 8), np.uint8, external=raw)
    with pytest.raises(ParameterError, match=r"reads from .*secret.*outside the project folder"):
        workspace.use_file(Path("scan.h5"))
    workspace.preset.data_path = "scan.h5"
    with pytest.raises(ParameterError, match="outside the project folder"):
        workspace.confined()


def test_parts_inside_are_welcome(workspace: Workspace) -> None:
    with h5py.File(workspace.root / "part.h5", "w") as file:
        file["data"] = np.ones((4, 8, 8))
    with h5py.File(workspace.root / "master.h5", "w") as file:
        file["data"] = h5py.ExternalLink("part.h5", "data")
    assert workspace.use_file(Path("master.h5")) == "master.h5: 4 × 8 × 8"


# ---- over HTTP
@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A page with a token."""
    pytest.importorskip("voila", reason="the page needs voila")
    with served(tmp_path_factory.mktemp("guarded"), tmp_path_factory.mktemp("jupyter"), PYPTY_NB_TOKEN=TOKEN) as site:
        yield site


def ask(site: Site, path: str = "", opener=None, **headers: str) -> tuple[int, str, str]:
    """Status, final address and text of a request."""
    request = urllib.request.Request(
        site.url + path, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    try:
        with (opener or urllib.request.build_opener()).open(request, timeout=60) as answer:
            return answer.status, answer.url, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.url, error.read().decode("utf-8", "replace")


def log_in(site: Site, token: str) -> tuple[int, object]:
    """What the form answers to `token`, and the visitor it then is."""
    visitor = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    _, _, form = ask(site, opener=visitor)
    xsrf = re.search(r'name="_xsrf" value="([^"]+)"', form)[1]
    sent = urllib.parse.urlencode({"password": token, "_xsrf": xsrf}).encode()
    try:
        # the address that has no page behind it, so that no kernel is started
        with visitor.open(site.url + "login?next=/voila/static/voila.js", sent, timeout=60) as answer:
            return answer.status, visitor
    except urllib.error.HTTPError as error:
        return error.code, visitor


@pytest.mark.browser
def test_without_the_token_there_is_a_login_and_nothing_else(guarded: Site) -> None:
    status, address, text = ask(guarded)
    assert (status, urllib.parse.urlsplit(address).path) == (200, "/login")
    assert "This page asks for the token it is served with." in text
    assert TOKEN not in text + guarded.log.read_text()
    assert ask(guarded, "?token=wrong")[1].split("?")[0].endswith("/login")
    kernel = "api/kernels/00000000-0000-0000-0000-000000000000"
    assert ask(guarded, kernel)[0] in {401, 403}
    assert ask(guarded, f"{kernel}/channels", Upgrade="websocket", Connection="Upgrade")[0] in {401, 403}
    assert log_in(guarded, "wrong")[0] == 401
    assert log_in(guarded, TOKEN)[0] == 200


@pytest.mark.browser
@pytest.mark.parametrize("path", ["files/../../../etc/passwd", "files/pypty_nb.ipynb", "files/%2e%2e/server.log"])
def test_no_file_is_served(site: Site, path: str) -> None:
    assert ask(site, "voila/" + path)[0] in {400, 403, 404}


@pytest.mark.browser
def test_a_page_without_a_token_answers_to_its_own_name_only(site: Site) -> None:
    """Else any web page could have the browser of a visitor ask in its name (DNS rebinding)."""
    assert ask(site, "voila/api/themes/x", Host="elsewhere.example")[0] == 403
    assert ask(site, Host="elsewhere.example:80")[0] == 403


# ---- in the browser
@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_login_in_the_browser(browser, guarded: Site) -> None:
    expect = pytest.importorskip("playwright.sync_api").expect
    page = browser.new_context().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(guarded.url)
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not the token", timeout=PATIENCE_MS)
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    page.locator(".pn-app").wait_for(timeout=PATIENCE_MS)
    assert [url for url in asked if not url.startswith((guarded.url, "data:", "blob:"))] == []
    leave(page)
    other, record = open_page(browser, guarded, f"?token={TOKEN}")
    leave(other)
    assert record.complaints == []
    # the command says where the page is; nothing else was worth a line
    assert guarded.log.read_text().count("\n") == 1, guarded.log.read_text()


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_paths_on_the_page(page, site: Site) -> None:
    """Typed or opened, a path that leads out is said beside its field, and Run is off."""
    expect = pytest.importorskip("playwright.sync_api").expect
    Preset(data_path="/etc/passwd").to_json(site.root / "outward.json")
    button(page, "Refresh").click()
    page.get_by_role("listbox", name="Files of the project folder").select_option("outward.json")
    button(page, "Open file").click()
    box = page.locator(".pn-field", has=page.locator(".pn-l").get_by_text("Data file", exact=True))
    expect(box.locator(".pn-note.err")).to_contain_text("/etc/passwd lies outside the project folder", timeout=PATIENCE_MS)
    expect(button(page, "Run")).to_be_disabled()
    expect(page.locator(".pn-bot")).to_contain_text("Run is off: Data file", timeout=PATIENCE_MS)
    box.get_by_role("textbox").fill("../../other.h5")
    box.get_by_role("textbox").press("Tab")
    expect(box.locator(".pn-note.err")).to_contain_text("../../other.h5 lies outside", timeout=PATIENCE_MS)
    box.get_by_role("button", name="restore empty").click()
    expect(box.locator(".pn-note.err")).to_have_count(0, timeout=PATIENCE_MS)


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_hostile_names_and_presets_are_text(page, site: Site) -> None:
    expect = pytest.importorskip("playwright.sync_api").expect
    name = HOSTILE.replace("/", "") + ".json"
    (site.root / name).write_text(json.dumps({"data_path": HOSTILE, "output_folder": HOSTILE}))
    (site.root / ("bad " + name)).write_text(json.dumps({HOSTILE: 1, "acc_voltage": HOSTILE}))
    np.save(site.root / (HOSTILE + ".npy"), np.zeros(3))
    button(page, "Refresh").click()
    for file in ("bad " + name, HOSTILE + ".npy", name):
        page.get_by_role("listbox", name="Files of the project folder").select_option(file)
        button(page, "Open file").click()
        expect(page.locator(".pn-found")).to_contain_text("<img", timeout=PATIENCE_MS)
    expect(page.locator(".pn-where")).to_contain_text("<img", timeout=PATIENCE_MS)
    for index in "1234567":
        page.keyboard.press("Escape")
        page.locator("body").press(index)
        page.wait_for_timeout(150)
    assert page.evaluate("window.harmed") is None
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_two_visitors_do_not_see_each_others_work(browser, page, site: Site) -> None:
    expect = pytest.importorskip("playwright.sync_api").expect
    button(page, "Open demonstration").click()
    expect(page.locator(".pn-where")).to_contain_text("demo", timeout=PATIENCE_MS)
    other, record = open_page(browser, site)
    expect(other.locator(".pn-where")).to_contain_text("untitled", timeout=PATIENCE_MS)
    expect(other.locator(".pn-where")).not_to_contain_text("modified")
    leave(other)
    assert record.foreign(site) == []


def kernel_of(record: Record) -> str:
    return next(found[0] for url in record.requests if (found := re.search(r"api/kernels/[\w-]+", url)))


def await_end(site: Site, kernel: str) -> None:
    end = time.monotonic() + PATIENCE_MS / 1000
    while ask(site, kernel)[0] != 404:
        assert time.monotonic() < end, "the kernel is still there"
        time.sleep(0.2)


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_kernel_of_a_closed_page_ends_at_once(browser, site: Site) -> None:
    page, record = open_page(browser, site)
    kernel = kernel_of(record)
    assert ask(site, kernel)[0] == 200
    page.goto("about:blank")
    await_end(site, kernel)
    page.close()


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_kernel_of_a_lost_page_ends_in_time(browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    code = "import sys; from pathlib import Path; from pypty_nb.workspace.server import Page, serve; "
    code += f"serve(Page(Path({str(tmp_path_factory.mktemp('root'))!r}), int(sys.argv[2]), False, cull_after=10))"
    with served(tmp_path_factory.mktemp("root"), tmp_path_factory.mktemp("jupyter"), command=("-c", code)) as site:
        page, record = open_page(browser, site)
        kernel = kernel_of(record)
        page.wait_for_timeout(12_000)
        assert ask(site, kernel)[0] == 200
        # as by a browser that crashed: nothing is asked for on the way
        page.close()
        await_end(site, kernel)


def wrong_files(root: Path) -> dict[str, str]:
    """Files that are not what their names say, or say what cannot be, and words of the answer to each."""
    with h5py.File(root / "whole.h5", "w") as file:
        file["data"] = np.random.default_rng(3).poisson(2.0, (6, 8, 32, 32)).astype(np.uint16)
    with h5py.File(root / "flat.h5", "w") as file:
        file["table"] = np.zeros((5, 5))
    half = (root / "whole.h5").read_bytes()
    written: dict[str, tuple[bytes | str, str]] = {
        "note.h5": ("a note, not data\n" * 40, "no HDF5 file"),
        "cut.h5": (half[: len(half) // 2], "cut off"),
        "empty.h5": (b"", "the file is empty"),
        "empty.json": (b"", "no valid JSON"),
        "unknown.json": ('{"epochs_max": 3}', "did you mean 'epoch_max'?"),
        "types.json": ('{"acc_voltage": "high", "epoch_max": [1]}', "acc_voltage: must be a number above 0 (kV); got 'high'"),
        "nan.json": ('{"acc_voltage": NaN}', "NaN is not a number of JSON"),
        "huge.json": ('{"epoch_max": ' + "9" * 400 + "}", "epoch_max: must be a whole number"),
    }
    for name, (content, _) in written.items():
        (root / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return {name: words for name, (_, words) in written.items()} | {
        "flat.h5": "no other array of patterns; it holds /table (5, 5)"
    }


@pytest.mark.browser
@pytest.mark.timeout(600)
def test_wrong_files_are_said_in_words(page, site: Site) -> None:
    """Each is refused with its reason, and the page goes on working."""
    expect = pytest.importorskip("playwright.sync_api").expect
    said = wrong_files(site.root)
    # its own folder may lie outside: a link is followed, and refused
    (site.root / "outside.h5").symlink_to(site.log)
    button(page, "Refresh").click()
    files = page.get_by_role("listbox", name="Files of the project folder")
    for name, words in said.items():
        files.select_option(name)
        expect(button(page, "Open file")).to_be_enabled(timeout=PATIENCE_MS)
        button(page, "Open file").click()
        expect(page.locator(".pn-found div.err")).to_contain_text(words, timeout=PATIENCE_MS)
        assert str(site.root) not in page.locator(".pn-found").inner_text()
    assert "outside.h5" not in files.inner_text()
    files.select_option("whole.h5")
    button(page, "Open file").click()
    expect(page.locator(".pn-found div.ok")).to_contain_text("whole.h5", timeout=PATIENCE_MS)
    page.locator(".pn-look canvas").nth(1).wait_for(timeout=PATIENCE_MS)
    assert "Traceback" not in page.content() + site.log.read_text()
