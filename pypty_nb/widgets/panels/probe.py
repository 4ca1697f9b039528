"""Step 4: the probe that a run of the preset would start with, drawn anew as the fields change; or the run's pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import ipywidgets

from pypty_nb.initialize import Starting, starting_point
from pypty_nb.params import Preset
from pypty_nb.widgets import bare, text
from pypty_nb.widgets.panels import starthtml
from pypty_nb.widgets.panels.panel import Moment, Page, boxed, heading
from pypty_nb.widgets.panels.switch import Switch
from pypty_nb.widgets.steps import has_data

_NO_DATA = "No probe yet. Choose a file in step 1, or open the demonstration."
_READING = "Making the probe of a few patterns …"
#: A preset that is being typed is drawn once it rests for so long.
_RESTS_S = 0.4


class ProbePanel:
    """The starting probe in real and reciprocal space, its modes, and what follows from it.

    Parameters
    ----------
    page : Page
    """

    def __init__(self, page: Page):
        self._page = page
        self._drawn: Preset | None = None
        self._busy = False
        self._switch = Switch("Starting probe", lambda: page.tasks.soon(self._turned))
        self._said, self._figures, self._facts = heading("", "pn-now m s"), bare.HTML(), heading("", "pn-startfacts")
        self._figures.add_class("pn-begin")
        head = boxed(bare.HBox, "pn-vh", heading("What a run starts with", "pn-vt"), self._said)
        self._centre = boxed(bare.VBox, "pn-startprobe", head, self._figures, self._facts)

    def centre(self) -> ipywidgets.DOMWidget | None:
        """The probe; ``None`` for the views of the run."""
        self._switch.follow(self._page.workspace.runner.state)
        return self._centre if self._switch.own else None

    def column(self) -> Sequence[ipywidgets.DOMWidget]:
        """The switch."""
        return (self._switch.render(),)

    def enter(self) -> None:
        """Draw what has changed since."""
        self._wanted()

    def show(self, moment: Moment) -> None:
        """Turn to the pictures of a run that begins or is looked at; draw the probe of a preset that has changed."""
        self._switch.follow(moment.state)
        self._wanted()

    def _turned(self) -> None:
        self._page.changed()

    def _wanted(self) -> None:
        if self._switch.own and not self._busy and self._drawn != self._page.workspace.preset:
            self._busy = True
            self._page.tasks.start(self._draw)

    async def _draw(self) -> None:
        """Draw the probe until the preset rests; a run under way is not slowed by it."""
        workspace = self._page.workspace
        try:
            while self._drawn != workspace.preset and not workspace.runner.state.busy:
                await asyncio.sleep(_RESTS_S if self._drawn is not None else 0)
                drawn = workspace.preset.frozen()
                if not has_data(drawn):
                    self._tell(_NO_DATA)
                else:
                    self._said.value = _READING
                    try:
                        figures, facts = await asyncio.to_thread(lambda: _html(starting_point(workspace.confined())))
                    except (ValueError, OSError) as error:
                        self._tell(workspace.shortened(text.failure(error)), "err")
                    else:
                        self._figures.value, self._facts.value, self._said.value = figures, facts, ""
                self._drawn = drawn
        finally:
            self._busy = False

    def _tell(self, words: str, mark: str = "") -> None:
        self._facts.value = self._said.value = ""
        self._figures.value = f'<div class="pn-nothing">{text.mark(mark) if mark else ""} {text.escape(words)}</div>'


def _html(start: Starting) -> tuple[str, str]:
    """Figures, and what stands below them."""
    figures = starthtml.probe(start) + starthtml.far_probe(start)
    ny, nx = start.probe.shape[:2]
    rows = {
        "Window": f"{ny} × {nx} px of {text.number(start.pixel_size[0])} × {text.number(start.pixel_size[1])} Å",
        "Diameter": f"{text.number(start.diameter)} Å hold 90 % of it",
        "Scan step": f"{text.number(start.step)} Å, {100 * max(1 - start.step / start.diameter, 0):.0f} % overlap",
        "Depth of focus": f"{text.number(0.1 * start.wavelength / start.angle**2)} nm at {text.number(1e3 * start.angle)} mrad",
    }
    table = "".join(f"<tr><td>{name}</td><td>{text.escape(words)}</td></tr>" for name, words in rows.items())
    return figures, f'<div class="pn-table"><table>{table}</table></div>{starthtml.modes(start)}'
