"""Step 5: what happens when, the course of the field that has the focus, and its help; or the pictures of the run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets

from pypty_nb.params import FIELDS, ParameterError, Preset
from pypty_nb.params.schedule import CHECKED_EPOCHS
from pypty_nb.params.timeline import timeline
from pypty_nb.widgets import text
from pypty_nb.widgets.panels import planhtml
from pypty_nb.widgets.panels.fieldhelp import described
from pypty_nb.widgets.panels.panel import Moment, Page, boxed, heading
from pypty_nb.widgets.panels.switch import Switch
from pypty_nb.widgets.steps import STEPS
from pypty_nb.workspace.plan import plan

_FIRST = "update_obj"


class PlanPanel:
    """The plan where no run is watched, the run's pictures where one is, and a switch between both.

    Parameters
    ----------
    page : Page
    go_to : called with the name of a parameter whose field is asked for
    """

    def __init__(self, page: Page, go_to: Callable[[str], None]):
        self._page = page
        self._names = {name for table in STEPS["Optimise"] for name in table.fields()}
        self._drawn: Preset | None = None
        self._about = ""
        self._chosen = _FIRST
        self._switch = Switch("What happens when", lambda: page.tasks.soon(page.changed))
        self._count, self._rows = heading("", "pn-now m s"), ipywidgets.HTML()
        self._course, self._help = ipywidgets.HTML(), heading("", "pn-about")
        self._course.add_class("pn-course")
        self._here = ipywidgets.HTML()
        head = boxed(ipywidgets.HBox, "pn-vh", heading("What happens when", "pn-vt"), self._count)
        self._centre = boxed(ipywidgets.VBox, "pn-plan", head, self._rows, self._course, self._help, self._here)
        # more than one page may stand in a notebook
        self._own = f"pn-plan-{self._centre.model_id}"
        self._centre.add_class(self._own)
        page.workspace.preset.watch(self._changed)
        page.stage.bridge.follow(
            focus=lambda name: page.tasks.soon(self.choose, name), go=lambda name: page.tasks.soon(self._go, name, go_to)
        )

    def centre(self) -> ipywidgets.DOMWidget | None:
        """The plan, drawn when it is asked for; ``None`` for the views of the run."""
        self._switch.follow(self._page.workspace.runner.state)
        if not self._switch.own:
            return None
        self._draw()
        return self._centre

    def column(self) -> Sequence[ipywidgets.DOMWidget]:
        """The switch."""
        return (self._switch.render(),)

    def enter(self) -> None:
        """Nothing happens."""

    def show(self, moment: Moment) -> None:
        """Turn to the pictures of a run that begins or is looked at, and mark the epoch where it is."""
        self._switch.follow(moment.state)
        self._mark(moment.state.epoch if moment.state.busy else None)

    def choose(self, name: str) -> None:
        """Tell about the parameter `name`, where it is one of this step."""
        if name in self._names and name != self._chosen:
            self._chosen = name
            self._page.changed()

    def _go(self, name: str, go_to: Callable[[str], None]) -> None:
        # a name comes from the browser
        if name in FIELDS:
            self.choose(name)
            go_to(name)

    def _changed(self, _names: frozenset[str]) -> None:
        self._drawn = None

    @property
    def _preset(self) -> Preset:
        """What is told about: the run under way, else the page's draft."""
        workspace = self._page.workspace
        return workspace.steering.running if workspace.runner.state.busy else workspace.preset

    def _draw(self) -> None:
        """Draw what is new."""
        preset = self._preset
        if preset is self._drawn and self._chosen == self._about:
            return
        if preset is not self._drawn:
            planned = plan(preset)
            self._rows.value = planhtml.rows(planned)
            self._count.value = f"{text.escape(planhtml.epochs(planned))} · click a bar to edit its field"
        self._drawn = preset
        self._draw_chosen(preset)

    def _draw_chosen(self, preset: Preset) -> None:
        self._about = self._chosen
        self._help.value = described(self._about)
        drawn = ""
        if FIELDS[self._about].schedulable:
            try:
                drawn = planhtml.course(self._about, timeline(preset, self._about))
            except ParameterError as error:
                said = text.escape(text.sentence(str(error), self._about))
                drawn = f'<div class="err">{text.mark("err")} {said}</div>'
        self._course.value = drawn
        self._course.layout.display = "" if drawn else "none"

    def _mark(self, epoch: int | None) -> None:
        """The line at the present epoch: a rule of style, so that nothing is drawn again for it."""
        rule = ""
        if epoch is not None:
            first = self._preset.epoch_prev
            length = min(max(self._preset.epoch_max - first, 1), CHECKED_EPOCHS)
            place = f"{100 * (epoch - first) / length:.3f}%"
            rule = (
                f"<style>.{self._own} {{ --pn-here: {place}; --pn-going: block; }}</style>" if epoch <= first + length else ""
            )
        self._here.value = rule
