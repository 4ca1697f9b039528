"""The application: one workspace, the panels around it, and what happens when."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets

from pypty_nb.backend import Backend, BackendError, choose_backend
from pypty_nb.params import ParameterError, Preset
from pypty_nb.records import EpochReport
from pypty_nb.runs import Change
from pypty_nb.widgets import bare, text
from pypty_nb.widgets.bridge import Bridge
from pypty_nb.widgets.company import Company
from pypty_nb.widgets.driving import Driving
from pypty_nb.widgets.forms import Forms
from pypty_nb.widgets.frames import Frames
from pypty_nb.widgets.host import Host
from pypty_nb.widgets.panels import (
    BottomBar,
    DataPanel,
    FormPanel,
    KnownRuns,
    LazyPanel,
    Moment,
    Page,
    Panel,
    Rail,
    ResultsPanel,
    TopBar,
)  # fmt: skip
from pypty_nb.widgets.panels.calibrate import CalibratePanel
from pypty_nb.widgets.panels.check import CheckPanel
from pypty_nb.widgets.panels.journal import JournalList
from pypty_nb.widgets.panels.measuring import Measuring
from pypty_nb.widgets.panels.orient import OrientPanel
from pypty_nb.widgets.panels.plan import PlanPanel
from pypty_nb.widgets.panels.probe import ProbePanel
from pypty_nb.widgets.reports import Reports
from pypty_nb.widgets.status import Status, status
from pypty_nb.widgets.steps import STEPS, WIDE, Facts, has_data, standing
from pypty_nb.widgets.tasks import Tasks
from pypty_nb.widgets.theme import style
from pypty_nb.widgets.views import Quarters, Stage
from pypty_nb.widgets.views.alone import KEYS as VIEW_KEYS
from pypty_nb.workspace import News, Phase, RunState, Workspace
from pypty_nb.workspace.arrays import SUFFIXES
from pypty_nb.workspace.listing import find

STILL = "This browser has no WebGL: pictures are still images, without zoom."
_KEYS = (" ", "/", "b", *VIEW_KEYS, "ctrl+z", "ctrl+shift+z", "ctrl+y")
#: How long a line on what was done stays in the log, s.
_STAYS_S = 8.0
#: Of a core's time, for each core that a run keeps at work, what pictures of it may take.
_SHARE = 0.05
_TITLES = tuple(STEPS)
_DATA, _OPTIMISE = _TITLES.index("Data"), _TITLES.index("Optimise")


def app(root: str | os.PathLike[str] | None = None, demo: bool | None = None) -> ipywidgets.DOMWidget:
    """The application, as a widget for a notebook cell or a page.

    Parameters
    ----------
    root : path
        The project folder; without it ``PYPTY_NB_ROOT``, else the working directory.
    demo : bool
        Open the demonstration and run it at once; without it, whether ``PYPTY_NB_DEMO`` is 1.

    Raises
    ------
    NotADirectoryError
        Where the project folder does not exist.
    """
    folder = Path(root if root is not None else os.environ.get("PYPTY_NB_ROOT") or Path.cwd()).expanduser()
    if not folder.is_dir():
        raise NotADirectoryError(f"the project folder {folder} does not exist; give another as root or PYPTY_NB_ROOT")
    return App(folder, demo=os.environ.get("PYPTY_NB_DEMO") == "1" if demo is None else demo)


class App(bare.VBox):
    """Everything a person sees.

    Parameters
    ----------
    root : Path
        The project folder, which exists.
    demo : bool
        Open the demonstration and run it at once.
    """

    def __init__(self, root: Path, *, demo: bool = False):
        self.workspace = Workspace(root, self._on_state, self._on_report, self._on_news)
        self._tasks = Tasks(self._failed)
        self._bridge = Bridge(hotkeys=[*_KEYS, *map(str, range(1, len(STEPS) + 1))])
        self._bridge.observe(self._no_webgl, "webgl")
        self._frames = Frames(self._show_frame, self._bridge.ask_shown)
        self._bridge.listen(shown=self._frames.shown, key=self._key)
        self._reports = Reports()
        self._phase = Phase.IDLE
        self._logged = 0.0
        self._images = True
        self._backend: Backend | None = None
        self._step = _DATA
        self._make_panels()
        super().__init__([bare.HTML(style()), self._bridge, self._frame])
        self.add_class("pn-root")
        self.workspace.history.watch(lambda: self._tasks.soon(self._show_all))
        self.workspace.steering.watch(lambda: self._tasks.soon(self._show_all))
        self.workspace.preset.watch(lambda names: self._tasks.soon(self._preset_changed, names))
        self.open_step(_DATA)
        self._show_all()
        self._tasks.start(self._keep_showing)
        self._tasks.start(self._show_device)
        self._tasks.start(partial(self._take_up, demo))
        self._tasks.start(self._company.look_out)

    # ---- putting it together
    def _make_panels(self) -> None:
        self._rail = Rail(_TITLES, lambda index: self._tasks.soon(self.open_step, index), self._set_images)
        self._bottom = BottomBar()
        self._driving = Driving(self.workspace, self._tasks, self._bottom, self._why_off, self._forget_run, self._to_pictures)
        self._top = TopBar(
            lambda: self._tasks.soon(self._driving.act),
            lambda: self._tasks.soon(self._driving.stop),
            lambda: self._tasks.start(self._driving.abort),
        )
        self._company = Company(self.workspace, self._tasks, self._bottom, self._watch, self._locked)
        stage = Stage(self._bridge)
        stage.on_failure = self._failed
        page = Page(
            self.workspace, self._tasks, stage, self._bottom, self._log, self._show_all, self._driving.quick_look,
            self._driving.promote, self._company.watch,
        )  # fmt: skip
        self._runs, measuring = KnownRuns(page), Measuring(page)
        self._data, self._results = DataPanel(page), LazyPanel(partial(ResultsPanel, page, self._runs))
        self._check = LazyPanel(partial(CheckPanel, page))
        own: dict[str, Panel] = {
            "Data": self._data,
            "Calibrate": LazyPanel(partial(CalibratePanel, page, measuring)),
            "Orient": LazyPanel(partial(OrientPanel, page, measuring)),
            "Probe and object": LazyPanel(partial(ProbePanel, page)),
            "Optimise": LazyPanel(partial(PlanPanel, page, self._go_to)),
            "Check and run": self._check,
            "Results": self._results,
        }
        self._panels = [own.get(title) or FormPanel() for title in _TITLES]
        self._quarters, self._journal = Quarters(stage), JournalList()
        self._forms = Forms(self.workspace.preset, self._host())
        self._main = bare.Box()
        self._main.add_class("pn-main")
        self._column = bare.VBox()
        self._column.add_class("pn-form")
        self._frame = bare.Box([self._top, self._rail, self._main, self._column, self._bottom])
        self._frame.add_class("pn-app")

    def open_step(self, index: int) -> None:
        """Show the form of one step; it is made when first opened."""
        self._step = index
        self._rail.choose(index)
        (self._frame.add_class if _TITLES[index] in WIDE else self._frame.remove_class)("wide")
        panel, form = self._panels[index], self._forms.open(index)
        column = panel.column()
        panel.show(self._moment())
        self._column.children = (*column, *((form, self._journal) if form is not None else ()))
        self._show_centre()
        panel.enter()
        # views that come into sight show what they have missed
        self._frames.want()

    def _show_centre(self) -> None:
        """What the step has in the middle, the views of the run where it has nothing."""
        centre = self._panels[self._step].centre()
        children = (self._quarters.render() if centre is None else centre,)
        if self._main.children != children:
            self._main.children = children

    def _host(self) -> Host:
        return Host(
            on_error=lambda _name, _message: self._show_all(),
            soon=self._tasks.soon,
            history=self.workspace.history,
            start=self._tasks.start,
            load=self.workspace.load_array,
            files=lambda: [path.as_posix() for path in find(self.workspace.root, SUFFIXES)],
            problems=self.workspace.path_problems,
            steering=self.workspace.steering,
        )

    def _go_to(self, name: str) -> None:
        self.open_step(self._forms.step_of(name))
        if (form := self._forms.of(self._step)) is not None:
            form.reveal(name)

    # ---- what a person does
    def _key(self, key: str) -> None:
        if key == " ":
            self._driving.act()
        elif key in VIEW_KEYS:
            self._quarters.key(key)
        elif key == "b":
            if self._results.made is not None:
                self._results.made.blink()
        elif key == "/":
            if (form := self._forms.of(self._step)) is not None:
                form.find()
        elif key.startswith("ctrl+"):
            self._go_back(forth=key != "ctrl+z")
        elif key.isdigit():
            self.open_step(int(key) - 1)

    def _go_back(self, *, forth: bool) -> None:
        """Take the last change of the preset back, or do it again."""
        if self._locked():
            self._log("Undo waits for the end of the run; a change of the run has its own undo, at its field", stays=True)
            return
        history = self.workspace.history
        try:
            (history.redo if forth else history.undo)()
        except ParameterError as error:
            self._failed(error)

    async def _take_up(self, demo: bool) -> None:
        """Show the run that is under way in the project folder; where there is none, begin the demonstration if asked to."""
        if not await self._company.take_up() and demo and await self._data.open_demo():
            self._driving.act()

    def _forget_run(self) -> None:
        self._reports = Reports()

    def _to_pictures(self) -> None:
        if self._panels[self._step].centre() is not None:
            self.open_step(_OPTIMISE)

    def _watch(self, folder: Path, preset: Preset, changes: Sequence[Change], *, stay: bool) -> None:
        """Show a run that is there already; with `stay` without leaving the step."""
        another = self.workspace.runner.state.folder != folder
        self._reports = Reports()
        self.workspace.attach(folder, preset, changes)
        if another and not stay:
            self.open_step(_OPTIMISE)

    def _set_images(self, on: bool) -> None:
        self._images = on
        self._frames.want()

    # ---- what the workspace and the preset tell
    def _on_state(self, state: RunState) -> None:
        if state.phase is self._phase:
            # another epoch is done: the next frame tells, so that a fast run does not flood the page
            self._frames.want(can_wait=True)
            return
        self._phase = state.phase
        self.workspace.steering.ended(state)
        self._show_all()
        if not state.busy and state.phase is not Phase.IDLE:
            where = f"run {state.folder.name}: " if state.folder is not None else ""
            self._log(where + self._status(state).words)
        self._frames.want()

    def _on_report(self, report: EpochReport) -> None:
        self._reports.add(report)
        self._frames.want(can_wait=True)

    def _on_news(self, news: News) -> None:
        try:
            self.workspace.steering.hear(news)
        except ParameterError as error:
            self._failed(error)
        for entry in self._reports.journal.add(news.lines):
            if not news.earlier:
                self._log(f"epoch {entry.epoch}: {entry.words}", stays=True)
        self._show_all()
        self._frames.want()

    def _preset_changed(self, names: frozenset[str]) -> None:
        if names & {"backend", "default_dtype"}:
            self._tasks.start(self._show_device)
        self._show_all()

    def _no_webgl(self, change: Any) -> None:
        if change["new"] is False:
            self._bottom.warn(STILL, "info")

    def _failed(self, error: Exception) -> None:
        self._bottom.warn(self.workspace.shortened(text.failure(error)), "err")

    # ---- what is shown
    def _why_off(self) -> str:
        if self._data.reading:
            return "a file is being read"
        if not has_data(self.workspace.preset):
            return "there are no data. Choose a file to begin, or open the demonstration."
        return self._forms.what_is_wrong()

    def _show_all(self) -> None:
        """Bars, marks and locks; right at any moment."""
        self._show_run()
        opened = self.workspace.opened
        verdict = self._check.made.verdict(self.workspace.preset) if self._check.made is not None else None
        facts = Facts(opened.found, self._data.error, opened.confirmed, frozenset(self._forms.errors),
                      self.workspace.steering.planned, self._run_words(self.workspace.runner.state), verdict)  # fmt: skip
        for index, title in enumerate(_TITLES):
            self._rail.show(index, standing(title, self.workspace.preset, facts))

    def _show_run(self) -> None:
        """All of that but the steps' marks, which the epochs of a run do not change: cheap, since every frame does it."""
        state = self.workspace.runner.state
        why, says = self._why_off(), self._status(state)
        can_act = self._driving.can_act(state, why)
        can_stop = state.busy and state.phase is not Phase.STOPPING
        self._top.show_state(says, can_act=can_act, can_stop=can_stop, can_abort=state.busy)
        self._top.show_name(self.workspace.root, self.workspace.name, self.workspace.modified)
        self._show_bottom(state, says)
        self._bottom.show_reason(*(("", None) if state.busy else (why, self._to_correct())))
        self._driving.show(state, why)
        self._forms.show_run(busy=state.busy, epoch=state.epoch)
        self._journal.show(self._reports.journal.entries, self.workspace.steering.planned.values())
        moment = self._moment()
        self._runs.show(moment)
        self._panels[self._step].show(moment)
        self._show_centre()

    def _moment(self) -> Moment:
        state = self.workspace.runner.state
        rows = {"State": self._status(state).words, **self._reports.rows()}
        return Moment(self.workspace.preset, self.workspace.opened, state, self._locked(), rows)

    def _locked(self) -> bool:
        return self.workspace.runner.state.busy or self._data.reading

    def _to_correct(self) -> Callable[[], None] | None:
        return partial(self._go_to, next(iter(self._forms.errors))) if self._forms.errors else None

    def _status(self, state: RunState) -> Status:
        told = replace(state, message=self.workspace.shortened(state.message))
        says = status(told, self._reports.seconds, self._reports.rejected)
        # what is run after a quick look is another run
        return replace(says, action="Run") if self.workspace.quick_look_done else says

    def _run_words(self, state: RunState) -> str:
        return self._runs.words or (f"Run {state.folder.name}" if state.folder is not None else "")

    def _show_bottom(self, state: RunState, says: Status) -> None:
        self._bottom.show_progress(state.epoch - state.epoch_first, state.epoch_max - state.epoch_first)
        if state.phase is Phase.RUNNING and (readout := self._reports.readout(state)) is not None:
            self._bottom.show_readout(readout)
        else:
            idle = state.phase is Phase.IDLE and self._why_off()
            mark = says.mark if says.mark in {"err", "rej"} else ""
            self._bottom.show_sentence("Idle." if idle else says.sentence or f"{says.words}.", mark)

    async def _show_frame(self) -> None:
        """The newest state of the run, pictures and numbers alike; in pieces, so that a click in between need not wait."""
        state, report = self.workspace.runner.state, self._reports.last
        self._frames.share = self._share(state)
        self._show_run()
        if self._backend is not None:
            self._top.show_device(self._backend.name, *self._backend.memory())
        if report is None:
            return
        if state.busy and time.monotonic() - self._logged > _STAYS_S:
            evaluations = text.plural(report.evaluations, "evaluation")
            data = text.number(report.terms["data"])
            self._log(f"epoch {state.epoch}: data {data}, {evaluations}, step {text.number(report.step)}")
        if self._panels[self._step].centre() is None:
            scene = self._reports.scene(self.workspace.steering.running)
            for _ in self._quarters.updating(scene, pictures=self._images):
                await asyncio.sleep(0)
        while self._reports.warnings:
            self._bottom.warn(self._reports.warnings.pop(0))

    def _share(self, state: RunState) -> float:
        """Of the time that frames may take beside a run that keeps every core of this machine at work."""
        here = state.phase is Phase.RUNNING and (state.owner is None or state.owner.is_here)
        if not here or self._backend is None or self._backend.on_device:
            return 1.0
        return min(1.0, _SHARE * self._backend.threads)

    async def _keep_showing(self) -> None:
        while True:
            try:
                await self._frames.run()
            except Exception as error:  # noqa: BLE001  a picture that cannot be drawn must not end the others, nor the numbers
                self._failed(error)

    def _log(self, words: str, *, stays: bool = False) -> None:
        if stays:
            self._logged = time.monotonic()
        self._bottom.log(f"{datetime.now():%H:%M:%S} {words}")

    async def _show_device(self) -> None:
        preset = self.workspace.preset
        try:
            backend = await asyncio.to_thread(choose_backend, preset.backend, preset.default_dtype)
        except BackendError as error:
            self._top.show_device(str(error), 0.0, 0.0)
        else:
            self._backend = backend
            self._top.show_device(backend.name, *backend.memory())
