"""Memory usage."""

from __future__ import annotations

from pypty_nb.params.fields import Boolean, Choice, Integer, Number
from pypty_nb.params.tables.base import Table


class Memory(Table):
    """Speed against memory. Nothing here changes a result beyond rounding."""

    title = "Memory"

    load_one_by_one = Boolean(
        True,
        label="Load piece by piece",
        doc="Reads the patterns of each batch when they are needed. False puts all of them on the device at the "
        "start, which is faster and takes the memory of the whole data set.",
    )
    smart_memory = Boolean(
        True,
        schedulable=True,
        label="Free memory",
        doc="Gives cached device memory back between the stages of an epoch. True fits larger problems; false is "
        "faster where memory is plentiful.",
    )
    remove_fft_cache = Boolean(
        False,
        label="Drop FFT plans",
        doc="Gives the memory of Fourier-transform plans back between the stages of an epoch. True saves memory; the "
        "plans are then made anew each time.",
    )
    compute_batch = Integer(
        1,
        bounds=(1, None),
        words=("auto",),
        unit="patterns",
        level="basic",
        label="Batch",
        doc="Patterns computed at once. A larger batch is faster, most of all on a graphics card, and takes more "
        "memory; auto takes as many as fit.",
    )
    memory_saturation = Number(
        0.7,
        bounds=(0, 1),
        inclusive_bounds=(False, True),
        label="Memory share",
        doc="Share of the free memory that an automatic batch may fill. A larger value makes larger batches and "
        "leaves less for other programs.",
    )
    force_dataset_dtype = Choice(
        None,  # pyright: ignore[reportArgumentType]
        choices=("uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64"),
        words=(None,),
        label="Data type",
        doc="Kind of number in which the patterns are held. A smaller one saves memory; one that would cut or round "
        "counts is refused. None takes that of the precision.",
    )
    preload_to_cpu = Boolean(
        False,
        label="Preload to memory",
        doc="Reads the whole file into the computer's memory at the start, so that later reads are faster.",
    )
    force_pad = Boolean(
        False,
        label="Pad at start",
        doc="Pads all patterns once at the start, which is faster and takes more memory. False pads each batch as it is read.",
    )
