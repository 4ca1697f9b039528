"""Step 3: how scan and detector lie to each other: eight readings to look at, the curl against rotation, one to accept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import ipywidgets
import numpy as np

from pypty_nb.initialize.calibrate import Calibration
from pypty_nb.initialize.calibrated import as_text
from pypty_nb.initialize.orientation import Candidate
from pypty_nb.widgets import colour, text
from pypty_nb.widgets.panels.measuring import UNDER_WAY, Measuring
from pypty_nb.widgets.panels.panel import Moment, Page, boxed, heading
from pypty_nb.widgets.panels.plots import Curve
from pypty_nb.widgets.panels.underway import UnderWay
from pypty_nb.widgets.views.parts import unseen
from pypty_nb.workspace.calibration import Orientations, orientations, reading_stated

_EMPTY = "<div>Eight readings of the detector appear here once they are measured.<br>Press Measure at the right.</div>"
_UNTOLD = (
    "<div>How the scan lies to the detector is measured from whole patterns on a raster, where that has rows enough.<br>"
    "Here, what the file and you state is taken.</div>"
)
#: A rotation is rounded to this in its field.
_SAME_DEG = 0.06


class OrientPanel:
    """Look at the readings, choose one, accept.

    Parameters
    ----------
    page : Page
    measuring : Measuring
    """

    def __init__(self, page: Page, measuring: Measuring):
        self._page, self._measuring = page, measuring
        self._drawn: Calibration | None = None
        self._found: Orientations | None = None
        self._reading = ""
        self._setting = False
        self._tiles = boxed(ipywidgets.Box, "pn-tiles")
        self._empty = heading(_EMPTY, "pn-empty")
        self._under_way = UnderWay()
        self._curve = Curve()
        said = heading('<b>Curl against rotation</b><br><span class="m s">of the chosen reading, in degrees</span>', "")
        self._foot = boxed(ipywidgets.HBox, "pn-foot pn-turn", said, self._curve.render())
        self._head = boxed(
            ipywidgets.HBox, "pn-vh", heading("Centre-of-mass phase, eight ways to read the scan", "pn-vt"),
            heading('<span class="m s">number: curl / divergence, smaller is better</span>', "pn-now"),
        )  # fmt: skip
        self._centre = boxed(ipywidgets.VBox, "pn-orient", self._head, self._under_way, self._tiles, self._foot)
        self._turn = unseen(ipywidgets.FloatText(description="Rotation", tooltip="Rotation, degrees", step=1.0))
        self._chosen, self._score = heading("", "pn-table pn-because"), heading("", "pn-table")
        use = ipywidgets.Button(
            description="Use this reading", tooltip="State reading and rotation, and measure focus with them"
        )
        use.on_click(lambda _button: page.tasks.start(self._use))
        self._use_button = use
        self._column = boxed(
            ipywidgets.VBox, "pn-formbody",
            heading("Orient", "pn-title"), heading("Found from the data", "pn-h first"), *measuring.buttons(), self._score,
            heading("Chosen", "pn-h"), self._chosen,
            boxed(ipywidgets.HBox, "pn-pair pn-stated", heading("Rotation", "pn-l"), self._turn, heading("°", "m")),
            boxed(ipywidgets.HBox, "pn-buttons", use),
        )  # fmt: skip
        self._turn.observe(lambda _change: self._turned(), "value")
        self._clear()

    def centre(self) -> ipywidgets.DOMWidget | None:
        """The readings and the curl."""
        return self._centre

    def column(self) -> Sequence[ipywidgets.DOMWidget]:
        """What was found, and what is chosen."""
        return (self._column,)

    def enter(self) -> None:
        """Nothing happens."""

    def show(self, moment: Moment) -> None:
        """Show what has been measured, once it is new."""
        self._measuring.show(moment)
        self._use_button.disabled = self._turn.disabled = moment.locked or not self._reading
        found, busy = self._measuring.found, self._measuring.busy
        self._empty.value = f"<div>{UNDER_WAY}</div>" if busy else _EMPTY if found is None else _UNTOLD
        untold = found is not None and self._measuring.maps is None and not busy
        for around in (self._head, self._foot):
            around.layout.display = "none" if untold else None
        if found is not self._drawn:
            self._drawn = found
            if found is None or self._measuring.maps is None:
                self._clear()
            else:
                self._begin(found)

    # ---- what a person does
    def _pick(self, reading: str) -> None:
        self._reading = reading
        self._page.tasks.start(self._compute)

    def _turned(self) -> None:
        if not self._setting and self._reading:
            self._page.tasks.start(self._compute)

    async def _use(self) -> None:
        self._measuring.stated.update(reading_stated(self._reading, float(self._turn.value)))
        await self._measuring.measure()

    # ---- showing
    def _begin(self, found: Calibration) -> None:
        if found.orientation is not None:
            self._reading, turn = found.orientation.reading, found.orientation.rotation_deg
        else:
            turn = float(found.values["PLRotation_deg"].value)
        self._setting = True
        self._turn.value = round(turn, 1)
        self._setting = False
        self._score.value = _score_words(found)
        self._page.tasks.start(self._compute)

    async def _compute(self) -> None:
        maps, reading, turn = self._measuring.maps, self._reading, float(self._turn.value)
        if maps is None or not reading:
            return
        try:
            self._found = await asyncio.to_thread(
                orientations, maps, turn, reading, partial(self._page.tasks.soon, self._show_trying)
            )
        finally:
            self._under_way.hide()
        if reading == self._reading:
            self._draw(self._found, turn)

    def _show_trying(self, reading: str, done: int, of: int) -> None:
        self._under_way.show(f"Trying {reading}, {done + 1} of {of}", done, of)

    def _clear(self) -> None:
        self._reading = ""
        self._found = None
        self._tiles.children = (self._empty,)
        self._score.value = self._chosen.value = ""
        self._curve.clear()

    def _why(self) -> tuple[str, str]:
        """Why the chosen reading is chosen, in a few words, and in full."""
        calibration = self._measuring.found
        measured = calibration.orientation if calibration is not None else None
        if measured is None or measured.reading != self._reading or abs(measured.rotation_deg - self._turn.value) > _SAME_DEG:
            return "by you", "You chose it; Use this reading measures focus with it."
        sigma = f", {abs(measured.sign_score):.1f} σ" if np.isfinite(measured.sign_score) else ""
        if measured.sign_settled:
            return f"{measured.source}, 180° clear", f"{measured.source}; not turned by 180°: {measured.sign_source}{sigma}"
        return f"{measured.source}, 180° unclear", f"{measured.source}; 180° not settled by {measured.sign_source}{sigma}"

    def _draw(self, found: Orientations, turn: float) -> None:
        best = min(candidate.score for candidate in found.candidates)
        why = self._why()
        self._tiles.children = tuple(
            _Tile(
                candidate,
                why[0] if candidate.reading == self._reading else "",
                candidate.score <= 1.001 * best,
                partial(self._pick, candidate.reading),
            )
            for candidate in found.candidates
        )
        least = float(found.angles[int(np.argmin(found.curl))])
        self._curve.show(found.angles, found.curl, (turn % 360, least))
        chosen = next(candidate for candidate in found.candidates if candidate.reading == self._reading)
        rows = (
            ("Reading", text.escape(self._reading)),
            ("Because", text.escape(why[1])),
            ("Curl", f"{text.number(chosen.curl)} px"),
            ("Divergence", f"{text.number(chosen.divergence)} px"),
            ("Curl / divergence", text.number(chosen.score)),
            ("Least curl at", f"{least:.0f}° or {(least + 180) % 360:.0f}°"),
        )
        self._chosen.value = (
            "<table>" + "".join(f"<tr><td>{name}</td><td><b>{value}</b></td></tr>" for name, value in rows) + "</table>"
        )
        self._page.changed()


class _Tile(ipywidgets.VBox):
    """One reading: its picture, its name as the button that chooses it, its score; `why` it is chosen, "" where it is not."""

    def __init__(self, candidate: Candidate, why: str, best: bool, pick: Callable[[], None]):
        phase = candidate.phase
        limits = (float(np.percentile(phase, 0.6)), float(np.percentile(phase, 99.4)))
        image = colour.data_url(colour.shades(phase, limits, "gray"))
        name = candidate.reading[:1].upper() + candidate.reading[1:]
        tag = '<span class="pn-lowest">lowest curl</span>' if best else ""
        button = ipywidgets.Button(description=name, tooltip=f"{name}: choose this reading")
        button.add_class("t")
        button.on_click(lambda _button: pick())
        score = f"<b>{text.number(candidate.score)}</b>" if best else text.number(candidate.score)
        tag += f'<span class="pn-whythis">{text.escape(why)}</span>' if why else ""
        words = f"{text.mark('ok')} <b>chosen</b>" if why else ""
        super().__init__(
            [
                heading(f'<img alt="{text.escape(name)}" src="{image}">{tag}', "pn-shot"),
                boxed(ipywidgets.HBox, "pn-tilecap", button, heading(words, ""), heading(score, "pn-now")),
            ]
        )
        self.add_class("pn-tile")
        if why:
            self.add_class("cur")


def _score_words(found: Calibration) -> str:
    orientation = found.orientation
    c10 = as_text("defocus", found.values["defocus"])[1].replace("-", text.MINUS)
    if orientation is None:
        stated = f'<div class="m s">{text.escape(found.values["PLRotation_deg"].tag)}: as stated.</div>'
        return f"<table><tr><td>C10</td><td><b>{text.escape(c10)}</b></td></tr></table>{stated}"
    settled = orientation.sign_settled
    mark = text.mark("ok" if settled else "warn")
    turn = "The way round is clear" if settled else "The way round (180°) is not clear"
    rows = (
        ("Reading", orientation.reading),
        ("Rotation", f"{orientation.rotation_deg:.1f} ± {orientation.uncertainty_deg:.1f}°".replace("-", text.MINUS)),
        ("C10", c10),
        ("From", orientation.source),
    )
    lines = "".join(f"<tr><td>{name}</td><td><b>{text.escape(value)}</b></td></tr>" for name, value in rows)
    score = f"{abs(orientation.sign_score):.1f} σ, {orientation.sign_source}"
    return f'<table>{lines}</table><div class="s pn-sign">{mark} {turn}: {text.escape(score)}.</div>'
