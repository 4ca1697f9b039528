"""What is looked at: a `View` has `update` and `render` and nothing else."""

from pypty_nb.widgets.views.loss import Loss
from pypty_nb.widgets.views.object import Object
from pypty_nb.widgets.views.probe import Probe
from pypty_nb.widgets.views.residual import Residual
from pypty_nb.widgets.views.view import Scene, View

__all__ = ["Loss", "Object", "Probe", "Residual", "Scene", "View"]
