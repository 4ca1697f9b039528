"""Patterns that a reconstruction would refuse or stumble over, found in the pass that gives the mean pattern."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pypty_nb.data import Dataset
from pypty_nb.data.dataset import import_command
from pypty_nb.initialize.bad_pixels import listed
from pypty_nb.initialize.virtual import Progress, batches


@dataclass(frozen=True)
class Faults:
    """What is wrong with which patterns, each by its place in the data.

    Attributes
    ----------
    negative : tuple of int
        Those with counts below zero.
    counts : int
        How many such counts there are in all.
    no_number : tuple of int
        Those with NaN or infinity.
    empty : tuple of int
        Those without any count.
    """

    negative: tuple[int, ...] = ()
    counts: int = 0
    no_number: tuple[int, ...] = ()
    empty: tuple[int, ...] = ()

    def sentences(self, name: str) -> list[str]:
        """What is wrong with the data called `name`, and what to do."""
        found = []
        if self.negative:
            command = import_command(name, "--negative clip", 'negative="clip"')
            found.append(
                f"data: {self.counts} counts below zero in {_patterns(self.negative)}, which a reconstruction refuses; "
                f"subtract the detector's offset first, or {command} makes them zero"
            )
        if self.no_number:
            found.append(
                f"data: NaN or infinity in {_patterns(self.no_number)}, which a reconstruction refuses; leave the pixels out "
                "with bad_pixels, or make the numbers zero (numpy.nan_to_num), and leave patterns without any out with sequence"
            )
        if self.empty:
            found.append(f"data: no counts in {_patterns(self.empty)}; leave them out with sequence")
        return found


def mean_and_faults(dataset: Dataset, *, progress: Progress | None = None) -> tuple[np.ndarray, Faults]:
    """The mean of all patterns, (ky, kx) float64, where what is no number counts as nothing; and what is wrong with them."""
    total, counts = np.zeros(dataset.shape[1:]), 0
    negative, no_number, empty = [], [], []
    for indices, read in batches(dataset):
        patterns = read
        if read.dtype.kind == "f" and not np.isfinite(read).all():
            numbers = np.isfinite(read)
            no_number += indices[~numbers.all(axis=(1, 2))].tolist()
            patterns = np.where(numbers, read, 0)
        if patterns.min() < 0:
            below = (patterns < 0).sum(axis=(1, 2))
            negative += indices[below > 0].tolist()
            counts += int(below.sum())
        empty += indices[patterns.max(axis=(1, 2)) <= 0].tolist()
        total += patterns.sum(axis=0, dtype=np.float64)
        if progress is not None:
            progress(int(indices[-1]) + 1, dataset.shape[0])
    # what holds something, if nothing that counts, is named for that
    named = {*negative, *no_number}
    empty = tuple(index for index in empty if index not in named)
    return total / dataset.shape[0], Faults(tuple(negative), counts, tuple(no_number), empty)


def _patterns(places: tuple[int, ...]) -> str:
    return f"{len(places)} pattern{'s' * (len(places) > 1)}: {listed([str(place) for place in places])}"
