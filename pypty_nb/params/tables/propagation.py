"""Propagation, shifting, and resizing."""

from __future__ import annotations

from pypty_nb.params.fields import Boolean, Choice, Integer
from pypty_nb.params.tables.base import Table


class Propagation(Table):
    """How waves cross the object, and how large the object is."""

    title = "Propagation, shifting and resizing"

    propmethod = Choice(
        "multislice",
        choices=("multislice", "better_multislice", "yoshida"),
        schedulable=True,
        label="Propagator",
        doc="How a wave crosses the slices: multislice is second order in the slice thickness and fastest; the other "
        "two are fourth order, cost several times as much, and let the slices be thicker.",
    )
    allow_subPixel_shift = Boolean(
        True,
        label="Sub-pixel shifts",
        doc="Shifts the probe by the fraction of a pixel that a position has. False rounds positions to whole pixels "
        "until they are refined, which is faster and less exact.",
    )
    dynamically_resize_yx_object = Integer(
        False,
        bounds=(0, None),
        words=(True, False),
        schedulable=True,
        unit="px",
        label="Resize object",
        doc="Pads the object once a refined position has moved by this many pixels; true counts as 1, false (0) never "
        "pads. A larger value pads less often. The optimiser's history is padded with it.",
    )
    extra_space_on_side_px = Integer(
        0,
        bounds=(0, None),
        unit="px",
        label="Object margin",
        doc="Pixels of the object's border value added around the scanned field. A larger value leaves room for "
        "positions that move outwards and takes memory.",
    )
    skip_preprocessing = Boolean(
        False,
        label="Skip preparation",
        doc="Uses the given arrays exactly as they are: nothing is rescaled, padded or band-limited at the start. "
        "They must then fit each other already.",
    )
