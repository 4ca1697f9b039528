"""Hot and dead pixels on step 1: how many, where, and what is to be done with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import ipywidgets

from pypty_nb.initialize.bad_pixels import BadPixels, listed
from pypty_nb.params import ParameterError
from pypty_nb.widgets import bare, text
from pypty_nb.widgets.panels.panel import Moment, Page, boxed, heading
from pypty_nb.widgets.views.parts import toggle
from pypty_nb.widgets.views.surfaces import DEAD, HOT
from pypty_nb.workspace import bad_pixels

_HOW = [("Leave out", "mask"), ("Compare", "keep")]
_KINDS = {"hot": "hot", "dead": "dead", "masked": "marked by the file"}
_MARKED = {"hot": HOT, "dead": DEAD}


class BadPixelsPart(bare.VBox):
    """What was found, and the choice.

    Parameters
    ----------
    page : Page
    replace : called when a copy with them replaced is to be written
    """

    def __init__(self, page: Page, replace: Callable[[], None]):
        self._page = page
        self._found: BadPixels | None = None
        self._setting = self._locked = False
        self._count, self._says = heading("", "pn-help"), heading("", "pn-help")
        self._how = toggle(_HOW, "mask", "What is done with bad pixels")
        self._how.value = None
        self._replace = ipywidgets.Button(
            description="Replace in a copy",
            tooltip="Write a copy of the file with the mean of their neighbours in their place, and work on with it",
        )
        self._replace.on_click(lambda _button: replace())
        self._choice = boxed(ipywidgets.VBox, "pn-badchoice", self._how, self._says, self._replace)
        super().__init__([heading("Bad pixels", "pn-h"), self._count, self._choice])
        self._how.observe(lambda change: self._choose(change["new"]), "value")

    def show(self, moment: Moment, found: BadPixels | None, *, searched: bool) -> None:
        """Show what was `found`; `None` is nothing yet, or, where it was `searched`, nothing that could be told."""
        self._found = found
        self._locked = moment.locked
        if found is None:
            self._count.value = "" if searched else "Looking for them …"
            self._choice.layout.display, self._says.value = "none", ""
            return
        self._count.value = counted(found)
        stated = moment.preset.bad_pixels
        any_at_all = found.places is not None or stated is not None
        self._choice.layout.display = None if any_at_all else "none"
        how = bad_pixels.chosen(self._page.workspace)
        self._setting = True
        self._how.value = how or None
        self._setting = False
        self._how.disabled = moment.locked
        self._replace.layout.display = None if bad_pixels.can_replace(moment.preset) and found.places is not None else "none"
        self._replace.disabled = moment.locked
        told = _told(how, 0 if stated is None else len(stated), confirmed=moment.opened.confirmed)
        self._says.value = told if any_at_all else ""

    def _choose(self, how: str | None) -> None:
        if self._setting or self._locked or self._found is None or how is None:
            return
        try:
            bad_pixels.choose(self._page.workspace, how, self._found)
        except ParameterError as error:
            self._says.value = f'<div class="err">{text.mark("err")} {text.escape(text.failure(error))}</div>'
        else:
            self._page.log(f"bad pixels: {bad_pixels.HOW[how]}")
            self._page.changed()


def counted(found: BadPixels) -> str:
    """HTML: how many there are of each kind and where, a swatch before those that are marked in the picture."""
    return "".join(map(partial(_line, found), _KINDS)) or f"{text.mark('ok')} No hot or dead pixels found."


def legend(found: BadPixels) -> str:
    """HTML for the caption of the picture in which they are marked, "" where there are none."""
    kinds = [(kind, getattr(found, kind)) for kind in _MARKED]
    return "".join(f"&ensp;{_swatch(kind)} <b>{text.count(len(places))}</b> {kind}" for kind, places in kinds if places)


def _line(found: BadPixels, kind: str) -> str:
    places: Sequence[tuple[int, int]] = getattr(found, kind)
    if not places and (kind == "masked" or not (found.hot or found.dead or found.masked)):
        return ""
    where = f': <span class="m">{text.escape(listed([f"(y {y}, x {x})" for y, x in places]))}</span>' if places else ""
    return f"<div>{_swatch(kind)} <b>{text.count(len(places))}</b> {_KINDS[kind]}{where}</div>"


def _swatch(kind: str) -> str:
    return f'<span class="pn-badpx {kind}" style="border-color:{_MARKED[kind]}"></span>' if kind in _MARKED else ""


def _told(how: str, count: int, *, confirmed: bool) -> str:
    """What happens with them, as it stands."""
    if how == "mask":
        return f"{text.mark('ok')} {text.plural(count, 'pixel')} left out of the loss."
    if how == "keep":
        return f"{text.mark('warn')} Compared like all other pixels: hot ones spoil a reconstruction."
    if confirmed:
        return f"{text.mark('warn')} Nothing chosen: Accept in step 2 leaves them out, a run without it compares them."
    return f"{text.mark('warn')} Nothing chosen yet: Confirm leaves them out of the loss."
