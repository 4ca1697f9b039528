"""Beam initialization."""

from __future__ import annotations

from pypty_nb.params.fields import Array, Integer, Number, Numbers
from pypty_nb.params.tables.base import Table


class Beam(Table):
    """How the initial probe is made, or changed where it is given."""

    title = "Beam"

    n_hermite_probe_modes = Numbers(
        None,
        integer=True,
        bounds=(0, None),
        level="basic",
        label="Hermite modes",
        doc="Highest orders [nx, ny] of the Hermite modes made from the probe, (nx + 1)(ny + 1) modes in all. More "
        "modes describe a less coherent beam and cost time; None makes none.",
    )
    defocus_spread_modes = Array(
        None,
        shapes=("mode",),
        unit="Å",
        label="Defocus of modes",
        doc="C10 of every probe mode to be made, for beams with a spread of focus. A wider range stands for a larger "
        "spread; None makes none.",
    )
    aberrations = Array(
        None,
        shapes=("coefficient",),
        unit="Å",
        label="Aberrations",
        doc="Krivanek coefficients of the initial probe in the order C10, C12a, C12b, C21a, C21b, C23a, C23b, C30 and "
        "on. Larger values bend the wave front further; None has none.",
    )
    extra_probe_defocus = Number(
        0.0,
        unit="Å",
        level="basic",
        label="C10",
        doc="C10 added to the initial probe; positive values are overfocus. A larger magnitude spreads the beam over "
        "a larger disc.",
    )
    estimate_aperture_based_on_binary = Number(
        0.0,
        bounds=(0, None),
        words=(False,),
        label="Aperture threshold",
        doc="Takes as aperture the pixels of the mean pattern above this many times its mean. A larger value makes "
        "the aperture smaller; 0 does not estimate it.",
    )
    beam_ctf = Array(
        None,
        shapes=("ky, kx",),
        unit="rad",
        label="Aberration phase",
        doc="Aberration phase χ of the initial probe in every pixel of the padded and upsampled pattern, centred; the "
        "probe is multiplied by exp(−iχ). None has none.",
    )
    mean_pattern = Array(
        None,
        shapes=("ky, kx",),
        unit="counts",
        label="Mean pattern",
        doc="Mean diffraction pattern; its square root, transformed back, starts the probe. None takes the mean of the data.",
    )
    mc_n_modes = Integer(
        None,
        bounds=(1, None),
        words=(None,),
        label="Coherence modes",
        doc="Strongest modes kept of a partially coherent beam, which is sampled at random from the focal spread and "
        "the source size. More modes describe it better and cost time; None makes none.",
    )
    n_mc_samples = Integer(
        256,
        bounds=(1, None),
        label="Coherence samples",
        doc="Random beams drawn to find the coherence modes. A larger number finds them more exactly and takes longer "
        "at the start.",
    )
    focal_spread = Number(
        0.0,
        bounds=(0, None),
        unit="Å",
        label="Focal spread",
        doc="Standard deviation of the focus among the sampled beams. A larger value stands for less temporal "
        "coherence; 0 is one focus.",
    )
    spatial_coh_x_A = Number(
        0.0,
        bounds=(0, None),
        unit="Å",
        label="Source size x",
        doc="Standard deviation of the sampled beams' positions along x, that is the source as imaged on the "
        "specimen. A larger value stands for less spatial coherence; 0 is a point.",
    )
    spatial_coh_y_A = Number(
        0.0,
        bounds=(0, None),
        unit="Å",
        label="Source size y",
        doc="Standard deviation of the sampled beams' positions along y, that is the source as imaged on the "
        "specimen. A larger value stands for less spatial coherence; 0 is a point.",
    )
    spatial_coh_xy = Number(
        0.0,
        bounds=(-1, 1),
        inclusive_bounds=(False, False),
        label="Source correlation",
        doc="Correlation of the sampled beams' positions along x and y. Values towards 1 or −1 stretch the source "
        "along a diagonal; 0 is aligned with the axes.",
    )
