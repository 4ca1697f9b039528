"""The mathematics of a run: model, losses, optimiser."""

from pypty_nb.engine.build import simulate
from pypty_nb.engine.finite import ReconstructionError
from pypty_nb.engine.objective import constraint_names
from pypty_nb.engine.patterns import PatternModel
from pypty_nb.engine.reconstruct import Reconstruction, evaluate

__all__ = ["PatternModel", "Reconstruction", "ReconstructionError", "constraint_names", "evaluate", "simulate"]
