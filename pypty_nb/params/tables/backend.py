"""Backend settings."""

from __future__ import annotations

from pypty_nb.params.fields import Choice
from pypty_nb.params.tables.base import Table


class Backend(Table):
    """Where the arithmetic is done, and in what precision."""

    title = "Backend"

    backend = Choice(
        "auto",
        choices=("auto", "numpy", "cupy"),
        aliases={"cp": "auto", "gpu": "cupy", "np": "numpy", "cpu": "numpy"},
        label="Backend",
        doc="Library that does the arithmetic: NumPy on the processor, CuPy on a CUDA device; auto takes CuPy where a "
        "device answers.",
        differs="The original takes a Python module and uses CuPy whenever it is there.",
    )
    default_dtype = Choice(
        "double",
        choices=("double", "single"),
        level="basic",
        label="Precision",
        doc="Precision of all arrays. Single halves memory and, on a graphics card, time; double resolves the last "
        "digits of a weak signal.",
    )
