"""What the page is made of, without a browser: pace of frames, words, colours, views, and the application itself."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
from ipywidgets.widgets.widget import _instances

from pypty_nb import Reconstruction, run_ptychography
from pypty_nb.initialize import PreflightLine, PreflightReport
from pypty_nb.params import ParameterError, Preset
from pypty_nb.records import EpochReport, LineSearchReport, Refinables
from pypty_nb.runs import RecordedRun, RunFolderError
from pypty_nb.widgets import app, colour, text
from pypty_nb.widgets.bridge import Bridge
from pypty_nb.widgets.frames import Frames, Pace
from pypty_nb.widgets.panels import BottomBar, TopBar
from pypty_nb.widgets.panels.check import judged
from pypty_nb.widgets.panels.chooser import Chooser
from pypty_nb.widgets.reports import Reports
from pypty_nb.widgets.status import status
from pypty_nb.widgets.steps import STEPS, Facts, standing, unmeasured
from pypty_nb.widgets.tasks import Tasks
from pypty_nb.widgets.views import Loss, Object, Patterns, Probe, Quarters, Residual, Scene, Stage, Views
from pypty_nb.widgets.views.loss import linear_ticks, log_ticks
from pypty_nb.widgets.views.picture import round_length
from pypty_nb.workspace import Event, PatternReader, Phase, RunState, scene_of
from pypty_nb.workspace.listing import MANY, find
from pypty_nb.workspace.pictures import scan_map

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


def test_frames_beside_a_run_take_a_share_of_the_time_but_for_what_a_person_waits_for():
    async def main() -> None:
        seen: list[float] = []
        clock = asyncio.get_running_loop().time

        async def show() -> None:
            seen.append(clock())
            await asyncio.sleep(0.02)

        frames = Frames(show, lambda number: frames.shown(number), Pace(interval=0.005, saved=0.05, rest=5.0))
        frames.share = 0.1
        async with running(frames):
            ends = clock() + 1.5
            while clock() < ends:
                frames.want(can_wait=True)
                await asyncio.sleep(0.002)
            # three for what was saved, then one for each 0.2 s; unrestrained it would be sixty
            assert 3 <= len(seen) <= 12
            assert max(later - sooner for sooner, later in pairwise(seen)) > 0.1
            for asked in (lambda: frames.want(), lambda: frames.shown(-1)):
                frames.want(can_wait=True)
                before, since = len(seen), clock()
                asked()
                await until(lambda before=before: len(seen) > before)
                assert clock() - since < 0.1

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


def test_the_readout_says_whether_the_loss_still_falls():
    reports = Reports()
    for epoch in range(14):
        loss = 100.0 - epoch
        search = LineSearchReport(1.0, 1.0, -1.0, -0.5, 1)
        reports.add(EpochReport(epoch, loss, 1.0, {"data": loss}, search, 1.0 + epoch, point=Refinables()))
        if epoch == 0:
            assert "since" not in reports.readout(RunState(Phase.RUNNING, 1, 0, 60)).html()
    assert "since epoch 3 <b>−10 %</b>" in reports.readout(RunState(Phase.RUNNING, 14, 0, 60)).html()
    assert [text.percent(share) for share in (-0.001, 0.0234, -0.5)] == ["−0.10 %", "+2.3 %", "−50 %"]


def test_every_phase_has_words():
    for phase in Phase:
        says = status(RunState(phase, 23, 0, 60, "out of memory. Set Batch to 32"), 101)
        assert says.words
        assert says.action in {"Run", "Pause", "Resume", "Run again"}
    assert status(RunState(Phase.FINISHED, 60, 0, 60), 101).sentence == "Finished. 60 of 60 epochs in 1 min 41 s"
    assert status(RunState(Phase.FINISHED, 33, 0, 60), rejected=7).words == "Rejected seven times"
    assert status(RunState(Phase.FINISHED, 33, 0, 60)).mark == "rej"
    assert status(RunState(Phase.RUNNING, 0, 0, 60)).sentence.startswith("First epoch")
    assert status(RunState(Phase.RUNNING, 1, 0, 60)).sentence == ""
    assert "Resume goes on from here" in status(RunState(Phase.PAUSED, 23, 0, 60)).sentence


def test_every_step_stands_somehow():
    preset = Preset()
    assert [standing(title, preset, Facts()).mark for title in STEPS] == ["todo", "todo", "todo", "todo", "ok", "todo", "todo"]
    preset.update(dataset=np.zeros((6, 8, 8), np.uint8), scan_size=(2, 3), pixel_size_x_A=0.2)
    assert standing("Data", preset, Facts()).words == "2 × 3 × 8 × 8"
    assert unmeasured(preset) == "positions not set"
    assert unmeasured(Preset(data_path="scan.h5")) == "pixel size not set, positions not set"
    assert standing("Calibrate", preset, Facts()).mark == "ok"
    preset.n_hermite_probe_modes = (2, 1)
    assert standing("Probe and object", preset, Facts()).words == "6 modes, 1 slice"
    wrong = standing("Optimise", preset, Facts(errors=frozenset({"epoch_max"})))
    assert (wrong.mark, wrong.words) == ("warn", "1 field to correct")


def test_the_card_is_the_mark_of_its_step():
    preset = Preset(dataset=np.ones((6, 8, 8), np.uint8))
    assert standing("Check and run", preset, Facts()).words == "Not checked"
    lines = [
        PreflightLine("Data", "6 patterns"),
        PreflightLine("Dose", "few", "amber", "more"),
        PreflightLine("obj", "no", "red"),
    ]
    for count, mark, words in (
        (1, "ok", "All 1 in order"),
        (2, "warn", "1 thing to look at"),
        (3, "err", "1 line refuses the run"),
    ):
        verdict = judged(PreflightReport(tuple(lines[:count])))
        assert (verdict.mark, verdict.words) == (mark, words)
        assert standing("Check and run", preset, Facts(check=verdict)) == verdict


def test_the_axis_of_a_long_run_goes_some_way_ahead():
    loss = Loss(stage=Stage(Bridge()))
    loss.update(Scene(Preset(epoch_max=5000), None, list(range(13)), [100.0 / (1 + n) for n in range(13)]))
    assert (loss._x.min, loss._x.max) == (0, 50)
    loss._range.value = "all"
    assert loss._x.max == 5000
    loss._range.value = "fit"
    loss.update(Scene(Preset(epoch_max=20), None, list(range(13)), [100.0 / (1 + n) for n in range(13)]))
    assert loss._x.max == 20


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


def staged(webgl: bool | None = None) -> Stage:
    bridge = Bridge()
    bridge.webgl = webgl
    return Stage(bridge)


@pytest.mark.parametrize("webgl", [True, False, None])
def test_views_are_updated_in_place(webgl: bool | None):
    stage = staged(webgl)
    for view in (Object(stage=stage), Probe(stage=stage), Residual(stage=stage), Loss(stage=stage)):
        widget = view.render()
        view.update(scene(0))
        made = len(_instances)
        for epoch in range(1, 6):
            view.update(scene(epoch))
        assert view.render() is widget
        assert len(_instances) == made


def test_zoom_and_typed_contrast_survive_an_update():
    view = Object(stage=staged())
    view.update(scene(0))
    surface = view.picture._surface
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
    stage = staged()
    view = Object(stage=stage)
    view.update(scene(0))
    stage.bridge.webgl = False
    assert view.picture._surface._image.value[:4] == b"\x89PNG"


def test_no_grid_no_positions_no_map():
    view = Residual(stage=staged())
    shown = scene(0)
    shown.preset.scan_size = None
    view.update(replace(shown, report=replace(shown.report, point=replace(shown.point, positions=None))))
    assert "Set Scan points" in view._scan.picture._empty.value


def test_what_is_large_is_sent_small_and_fine_where_it_is_looked_at():
    view = Object(stage=staged(True))
    view.update(scene(0, size=1400))
    surface = view.picture._surface
    assert max(surface._mark.image.shape) <= colour.MOST
    assert surface._detail not in surface.widget.marks
    surface.window = (700.0, 800.0, 300.0, 400.0)
    assert surface._detail in surface.widget.marks
    (left, right), (top, bottom) = surface._detail.x, surface._detail.y
    assert left <= 300
    assert right >= 400
    full = np.angle(view._shown.scene.point.obj[int(top) : int(bottom), int(left) : int(right), 0, 0])
    assert surface._detail.image.shape == full.shape
    assert np.corrcoef(surface._detail.image.ravel(), full.ravel())[0, 1] > 0.99
    view.picture.fit()
    assert surface._detail not in surface.widget.marks


def test_the_value_under_the_mouse_follows_the_picture():
    view = Object(stage=staged(True), quantity="modulus")
    first = scene(0)
    view.update(first)
    view.picture._surface._message(None, {"event": "mousemove", "domain": {"y": 4.5, "x": 7.2}}, [])
    assert "y 4, x 7 Å: <b>1.00</b>" in view.picture.under_mouse.value
    first.point.obj[4, 7] = 0.25
    view.update(first)
    assert "<b>0.250</b>" in view.picture.under_mouse.value
    view.picture._surface._message(None, {"event": "mouseleave"}, [])
    assert view.picture.under_mouse.value == ""


def test_slices_by_key_and_slider():
    view = Object(stage=staged(True))
    view.update(scene(0))
    shown = view.picture._surface._mark.image.copy()
    view.key("]")
    assert (view.slice.value, view.slice.count) == (1, 2)
    assert not np.array_equal(view.picture._surface._mark.image, shown)
    view.key("]")
    assert view.slice.value == 1
    view.key("[")
    assert np.array_equal(view.picture._surface._mark.image, shown)


def test_a_click_on_a_map_chooses_a_scan_point_everywhere():
    stage = staged(True)
    picture, residual = Object(stage=stage), Residual(stage=stage)
    for view in (picture, residual):
        view.update(scene(0))
    assert stage.index == 4
    residual._scan.picture._surface._message(None, {"event": "click", "domain": {"y": 1.4, "x": 2.6}}, [])
    assert stage.index == 5
    assert residual._pick._row.value == 1
    ring = picture.picture._surface._over[-1]
    np.testing.assert_allclose((ring.y[0], ring.x[0]), scene(0).point.positions[5] + 4)
    # on the object only where the positions are seen
    place = scene(0).point.positions[2] + 4
    content = {"event": "click", "domain": {"y": place[0] + 0.1, "x": place[1]}}
    picture.picture._surface._message(None, content, [])
    assert stage.index == 5
    picture._positions.value = True
    picture.picture._surface._message(None, content, [])
    assert stage.index == 2
    residual._pick._column.value = 0
    assert stage.index == 0


def test_a_scan_that_is_no_grid_has_a_map():
    random = np.random.default_rng(1)
    places = random.uniform(0, 40, (300, 2))
    drawn = scan_map(places[:, 0], places, None)
    near = drawn.index >= 0
    assert near.mean() > 0.8
    # every pixel shows the value of a scan point close by: here its own place
    rows = np.mgrid[: drawn.values.shape[0], : drawn.values.shape[1]][0] * np.ptp(places[:, 0]) / (drawn.values.shape[0] - 1)
    assert np.abs(drawn.values - rows - places[:, 0].min())[near].max() < 6
    np.testing.assert_array_equal(drawn.values[near], places[drawn.index[near], 0])
    assert scan_map(np.ones(3), np.zeros((3, 2)), None) is None
    # one row of scan points is no raster; where nothing says where they lie, it is shown as a line
    in_a_row = scan_map(places[:, 0], places, (1, 300))
    assert in_a_row.grid is None and np.array_equal(in_a_row.index, drawn.index)
    assert scan_map(places[:, 0], None, (1, 300)).values.shape == (1, 300)
    y, x = drawn.place(7)
    assert abs(places[drawn.at(y, x)] - places[7]).max() < 4 and drawn.at(-1, 0) is None
    assert np.abs(np.array([y, x]) * drawn.step + places.min(axis=0) - places[7]).max() < 2


def test_quarters_change_places():
    quarters = Quarters(staged(True))
    quarters.update(scene(0))
    quarters.choose(0, "Probe")
    assert quarters.names == ("Probe", "Object phase", "Patterns", "Loss")
    assert [menu.value for menu in quarters._menus] == list(quarters.names)
    quarters._menus[2].value = "Object modulus"
    assert quarters.names[2] == "Object modulus"
    phase, modulus = quarters.shown[1], quarters.shown[2]
    assert modulus.picture.frame is not None
    quarters.key("l")
    phase.picture._surface.window = (3.0, 9.0, 4.0, 10.0)
    assert modulus.picture.window == (3.0, 9.0, 4.0, 10.0)
    quarters.key("l")
    phase.picture._surface.window = (0.0, 9.0, 0.0, 9.0)
    assert modulus.picture.window == (3.0, 9.0, 4.0, 10.0)


def test_a_loss_has_shares_events_and_another_run_beside_it():
    shown = replace(
        scene(5),
        terms={"atv": [math.nan, 0.01, 0.01, 0.01, 0.02, 0.02], "window": [0.3] * 6},
        validation=[1.1, 0.6, 0.4, 0.3, 0.25, 0.2],
        events=(Event(2, "resumed"), Event(4, "<b>")),
    )
    view = Loss(stage=staged(), against=replace(scene(3), name="003"))
    view.update(shown)
    data, held_out, other = view._data._lines
    assert data.colors == ["var(--pn-accent)"]
    np.testing.assert_array_equal(other.x, [0, 1, 2, 3])
    np.testing.assert_array_equal(held_out.y, shown.validation)
    assert [words.split()[0] for words in view._data._names.text] == ["data", "held", "003"]
    np.testing.assert_array_equal(view._data._events.x, [[2, 2], [4, 4]])
    assert list(view._data._words.text) == ["resumed", "<b>"]
    window, atv = view._shares._lines
    np.testing.assert_allclose(window.y[0], 100 * 0.3 / 1.3)
    assert len(atv.x) == 5
    assert view._shares._names.text[0].endswith("%")
    made = len(_instances)
    for _ in range(20):
        view.update(shown)
    view.compare(None)
    assert len(view._data._lines) == 2
    assert len(_instances) <= made


# ---- views by themselves
def test_a_view_of_a_folder_shows_what_was_run(tmp_path: Path, tiny: Preset):
    tiny.update(output_folder=str(tmp_path / "one"), epoch_max=4, update_probe="lambda x: x >= 2", atv_weight=1e-3)
    result = run_ptychography(tiny)
    shown = scene_of(tmp_path / "one")
    assert shown.epochs == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(shown.losses[-1], result.report.terms["data"])
    assert shown.events == (Event(2, "probe"),)
    np.testing.assert_array_equal(shown.point.obj, result.point.obj)
    for kind in (Object, Probe, Patterns, Residual, Loss, Views):
        view = kind(tmp_path / "one")
        data = view._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in data
        assert kind is Loss or data["image/png"][:4] == b"\x89PNG"
        assert view._alone._said.value == ""
    assert Object(result).picture.frame is not None
    with pytest.raises(RunFolderError, match="is no run"):
        Object(tmp_path)
    with pytest.raises(ParameterError, match="a view shows a run"):
        Object(3)


def test_a_residual_that_is_not_in_the_folder_is_computed(tmp_path: Path, tiny: Preset):
    tiny.update(output_folder=str(tmp_path / "one"), epoch_max=2)
    result = run_ptychography(tiny)

    async def main() -> None:
        view = Residual(tmp_path / "one")
        await until(lambda: view._scan.picture.frame is not None)
        expected = result.report.residual / result.report.residual.mean()
        np.testing.assert_allclose(view._scan.picture.frame.source.ravel(), expected, rtol=1e-9)

    asyncio.run(main())


def test_a_reconstruction_is_followed_and_no_faster_than_it_is_seen(tiny: Preset):
    async def main() -> None:
        reconstruction = Reconstruction(tiny)
        view, loss = Patterns(reconstruction), Loss(reconstruction)
        drawn: list[int] = []
        view.stage.bridge.ask_shown = lambda number: (drawn.append(number), view._alone._frames.shown(number))
        async for report in reconstruction:
            view.update(report)
            loss.update(report)
        await until(lambda: view._read is not None and view._seen[0].final)
        assert len(drawn) < 6
        model = PatternReader(tiny).at(reconstruction.point, view.stage.index, report.epoch).model
        np.testing.assert_allclose(view._read.model, model)
        np.testing.assert_array_equal(view._read.measured, tiny.dataset[12])
        again = Loss()
        await again.follow(Reconstruction(tiny))
        assert again._shown.scene.epochs == list(range(tiny.epoch_max + 1))

    asyncio.run(main())


def test_a_folder_is_followed_to_its_end(tmp_path: Path, tiny: Preset):
    async def main() -> None:
        tiny.update(epoch_max=3)
        run = RecordedRun.start(tiny, tmp_path / "one")
        view = Object(run)
        task = view.follow(tmp_path / "one")
        await asyncio.sleep(0)
        for _ in run:
            await asyncio.sleep(0.01)
        async with asyncio.timeout(30):
            await task
        assert view._shown.scene.report.final
        await until(lambda: view.picture.frame is not None)

    asyncio.run(main())


def test_what_cannot_be_shown_is_said_under_the_view(tmp_path: Path, tiny: Preset):
    async def main() -> None:
        tiny.update(output_folder=str(tmp_path / "one"), epoch_max=1)
        run_ptychography(tiny)
        shown = scene_of(tmp_path / "one")
        gone = shown.preset.copy()
        gone.update(dataset=None, data_path=str(tmp_path / "<b>gone.h5"))
        view = Patterns(replace(shown, preset=gone))
        await until(lambda: "No patterns:" in view._model._empty.value)
        assert "&lt;b&gt;gone.h5" in view._model._empty.value
        task = Object().follow(3)
        with pytest.raises(ParameterError):
            await task

    asyncio.run(main())


@pytest.mark.slow
def test_memory_is_flat_over_many_frames():
    """No widget, no array and no overlay stays behind a frame."""
    frames = 10_000 if os.environ.get("PYPTY_NB_SLOW") == "1" else 1000
    quarters = Quarters(staged(True))
    quarters.choose(2, "Residual")
    scenes = [scene(epoch, size=128) for epoch in range(4)]
    process = psutil.Process()
    for number in range(200):
        quarters.update(scenes[number % 4])
    made, before = len(_instances), process.memory_info().rss
    for number in range(frames):
        quarters.update(scenes[number % 4])
    grown = (process.memory_info().rss - before) / 2**20
    print(f"{frames} frames: {grown:.1f} MiB more")
    assert len(_instances) == made
    assert grown < 20


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


def test_a_folder_that_is_one_file_is_offered_whole(tmp_path: Path):
    for name in ("scan.zspy/zarr.json", "scan.zspy/Experiments/x/zarr.json", "sub/b.zspy/c/0.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert [path.as_posix() for path in find(tmp_path)] == ["scan.zspy", "sub/b.zspy"]


def test_a_file_is_found_among_many(tmp_path: Path):
    """The list ends somewhere; the search does not."""

    async def main() -> None:
        chooser = Chooser(tmp_path, Tasks(pytest.fail), lambda path: None, lambda: None)
        files, words = chooser.children[1], chooser.children[0].children[0]
        assert len(files.options) == MANY and chooser.children[2].children[0].value.startswith(f"{MANY} and more files")
        words.value = "MINE h5"
        await until(lambda: files.options == (("zz_mine.h5", "zz_mine.h5"),))
        assert chooser.children[2].children[0].value == f"1 of {MANY} and more files"
        words.value = ""
        await until(lambda: len(files.options) == MANY)

    for number in range(MANY):
        (tmp_path / f"a{number:04d}.h5").touch()
    (tmp_path / "zz_mine.h5").touch()
    asyncio.run(main())


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
        await until(lambda: runner.state.phase is Phase.PAUSED, 60)
        page._driving.act()
        runner.stop()
        await until(lambda: not runner.state.busy, 60)
        assert runner.state.phase is Phase.STOPPED
        assert page.workspace.last_run().is_run()

    asyncio.run(main())


def test_what_stops_a_run_is_said(tmp_path: Path):
    async def main() -> None:
        page = app(tmp_path)
        page.workspace.preset.update(dataset=np.zeros((4, 8, 8), np.uint8), output_folder="../elsewhere")
        page._driving.act()
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


def test_a_new_page_takes_up_the_run_under_way(tmp_path: Path):
    """A page that is gone takes nothing of its run along; the next one shows it going on, and what was before."""

    async def first() -> int:
        page = app(tmp_path, demo=True)
        await until(lambda: page.workspace.runner.state.epoch >= 3, 120)
        return page.workspace.runner.state.epoch

    async def second() -> None:
        page = app(tmp_path)
        runner = page.workspace.runner
        await until(lambda: runner.state.epoch > before, 120)
        assert page.workspace.name == "from-run-001"
        assert page.workspace.preset.dataset is not None
        assert sorted(page._reports.losses)[:before] == list(range(before))
        await until(lambda: page._reports.scene(page.workspace.steering.running).point.obj is not None, 60)
        ending = runner.abort()
        assert ending is not None
        assert (await ending).phase is Phase.STOPPED
        await until(lambda: not runner.state.busy, 60)
        assert runner.state.phase is Phase.STOPPED

    before = asyncio.run(first())
    asyncio.run(second())


def test_abort_asks_once():
    aborted: list[bool] = []
    bar = TopBar(lambda: None, lambda: None, lambda: aborted.append(True))
    says = status(RunState(Phase.RUNNING, 1, 0, 5))
    bar.show_state(says, can_act=True, can_stop=True, can_abort=True)
    bar._abort.click()
    assert (bar._abort.description, aborted) == ("Really abort?", [])
    # the question goes with the run
    bar.show_state(says, can_act=True, can_stop=False, can_abort=False)
    assert bar._abort.description == "Abort"
    bar.show_state(says, can_act=True, can_stop=True, can_abort=True)
    bar._abort.click()
    bar._abort.click()
    assert (bar._abort.description, aborted) == ("Abort", [True])


def report_of(epoch: int, seconds: float, *, drawn: bool = False, warnings: tuple[str, ...] = ()) -> EpochReport:
    point = Refinables(obj=np.ones((4, 4, 1, 1), complex)) if drawn else Refinables()
    terms = {"data": 10.0 - epoch}
    return EpochReport(epoch, 10.0 - epoch, 0.0, terms, LineSearchReport(1.0), seconds, warnings, None, point)


def test_reports_that_come_again_or_go_back():
    """As a run is seen through its folder: arrays later than numbers, and epochs that were undone."""
    reports = Reports()
    for epoch in range(4):
        reports.add(report_of(epoch, float(epoch), warnings=("careful",)))
    reports.add(report_of(1, 1.0004, drawn=True, warnings=("careful",)))
    reports.add(report_of(3, 3.0))
    scene = reports.scene(Preset())
    assert (list(scene.epochs), scene.report.epoch, reports.last.epoch) == ([0, 1, 2, 3], 1, 3)
    assert (len(reports.warnings), reports.seconds, reports.pace) == (4, 3.0, 1.0)
    reports.add(report_of(2, 4.5))
    assert list(reports.scene(Preset()).epochs) == [0, 1, 2]
    assert reports.last.epoch == 2
