"""The size of a detector pixel, from what is stated of it and of the disc."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from pypty_nb.initialize.aperture import Disc
from pypty_nb.initialize.calibrated import Calibrated
from pypty_nb.params import ParameterError

#: Two statements of one thing may differ by this share.
TOLERANCE = 0.02
#: No beam converges from a wider angle, mrad.
_WIDEST_MRAD = 150.0


class PixelSize(NamedTuple):
    """`rez_pixel_size_mrad`, `rez_pixel_size_A` and `conv_semiangle_mrad`, and what a person should look at."""

    values: dict[str, Calibrated]
    warnings: list[str]


def detector_pixel(
    mrad: Calibrated | None, inverse: Calibrated | None, angle: Calibrated | None, disc: Disc, wavelength: float
) -> PixelSize:
    """The pixel as stated in mrad or Å⁻¹, else the semi-angle over the disc's radius; and the semi-angle, stated or measured.

    A semi-angle may differ by the tolerance and by the relative spread of the disc's edge, within which it means nothing.

    Raises
    ------
    ParameterError
        Where the user states two that disagree, or nothing is stated.
    """
    if inverse is not None:
        source = inverse.source or f"rez_pixel_size_A {float(inverse.value):g} Å⁻¹"
        inverse = replace(inverse, value=1e3 * wavelength * float(inverse.value), source=source)
    # the user's word before the file's; a semi-angle of the user's before a pixel of the file's
    stated = sorted((found for found in (mrad, inverse) if found is not None), key=lambda found: found.tag != "user")
    spread = disc.radius_uncertainty / disc.radius
    measured = None
    if angle is not None:
        size, source = float(angle.value) / disc.radius, f"semi-angle {float(angle.value):g} mrad over the disc's radius"
        measured = Calibrated(size, "measured", source, size * spread)
    users = bool(stated) and stated[0].tag == "user"
    preferred = measured if angle is not None and angle.tag == "user" and not users else None
    pixel = preferred or (stated[0] if stated else measured)
    if pixel is None:
        raise ParameterError(
            "rez_pixel_size_mrad: neither the file nor you say the size of a detector pixel; give it in mrad, or "
            "rez_pixel_size_A in Å⁻¹, or conv_semiangle_mrad, from which it follows"
        )
    size = float(pixel.value)
    relative = None if pixel.uncertainty is None else pixel.uncertainty / size
    inverse_size = size * 1e-3 / wavelength
    values = {
        "rez_pixel_size_mrad": replace(pixel, value=size),
        "rez_pixel_size_A": replace(pixel, value=inverse_size, uncertainty=relative and inverse_size * relative),
        "conv_semiangle_mrad": angle
        or Calibrated(disc.radius * size, "measured", "the disc's radius", disc.radius_uncertainty * size),
    }
    return PixelSize(values, _disagreements(stated, measured, angle, disc))


def contradiction(what: str, *, fatal: bool) -> list[str]:
    """An error where the user states both; else a warning, since the user may know better than the file."""
    if fatal:
        raise ParameterError(f"contradictory calibrations: {what}; they differ by over {TOLERANCE:.0%}: leave one out")
    return [f"{what}; check which is right"]


def agree(a: float, b: float, tolerance: float = TOLERANCE) -> bool:
    """Whether two numbers differ by no more than `tolerance` of the larger."""
    return abs(a - b) <= tolerance * max(abs(a), abs(b))


def _disagreements(stated: list[Calibrated], measured: Calibrated | None, angle: Calibrated | None, disc: Disc) -> list[str]:
    warnings: list[str] = []
    size, source = (float(stated[0].value), stated[0].source or stated[0].tag) if stated and angle is None else (0.0, "")
    if disc.radius * size > _WIDEST_MRAD:
        warnings.append(
            f"conv_semiangle_mrad: a detector pixel of {size:.4g} mrad ({source}) makes the disc's radius "
            f"{disc.radius * size:.4g} mrad, wider than beams are; check which unit it is in"
        )
    if len(stated) == 2 and not agree(float(stated[0].value), float(stated[1].value)):
        what = " and ".join(f"{float(found.value):.5g} mrad ({found.source or found.tag})" for found in stated)
        warnings += contradiction(f"the detector's pixel is {what}", fatal=all(found.tag == "user" for found in stated))
    spread = disc.radius_uncertainty / disc.radius
    for found in stated:
        if measured is not None and angle is not None and not agree(float(found.value), measured.value, TOLERANCE + spread):
            warnings += contradiction(
                f"a detector pixel of {float(found.value):.4g} mrad ({found.source or found.tag}), but the semi-angle of "
                f"{float(angle.value):g} mrad over a radius of {disc.radius:.2f} px makes it {measured.value:.4g} mrad",
                fatal=found.tag == angle.tag == "user",
            )
    return warnings
