"""A form on step 1 for what a file does not say of itself, and for what is odd in it: a cleaned copy is written and opened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import ipywidgets

from pypty_nb.data import Dataset
from pypty_nb.initialize import Imported
from pypty_nb.params import ParameterError
from pypty_nb.widgets import bare, text
from pypty_nb.widgets.panels.panel import Moment, Page, boxed, heading
from pypty_nb.widgets.panels.underway import UnderWay
from pypty_nb.widgets.views.parts import unseen
from pypty_nb.workspace import importing
from pypty_nb.workspace.importing import Source, Wanted
from pypty_nb.workspace.preview import StoppedError

_OFFER = "Import a cleaned copy …"
_HELP = "Writes a copy beside the file, and opens it. The file stays as it is."


class ImportPart:
    """The form: under the sentence on a file that asks for it, or folded among what the open file proposes.

    Parameters
    ----------
    page : Page
    hold : called with whether the file is being read and nothing may be changed
    open_file : opens the copy

    Attributes
    ----------
    asked, offered : DOMWidget
        The two places.
    """

    def __init__(self, page: Page, hold: Callable[[bool], None], open_file: Callable[[Path], Coroutine[Any, Any, None]]):
        self._page, self._hold, self._open_file = page, hold, open_file
        self._source: Source | None = None
        #: The file that cannot be opened before it is filled in; and what is open.
        self._asked, self._data = False, ("", "")
        self._unfolded = self._busy = self._stopped = False
        #: The scan that the patterns of the open file do not fill.
        self._short: tuple[int, int] | None = None
        self._fields = Fields()
        self._fold = bare.Button(description=f"▸ {_OFFER}", tooltip=_HELP)
        self._fold.add_class("pn-quiet")
        self._fold.add_class("pn-fold")
        self._head, self._why, self._said = heading("", "pn-h"), heading("", "pn-help"), heading("", "pn-help")
        self._start = bare.Button(description="Import", tooltip=_HELP)
        self._cancel = ipywidgets.Button(description="Cancel", tooltip="Stop, and leave no file")
        self._under_way = UnderWay()
        buttons = boxed(bare.HBox, "pn-buttons", self._start, self._cancel)
        self._form = (self._why, self._fields, buttons, self._under_way)
        self.asked, self.offered = boxed(bare.VBox, "pn-import"), boxed(bare.VBox, "pn-import")
        self._fold.on_click(lambda _button: self._turn())
        self._start.on_click(lambda _button: page.tasks.start(self._import))
        self._cancel.on_click(lambda _button: setattr(self, "_stopped", True))

    async def ask(self, path: Path, why: str) -> bool:
        """Show the form for a file that could not be opened; whether that would help. `why` is the reader's sentence."""
        source = await asyncio.to_thread(importing.source_of, self._page.workspace, path, why)
        if source is None or not source.asks:
            return False
        self._asked = True
        self._source, self._said.value = source, ""
        self._fields.clear()
        self._fields.show(source)
        self._page.changed()
        return True

    def show(self, moment: Moment, dataset: Dataset | None, points: tuple[int, int], *, failed: bool) -> None:
        """Show it for `dataset`, which is open, with as many scan `points`; `failed`: the latest file was not opened."""
        preset = moment.preset
        data = (preset.data_path, preset.data_axes) if importing.can_import(preset) else ("", "")
        if (self._asked and not failed) or (data != self._data and not self._asked):
            if data != self._data and not self._busy:
                self._said.value = ""
            self._asked, self._source, self._short, self._unfolded = False, None, None, False
            self._fields.clear()
        self._data = data
        here = bool(data[0]) and dataset is not None and not self._asked
        if here and dataset is not None and not self._busy:
            self._compare(dataset, points)
        self._dress(moment.locked, here=here)

    # ---- what a person does
    def _turn(self) -> None:
        self._unfold(unfolded=not self._unfolded)
        self._page.changed()

    def _unfold(self, *, unfolded: bool) -> None:
        self._unfolded = unfolded
        if unfolded and self._source is None:
            self._fields.show(Source(Path(self._data[0]), {}))
            self._page.tasks.start(partial(self._look_into, self._data))

    async def _look_into(self, data: tuple[str, str]) -> None:
        """Find out what else the open file holds."""
        source = await asyncio.to_thread(importing.source_of, self._page.workspace, Path(data[0]))
        if source is not None and data == self._data and not self._asked:
            self._source = source
            self._fields.show(source)

    async def _import(self) -> None:
        """Write the copy, and open it."""
        workspace = self._page.workspace
        if self._busy or workspace.runner.state.busy:
            return
        asked = self._asked and self._source is not None
        try:
            path, axes = (str(self._source.path), "") if asked and self._source is not None else self._data
            wanted = self._fields.wanted(Path(path), axes)
        except ParameterError as error:
            self._fail(error)
            return
        self._busy, self._stopped, self._said.value = True, False, ""
        self._under_way.show("Importing …")
        self._hold(True)
        found = None
        try:
            soon = partial(self._page.tasks.soon, self._show_written)
            found = await asyncio.to_thread(importing.imported, workspace, wanted, soon, lambda: self._stopped)
        except StoppedError:
            self._said.value = "Import cancelled; no file was written."
        except (ValueError, OSError) as error:
            self._fail(error)
        finally:
            self._busy = False
            self._under_way.hide()
            self._hold(False)
        if found is not None:
            await self._open_file(found.path)
            self._said.value = _told(found)
            self._page.log(f"wrote {found.path.name}{''.join(f'; {note}' for note in found.notes)}")

    def _fail(self, error: Exception) -> None:
        words = self._page.workspace.shortened(text.failure(error))
        self._said.value = f'<div class="err">{text.mark("err")} {text.escape(words)}.</div>'

    # ---- showing
    def _show_written(self, done: int, of: int) -> None:
        if self._busy:
            self._under_way.show(f"Writing patterns, {text.count(done)} of {text.count(of)}", done, of)

    def _compare(self, dataset: Dataset, points: tuple[int, int]) -> None:
        """Unfold it where the patterns do not fill the scan, and fold it once they do."""
        short = importing.not_filled(dataset, points)
        if short == self._short:
            return
        if (short is None) != (self._short is None):
            self._unfold(unfolded=short is not None)
        self._short = short
        if short is not None:
            self._fields.propose(short)
            self._why.value = text.escape(
                f"{text.count(dataset.shape[0])} patterns do not fill {text.shape(short)} scan points. In a copy a last row "
                "that is not complete is left out; so are columns of the fly-back, where you say how many."
            )

    def _dress(self, locked: bool, *, here: bool) -> None:
        open_form = self._asked or self._unfolded
        self._fold.description = f"{'▾' if self._unfolded else '▸'} {_OFFER}"
        self._fold.disabled = self._busy
        if self._asked and self._source is not None:
            self._head.value = f"Import {text.escape(self._source.path.name)}"
        if self._short is None or self._asked:
            self._why.value = _HELP
        self._fields.lock(locked)
        self._start.disabled = locked
        self._start.button_style = "primary" if self._asked or self._short is not None else ""
        self._cancel.layout.display = None if self._busy else "none"
        self._cancel.disabled = self._stopped
        inside = (*(self._form if open_form else ()), self._said)
        _fill(self.asked, (self._head, *inside) if self._asked else ())
        _fill(self.offered, (self._fold, *inside) if here else ())


class Fields(bare.VBox):
    """What can be said of a file, each on a line of its own; those that a file has no use for are not shown."""

    def __init__(self):
        self._which = unseen(ipywidgets.Dropdown(description="Data set", tooltip="Data set: path of the patterns in the file"))
        self._named = _typed("Data set", "path in the file", "Data set: path of the patterns in the file")
        self._shape = _typed(
            "Shape", "4096, 128, 128", "Shape: patterns, rows, columns; or scan rows, scan columns, rows, columns"
        )
        self._dtype = unseen(
            ipywidgets.Combobox(
                options=importing.DTYPES, ensure_option=False, placeholder="uint16", continuous_update=False,
                description="Type", tooltip="Type of a number; > before it: its highest byte comes first",
            )
        )  # fmt: skip
        self._offset = _counted("Header", 0, 2**31 - 1, "Header: bytes before the first number")
        self._rows = _typed("Import, scan rows", "as stated", "Scan points, rows, those to be left out included")
        self._columns = _typed("Import, scan columns", "as stated", "Scan points, columns, those to be dropped included")
        self._first, self._last = (
            _counted(f"Columns to drop, {end}", 0, 10**6, f"Fly-back: columns to leave out at the {end} of each row")
            for end in ("start", "end")
        )
        self._negative = _choice("Negative counts", importing.NEGATIVE, "What becomes of counts below zero")
        self._bad = _choice("Bad pixels", importing.BAD_PIXELS, "What becomes of hot, dead and masked pixels")
        self._bin = _counted("Bin", 1, 1024, "Bin: sum as many × as many pixels")
        self._set, self._path = _line("Data set", self._which), _line("Data set", self._named)
        self._raw = (
            _line("Shape", self._shape),
            _line("Type", self._dtype),
            _line("Header", self._offset, heading("bytes", "m s")),
        )
        self._always = (
            _line("Scan size", self._rows, heading("×", "m"), self._columns),
            _line("Drop columns", self._first, heading("start", "m s"), self._last, heading("end", "m s")),
            _line("Negative", self._negative),
            _line("Bad pixels", self._bad),
            _line("Bin", self._bin, heading("px", "m s")),
        )
        super().__init__(self._always)
        self.add_class("pn-importfields")

    def show(self, source: Source) -> None:
        """Show what can be said of `source`."""
        self._which.options = [("choose one" if source.named else "as it is open", ""), *source.datasets.items()]
        self._which.value = ""
        several = len(source.datasets) > 1 or (source.named and source.datasets)
        lines = (self._set,) if several else (self._path,) if source.named else ()
        _fill(self, (*lines, *(self._raw if source.raw else ()), *self._always))

    def clear(self) -> None:
        """Forget what was said of another file."""
        for field in (self._named, self._shape, self._rows, self._columns):
            field.value = ""
        self._first.value = self._last.value = self._offset.value = 0
        self._bin.value = 1

    def propose(self, size: tuple[int, int]) -> None:
        """Fill in a scan size."""
        self._rows.value, self._columns.value = map(str, size)

    def lock(self, locked: bool) -> None:
        """Let nothing be changed."""
        for field in (
            self._which, self._named, self._shape, self._dtype, self._offset, self._rows, self._columns,
            self._first, self._last, self._negative, self._bad, self._bin,
        ):  # fmt: skip
            field.disabled = locked

    def wanted(self, path: Path, axes: str) -> Wanted:
        """What is filled in.

        Raises
        ------
        ParameterError
            Where it cannot be read, or what the file needs is missing.
        """
        dataset = self._named.value.strip() if self._path in self.children else str(self._which.value or "")
        if not dataset and self._which.options[0][0] == "choose one":
            raise ParameterError("data set: choose which of them is meant")
        raw = self._raw[0] in self.children
        return Wanted(
            path,
            dataset,
            # another data set has axes of its own
            "" if dataset else axes,
            importing.lengths(self._shape.value, "shape") if raw else (),
            self._dtype.value.strip() if raw else "",
            self._offset.value if raw else 0,
            importing.scan_points(self._rows.value, self._columns.value),
            (self._first.value, self._last.value),
            str(self._negative.value),
            str(self._bad.value),
            self._bin.value,
        )


def _told(found: Imported) -> str:
    """HTML: what was written, and everything that was changed or is odd."""
    notes = "".join(f"<li>{text.escape(note)}</li>" for note in found.notes)
    return f"{text.mark('ok')} Wrote {text.escape(found.path.name)}.<ul>{notes}</ul>"


def _fill(box: ipywidgets.Box, children: tuple[ipywidgets.DOMWidget, ...]) -> None:
    if box.children != children:
        box.children = children


def _line(words: str, *controls: ipywidgets.DOMWidget) -> ipywidgets.Box:
    return boxed(bare.HBox, "pn-pair pn-stated", heading(words, "pn-l"), *controls)


def _typed(what: str, placeholder: str, tip: str) -> Any:
    return unseen(ipywidgets.Text(description=what, placeholder=placeholder, tooltip=tip, continuous_update=False))


def _counted(what: str, least: int, most: int, tip: str) -> Any:
    return unseen(ipywidgets.BoundedIntText(min=least, max=most, value=least, description=what, tooltip=tip))


def _choice(what: str, options: dict[str, str], tip: str) -> Any:
    return unseen(ipywidgets.Dropdown(options=[(said, key) for key, said in options.items()], description=what, tooltip=tip))
