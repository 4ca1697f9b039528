"""Display transforms: an array to grey values or colours, in no more pixels than a view has."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
from PIL import Image

#: Pixels along a side that are sent to any view; more where it has more.
MOST = 512

#: Colour maps by their anchors, evenly spaced. vik and berlin, for values about zero on light and on dark ground, are from
#: Crameri, "Scientific colour maps", doi 10.5281/zenodo.1243862; inferno and viridis are van der Walt and Smith's.
MAPS: dict[str, tuple[str, ...]] = {
    "gray": ("#000000", "#ffffff"),
    "viridis": (
        "#440154", "#481a6c", "#472f7d", "#414487", "#39568c", "#31688e", "#2a788e", "#23888e", "#1f988b",
        "#22a884", "#35b779", "#54c568", "#7ad151", "#a5db36", "#d2e21b", "#fde725",
    ),
    "inferno": (
        "#000004", "#0b0724", "#210c4a", "#3d0965", "#57106e", "#71196e", "#8a226a", "#a32c61", "#bc3754",
        "#d24644", "#e45a31", "#f1731d", "#f98e09", "#fcac11", "#f9cb35", "#f2ea69", "#fcffa4",
    ),
    "vik": (
        "#001261", "#022b71", "#034481", "#0c5e92", "#307da6", "#619ebd", "#94bed2", "#c6dbe6", "#ece5e0",
        "#e9cab8", "#dbaa8d", "#cf8c66", "#c27041", "#b2511d", "#912d06", "#731406", "#590008",
    ),
    "berlin": (
        "#9eb0ff", "#79abed", "#519fd3", "#3685ad", "#286886", "#1d4b61", "#14303e", "#111a20", "#190c09",
        "#2b0e01", "#411201", "#5b1d08", "#7d341e", "#9e513f", "#be6f63", "#df8f89", "#ffadad",
    ),
}  # fmt: skip


def shrink(array: np.ndarray, most: int = MOST) -> tuple[np.ndarray, int]:
    """`array` (y, x, …) by block means to at most `most` pixels a side, and how many pixels became one."""
    every = factor(array.shape, most)
    if every == 1:
        return array, 1
    rows, columns = (length // every for length in array.shape[:2])
    cut = array[: rows * every, : columns * every]
    return cut.reshape(rows, every, columns, every, *array.shape[2:]).mean(axis=(1, 3)), every


def factor(shape: tuple[int, ...], most: int = MOST) -> int:
    """How many pixels of (y, x, …) along a side become one of at most `most`; never more than there are."""
    return max(1, min(-(-max(shape[:2]) // most), *shape[:2]))


def shades(values: np.ndarray, limits: tuple[float, float], name: str) -> np.ndarray:
    """`values` (y, x) through a colour map: uint8 (y, x, 3)."""
    anchors = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in MAPS[name]], float)
    low, high = limits
    place = np.clip((np.nan_to_num(values) - low) / ((high - low) or 1.0), 0, 1) * (len(anchors) - 1)
    knots = np.arange(len(anchors))
    return np.stack([np.interp(place, knots, anchors[:, channel]) for channel in range(3)], axis=-1).astype(np.uint8)


def wave(values: np.ndarray, largest: float | None = None) -> np.ndarray:
    """Complex `values` (y, x): hue is phase, brightness amplitude, even to the eye (OKLCH); uint8 RGBA (y, x, 4).

    Full brightness is at the amplitude `largest`; without it at the largest there is.
    """
    amplitude = np.abs(values)
    amplitude = np.minimum(amplitude / (largest or amplitude.max() or 1.0), 1.0)
    lightness, chroma, hue = 0.10 + 0.66 * amplitude, 0.165 * amplitude, np.angle(values)
    rgb = _oklab_to_srgb(lightness, chroma * np.cos(hue), chroma * np.sin(hue))
    opaque = np.full((*amplitude.shape, 1), 255, np.uint8)
    return np.concatenate([(rgb * 255).round().astype(np.uint8), opaque], axis=-1)


def wheel(side: int = 96) -> np.ndarray:
    """The colour wheel that explains `wave`: RGBA, transparent outside."""
    y, x = (np.mgrid[:side, :side] + 0.5) / side * 2 - 1
    radius = np.hypot(x, y)
    image = wave(np.where(radius <= 1, radius, 0) * np.exp(1j * np.arctan2(-y, x)))
    image[..., 3] = np.clip((1 - radius) * side / 2, 0, 1) * 255
    return image


def data_url(image: np.ndarray) -> str:
    """uint8 (y, x, 3 or 4) as a picture inside HTML."""
    return "data:image/png;base64," + base64.b64encode(png(image)).decode()


def png(image: np.ndarray) -> bytes:
    """uint8 (y, x, 3 or 4) as PNG."""
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _oklab_to_srgb(lightness: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Ottosson 2020, "A perceptual color space for image processing"."""
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = np.stack(
        [
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ],
        axis=-1,
    )
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
