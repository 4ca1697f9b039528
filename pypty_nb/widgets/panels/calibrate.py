"""Step 2: the disc of the mean pattern, the size of a pixel, and what was measured, file for file and value for value."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets
import numpy as np

from pypty_nb.initialize.aperture import Disc
from pypty_nb.initialize.calibrate import Calibration
from pypty_nb.initialize.detector_pixel import TOLERANCE
from pypty_nb.widgets import text
from pypty_nb.widgets.panels.look import scaled
from pypty_nb.widgets.panels.measuring import UNDER_WAY, Measuring
from pypty_nb.widgets.panels.panel import Moment, Page, boxed, heading
from pypty_nb.widgets.panels.plots import Curve
from pypty_nb.widgets.views.parts import toggle, unseen
from pypty_nb.widgets.views.picture import Dress, Frame, Picture
from pypty_nb.widgets.views.surfaces import Overlay
from pypty_nb.workspace.calibration import PIXEL_UNITS, Geometry, pixel_found

_EMPTY = "The mean pattern appears here once it is measured. Press Measure at the right."
_AROUND = np.linspace(0, 2 * np.pi, 181)
_MINUS = re.compile(r"(?<!e)-(?=\d)")
#: The radius that semi-angle and pixel size give, which is not the one measured.
_SAID = {"px, disc radius": "px, disc radius stated"}
_NOT_SHOWN = {"aberrations", "scan_size", "transform_axis_matrix", "data_pad"}
#: What is stated here, by the keys of the experiment.
_STATED = ("acc_voltage", "rez_pixel_size_mrad", "rez_pixel_size_A", "conv_semiangle_mrad", "defocus")


class CalibratePanel:
    """Measure, look, accept.

    Parameters
    ----------
    page : Page
    measuring : Measuring
    """

    def __init__(self, page: Page, measuring: Measuring):
        self._page, self._measuring = page, measuring
        self._drawn: tuple[Any, bool] = (None, False)
        self._picture = Picture(page.stage, Dress("inferno", _EMPTY))
        self._scale = toggle([("Linear", "linear"), ("Root", "root"), ("Log", "log")], "log", "Scale of the counts")
        self._scale.observe(lambda _change: self._draw(), "value")
        self._fit, self._curve = heading("", "pn-table"), Curve(log=True)
        head = boxed(ipywidgets.HBox, "pn-vh", heading("Mean pattern", "pn-vt"), self._scale)
        self._centre = boxed(
            ipywidgets.Box,
            "pn-calibrate",
            boxed(ipywidgets.VBox, "pn-half", head, self._picture.render()),
            boxed(
                ipywidgets.VBox, "pn-beside", heading("<b>Disc fit</b>", ""), self._fit,
                heading('<b>Radial mean</b><br><span class="m s">counts against radius in px</span>', ""), self._curve.render(),
            ),
        )  # fmt: skip
        self._voltage, self._value = _field("Known kV", "from the file"), _field("Detector pixel", "from the file")
        self._unit = unseen(ipywidgets.Dropdown(options=PIXEL_UNITS, description="Unit of the detector pixel"))
        self._angle, self._c10 = _field("Semi-angle", "from the file"), _field("Known C10", "measured")
        self._same, self._wrong, self._rows = heading("", "pn-table"), heading("", "pn-help"), heading("", "pn-table pn-facts")
        self._column = boxed(
            ipywidgets.VBox, "pn-formbody",
            heading("Calibrate", "pn-title"), heading("What you know", "pn-h first"),
            boxed(ipywidgets.HBox, "pn-pair pn-stated", heading("Voltage", "pn-l"), self._voltage, heading("kV", "m s")),
            boxed(ipywidgets.HBox, "pn-pair pn-stated", heading("Pixel size", "pn-l"), self._value, self._unit),
            boxed(ipywidgets.HBox, "pn-pair pn-stated", heading("Semi-angle", "pn-l"), self._angle, heading("mrad", "m s")),
            boxed(ipywidgets.HBox, "pn-pair pn-stated", heading("C10", "pn-l"), self._c10, heading("Å", "m s")),
            self._wrong, self._same, *measuring.buttons(), self._rows,
        )  # fmt: skip
        self._known = (self._voltage, self._value, self._angle, self._c10)
        for field in (*self._known, self._unit):
            field.observe(lambda _change: self._stated(), "value")
        measuring.on_other_data(self._forget)

    def centre(self) -> ipywidgets.DOMWidget | None:
        """The mean pattern with the disc, and its fit."""
        return self._centre

    def column(self) -> Sequence[ipywidgets.DOMWidget]:
        """Pixel size, and what was measured."""
        return (self._column,)

    def enter(self) -> None:
        """Draw what has been measured."""
        self._draw()

    def show(self, moment: Moment) -> None:
        """Show what has been measured, once it is new."""
        self._measuring.show(moment)
        for field in (*self._known, self._unit):
            field.disabled = moment.locked
        found, busy = self._measuring.found, self._measuring.busy
        if found is not self._drawn[0] or (found is None and busy != self._drawn[1]):
            self._drawn = found, busy
            self._draw()

    # ---- what a person does
    def _stated(self) -> None:
        """Take what is typed as stated, in the unit chosen; where something cannot be, nothing is."""
        self._wrong.value = ""
        for name in _STATED:
            self._measuring.stated.pop(name, None)
        try:
            self._measuring.stated.update(self._typed())
        except (ValueError, OSError) as error:
            words = self._page.workspace.shortened(text.failure(error))
            self._wrong.value = f'<div class="err">{text.mark("err")} {text.escape(words)}.</div>'

    def _typed(self) -> dict[str, float]:
        """What is typed, with the keys of the experiment."""
        stated = {
            "acc_voltage": _positive("Voltage", self._voltage),
            "conv_semiangle_mrad": _positive("Semi-angle", self._angle),
            "defocus": _number("C10", self._c10),
        }
        known = {name: value for name, value in stated.items() if value is not None}
        value, unit, workspace = _positive("Pixel size", self._value), str(self._unit.value), self._page.workspace
        dataset = workspace.dataset() if value is not None else None
        if value is not None and dataset is not None:
            geometry = Geometry.of(workspace.preset, dataset, {**self._measuring.stated, **known})
            pixel = geometry.stated(value, unit)
            self._say(geometry.told(pixel))
            # both stated could contradict each other within what typing rounds off
            if unit == "px, disc radius":
                known.pop("conv_semiangle_mrad", None)
            known |= pixel
        return known

    def _forget(self) -> None:
        """What is known of one file is not known of another."""
        for field in self._known:
            field.value = ""

    # ---- showing
    def _draw(self) -> None:
        found = self._measuring.found
        if found is None:
            self._rows.value = self._fit.value = self._same.value = ""
            self._curve.clear()
            self._picture.clear(UNDER_WAY if self._measuring.busy else _EMPTY)
            return
        disc, shape = found.disc, scaled(str(self._scale.value))
        pattern = disc.images["mean pattern"]
        low, high = float(shape(pattern.min())), float(shape(np.percentile(pattern, 99.98)))
        mrad = float(found.values["rez_pixel_size_mrad"].value)
        caption = f"min <b>{text.number(pattern.min())}</b>&ensp;max <b>{text.number(pattern.max())}</b> counts"
        self._picture.update(
            Frame(pattern, show=shape, limits=(low, max(high, low + 1e-9)), caption=caption, pixel=(mrad, mrad), length="mrad")
        )
        middle = (disc.centre[0] + 0.5, disc.centre[1] + 0.5)
        circle = np.stack([middle[0] + disc.radius * np.sin(_AROUND), middle[1] + disc.radius * np.cos(_AROUND)], axis=1)
        self._picture.overlay(Overlay(outline=circle, chosen=middle))
        self._fit.value = _fit_table(disc) + radii_in_words(found)
        self._curve.show(np.arange(len(disc.profile), dtype=float), disc.profile, (disc.radius,))
        self._say(pixel_found(found))
        self._rows.value = rows_table(
            [row for name, row in zip(found.values, found.rows(), strict=True) if name not in _NOT_SHOWN]
        )

    def _say(self, pixel: Mapping[str, float]) -> None:
        rows = "".join(
            f"<tr><td>{text.escape(_SAID.get(unit, unit))}</td><td><b>{text.number(value, 4)}</b></td></tr>"
            for unit, value in pixel.items()
        )
        self._same.value = f'<div class="m s">the same, in</div><table>{rows}</table>'


def rows_table(rows: Sequence[tuple[str, str, str, str]]) -> str:
    """HTML of label, value, tag and source of each quantity."""
    lines = (
        f"<tr><td>{text.escape(label)}</td><td><b>{text.escape(_MINUS.sub(text.MINUS, value))}</b></td></tr>"
        f'<tr class="src"><td colspan="2"><i>{text.escape(tag)}</i> {text.escape(source)}</td></tr>'
        for label, value, tag, source in rows
    )
    return f"<table>{''.join(lines)}</table>"


def _fit_table(disc: Disc) -> str:
    spread = f" ± {disc.radius_uncertainty:.2f}" if disc.radius_uncertainty else ""
    rows = (
        ("Radius", f"{disc.radius:.2f}{spread}", "px"),
        ("Centre y", f"{disc.centre[0]:.2f} ± {disc.centre_uncertainty:.2f}", "px"),
        ("Centre x", f"{disc.centre[1]:.2f} ± {disc.centre_uncertainty:.2f}", "px"),
        ("Ellipticity", f"{100 * disc.ellipticity:.1f}", "%"),
    )
    lines = "".join(f"<tr><td>{name}</td><td><b>{value}</b></td><td>{unit}</td></tr>" for name, value, unit in rows)
    return f'<div class="m s">Edge at half height over {text.count(len(disc.edges))} directions.</div><table>{lines}</table>'


def radii_in_words(found: Calibration) -> str:
    """HTML: the radius that is measured and drawn, beside the one that semi-angle and pixel size state, and which is which."""
    disc, angle = found.disc, found.values["conv_semiangle_mrad"]
    pixel = float(found.values["rez_pixel_size_mrad"].value)
    expected = float(angle.value) / pixel
    if angle.tag not in ("file", "user") or found.values["rez_pixel_size_mrad"].tag not in ("file", "user"):
        return '<div class="m s">The circle is drawn with this radius; semi-angle and pixel size follow from it.</div>'
    off = abs(expected - disc.radius) / disc.radius
    verdict = (
        f"{text.mark('ok')} They agree within {100 * off:.1f} %."
        if off <= TOLERANCE + disc.radius_uncertainty / disc.radius
        else f"{text.mark('warn')} They differ by {100 * off:.1f} %: check semi-angle and pixel size."
    )
    return (
        f'<div class="s pn-radii"><div><b>{disc.radius:.2f} px</b> measured: edge of the mean pattern, the circle drawn.</div>'
        f"<div><b>{expected:.2f} px</b> stated: semi-angle {text.number(float(angle.value), 4)} mrad over "
        f"{text.number(pixel, 4)} mrad per pixel ({text.escape(angle.tag)}).</div><div>{verdict}</div></div>"
    )


def _field(name: str, empty: str) -> ipywidgets.Text:
    """A field for something that is known, and what stands in it while it is not."""
    return unseen(ipywidgets.Text(description=name, continuous_update=False, placeholder=empty))


def _number(label: str, field: ipywidgets.Text) -> float | None:
    """The number typed, ``None`` for nothing."""
    typed = str(field.value)
    if not typed.strip():
        return None
    try:
        value = float(typed.replace(",", ".").replace(text.MINUS, "-"))
    except ValueError:
        raise ValueError(f"{label}: takes a number, got {typed!r:.40}") from None
    if not math.isfinite(value):
        raise ValueError(f"{label}: must be finite, got {typed!r:.40}")
    return value


def _positive(label: str, field: ipywidgets.Text) -> float | None:
    """As `_number`, above 0."""
    value = _number(label, field)
    if value is not None and not value > 0:
        raise ValueError(f"{label}: must be above 0, got {field.value!r:.40}")
    return value
