"""Compiles the kernels of both precisions in a process of its own: `python -m tests.warm`."""

from pypty_nb import Reconstruction
from tests.conftest import smallest

for dtype in ("double", "single"):
    preset = smallest()
    preset.update(epoch_max=1, default_dtype=dtype)
    for _ in Reconstruction(preset):
        pass
