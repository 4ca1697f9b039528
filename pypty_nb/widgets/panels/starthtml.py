"""What a run starts with, as HTML with still pictures: the scan points in the probe, the probe, the mean pattern."""

from __future__ import annotations

import numpy as np

from pypty_nb.initialize import Starting
from pypty_nb.widgets import colour, text
from pypty_nb.widgets.views.picture import round_length
from pypty_nb.workspace.pictures import reciprocal

#: Pixels along a side of the pictures, and of those of the modes.
_SIDE, _SMALL = 512, 96
_MODES = 6
#: The side of the drawing of the scan points, in diameters of the probe.
_REACH = 2.6


def overlap(start: Starting) -> str:
    """The circles of the probe at neighbouring scan points."""
    diameter = start.diameter
    side = _REACH * diameter
    rest = "".join(_circle(place, diameter, "o") for place in start.places[1:])
    dots = "".join(f'<circle class="d" cx="{x:.4g}" cy="{y:.4g}" r="{side / 150:.4g}"/>' for y, x in start.places)
    box = f"{-side / 2:.4g} {-side / 2:.4g} {side:.4g} {side:.4g}"
    circles = f"{rest}{_circle((0, 0), diameter, 'p')}{dots}"
    drawn = f'<svg viewBox="{box}" role="img" aria-label="Scan points in the probe">{circles}</svg>'
    shared = f", overlap <b>{100 * max(1 - start.step / diameter, 0):.0f}</b> %" if start.step else ""
    caption = f"step <b>{text.number(start.step)}</b> Å, probe <b>{text.number(diameter)}</b> Å{shared}"
    return _figure(f"{len(start.places)} neighbouring scan points", drawn, caption, side, "Å")


def probe(start: Starting, mode: int = 0) -> str:
    """A mode of the probe in its window, and the circle that is called its diameter."""
    values = start.probe[..., mode]
    height, width = (n * size for n, size in zip(values.shape, start.pixel_size, strict=True))
    share = 100 * start.diameter / width
    # the probe stands on the middle pixel, not between two
    at = "".join(f"{side}:{100 * (n // 2 + 0.5) / n:.2f}%;" for side, n in zip(("top", "left"), values.shape, strict=True))
    ring = f'<i class="ring" style="{at}width:{share:.2f}%;height:{share * width / height:.2f}%"></i>'
    caption = f"window <b>{text.number(height)} × {text.number(width)}</b> Å, probe <b>{text.number(start.diameter)}</b> Å"
    return _figure("probe, real space", _wave(values, "The probe in real space") + ring, caption, width, "Å")


def far_probe(start: Starting, mode: int = 0) -> str:
    """A mode of the probe in reciprocal space."""
    values = reciprocal(start.probe[..., mode])
    angle = 1e3 * start.wavelength / start.pixel_size[1]
    caption = f"<b>{text.number(1e3 * start.angle)}</b> mrad hold 95 % of the probe, hue is phase"
    return _figure("probe, reciprocal space", _wave(values, "The probe in reciprocal space"), caption, angle, "mrad")


def mean_pattern(start: Starting) -> str:
    """The mean of some patterns, logarithmic."""
    counts = start.mean_pattern
    lit = counts[counts > 0]
    if counts.ndim != 2 or not lit.size:
        return ""
    values = np.log(np.maximum(counts, np.percentile(lit, 1)))
    image = colour.shades(colour.shrink(values, _SIDE)[0], (float(values.min()), float(values.max())), "inferno")
    y, x = (
        float((counts.sum(axis=1 - axis) * np.arange(n)).sum() / counts.sum())
        for axis, n in enumerate(counts.shape)
    )  # fmt: skip
    caption = f"centre of mass y <b>{y:.1f}</b>, x <b>{x:.1f}</b> of {counts.shape[0]} × {counts.shape[1]} px, log scale"
    return _figure("mean pattern", _image(image, "The mean pattern"), caption)


def modes(start: Starting) -> str:
    """Every mode and its share of the power; "" for one."""
    power = start.power
    if len(power) < 2:
        return ""
    shown = []
    for index, share in enumerate(power[:_MODES]):
        small = colour.data_url(colour.wave(colour.shrink(start.probe[..., index], _SMALL)[0]))
        shown.append(
            f'<div class="mt"><img alt="mode {index + 1}" src="{small}"><div><b>{index + 1}</b> {100 * share:.1f} %</div></div>'
        )
    rest = f'<div class="m s">and {len(power) - _MODES} more</div>' if len(power) > _MODES else ""
    return f'<div class="pn-startmodes">{"".join(shown)}{rest}</div>'


def _circle(place: tuple[float, float] | np.ndarray, diameter: float, kind: str) -> str:
    y, x = place
    return f'<circle class="{kind}" cx="{x:.4g}" cy="{y:.4g}" r="{diameter / 2:.4g}"/>'


def _wave(values: np.ndarray, said: str) -> str:
    return _image(colour.wave(colour.shrink(values, _SIDE)[0]), said)


def _image(pixels: np.ndarray, said: str) -> str:
    return f'<img alt="{said}" src="{colour.data_url(pixels)}">'


def _figure(name: str, drawn: str, caption: str, width: float = 0.0, unit: str = "Å") -> str:
    """A square with a name, a scale bar where its `width` is given, and a line below."""
    bar = ""
    if width:
        length, words = round_length(width / 5, unit)
        bar = f'<div class="pn-bar"><div class="pn-scale" style="width:{100 * length / width:.2f}%">{words}</div></div>'
    tag = f'<div class="pn-tag"><span>{text.escape(name)}</span></div>'
    return f'<figure><div class="pn-still">{drawn}{tag}{bar}</div><figcaption>{caption}</figcaption></figure>'
