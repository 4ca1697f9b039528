"""PNG pictures of object and probe, 8-bit grey with a scale bar, for slides and mails.

Of the object they show what was scanned; the noise around it, which few patterns saw, is left out. Black and white are at the
0.6 and 99.4 per cent points, and what they stand for is in the file's description. Small pictures are enlarged, bicubically,
and pixels that are not square are made so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from pypty_nb.files import atomic
from pypty_nb.runs.result import Result

ABOUT = "PNG pictures with a scale bar: phase and modulus, for slides and mails"

_LIMITS = (0.6, 99.4)
#: Pictures are enlarged to at least this many pixels along the longer side.
_LEAST_SIDE = 800
#: Length of the scale bar in widths of the picture, about.
_BAR = 1 / 5
#: A scan that spans fewer pixels than this leaves nothing to see; then the whole object is shown.
_LEAST_SCANNED = 8
_ROUND = (1, 2, 5, 10)
_A_PER_NM = 10.0
_WHITE, _BLACK = 255, 0


@dataclass(frozen=True)
class _Picture:
    """Values (y, x) and what they are."""

    values: np.ndarray
    about: str
    unit: str = ""


def write(result: Result, folder: Path) -> list[Path]:
    """``object_phase_sS_mM.png``, ``object_modulus_sS_mM.png``, ``probe_modulus_mM.png``; numbered from 0."""
    pictures: dict[str, _Picture] = {}
    shown = result.scanned if min(part.stop - part.start for part in result.scanned) >= _LEAST_SCANNED else (slice(None),) * 2
    for at, mode, plane in result.planes():
        where = f"of the object, slice {at}, mode {mode}"
        pictures[f"object_phase_s{at}_m{mode}"] = _Picture(result.phase(plane)[shown], f"phase {where}", "rad")
        pictures[f"object_modulus_s{at}_m{mode}"] = _Picture(np.abs(plane)[shown], f"modulus {where}")
    for name, plane in result.probe_planes():
        pictures[f"probe_modulus_{name}"] = _Picture(np.abs(plane), f"modulus of the probe, {name}")
    return [_save(folder / f"{name}.png", picture, result) for name, picture in pictures.items()]


def _save(path: Path, picture: _Picture, result: Result) -> Path:
    low, high = np.percentile(picture.values, _LIMITS)
    scaled = np.clip((picture.values - low) / max(high - low, 1e-30), 0, 1)
    image = Image.fromarray((255 * scaled).round().astype(np.uint8))
    size_y, size_x = result.pixel_size
    square = min(size_y, size_x)
    width, height = image.width * size_x / square, image.height * size_y / square
    factor = max(1, math.ceil(_LEAST_SIDE / max(width, height)))
    image = image.resize((round(width * factor), round(height * factor)), Image.Resampling.BICUBIC)
    # with no calibration lengths are pixels, since nobody said how large one is
    unit_px = square / _A_PER_NM if result.is_calibrated else 1.0
    _draw_bar(image, unit_px / factor, "nm" if result.is_calibrated else "px")
    described = PngImagePlugin.PngInfo()
    described.add_text("Title", f"{result.name}: {picture.about}")
    described.add_text("Description", f"black {low:.4g}, white {high:.4g} {picture.unit}".strip())
    with atomic(path) as temporary:
        image.save(temporary, "PNG", pnginfo=described)
    return path


def round_length(about: float) -> float:
    """1, 2 or 5 × 10ⁿ: the one nearest to `about` by ratio."""
    power = 10.0 ** math.floor(math.log10(about))
    return min((step * power for step in _ROUND), key=lambda length: abs(math.log(length / about)))


def _draw_bar(image: Image.Image, unit_per_px: float, unit: str) -> None:
    """Draw a white bar with a black edge and its length above, at the lower left of `image`."""
    length = round_length(_BAR * image.width * unit_per_px)
    thick, margin = max(3, round(image.width / 130)), round(image.width / 28)
    left, bottom = margin, image.height - margin
    right, top = left + round(length / unit_per_px), bottom - thick
    edge = max(1, thick // 4)
    draw = ImageDraw.Draw(image)
    draw.rectangle((left - edge, top - edge, right + edge - 1, bottom + edge - 1), fill=_BLACK)
    draw.rectangle((left, top, right - 1, bottom - 1), fill=_WHITE)
    # the font that comes with Pillow has neither Å nor µ, so lengths are in nm
    draw.text(
        ((left + right) / 2, top - 2 * edge - thick // 2),
        f"{length:g} {unit}",
        fill=_WHITE,
        font=ImageFont.load_default(5 * thick),
        anchor="mb",
        stroke_width=edge,
        stroke_fill=_BLACK,
    )
