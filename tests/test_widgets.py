"""What the page is made of, without a browser: pace of frames, words, colours, views, and the application itself."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances

from pypty_nb.params import Preset
from pypty_nb.records import EpochReport, LineSearchReport, Refinables
from pypty_nb.widgets import app, colour, text
from pypty_nb.widgets.bridge import Bridge
from pypty_nb.widgets.frames import Frames, Pace
from pypty_nb.widgets.panels import BottomBar
from pypty_nb.widgets.status import status
from pypty_nb.widgets.steps import STEPS, Facts, standing
from pypty_nb.widgets.views import Loss, Object, Probe, Residual, Scene
from pypty_nb.widgets.views.loss import linear_ticks, log_ticks
from pypty_nb.widgets.views.picture import round_length
from pypty_nb.workspace import Phase, RunState
from pypty_nb.workspace.listing import find

QUICK = Pace(interval=0.005, patience=0.02, abandon=0.1)


async def until(true, patience: float = 30.0) -> None:
    async with asyncio.timeout(patience):
        while not true():
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def running(frames: Frames):
    task = asyncio.create_task(frames.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


# ---- frames
def test_a_page_that_answers_gets_the_newest_state():
    async def main() -> None:
        state, seen = {"n": 0}, []
        frames = Frames(lambda: seen.append(state["n"]), lambda number: frames.shown(number), QUICK)
        async with running(frames):
            for state["n"] in range(1, 200):
                frames.want()
                await asyncio.sleep(0.0005)
            await until(lambda: seen[-1] == 199)
        assert len(seen) < 150

    asyncio.run(main())


def test_a_page_that_is_gone_gets_nothing_more_until_it_answers():
    async def main() -> None:
        seen: list[int] = []
        asked: list[int] = []
        frames = Frames(lambda: seen.append(1), asked.append, QUICK)
        async with running(frames):
            for _ in range(200):
                frames.want()
                await asyncio.sleep(0.002)
            assert frames.abandoned
            sent = len(seen)
            for _ in range(20):
                frames.want()
                await asyncio.sleep(0.005)
            assert len(seen) == sent
            frames.shown(-1)
            await until(lambda: len(seen) > sent)

    asyncio.run(main())


# ---- words
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0738, "0.0738"),
        (1.0, "1.00"),
        (-0.26, "\u22120.260"),
        (114047.2, "114\u202f047"),
        (3e-5, "3.00e\u22125"),
        (0.0, "0"),
    ],
)
def test_numbers(value: float, words: str):
    assert text.number(value) == words


def test_durations_and_sizes():
    assert [text.duration(s) for s in (1.7, 63, 101, 7320)] == ["1.7 s", "1 min 3 s", "1 min 41 s", "2 h 2 min"]
    assert [text.size(n) for n in (512, 13_600_000)] == ["512 bytes", "13.6 MB"]
    assert [text.plural(n, "epoch") for n in (1, 2)] == ["1 epoch", "2 epochs"]


def test_every_phase_has_words():
    for phase in Phase:
        says = status(RunState(phase, 23, 0, 60, "out of memory. Set Batch to 32"), 101)
        assert says.words
        assert says.action in {"Run", "Pause", "Resume", "Run again"}
    assert status(RunState(Phase.FINISHED, 60, 0, 60), 101).sentence == "Finished. 60 of 60 epochs in 1 min 41 s"
    assert status(RunState(Phase.FINISHED, 33, 0, 60), rejected=7).words == "Rejected seven times"
    assert status(RunState(Phase.FINISHED, 33, 0, 60)).mark == "rej"
    assert "goes on with epoch 24" in status(RunState(Phase.PAUSED, 23, 0, 60)).sentence


def test_every_step_stands_somehow():
    preset = Preset()
    assert [standing(title, preset, Facts()).mark for title in STEPS] == ["todo", "todo", "todo", "todo", "ok", "todo", "todo"]
    preset.update(dataset=np.zeros((6, 8, 8), np.uint8), scan_size=(2, 3), pixel_size_x_A=0.2)
    assert standing("Data", preset, Facts()).words == "2 × 3 × 8 × 8"
    assert standing("Calibrate", preset, Facts()).mark == "ok"
    wrong = standing("Optimise", preset, Facts(errors=frozenset({"epoch_max"})))
    assert (wrong.mark, wrong.words) == ("warn", "1 field to correct")


# ---- pictures
def test_a_large_array_is_shrunk():
    array = np.arange(1500 * 1030, dtype=float).reshape(1500, 1030)
    small, every = colour.shrink(array)
    assert every == 3
    assert small.shape == (500, 343)
    assert small[0, 0] == array[:3, :3].mean()


def test_colours_are_opaque_and_black_at_nothing():
    field = np.exp(1j * np.linspace(-np.pi, np.pi, 64))[None, :] * np.array([0.0, 1.0])[:, None]
    image = colour.wave(field)
    assert image.shape == (2, 64, 4)
    assert (image[..., 3] == 255).all()
    assert image[0, :, :3].max() < 10
    # phase is told by hue at even lightness, so every channel varies
    assert (np.ptp(image[1, :, :3].astype(int), axis=0) > 60).all()


def test_ticks_are_round():
    assert log_ticks(0.05, 2.0) == [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
    assert log_ticks(0.0718, 0.0735) == linear_ticks(0.0718, 0.0735, 4)
    assert 3 <= len(log_ticks(1e-9, 1e9)) <= 7
    assert linear_ticks(0, 60) == [0, 10, 20, 30, 40, 50, 60]


@pytest.mark.parametrize(
    ("about", "length", "words"), [(11.0, 10.0, "1 nm"), (3.9, 5.0, "5 Å"), (2.3e4, 2e4, "2 µm"), (0.4, 0.5, "0.5 Å")]
)
def test_scale_bars_are_round(about: float, length: float, words: str):
    assert round_length(about) == (length, words)


def scene(epoch: int = 0, size: int = 24, modes: int = 2) -> Scene:
    random = np.random.default_rng(epoch)
    obj = np.exp(1j * random.uniform(-0.5, 0.5, (size, size + 3, 2, 1)))
    point = Refinables(obj=obj, probe=random.standard_normal((8, 8, modes)) + 0j, positions=random.uniform(0, 12, (6, 2)))
    search = LineSearchReport(step=1.0, evaluations=2)
    report = EpochReport(epoch, 1.5, 1.0, {"data": 1.0}, search, 0.1, residual=np.arange(6.0), point=point)
    preset = Preset(scan_size=(2, 3), epoch_max=10)
    return Scene(preset, report, tuple(range(epoch + 1)), tuple(1.0 / (n + 1) for n in range(epoch + 1)))


@pytest.mark.parametrize("webgl", [True, False, None])
def test_views_are_updated_in_place(webgl: bool | None):
    bridge = Bridge()
    bridge.webgl = webgl
    for view in (Object(bridge), Probe(bridge), Residual(bridge), Loss()):
        widget = view.render()
        view.update(scene(0))
        made = len(_instances)
        for epoch in range(1, 6):
            view.update(scene(epoch))
        assert view.render() is widget
        assert len(_instances) == made


def test_zoom_and_typed_contrast_survive_an_update():
    bridge = Bridge()
    view = Object(bridge)
    view.update(scene(0))
    surface = view._picture._surface
    surface._x.min, surface._x.max = 3.0, 9.0
    view._low.value = -0.1
    assert view._auto.value is False
    view.update(scene(1))
    assert (surface._x.min, surface._x.max, surface._colour.min) == (3.0, 9.0, -0.1)
    view.autoscale()
    assert view._low.value != -0.1
    # another size is another picture: all of it is shown
    view.update(scene(2, size=30))
    assert surface._x.max > 30


def test_without_webgl_the_picture_is_a_png():
    bridge = Bridge()
    view = Object(bridge)
    view.update(scene(0))
    bridge.webgl = False
    assert view._picture._surface._image.value[:4] == b"\x89PNG"


def test_no_grid_no_map():
    view = Residual(Bridge())
    shown = scene(0)
    shown.preset.scan_size = None
    view.update(shown)
    assert "Set Scan points" in view._picture._empty.value


# ---- files
def test_files_inside_the_root_only(tmp_path: Path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    run = root / "runs" / "001"
    for folder in (root / "sub", run / "export", root / ".hidden", outside):
        folder.mkdir(parents=True)
    for path in (
        root / "a.h5",
        root / "sub" / "b.npy",
        root / "runs" / "c.json",
        run / "params.json",
        run / "journal.jsonl",
        run / "co.npy",
        run / "export" / "object.npy",
        root / ".hidden" / "d.h5",
        root / "e.txt",
        outside / "f.h5",
    ):
        path.touch()
    (root / "link.h5").symlink_to(outside / "f.h5")
    assert [path.as_posix() for path in find(root)] == ["a.h5", "runs/c.json", "sub/b.npy"]


# ---- the application
def test_the_root_must_be_there(tmp_path: Path):
    with pytest.raises(NotADirectoryError, match="does not exist"):
        app(tmp_path / "nothing")


def test_the_root_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYPTY_NB_ROOT", str(tmp_path))
    assert app().workspace.root == tmp_path.resolve()


def test_the_demo_starts_by_itself(tmp_path: Path):
    async def main() -> None:
        page = app(tmp_path, demo=True)
        runner = page.workspace.runner
        await until(lambda: runner.state.epoch >= 2, 120)
        page._bridge._heard(page._bridge, {"key": " "}, [])
        assert runner.state.phase is Phase.PAUSED
        page._act()
        runner.stop()
        await until(lambda: not runner.state.busy, 60)
        assert runner.state.phase is Phase.STOPPED
        assert page.workspace.last_run().is_run()

    asyncio.run(main())


def test_what_stops_a_run_is_said(tmp_path: Path):
    async def main() -> None:
        page = app(tmp_path)
        page.workspace.preset.update(dataset=np.zeros((4, 8, 8), np.uint8), output_folder="../elsewhere")
        page._act()
        await asyncio.sleep(0)
        said = page._bottom._note.value
        assert "outside the project folder" in said
        assert not page.workspace.runner.state.busy

    asyncio.run(main())


def test_warnings_share_a_chip_and_stay_dismissed():
    bar = BottomBar()
    bar.warn("the update of epoch 12 was rejected")
    bar.warn("the update of epoch 13 was rejected")
    (chip,) = bar._chips.children
    assert chip.message == "The update of epoch 13 was rejected"
    chip.children[1].click()
    bar.warn("the update of epoch 14 was rejected")
    assert bar._chips.children == ()
    bar.clear()
    bar.warn("the update of epoch 1 was rejected")
    assert len(bar._chips.children) == 1


def test_files_and_exceptions_are_text_not_markup(tmp_path: Path):
    async def main() -> None:
        page = app(tmp_path)
        await page._data._open(Path("<b>.h5"))
        assert "&lt;b&gt;" in page._data._found.value
        page._failed(RuntimeError("<script>"))
        assert "<script>" not in page._bottom._chips.children[-1].children[0].value

    asyncio.run(main())


def test_a_run_whose_page_is_closed_keeps_its_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A silent kernel is ended by the server, and a run in it would be with it."""

    async def main() -> None:
        monkeypatch.setattr(sys.modules["pypty_nb.widgets.app"], "AWAKE_S", 0.01)
        page, sent = app(tmp_path), []
        monkeypatch.setattr(page._bridge, "send", lambda content, buffers=None: sent.append(content))
        await asyncio.sleep(0.05)
        assert {"awake": True} not in sent
        page.workspace.runner.state = RunState(Phase.RUNNING)
        await until(lambda: sent.count({"awake": True}) > 2)

    asyncio.run(main())
