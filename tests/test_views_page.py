"""The views as a person uses them, in Chromium: on the page, and by themselves as a notebook shows them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import nbformat
import numpy as np
import pytest

from pypty_nb import run_ptychography
from pypty_nb.params import Preset
from pypty_nb.widgets import text
from tests.browser import PATIENCE_MS, Site, button, chromium, leave, open_demo, open_page, served
from tests.test_page import wait_for_epoch

expect = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright").expect

pytestmark = [pytest.mark.browser, pytest.mark.timeout(420)]

#: A run to look at: views of its folder, as the last expression of a cell shows them.
FINISHED = """
from pypty_nb.widgets.views import Views
views = Views("run")
views
"""

#: Two slices and two probe modes, and an object larger than is sent.
LARGE = """
import numpy as np
from pypty_nb import Preset
from pypty_nb.records import EpochReport, LineSearchReport, Refinables
from pypty_nb.widgets.views import Object, Scene
y, x = np.mgrid[:2048, :2048]
checks = (y // 2 + x // 2) % 2
obj = np.exp(1j * np.stack([0.5 * checks, 0.2 * np.sin(x / 60)], axis=-1))[..., None]
point = Refinables(obj=obj, probe=np.ones((64, 64, 2), complex), positions=np.array([[10.0, 10.0], [900.0, 900.0]]))
report = EpochReport(1, 1.0, 1.0, {"data": 1.0}, LineSearchReport(), 0.0, point=point)
view = Object(Scene(Preset(pixel_size_x_A=0.5, pixel_size_y_A=0.5), report))
view
"""

#: A run that reports as fast as it can, for the pace of frames and the kernel's memory.
FAST = """
import asyncio, time
import ipywidgets, numpy as np, psutil
from IPython.display import display
from pypty_nb import Preset
from pypty_nb.records import EpochReport, LineSearchReport, Refinables
from pypty_nb.widgets.views import Object, Scene
random = np.random.default_rng(1)
objects = [np.exp(1j * random.normal(0, 0.2, (512, 512, 1, 1))) for _ in range(4)]
positions = random.uniform(0, 448, (400, 2))
def report(epoch):
    point = Refinables(obj=objects[epoch % 4], probe=np.ones((64, 64, 1), complex), positions=positions)
    return EpochReport(epoch, 1.0, 1.0, {"data": 1.0 / (1 + epoch)}, LineSearchReport(), 0.0, point=point)
view = Object(Scene(Preset(), report(0)))
told = ipywidgets.HTML("starting")
told.add_class("told")
times, memory = [], []
pace = view._alone._frames.shown
def shown(number):
    times.append(time.perf_counter())
    pace(number)
async def feed():
    while not times or len(times) < FRAMES:
        view.update(report(len(times)))
        await asyncio.sleep(0.02)
        if len(times) % 50 == 20 and (not memory or memory[-1][0] != len(times)):
            memory.append((len(times), psutil.Process().memory_info().rss))
    seconds = times[-1] - times[10]
    grown = (psutil.Process().memory_info().rss - memory[1][1]) / 2**20
    told.value = f"done {(len(times) - 11) / seconds:.2f} frames a second, {grown:.1f} MiB"
view.stage.bridge.listen(shown=shown, key=view.key)
task = asyncio.get_running_loop().create_task(feed())
display(told, view)
"""


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Notebooks with views, served without their code; the page's own template, since nothing else works without a network."""
    chromium()
    root = tmp_path_factory.mktemp("gallery")
    arguments = ["-m", "voila", str(root), "--template=pypty_nb", "--show_tracebacks=True"]
    with served(root, tmp_path_factory.mktemp("jupyter"), command=arguments) as site:
        yield site


def shown(browser, gallery: Site, name: str, code: str, wait: str = ".pn-alone", **size: int):
    """The page of a notebook with the cell `code`."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code.strip())])
    nbformat.write(notebook, gallery.root / f"{name}.ipynb")
    return open_page(browser, gallery, f"voila/render/{name}.ipynb", wait=wait, **size)


def picture(page, index: int):
    return page.locator(".pn-pic").nth(index)


def quarter(page, place: str):
    """What stands in one of the four quarters."""
    return page.locator(".pn-view", has=page.get_by_role("combobox", name=f"View, {place}"))


def drawn(shown):
    """A picture's WebGL surface, drawn."""
    found = shown.locator("canvas").first
    found.wait_for(timeout=PATIENCE_MS)
    return found


def canvas(page, index: int):
    return drawn(picture(page, index))


def at_rest(shown) -> bytes:
    """A screenshot of a picture once two in a row are equal."""
    drawn(shown)
    before = b""
    for _ in range(40):
        now = shown.screenshot()
        if now == before:
            return now
        before = now
        shown.page.wait_for_timeout(150)
    raise AssertionError("the picture never came to rest")


def settled(page, index: int) -> bytes:
    return at_rest(picture(page, index))


@pytest.fixture
def finished(browser, gallery: Site, tiny: Preset):
    """Four views of a finished run, by themselves."""
    folder = gallery.root / "run"
    if not folder.exists():
        tiny.update(output_folder=str(folder), epoch_max=6, update_probe="lambda x: x >= 2")
        run_ptychography(tiny)
    page, record = shown(browser, gallery, "finished", FINISHED, height=900)
    yield page
    leave(page)
    assert record.foreign(gallery) == []
    assert record.complaints == []


def test_views_of_a_finished_run(finished, tiny: Preset):
    """Pictures, patterns of the chosen scan point, loss with its event; a click and a field choose another scan point."""
    page = finished
    for index in range(5):
        canvas(page, index)
    row, column = page.get_by_label("Row", exact=True), page.get_by_label("Column", exact=True)
    numbers = page.locator(".pn-patterns .pn-numbers")
    expect(numbers).to_contain_text(text.number(tiny.dataset[12].sum()), timeout=PATIENCE_MS)
    expect(page.locator(".pn-plot").first).to_contain_text("probe", timeout=PATIENCE_MS)
    before = settled(page, 2)
    row.fill("3")
    row.press("Tab")
    column.fill("1")
    column.press("Tab")
    expect(numbers).to_contain_text(text.number(tiny.dataset[16].sum()), timeout=PATIENCE_MS)
    assert settled(page, 2) != before


def test_a_value_under_the_mouse(finished):
    page = finished
    box = canvas(page, 0).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    told = page.locator(".pn-picture").first.locator(".hv")
    expect(told).to_have_text(re.compile(r"^y \d+\.\d, x \d+\.\d Å: −?\d\.\d+"), timeout=PATIENCE_MS)
    page.mouse.move(5, 5)
    expect(told).to_have_text("", timeout=PATIENCE_MS)


def test_patterns_pan_and_zoom_together(finished):
    page = finished
    before = [settled(page, index) for index in (2, 3, 4)]
    box = canvas(page, 3).bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.4)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(600)
    assert all(settled(page, index) != was for index, was in zip((2, 3, 4), before, strict=True))


def test_a_quarter_shows_another_view(finished):
    """By the keyboard alone; what was there changes places, and the menu keeps the focus."""
    page = finished
    menu = page.get_by_role("combobox", name="View, top right").first
    menu.select_option("Object modulus")
    expect(page.get_by_role("combobox", name="View, top right").first).to_have_value("Object modulus", timeout=PATIENCE_MS)
    right, left = quarter(page, "top right"), quarter(page, "top left")
    expect(right.locator(".pn-caption")).to_contain_text("max", timeout=PATIENCE_MS)
    expect(right.locator(".pn-caption")).not_to_contain_text("rad")
    expect(page.get_by_role("combobox", name="View, top right").first).to_be_focused(timeout=PATIENCE_MS)
    left.get_by_role("checkbox", name="Link zoom").check()
    before = at_rest(right.locator(".pn-pic"))
    box = drawn(left).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(800)
    assert at_rest(right.locator(".pn-pic")) != before
    page.get_by_role("combobox", name="View, top left").first.select_option("Residual")
    # the folder holds no residual: it is computed
    expect(quarter(page, "top left").locator(".pn-numbers")).to_contain_text("scan points 25", timeout=PATIENCE_MS)
    page.get_by_role("combobox", name="View, bottom right").first.select_option("Residual")
    expect(page.get_by_role("combobox", name="View, top left").first).to_have_value("Loss", timeout=PATIENCE_MS)


def test_swapping_again_and_again_keeps_every_picture(finished):
    """A browser gives a page sixteen WebGL surfaces and takes the oldest away: none may be made anew."""
    page = finished
    canvas(page, 0)
    menu = page.get_by_role("combobox", name="View, top left").first
    for _ in range(3):
        for name in ("Object modulus", "Probe reciprocal", "Residual", "Loss", "Patterns", "Probe", "Object phase"):
            menu.select_option(name)
            expect(menu).to_have_value(name, timeout=PATIENCE_MS)
            page.wait_for_timeout(300)
    visible = [index for index in range(page.locator(".pn-pic").count()) if picture(page, index).is_visible()]
    assert len(visible) >= 3
    for index in visible:
        assert pixels(settled(page, index))[8:-8, 8:-8].std() > 1


def test_a_large_object_is_fine_where_it_is_zoomed(browser, gallery: Site):
    """Checks of two pixels are an even grey as a whole, and checks again when zoomed into; slices by slider and key."""
    page, record = shown(browser, gallery, "large", LARGE)
    even = pixels(settled(page, 0))
    box = canvas(page, 0).bounding_box()
    assert even[100:200, 100:200].std() < 12
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(12):
        page.mouse.wheel(0, -400)
        page.wait_for_timeout(60)
    page.wait_for_timeout(1000)
    assert pixels(settled(page, 0))[100:200, 100:200].std() > 40
    slider = page.get_by_role("slider").first
    slider.focus()
    slider.press("ArrowRight")
    expect(page.locator(".pn-counted").first).to_contain_text("Slice 2 of 2", timeout=PATIENCE_MS)
    page.get_by_role("checkbox", name="Positions").focus()
    page.locator(".pn-caption").first.click()
    assert page.get_by_role("button", name="Fit", exact=True).is_visible()
    leave(page)
    assert record.complaints == []


@pytest.mark.slow
@pytest.mark.timeout(7200 if os.environ.get("PYPTY_NB_SLOW") == "1" else 420)
def test_pace_and_memory(browser, gallery: Site):
    """A 512² object at five frames a second or more, on two cores with WebGL by software; the kernel grows no larger."""
    frames = 10_000 if os.environ.get("PYPTY_NB_SLOW") == "1" else 300
    page, record = shown(browser, gallery, "fast", FAST.replace("FRAMES", str(frames)), wait=".told")
    told = page.locator(".told", has_text="done")
    told.wait_for(timeout=max(4 * PATIENCE_MS, 400 * frames))
    words = told.inner_text()
    print(f"\n512² object, {frames} frames: {words}")
    rate, grown = map(float, re.search(r"done ([\d.]+) frames a second, (-?[\d.]+) MiB", words).groups())
    assert rate >= 5
    assert grown < 30
    leave(page)
    assert record.complaints == []


def test_a_run_on_the_page_is_looked_at_closely(page):
    """While it runs: a click on the map shows that scan point's patterns; typed contrast and zoom stay."""
    open_demo(page)
    button(page, "Run").click()
    wait_for_epoch(page, 3)
    numbers = page.locator(".pn-patterns .pn-numbers")
    expect(numbers).to_contain_text("Counts in the model", timeout=PATIENCE_MS)
    scan = page.locator(".pn-below .pn-pic")
    scan.locator("canvas").first.wait_for(timeout=PATIENCE_MS)
    box = scan.bounding_box()
    page.mouse.click(box["x"] + box["width"] * (3.5 / 24), box["y"] + box["height"] * (20.5 / 24))
    expect(page.get_by_label("Row", exact=True)).to_have_value("20", timeout=PATIENCE_MS)
    expect(page.get_by_label("Column", exact=True)).to_have_value("3", timeout=PATIENCE_MS)

    low = page.get_by_label("Contrast, from")
    low.fill("-0.5")
    low.press("Tab")
    place = canvas(page, 0).bounding_box()
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
    page.mouse.wheel(0, -300)
    bar = page.locator(".pn-scale").first
    page.wait_for_timeout(600)
    length = bar.inner_text(), bar.evaluate("(bar) => bar.style.width")
    done, _ = wait_for_epoch(page, 4)
    wait_for_epoch(page, done + 4)
    expect(low).to_have_value("-0.5")
    assert (bar.inner_text(), bar.evaluate("(bar) => bar.style.width")) == length
    page.locator(".pn-title").first.click()
    page.keyboard.press("a")
    expect(low).not_to_have_value("-0.5", timeout=PATIENCE_MS)


def pixels(png: bytes) -> np.ndarray:
    from io import BytesIO

    from PIL import Image

    return np.asarray(Image.open(BytesIO(png)).convert("L"), float)
