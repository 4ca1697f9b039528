"""Saving and printing."""

from __future__ import annotations

from pypty_nb.params.fields import Boolean, Integer, Path
from pypty_nb.params.tables.base import Table


class Saving(Table):
    """What a run writes, how often, and what it says."""

    title = "Saving and printing"

    output_folder = Path(
        "",
        level="basic",
        label="Output folder",
        doc="Folder of the run. Empty: a run from Python writes nothing, the command line makes a new folder in the "
        "current one.",
    )
    save_loss_log = Integer(
        True,
        bounds=(0, 2),
        words=(True, False),
        label="Loss log",
        doc="Writes loss.csv, one row for every epoch. 1 (true) sums the constraints in one column, 2 gives each "
        "constraint a column of its own, 0 (false) writes none.",
    )
    epoch_prev = Integer(
        0,
        bounds=(0, None),
        unit="epochs",
        label="First epoch",
        doc="Number of the first epoch, for a run that goes on from an earlier one. Schedules are evaluated from here on.",
    )
    save_checkpoints_every_epoch = Integer(
        False,
        bounds=(0, None),
        words=(True, False),
        schedulable=True,
        unit="epochs",
        level="basic",
        label="Keep every",
        doc="Keeps a checkpoint of its own at every n-th epoch; true keeps every epoch, false (0) none. A larger "
        "number takes less disk.",
    )
    save_inter_checkpoints = Integer(
        True,
        bounds=(0, None),
        words=(True, False),
        schedulable=True,
        unit="epochs",
        label="Save state every",
        doc="Replaces the latest state (co.npy, cp.npy, cg.npy and so on) at every n-th epoch; true does so at every "
        "epoch, false (0) never. A larger number writes less and loses more when a run is cut off.",
    )
    print_flag = Integer(
        3,
        bounds=(0, 4),
        live=True,
        label="Verbosity",
        doc="How much a run prints: 0 nothing but errors, 1 one line that is overwritten, 2 also one line for every epoch, "
        "3 also every step of the line search, 4 also the share of each constraint.",
    )
    strip_dataset_from_params = Boolean(
        True,
        label="Leave out data",
        doc="Leaves an array given as data out of presets that are exported. False exports it as well, which takes as much "
        "disk as the data. A run's own folder keeps it either way, so that the run can be resumed.",
        differs="The original leaves it out of the run's folder too, which then cannot be run again by itself.",
    )
    data_simulation_flag = Path(
        False,
        words=(False,),
        label="Simulated patterns",
        doc="HDF5 file to which the patterns of the run's last state are written; with no epoch to run, those of the arrays "
        "given, so that data are simulated from a known object. False writes none.",
    )
    data_simulation_exitwave = Boolean(
        False,
        label="Simulated exit waves",
        doc="Where simulated patterns are written: writes the complex exit waves in place of the intensities.",
    )
