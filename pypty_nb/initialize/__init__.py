"""From an experiment to a preset."""

from pypty_nb.initialize.create_pypty_data import Imported, create_pypty_data
from pypty_nb.initialize.demo import demo_preset

__all__ = ["Imported", "create_pypty_data", "demo_preset"]
