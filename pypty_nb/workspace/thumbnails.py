"""Small pictures of what runs found, for the ledger; kept in each run's folder and made anew where its object is newer."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from pypty_nb.files import atomic
from pypty_nb.physics.phases import without_ramp
from pypty_nb.records import Refinables
from pypty_nb.runs.folder import ARRAY_FILES
from pypty_nb.workspace.pictures import scanned

THUMBNAIL = "thumbnail.png"
#: Pixels along the longer side.
SIDE = 80
#: Along a side of an object larger than this, only every n-th pixel is read.
_READ_AT_MOST = 512
#: Per cent: black and white.
_LIMITS = (0.6, 99.4)


def thumbnail(folder: Path) -> bytes | None:
    """The phase of a run's object in grey, PNG; ``None`` where there is none yet. Takes a while where it is made: for a thread.

    Through all slices, of the first mode, over the part that was scanned, without ramp and offset.
    """
    kept = folder / THUMBNAIL
    try:
        newest = (folder / ARRAY_FILES["obj"]).stat().st_mtime_ns
    except OSError:
        return None
    with suppress(OSError):
        if kept.stat().st_mtime_ns >= newest:
            return kept.read_bytes()
    # a file that is being replaced, or damaged, has no picture now
    with suppress(OSError, ValueError, EOFError):
        made = _png(_phase(folder))
        # the folder may be somebody else's, to be read alone
        with suppress(OSError), atomic(kept, durable=False) as temporary:
            temporary.write_bytes(made)
        return made
    return None


def _phase(folder: Path) -> np.ndarray:
    obj, probe, positions = (
        np.load(folder / ARRAY_FILES[name], mmap_mode="r", allow_pickle=False) for name in ("obj", "probe", "positions")
    )
    every = max(1, -(-max(obj.shape[:2]) // _READ_AT_MOST))
    plane = np.asarray(obj[::every, ::every, :, 0], np.complex64).prod(axis=2)
    window = scanned(Refinables(obj=obj, probe=probe, positions=positions), obj.shape)
    inside = tuple(_coarser(part, every, length) for part, length in zip(window, plane.shape, strict=True))
    return np.angle(without_ramp(plane[inside])) if min(plane[inside].shape) > 1 else np.angle(plane)


def _coarser(part: slice, every: int, length: int) -> slice:
    """`part` in pixels of which each is `every` of before, one at least."""
    if part.start is None:
        return part
    first = min(part.start // every, length - 1)
    return slice(first, max(first + 1, -(-part.stop // every)))


def _png(phase: np.ndarray) -> bytes:
    low, high = np.percentile(phase, _LIMITS)
    grey = np.clip((phase - low) / (max(high - low, 1e-6)), 0, 1) * 255
    image = Image.fromarray(grey.astype(np.uint8))
    share = SIDE / max(image.size)
    image = image.resize((max(1, round(image.width * share)), max(1, round(image.height * share))), Image.Resampling.BOX)
    buffer = BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
