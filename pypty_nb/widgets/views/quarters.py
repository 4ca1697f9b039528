"""Four views at once, each to be swapped for another by the menu that is its title."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import ipywidgets

from pypty_nb.widgets import bare
from pypty_nb.widgets.views.loss import Loss
from pypty_nb.widgets.views.object import Object
from pypty_nb.widgets.views.parts import unseen
from pypty_nb.widgets.views.patterns import Patterns
from pypty_nb.widgets.views.probe import Probe
from pypty_nb.widgets.views.residual import Residual
from pypty_nb.widgets.views.stage import Stage
from pypty_nb.widgets.views.view import Standing, View
from pypty_nb.workspace import Scene

#: What a quarter can show, by its name in the menu.
CHOICES: dict[str, Callable[[Stage], View]] = {
    "Object phase": lambda stage: Object(stage=stage, quantity="phase"),
    "Object modulus": lambda stage: Object(stage=stage, quantity="modulus"),
    "Probe": lambda stage: Probe(stage=stage, space="real"),
    "Probe reciprocal": lambda stage: Probe(stage=stage, space="reciprocal"),
    "Patterns": lambda stage: Patterns(stage=stage),
    "Residual": lambda stage: Residual(stage=stage),
    "Loss": lambda stage: Loss(stage=stage),
}
FIRST = ("Object phase", "Probe", "Patterns", "Loss")
_PLACES = ("top left", "top right", "bottom left", "bottom right")


class Quarters:
    """Four views, two by two, made when first shown.

    A view chosen where another quarter shows it already changes places with the one there.

    Parameters
    ----------
    stage : Stage
    """

    def __init__(self, stage: Stage):
        self._stage = stage
        self._scene: Scene | None = None
        self._pictures = True
        self._setting = False
        self._views: dict[str, View] = {}
        self._names: list[str] = list(FIRST)
        self._menus: list[Any] = []
        self._grid = bare.Box()
        self._grid.add_class("grid22")

    def render(self) -> ipywidgets.DOMWidget:
        """The widget, always the same one."""
        if not self._menus:
            self._menus = [self._menu(quarter) for quarter in range(len(_PLACES))]
            self._arrange()
        return self._grid

    def _menu(self, quarter: int) -> Any:
        called = f"View, {_PLACES[quarter]}"
        options = {"options": tuple(CHOICES), "value": self._names[quarter]}
        menu = unseen(ipywidgets.Dropdown(**options, description=called, tooltip=called))
        menu.add_class("pn-choose")
        menu.observe(partial(self._chosen, quarter), "value")
        return menu

    @property
    def names(self) -> tuple[str, ...]:
        """What is shown, row by row."""
        return tuple(self._names)

    @property
    def shown(self) -> tuple[View, ...]:
        """The four views, row by row; none before they are made."""
        return tuple(self._views[name] for name in self._names if name in self._views)

    def update(self, scene: Scene, *, pictures: bool = True) -> None:
        """Show `scene`; without `pictures` the loss alone, and the rest as it is."""
        for _ in self.updating(scene, pictures=pictures):
            pass

    def updating(self, scene: Scene, *, pictures: bool = True) -> Iterator[None]:
        """`update` view by view."""
        self.render()
        self._scene, self._pictures = scene, pictures
        for view in self.shown:
            yield
            if pictures or isinstance(view, Loss):
                view.update(scene)

    def key(self, key: str) -> None:
        """Do what `key` stands for, in every view that knows it."""
        if key == "l":
            for view in self._objects[:1]:
                # the others follow it
                view.linked.value = not view.linked.value
            return
        for view in self.shown:
            view.key(key)

    def png(self) -> bytes | None:
        """The first picture, PNG; ``None`` where there is none."""
        return next((still for view in self.shown if (still := view.png()) is not None), None)

    def choose(self, quarter: int, name: str) -> None:
        """Show `name` in `quarter`, 0 to 3 row by row."""
        if name == self._names[quarter]:
            return
        before = self._names[quarter]
        if name in self._names:
            self._names[self._names.index(name)] = before
        self._names[quarter] = name
        self.render()
        self._arrange()
        view = self._views[name]
        if self._scene is not None and (self._pictures or isinstance(view, Loss)):
            view.update(self._scene)

    @property
    def _objects(self) -> list[Object]:
        return [view for view in self.shown if isinstance(view, Object)]

    def _chosen(self, quarter: int, change: Any) -> None:
        if not self._setting:
            self.choose(quarter, change["new"])
            # its place in the page is another one now
            self._menus[quarter].focus()

    def _arrange(self) -> None:
        self._setting = True
        for name, view in self._views.items():
            if name not in self._names:
                view.head.children = ()
        for menu, name in zip(self._menus, self._names, strict=True):
            menu.value = name
            self._view(name).head.children = (menu,)
        self._setting = False
        # hidden, not taken away: a browser keeps few WebGL surfaces, and what is shown again would need new ones
        self._grid.children = [view.render() for view in self._views.values()]
        for name, view in self._views.items():
            layout = view.render().layout
            layout.display = None if name in self._names else "none"
            layout.order = str(self._names.index(name)) if name in self._names else None
        objects = self._objects
        for view in objects:
            view.linked.layout.display = None if len(objects) > 1 else "none"

    def _view(self, name: str) -> View:
        """The view of that name; made when first shown."""
        if name not in self._views:
            view = self._views[name] = CHOICES[name](self._stage)
            # the menu says which
            if isinstance(view, Object):
                view.quantity.layout.display = "none"
                view.picture.on_zoom = partial(self._link, view)
                view.linked.observe(partial(self._tie, view), "value")
            elif isinstance(view, Probe):
                view.space.layout.display = "none"
        return self._views[name]

    def _tie(self, view: Object, change: Any) -> None:
        for other in self._objects:
            other.linked.value = change["new"]
        self._link(view)

    def _link(self, view: Object) -> None:
        """Where objects are linked, what is seen of one is seen of the others."""
        if not view.linked.value or (window := view.picture.window) is None:
            return
        for other in self._objects:
            if other is not view and other.picture.frame is not None:
                other.picture.window = window


class Views(Standing):
    """Object, probe, patterns and loss of a run in one widget, each to be swapped for another.

    Parameters
    ----------
    run : path of a run's folder, RunFolder, RunResult, Reconstruction, Preset or Scene, optional
        What is shown; a folder as it is now.

    Raises
    ------
    ParameterError, RunFolderError
        `ValueError` and `OSError`: where `run` is nothing that can be looked at.
    """

    def __init__(self, run: Any = None):
        super().__init__(run, None)

    def png(self) -> bytes | None:
        return self.quarters.png()

    def key(self, key: str) -> None:
        self.quarters.key(key)

    def _make(self) -> None:
        self.quarters = Quarters(self.stage)
        self._box = self.quarters.render()

    def _draw(self, scene: Scene) -> None:
        self.quarters.update(scene)
