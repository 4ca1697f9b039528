"""What every step is, what it is shown, and what it may ask of the page."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import ipywidgets

from pypty_nb.params import Preset
from pypty_nb.widgets import bare
from pypty_nb.widgets.panels.bottom import BottomBar
from pypty_nb.widgets.tasks import Tasks
from pypty_nb.widgets.views import Stage
from pypty_nb.workspace import Opened, RunState, Workspace


class Watch(Protocol):
    """Looks at a run."""

    def __call__(self, folder: Path, *, stay: bool) -> Coroutine[Any, Any, None]: ...


@dataclass(frozen=True)
class Page:
    """The page as its steps see it.

    Attributes
    ----------
    workspace : Workspace
    tasks : Tasks
        Runs what must not block a click.
    stage : Stage
        What its pictures share.
    bottom : BottomBar
        Takes sentences that stay until dismissed.
    log : called with one line of what happened
    changed : called after something else than the preset has changed
    quick_look : called to run a short look at the preset
    promote : run in full from the quick look in the folder of that name
    watch : look at the run in a folder, under way or ended; with ``stay`` without leaving the step
    """

    workspace: Workspace
    tasks: Tasks
    stage: Stage
    bottom: BottomBar
    log: Callable[[str], None]
    changed: Callable[[], None]
    quick_look: Callable[[], None]
    promote: Callable[[str], Coroutine[Any, Any, None]]
    watch: Watch


@dataclass(frozen=True)
class Moment:
    """How things stand.

    Attributes
    ----------
    preset : Preset
    opened : Opened
    state : RunState
    locked : bool
        Whether nothing may be changed: a run is going, or a file is being read.
    rows : mapping of str to str
        What a table says of the run.
    """

    preset: Preset
    opened: Opened
    state: RunState
    locked: bool
    rows: Mapping[str, str] = field(default_factory=dict)


class Panel(Protocol):
    """One step."""

    def centre(self) -> ipywidgets.DOMWidget | None:
        """What stands in the middle now, ``None`` for the views of the run; cheap, since it is asked for often."""
        ...

    def column(self) -> Sequence[ipywidgets.DOMWidget]:
        """What stands at the right above the form of the step."""
        ...

    def enter(self) -> None:
        """The step has been chosen."""
        ...

    def show(self, moment: Moment) -> None:
        """Show how things stand; called when the step is opened and, often, while it is open."""
        ...


class FormPanel:
    """A step that is its form, beside the views of the run."""

    def centre(self) -> ipywidgets.DOMWidget | None:
        """Nothing of its own."""
        return None

    def column(self) -> Sequence[ipywidgets.DOMWidget]:
        """Nothing above the form."""
        return ()

    def enter(self) -> None:
        """Nothing happens."""

    def show(self, moment: Moment) -> None:
        """Nothing of its own is shown."""


def heading(words: str, name: str) -> ipywidgets.HTML:
    """Fixed words of the page under the class `name`."""
    widget = bare.HTML(words)
    for part in name.split():
        widget.add_class(part)
    return widget


def boxed(box: type[ipywidgets.Box], name: str, *children: ipywidgets.DOMWidget) -> ipywidgets.Box:
    """`children` in a box under the class `name`."""
    widget = box(list(children))
    for part in name.split():
        widget.add_class(part)
    return widget
