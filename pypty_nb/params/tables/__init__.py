"""The tables of parameters, one class each, in the document's order."""

from pypty_nb.params.tables.backend import Backend
from pypty_nb.params.tables.bandwidth import Bandwidth
from pypty_nb.params.tables.base import Table
from pypty_nb.params.tables.beam import Beam
from pypty_nb.params.tables.dataset import Dataset
from pypty_nb.params.tables.experiment import Experiment
from pypty_nb.params.tables.hand_constraints import HandConstraints
from pypty_nb.params.tables.illumination import Illumination
from pypty_nb.params.tables.loss_constraints import LossConstraints
from pypty_nb.params.tables.memory import Memory
from pypty_nb.params.tables.optimisation import Optimisation
from pypty_nb.params.tables.propagation import Propagation
from pypty_nb.params.tables.refinable import Refinable
from pypty_nb.params.tables.saving import Saving
from pypty_nb.params.tables.spatial import Spatial
from pypty_nb.params.tables.updating import Updating

TABLES: tuple[type[Table], ...] = (
    Backend,
    Dataset,
    Saving,
    Experiment,
    Spatial,
    Refinable,
    Propagation,
    Bandwidth,
    Optimisation,
    Updating,
    Illumination,
    Memory,
    LossConstraints,
    HandConstraints,
    Beam,
)

__all__ = [
    "TABLES",
    "Backend",
    "Bandwidth",
    "Beam",
    "Dataset",
    "Experiment",
    "HandConstraints",
    "Illumination",
    "LossConstraints",
    "Memory",
    "Optimisation",
    "Propagation",
    "Refinable",
    "Saving",
    "Spatial",
    "Updating",
]
