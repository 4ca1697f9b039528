"""What is stated of orientation and C10, held against what the patterns tell."""

from __future__ import annotations

import numpy as np

from pypty_nb.initialize.calibrated import Calibrated
from pypty_nb.initialize.defocus import Focus
from pypty_nb.initialize.orientation import SETTLED, Orientation
from pypty_nb.initialize.scan_grid import rotation_of, scan_matrix

#: What is stated may differ by this, and by three standard deviations of what is measured.
ROTATION_TOLERANCE_DEG, _FOCUS_TOLERANCE = 5.0, 0.1


def contradicted_rotation(stated: Calibrated, axes: np.ndarray, found: Orientation) -> str | None:
    """A sentence where `PLRotation_deg` with the orthogonal matrix `axes` is not as `found`; turns by 180° are left aside.

    Those show in the sign of C10 alone, which `contradicted_focus` compares.
    """
    source = "as you state" if stated.tag == "user" else stated.source
    words = f"PLRotation_deg: {float(stated.value):g}° ({source}), but {found.source} tell"
    if np.linalg.det(found.matrix @ scan_matrix(float(stated.value), axes).T) < 0:
        return (
            f"{words} that the scan is mirrored: {found.reading} at {found.rotation_deg:.1f}°; leave PLRotation_deg out, or "
            "give transform_axis_matrix too"
        )
    apart = (rotation_of(found.matrix, axes) - float(stated.value) + 90) % 180 - 90
    if abs(apart) <= max(ROTATION_TOLERANCE_DEG, 3 * found.uncertainty_deg):
        return None
    return f"{words} {float(stated.value) + apart:.1f}° ± {found.uncertainty_deg:.1g}°; check which is right"


def contradicted_focus(stated: Calibrated, focus: Focus, *, signed: bool) -> list[str]:
    """A sentence where the C10 that is stated is not that of `focus`, or, not `signed`, not as large."""
    said, found = float(stated.value), focus.c10
    first, second = (said, found) if signed else (abs(said), abs(found))
    if abs(first - second) <= max(_FOCUS_TOLERANCE * abs(found), 3 * focus.uncertainty):
        return []
    told = f"{found:.5g}" if signed else f"{abs(found):.5g}, of either sign,"
    return [
        f"defocus: C10 {said:.5g} Å ({stated.source}), but the shadow images tell {told} ± {focus.uncertainty:.2g} Å; "
        "check which is right"
    ]


def contradicted_sign(stated: Calibrated, score: float) -> list[str]:
    """A sentence where the dark field, by its `score` in the orientation taken, is against the sign of the C10 stated."""
    if score > -SETTLED:
        return []
    return [
        f"defocus: with C10 {float(stated.value):.5g} Å ({stated.source}) and the scan lying as it then does, what scatters "
        f"beyond the disc holds the phase back, where dense matter would advance it ({-score:.0f} standard deviations); check "
        "the sign"
    ]


def contradicted_axes(axes: np.ndarray, found: Orientation) -> str | None:
    """A sentence where a scan with the orthogonal matrix `axes` is mirrored against one that lies as `found`."""
    if np.linalg.det(found.matrix @ axes) > 0:
        return None
    return (
        f"transform_axis_matrix: as you state, but {found.source} tell that the scan is mirrored: {found.reading} at "
        f"{found.rotation_deg:.1f}°; leave transform_axis_matrix out"
    )
