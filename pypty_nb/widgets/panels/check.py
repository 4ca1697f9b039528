"""Step 6: the pre-flight card, a quick look, and what a run writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import ipywidgets
import numpy as np

from pypty_nb.initialize.preflight import PreflightLine, PreflightReport, preflight
from pypty_nb.params import FIELDS, ParameterError, Preset
from pypty_nb.widgets import text
from pypty_nb.widgets.controls import shown
from pypty_nb.widgets.panels import starthtml
from pypty_nb.widgets.panels.panel import Moment, Page, boxed, heading
from pypty_nb.widgets.panels.rail import Standing
from pypty_nb.widgets.steps import has_data

_MARKS = {"ok": "ok", "amber": "warn", "red": "err"}
_CHECKING = "Checking: reads the patterns and measures the time of an epoch on a few of them …"
_NO_DATA = "Nothing to check yet. Choose a file in step 1, or open the demonstration."


class CheckPanel:
    """The card is made when the step is entered, and again when asked for.

    Parameters
    ----------
    page : Page
    """

    def __init__(self, page: Page):
        self._page = page
        self._checked: Preset | None = None
        self._busy = False
        #: What the latest card comes to, and when it was made.
        self._said = ""
        #: The latest card, ``None`` before the first.
        self.report: PreflightReport | None = None
        self._when, self._card = heading("", "pn-now m s"), heading("", "pn-card")
        foot = heading("Amber never blocks a run. A red line does, and says why.", "m s")
        head = boxed(ipywidgets.HBox, "pn-vh", heading("Before you run", "pn-vt"), self._when)
        #: A button for every line with a remedy.
        self._remedies = boxed(ipywidgets.HBox, "pn-buttons pn-remedies")
        #: What the run starts with, where there is room for it.
        self._pictures = heading("", "pn-begin pn-threestarts")
        self._centre = boxed(ipywidgets.VBox, "pn-check", head, self._card, self._remedies, self._pictures, foot)
        self._look = ipywidgets.Button(description="Quick look", tooltip="A short run that shows what is there")
        self._again = ipywidgets.Button(description="Check again")
        self._look.on_click(lambda _button: page.tasks.soon(page.quick_look))
        self._again.on_click(lambda _button: page.tasks.start(self.check))
        help_text = "One slice, one mode, every second pattern, 20 epochs."
        self._column = boxed(
            ipywidgets.VBox, "pn-formbody",
            heading("Check and run", "pn-title"), heading("Quick look", "pn-h first"), heading(help_text, "pn-help"),
            boxed(ipywidgets.HBox, "pn-buttons", self._look), heading("Pre-flight", "pn-h"),
            boxed(ipywidgets.HBox, "pn-buttons", self._again),
        )  # fmt: skip

    def centre(self) -> ipywidgets.DOMWidget | None:
        """The card."""
        return self._centre

    def column(self) -> Sequence[ipywidgets.DOMWidget]:
        """Quick look, and another check."""
        return (self._column,)

    def enter(self) -> None:
        """Check, where the preset is another than the one checked last."""
        if self._checked is None or self._checked != self._page.workspace.preset:
            self._page.tasks.start(self.check)

    def verdict(self, preset: Preset) -> Standing | None:
        """What the latest card says of `preset`; ``None`` before there is one."""
        if self.report is None:
            return None
        return judged(self.report) if self._checked == preset else Standing("todo", "Changed since the check")

    def show(self, moment: Moment) -> None:
        """Lock the buttons while a run is going."""
        off = moment.locked or self._busy or not has_data(moment.preset)
        self._look.disabled = self._again.disabled = off
        stale = self._checked != moment.preset
        for button in self._remedies.children:
            button.disabled = off or stale
        if self._said and not self._busy:
            self._when.value = f"{self._said} · {text.mark('warn')} changed since" if stale else self._said

    async def check(self) -> None:
        """Look at the preset as a run would."""
        workspace = self._page.workspace
        if self._busy or workspace.runner.state.busy:
            return
        if not has_data(workspace.preset):
            self._card.value = f'<div class="pn-nothing">{text.escape(_NO_DATA)}</div>'
            return
        self._busy = True
        self._page.changed()
        checked = workspace.preset.frozen()
        self._when.value = "checking …"
        if self.report is None:
            self._card.value = f'<div class="pn-nothing">{text.escape(_CHECKING)}</div>'
        try:
            report, drawn = await asyncio.to_thread(lambda: _looked(workspace.confined(checked)))
        except (ValueError, OSError) as error:
            report, drawn = PreflightReport((PreflightLine("Preset", text.failure(error), "red"),)), ""
        finally:
            self._busy = False
        self._checked, self.report = checked, report
        self._card.value, self._pictures.value = card(report, workspace.shortened), drawn
        self._remedies.children = tuple(map(self._remedy, (line for line in report.lines if line.remedy)))
        self._said = text.escape(f"{summary(report)} · checked {datetime.now():%H:%M:%S}")
        self._page.log(f"checked: {summary(report)}")
        self._page.changed()

    def _remedy(self, line: PreflightLine) -> ipywidgets.Button:
        """A button that follows the advice of a line."""
        button = ipywidgets.Button(description=f"Fix {_named(line.name).lower()}", tooltip=f"Set {remedy_words(line)}")
        button.on_click(lambda _button: self._page.tasks.soon(self._apply, line))
        return button

    def _apply(self, line: PreflightLine) -> None:
        workspace = self._page.workspace
        try:
            workspace.history.change(line.remedy, f"fix {_named(line.name).lower()}")
        except ParameterError as error:
            self._when.value = f'<span class="err">{text.mark("err")} {text.escape(text.failure(error))}</span>'
            return
        self._page.log(f"set {remedy_words(line)}")
        self._page.changed()
        self._page.tasks.start(self.check)


def _looked(preset: Preset) -> tuple[PreflightReport, str]:
    """The card of `preset`, and pictures of what its run starts with."""
    report = preflight(preset)
    start = report.starting
    drawn = "" if start is None else starthtml.overlap(start) + starthtml.probe(start) + starthtml.mean_pattern(start)
    return report, drawn


def remedy_words(line: PreflightLine) -> str:
    """What the remedy of a line sets, each field by its label; arrays without their numbers."""
    words = []
    for name, value in line.remedy.items():
        label, large = str(FIELDS[name].label), isinstance(value, np.ndarray) and value.size > 1
        words.append(label if large else f"{label} to {shown(FIELDS[name], value)}")
    return ", ".join(words)


def summary(report: PreflightReport) -> str:
    """How many lines are in order, and how many are not."""
    fine = sum(line.standing == "ok" for line in report.lines)
    rest = len(report.lines) - fine
    return f"{fine} in order" + (f", {rest} to look at" if rest else "")


def judged(report: PreflightReport) -> Standing:
    """The card in one mark and a few words."""
    many = {kind: sum(line.standing == kind for line in report.lines) for kind in _MARKS}
    if many["red"]:
        return Standing("err", f"{text.plural(many['red'], 'line')} refuse{'s' if many['red'] == 1 else ''} the run")
    if many["amber"]:
        return Standing("warn", f"{text.plural(many['amber'], 'thing')} to look at")
    return Standing("ok", f"All {len(report.lines)} in order")


def card(report: PreflightReport, shortened: Callable[[str], str] = str) -> str:
    """HTML of all lines; `shortened` takes the project folder out of what they say."""
    rows = "".join(
        f'<tr class="{line.standing}"><td>{text.mark(_MARKS[line.standing])}</td>'
        f"<td><b>{text.escape(_named(line.name))}</b></td><td>{text.escape(shortened(line.value))}</td>"
        f"<td>{text.escape(shortened(line.advice[:1].upper() + line.advice[1:]))}</td></tr>"
        for line in report.lines
    )
    return f"<table>{rows}</table>"


def _named(name: str) -> str:
    return str(FIELDS[name].label) if name in FIELDS else name
