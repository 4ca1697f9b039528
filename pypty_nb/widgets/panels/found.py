"""What an open file proposes, for a person to agree to: its axes, the scan's size, and facts with their sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import ipywidgets

from pypty_nb.data import Dataset
from pypty_nb.data.metadata import KEYS
from pypty_nb.initialize.bad_pixels import BadPixels
from pypty_nb.params import ParameterError
from pypty_nb.widgets import bare, text
from pypty_nb.widgets.panels.panel import Moment, Page, boxed, heading
from pypty_nb.widgets.views.parts import unseen
from pypty_nb.workspace.bad_pixels import chosen

_AXES = {"scan_y": "scan y", "scan_x": "scan x", "pattern": "pattern", "ky": "ky", "kx": "kx", "1": "1"}


class Proposal(ipywidgets.VBox):
    """Axis order and scan points as the file proposes them, a button to confirm, and what else the file states.

    Parameters
    ----------
    page : Page
    *parts : DOMWidget
        What stands below the button: a copy to import, bad pixels.
    """

    def __init__(self, page: Page, *parts: ipywidgets.DOMWidget):
        self._page = page
        self._dataset: Dataset | None = None
        self._found: BadPixels | None = None
        self._setting = self._locked = False
        #: The file whose axes are stated anew, while it is read with them, and whether that was agreed to meanwhile.
        self._reopening, self._agreed = "", False
        self._axes, self._mark, self._facts = heading("", "pn-axes"), heading("", "pn-help"), heading("", "pn-table pn-facts")
        self._rows, self._columns = (
            unseen(ipywidgets.BoundedIntText(min=1, max=10**7, description=what, tooltip=what))
            for what in ("Scan points, rows", "Scan points, columns")
        )
        self._order = boxed(bare.VBox, "pn-order")
        self._confirm = ipywidgets.Button(description="Confirm", button_style="primary")
        self._confirm.on_click(lambda _button: page.tasks.soon(self._agree))
        points = boxed(
            bare.HBox, "pn-pair pn-points", heading("Scan points", "pn-l"), self._rows, heading("×", "m"), self._columns
        )
        super().__init__(
            [
                heading("Shape, as the file proposes", "pn-h"),
                self._axes,
                self._order,
                points,
                self._mark,
                boxed(bare.HBox, "pn-buttons", self._confirm),
                *parts,
                heading("What the file states", "pn-h"),
                self._facts,
            ]
        )
        self.add_class("pn-proposal")
        self.layout.display = "none"
        for field in (self._rows, self._columns):
            field.observe(self._typed, "value")

    def show(self, moment: Moment, dataset: Dataset | None, found: BadPixels | None = None) -> None:
        """Show what `dataset` proposes, and whether it has been agreed to; `found` are its bad pixels, once they are known."""
        self._locked, self._found = moment.locked, found
        if self._reopening != moment.preset.data_path:
            self._reopening, self._agreed = "", False
        if dataset is not None and dataset is not self._dataset:
            self._dataset, self._reopening = dataset, ""
            self._fill(moment)
        elif dataset is None and not self._reopening:
            self._dataset = None
        self.layout.display = "none" if self._dataset is None else ""
        confirmed = moment.opened.confirmed
        self._confirm.disabled = moment.locked or confirmed or self._agreed
        for control in (self._rows, self._columns, *(child for row in self._order.children for child in row.children[1:])):
            control.disabled = moment.locked or bool(self._reopening)
        self._dress(confirmed)
        if self._agreed and not self._reopening:
            self._agreed = False
            self._agree()

    @property
    def points(self) -> tuple[int, int]:
        """The scan points as they are typed, rows and columns."""
        return self._rows.value, self._columns.value

    def _fill(self, moment: Moment) -> None:
        dataset = self._dataset
        if dataset is None:
            return
        names = getattr(dataset, "axes", ())
        order = ", ".join(_AXES.get(axis, str(axis)) for axis in names)
        shape = text.shape(getattr(dataset, "source_shape", dataset.shape))
        dtype = getattr(dataset, "dtype", "")
        self._axes.value = (
            f"<div>{text.escape(order)}</div><div class='m s'>{text.escape(shape)} · {text.escape(dtype)} · "
            f"pattern {text.escape(text.shape(dataset.shape[1:]))} px</div>"
        )
        self._order.children = self._controls(dataset) if moment.preset.dataset is None else ()
        size = moment.preset.scan_size or dataset.scan_shape or (1, dataset.shape[0])
        self._setting = True
        self._rows.value, self._columns.value = size
        self._setting = False
        self._facts.value = facts_table(dataset)

    def _controls(self, dataset: Dataset) -> tuple[ipywidgets.DOMWidget, ...]:
        """For every axis of the file its length, what it is, and whether it is read from its end."""
        names = getattr(dataset, "axes", ())
        choices = [(_AXES[axis], axis) for axis in names if axis != "1"]
        rows = []
        for place, (axis, length) in enumerate(zip(names, getattr(dataset, "source_shape", ()), strict=False)):
            if axis == "1":
                continue
            what, back = f"Axis {place + 1} of the file", f"Reverse axis {place + 1}"
            name = unseen(ipywidgets.Dropdown(options=choices, value=axis, description=what, tooltip=what))
            turned = axis in getattr(dataset, "reversed_axes", ())
            reverse = ipywidgets.Checkbox(value=turned, description="reversed", indent=False, tooltip=back)
            name.observe(partial(self._renamed, axis), "value")
            reverse.observe(partial(self._reversed, axis), "value")
            rows.append(boxed(bare.HBox, "pn-pair", heading(text.count(length), "pn-l"), name, reverse))
        return tuple(rows)

    def _renamed(self, axis: str, change: Any) -> None:
        """One axis takes another's name, and that one its own."""
        swap = {axis: change["new"], change["new"]: axis}
        self._state([swap.get(name, name) for name in getattr(self._dataset, "axes", ())])

    def _reversed(self, axis: str, change: Any) -> None:
        names = list(getattr(self._dataset, "axes", ()))
        self._state(names, {axis: bool(change["new"])})

    def _state(self, names: Sequence[str], turned: Mapping[str, bool] | None = None) -> None:
        """Read the file with its axes under `names`, reversed as they were but for those in `turned`."""
        if self._reopening or self._locked:
            return
        places = dict(zip(getattr(self._dataset, "axes", ()), names, strict=True))
        back = {places[axis] for axis in getattr(self._dataset, "reversed_axes", ())}
        for axis, wanted in (turned or {}).items():
            back = back | {axis} if wanted else back - {axis}
        stated = ", ".join(f"-{name}" if name in back else name for name in names)
        preset = self._page.workspace.preset
        self._reopening = preset.data_path if stated != preset.data_axes else ""
        try:
            self._page.workspace.use_axes(stated)
        except (ValueError, OSError) as error:
            self._reopening = ""
            self._mark.value = f'<div class="err">{text.mark("err")} {text.escape(text.failure(error))}</div>'
        else:
            self._page.log(f"axes of the file: {stated}")
            self._page.changed()

    def _typed(self, _change: Any) -> None:
        dataset = self._dataset
        if self._setting or dataset is None or self._reopening:
            return
        if self._rows.value * self._columns.value == dataset.shape[0]:
            self._page.workspace.preset.update(scan_size=(self._rows.value, self._columns.value))
        self._dress(self._page.workspace.opened.confirmed)
        self._page.changed()

    def _dress(self, confirmed: bool) -> None:
        dataset = self._dataset
        if dataset is None:
            return
        if self._reopening:
            again = "Reading the file with these axes …"
            self._mark.value = f"{text.mark('ok')} Confirmed once it is read. {again}" if self._agreed else again
            return
        points = self._rows.value * self._columns.value
        if points != dataset.shape[0]:
            self._confirm.disabled = True
            words = f"{text.count(points)} points, but {text.plural(dataset.shape[0], 'pattern')}"
            self._mark.value = f'<div class="err">{text.mark("err")} {words}.</div>'
        elif confirmed:
            self._mark.value = f"{text.mark('ok')} Confirmed."
        else:
            found = dataset.metadata.get("scan_size")
            source = f" From {text.escape(found.source)}." if found is not None else " The file does not state them."
            if found is None and ("positions" in dataset.metadata or "positions_px" in dataset.metadata):
                source = " The file states where each pattern was taken."
            self._mark.value = f"{text.mark('warn')} Not confirmed.{source}"

    def _agree(self) -> None:
        """Take what is proposed; while the file is read with other axes, as soon as it is."""
        dataset = self._dataset
        if dataset is None or self._locked:
            return
        if self._reopening:
            self._agreed = True
            self._page.changed()
            return
        values: dict[str, Any] = {"scan_size": (self._rows.value, self._columns.value)}
        values |= {name: dataset.metadata[name].value for name in ("acc_voltage", "scan_step_A") if name in dataset.metadata}
        if self._found is not None and self._found.places is not None and not chosen(self._page.workspace):
            values["bad_pixels"] = self._found.places
        try:
            self._page.workspace.confirm(values)
        except ParameterError as error:
            self._mark.value = f'<div class="err">{text.mark("err")} {text.escape(text.failure(error))}</div>'
        else:
            self._page.log(f"confirmed {text.plural(len(values), 'value')} of the file")
            self._page.changed()


def facts_table(dataset: Dataset) -> str:
    """HTML of everything the source states of the experiment, each value with its unit and where it stands."""
    rows = []
    for key, found in dataset.metadata.items():
        if key == "scan_size":
            continue
        unit, meaning = KEYS.get(key, ("", key))
        value = (
            text.number(found.value, 4)
            if isinstance(found.value, int | float)
            else text.shape(getattr(found.value, "shape", ()))
        )
        source = text.escape(found.source)
        rows.append(
            f'<tr title="{source}"><td>{text.escape(meaning)}</td><td><b>{text.escape(value)}</b> {text.escape(unit)}</td></tr>'
            f'<tr class="src"><td colspan="2">{source}</td></tr>'
        )
    return f"<table>{''.join(rows)}</table>" if rows else '<span class="m s">Nothing of the experiment.</span>'
