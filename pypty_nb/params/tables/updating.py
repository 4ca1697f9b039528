"""Updating refinable arrays."""

from __future__ import annotations

from pypty_nb.params.fields import Boolean
from pypty_nb.params.tables.base import Table


class Updating(Table):
    """What is refined, and from which epoch."""

    title = "Updating"

    update_probe = Boolean(
        True,
        schedulable=True,
        level="basic",
        label="Probe",
        doc="Refines the probe. Starting a few epochs after the object keeps the probe from taking over its features.",
    )
    update_obj = Boolean(
        True,
        schedulable=True,
        level="basic",
        label="Object",
        doc="Refines the transmission function of the object, in all slices and modes.",
    )
    update_probe_pos = Boolean(
        False,
        schedulable=True,
        level="basic",
        label="Positions",
        doc="Refines the scan positions. Switch it on once object and probe have taken shape, or positions follow "
        "their errors.",
    )
    update_tilts = Boolean(
        False,
        schedulable=True,
        level="basic",
        label="Tilts",
        doc="Refines the tilts that the tilt mode lets act; the others keep their values.",
        differs="The original's gradient of the tilts before the specimen is wrong once sub-pixel shifts are on, and "
        "it stops with an error where one tilt serves all patterns of an object with several slices.",
    )
    update_beam_current = Boolean(
        False,
        schedulable=True,
        label="Current",
        doc="Refines the amplitude factor of every pattern, for beams whose current drifts.",
    )
    update_aberrations_array = Boolean(
        False,
        schedulable=True,
        label="Aberrations by scan",
        doc="Refines the aberrations that each scan or region has of its own.",
    )
    update_static_background = Boolean(
        False,
        schedulable=True,
        label="Static background",
        doc="Refines the intensity that every pattern shares. It must start above 0, for instance from a number of counts.",
        differs="The original's gradient leaves out the band limit of the background.",
    )
