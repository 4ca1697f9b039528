"""The form of a table, or of any parameters: made from their declarations, bound to a preset both ways."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets

from pypty_nb.params import FIELDS, ParameterError, Preset, Table, known_name
from pypty_nb.widgets import bare, text
from pypty_nb.widgets.editbar import EditBar
from pypty_nb.widgets.fieldbox import FieldBox
from pypty_nb.widgets.host import Host
from pypty_nb.workspace import History
from pypty_nb.workspace.steering import FIXED

#: What every course over the epochs depends on, beside its own schedule.
_EPOCHS = {"epoch_prev", "epoch_max", "wedge_mu"}
Source = type[Table] | Sequence[str | type[Table]]


class Form(ipywidgets.VBox):
    """Fields under headings, with a switch between basic and all, and a search box.

    Parameters
    ----------
    preset : Preset
    source : a table, or a sequence of tables and parameter names
    title : str
        "" for a table's own.
    host : Host
        The page around it; without one the form stands alone.
    """

    def __init__(self, preset: Preset, source: Source, title: str = "", host: Host | None = None):
        # first, since a form that could not be made is closed all the same
        self._leave: list[Callable[[], object]] = []
        self._boxes: dict[str, FieldBox] = {}
        self.preset = preset
        self._host = host or Host()
        self._history = self._host.history or History(preset)
        if self._host.history is None:
            self._leave.append(self._history.close)
        self._parts = _parts(source)
        self.names = [name for _, names in self._parts for name in names]
        self._locked = False
        self._said_live = ""
        self._now: int | None = None
        self._basic = {name for name in self.names if FIELDS[name].level == "basic"}
        self._make_head(title or self._parts[0][0])
        self._sections = [self._section(heading) for heading, _ in self._parts]
        super().__init__([*self._head, *self._sections, self._nothing])
        self.add_class("pn-formbody")
        self._leave += [preset.watch(self._told), self._edits.close]
        self.refilter()

    @property
    def errors(self) -> dict[str, str]:
        """Parameter and message of every field whose text was refused."""
        return {name: box.error for name, box in self._boxes.items() if box.error}

    def box(self, name: str) -> FieldBox:
        """The field of one parameter, made if it was not yet."""
        if name not in self._boxes:
            self._boxes[name] = FieldBox(self.preset, name, self._host)
            self._boxes[name].show_run(busy=self._locked)
            self._boxes[name].show_epoch(self._now)
        return self._boxes[name]

    def reveal(self, name: str) -> FieldBox:
        """Bring the field of `name` into view, whatever is searched for, and give it."""
        self._search.value = ""
        if name not in self._basic:
            self._level.value = "Expert"
        box = self.box(name)
        box.control.focus()
        return box

    def find(self) -> None:
        """Put the cursor into the search box."""
        self._search.focus()

    def lock(self, locked: bool) -> None:
        """While a run is going, let only be typed what it takes, and say so; cheap where nothing is new."""
        if locked != self._locked:
            self._locked = locked
            self._edits.lock(locked)
            self._said_live = ""
            self._say("")
        if locked and (words := self._words()) != self._said_live:
            self._said_live = words
            self._say_html(words)
        for box in self._boxes.values():
            box.show_run(busy=locked)

    def _words(self) -> str:
        """What may be done while a run is going, HTML."""
        steering = self._host.steering
        if steering is None or not any(not steering.why_fixed(name) for name in self.names if FIELDS[name].live):
            return text.escape(FIXED)
        called = text.escape(steering.called)
        return f"{called} is going. A change applies at <b>epoch {steering.next_epoch}</b> and enters the journal."

    def show_epoch(self, now: int | None) -> None:
        """Mark the epoch that a run has reached in every schedule; ``None`` where none is going."""
        self._now = now
        for box in self._boxes.values():
            box.show_epoch(now)

    def reset(self) -> None:
        """Give all fields of the form their defaults, as one step that can be taken back.

        Raises
        ------
        ParameterError
            Where the defaults contradict a value that stands elsewhere.
        """
        defaults = {name: copy.deepcopy(FIELDS[name].default) for name in self.names}
        self._history.change(defaults, "reset all")
        for name in self.errors:
            self._boxes[name].refresh()

    def close(self) -> None:
        """Take the form and its fields away and stop following the preset."""
        for leave in self._leave:
            leave()
        for box in self._boxes.values():
            box.close()
        super().close()

    def refilter(self, _change: Any = None) -> None:
        """Show the fields that the level and the search ask for; fields are made when first shown."""
        level = set(self.names) if self._level.value == "Expert" else self._basic
        words = self._search.value
        seen = 0
        for section, (_, names) in zip(self._sections, self._parts, strict=True):
            # a field whose text was refused stays in sight whatever is asked for
            boxes = [self.box(name) for name in names if name in level or name in self.errors]
            found = [box for box in boxes if box.error or not words.strip() or box.matches(words)]
            seen += len(found)
            section.layout.display = "" if found else "none"
            section.children = (section.children[0], *found)
        self._count.value = f"{seen} of {len(self.names)}"
        self._nothing.layout.display = "none" if seen else ""
        quoted = f"No parameter matches “{text.escape(words)}”."
        expert = self._level.value == "Expert"
        self._nothing.children[0].value = quoted + ("" if expert else " Look in")
        self._nothing.children[1].layout.display = "none" if expert else ""

    def _make_head(self, title: str) -> None:
        heading = bare.HTML(f'<div role="heading" aria-level="2">{text.escape(title)}</div>')
        heading.add_class("pn-title")
        mixed = 0 < len(self._basic) < len(self.names)
        start = "Basic" if self._basic else "Expert"
        self._level = ipywidgets.ToggleButtons(
            options=["Basic", "Expert"], value=start, tooltips=["The usual fields", "All fields"]
        )
        self._level.layout.display = "" if mixed else "none"
        self._search = ipywidgets.Text(placeholder="Find a parameter by name or help", description="Find a parameter")
        self._search.add_class("pn-nolabel")
        self._search.add_class("pn-grow")
        self._count = bare.HTML()
        self._count.add_class("pn-count")
        row, search = bare.HBox([heading, self._level]), ipywidgets.HBox([self._search, self._count])
        row.add_class("pn-titlerow")
        search.add_class("pn-searchrow")
        search.layout.display = "" if len(self.names) > 8 else "none"
        self._live = ipywidgets.HTML()
        self._live.add_class("pn-live")
        self._edits = EditBar(self._history, self.reset, self._refused, self._host.soon)
        self._say("")
        self._head = [row, self._live, search, self._edits]
        look = ipywidgets.Button(description="Expert")
        look.add_class("pn-quiet")
        look.on_click(lambda _button: setattr(self._level, "value", "Expert"))
        self._nothing = ipywidgets.HBox([bare.HTML(), look])
        self._nothing.add_class("pn-note")
        self._nothing.add_class("wide")
        self._level.observe(self.refilter, "value")
        self._search.observe(self.refilter, "value")

    def _section(self, heading: str) -> ipywidgets.VBox:
        head = bare.HTML(text.escape(heading))
        head.add_class("pn-h")
        if heading == self._parts[0][0]:
            head.add_class("first")
        return ipywidgets.VBox([head])

    def _say(self, words: str) -> None:
        self._say_html(text.escape(words))

    def _say_html(self, words: str) -> None:
        self._live.value = words
        self._live.layout.display = "" if words else "none"

    def _refused(self, error: ParameterError) -> None:
        self._say(" ".join(text.sentence(problem) for problem in error.problems))

    def _told(self, names: frozenset[str]) -> None:
        self._host.soon(self._changed, names)

    def _changed(self, names: frozenset[str]) -> None:
        if not self._locked:
            self._say("")
        for name in names & self._boxes.keys():
            self._boxes[name].refresh()
        if names & _EPOCHS:
            for name in self._boxes.keys() - names:
                self._boxes[name].redraw()


def _parts(source: Source) -> list[tuple[str, list[str]]]:
    """Headings and the parameters under them; names that stand alone come first."""
    items = [source] if isinstance(source, type) else list(source)
    alone = [known_name(item) for item in items if isinstance(item, str)]
    parts = [("Parameters", alone)] if alone else []
    parts += [(item.title, list(item.fields())) for item in items if not isinstance(item, str)]
    if not parts:
        raise ValueError("a form needs a table or at least one parameter's name")
    return parts
