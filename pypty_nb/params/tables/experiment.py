"""Experimental parameters."""

from __future__ import annotations

import numpy as np

from pypty_nb.params.fields import Array, Choice, Number
from pypty_nb.params.tables.base import Table


class Experiment(Table):
    """The microscope and the geometry of the measurement."""

    title = "Experiment"

    acc_voltage = Number(
        60.0,
        bounds=(0, None),
        inclusive_bounds=(False, True),
        unit="kV",
        level="basic",
        label="Voltage",
        doc="Acceleration voltage; it sets the wavelength. A larger value shortens the wavelength, and waves spread "
        "less between slices.",
    )
    aperture_mask = Array(
        None,
        shapes=("ky, kx",),
        label="Aperture mask",
        doc="Where the aperture lets waves through, 1 inside and 0 outside, on the padded and upsampled pattern. It "
        "starts the probe, and holds it in reciprocal space where that constraint has no mask of its own.",
    )
    recon_type = Choice(
        "far_field",
        choices=("far_field", "near_field"),
        level="basic",
        label="Geometry",
        doc="Far field: the detector sees the Fourier transform of the exit wave. Near field: it sees the exit wave, "
        "propagated by the defocus of the measurement.",
    )
    alpha_near_field = Number(
        0.0,
        bounds=(0, None),
        unit="rad",
        label="Illumination angle",
        doc="Near field: spread of the illumination's angles, which blurs the intensity in proportion to the defocus. "
        "A larger value blurs more; 0 is a coherent beam.",
        differs="The original stops with an error for values above 0.",
    )
    defocus_array = Array(
        np.array([0.0]),
        instantiate=True,
        shapes=("pattern",),
        unit="Å",
        label="Near-field defocus",
        doc="Near field: distance from the exit plane to the plane that is recorded, one for all patterns or one for "
        "each. A larger value widens the fringes. The far field does not use it.",
    )
    Cs = Number(
        0.0,
        unit="Å",
        label="Near-field Cs",
        doc="Near field: spherical aberration of the lens behind the specimen. A larger value turns the phase of high "
        "frequencies further. The probe's own aberrations are set at the beam.",
    )
