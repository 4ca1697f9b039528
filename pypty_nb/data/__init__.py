"""Measurements: what a data set is, and how files become one."""

from pypty_nb.data.dataset import DataError, Dataset
from pypty_nb.data.measurements import Measurements, Summary
from pypty_nb.data.plates import PhasePlates
from pypty_nb.data.readers import NoSuchData, open_dataset

__all__ = ["DataError", "Dataset", "Measurements", "NoSuchData", "PhasePlates", "Summary", "open_dataset"]
