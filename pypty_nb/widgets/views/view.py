"""What every view is: a picture of a run, on the page or on its own in a notebook."""

from __future__ import annotations

import asyncio
from typing import Any

import ipywidgets

from pypty_nb.records import EpochReport
from pypty_nb.widgets import bare, text
from pypty_nb.widgets.views.alone import Alone, Shown
from pypty_nb.widgets.views.stage import Stage
from pypty_nb.workspace import Scene, scene_of


class Standing:
    """What a view, or several as one, can do by itself in a notebook; `_box`, `_draw` and `key` are the view's own."""

    _box: ipywidgets.DOMWidget

    def __init__(self, run: Any, stage: Stage | None):
        self._run, self._shown = run, Shown()
        self.stage = stage if stage is not None else Stage()
        self._make()
        self._alone = Alone(self.stage, self._box, self._again, self.key) if stage is None else None
        if run is not None:
            self.update(scene_of(run))

    def render(self) -> ipywidgets.DOMWidget:
        """The bare widget, for a page that brings the style; always the same one."""
        return self._box

    @property
    def widget(self) -> ipywidgets.DOMWidget:
        """The widget with all it needs; always the same one."""
        return self._alone.widget if self._alone is not None else self._box

    def update(self, shown: Scene | EpochReport) -> None:
        """Show a run, or the next epoch of the one that is shown; never faster than the browser draws."""
        self._shown.take(shown)
        if self._alone is not None:
            self._alone.want()
        else:
            self._again()

    def follow(self, run: Any = None) -> asyncio.Task[None]:
        """Show `run` in the background until it ends; without it the run that the view was made with.

        A reconstruction is run, each epoch in a thread; the folder of a run elsewhere is read again whenever it changes.
        ``await`` the task to wait for the end.
        """
        if self._alone is None:
            raise RuntimeError("the page follows its runs itself")
        return self._alone.follow(run if run is not None else self._run, self.update)

    def png(self) -> bytes | None:
        """What is shown as a still picture, PNG; ``None`` where there is none."""
        return None

    def key(self, key: str) -> None:
        """Do what `key` stands for."""

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        data: dict[str, Any] = self.widget._repr_mimebundle_(**kwargs) or {}
        # what a notebook shows where it was saved and no kernel runs
        return data if (still := self.png()) is None else data | {"image/png": still}

    def _make(self) -> None:
        """Put `_box` together."""
        raise NotImplementedError

    def _draw(self, scene: Scene) -> None:
        """Show `scene` in it, in place."""
        raise NotImplementedError

    def _again(self, _change: Any = None) -> None:
        """Draw what is shown, also once more for a control that changed."""
        if (scene := self._shown.scene) is not None:
            self._draw(scene)


class View(Standing):
    """One picture of a run.

    Parameters
    ----------
    run : path of a run's folder, RunFolder, RunResult, Reconstruction, Preset or Scene, optional
        What is shown; a folder as it is now.
    stage : Stage, optional
        What it shares with the views beside it. Without one it stands alone: as the last expression of a notebook's cell it is
        shown, and it draws no faster than the browser.

    Raises
    ------
    ParameterError, RunFolderError
        `ValueError` and `OSError`: where `run` is nothing that can be looked at.
    """

    title = ""

    def __init__(self, run: Any = None, *, stage: Stage | None = None):
        name = bare.HTML(text.escape(self.title))
        self.head = bare.Box([name])
        self.head.add_class("pn-vt")
        super().__init__(run, stage)
