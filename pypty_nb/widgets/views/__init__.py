"""What is looked at: views of a run, each on its own in a notebook or four of them on the page."""

from pypty_nb.widgets.views.loss import Loss
from pypty_nb.widgets.views.object import Object
from pypty_nb.widgets.views.patterns import Patterns
from pypty_nb.widgets.views.probe import Probe
from pypty_nb.widgets.views.quarters import Quarters, Views
from pypty_nb.widgets.views.residual import Residual
from pypty_nb.widgets.views.stage import Stage
from pypty_nb.widgets.views.view import View
from pypty_nb.workspace import Scene

__all__ = ["Loss", "Object", "Patterns", "Probe", "Quarters", "Residual", "Scene", "Stage", "View", "Views"]
