"""The scan of an experiment: how many points it has, how far they lie apart, and where, if they are stated one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pypty_nb.data.dataset import SourceDataset, check_scan_axes, import_command
from pypty_nb.initialize.calibrated import Calibrated
from pypty_nb.initialize.detector_pixel import agree, contradiction
from pypty_nb.initialize.experiment import Experiment
from pypty_nb.initialize.scan_grid import Lattice, lattice_of
from pypty_nb.initialize.statements import Statements
from pypty_nb.params import ParameterError, Preset


class Scan:
    """What is stated of a scan, checked against the data and against itself.

    Attributes
    ----------
    size : Calibrated
        (slow, fast), points.
    step : Calibrated or None
        Å; ``None`` only where points are stated one by one.
    points : Calibrated or None
        (pattern, 2) [y, x], Å once `place` was called; ``None`` where the scan is a raster of `size` and `step`.
    lattice : Lattice or None
        The raster that the points of a file fill, Å.
    warnings : list of str

    Raises
    ------
    ParameterError
        What is missing or contradicts itself.
    """

    def __init__(self, given: Experiment, start: Preset, dataset: SourceDataset, statements: Statements):
        self._given, self._start, self._dataset, self._statements = given, start, dataset, statements
        self._count, self._in_pixels = dataset.shape[0], False
        self.warnings: list[str] = []
        self.lattice: Lattice | None = None
        self.points = self._points()
        self.size = self._size()
        self.step = self._step()

    @property
    def raster(self) -> bool:
        """Whether orientation and C10 can be measured on it."""
        return self.points is None or (self.lattice is not None and self.lattice.reading is not None)

    def place(self, pixel_A: tuple[float, float]) -> None:
        """Reckon points that are stated in pixels of the object, `pixel_A` [y, x] Å large, in Å; compare them with the step."""
        if self.points is None:
            return
        if self._in_pixels:
            source = f"{self.points.source}, in pixels of {pixel_A[0]:.4g} × {pixel_A[1]:.4g} Å"
            self.points, self._in_pixels = replace(self.points, value=self.points.value * pixel_A, source=source), False
        if self.points.tag == "file":
            self._compare(self.points)

    def _points(self) -> Calibrated | None:
        own = self._given.special_positions_A
        if own is not None:
            if len(own) != self._count:
                raise ParameterError(
                    f"special_positions_A: has {len(own)} points; {self._dataset.name} holds {self._count} patterns"
                )
            return Calibrated(own, "user")
        for name in ("positions", "positions_px"):
            found = self._statements.of(name)
            if found is None:
                continue
            places = np.asarray(found.value, np.float64)
            if places.shape == (self._count, 2) and np.isfinite(places).all() and np.ptp(places, axis=0).any():
                self._in_pixels = name == "positions_px"
                return replace(found, value=places)
            self.warnings.append(
                f"positions: those of the file ({found.source}) are left aside: {self._count} × 2 finite numbers that are not "
                f"all alike are needed, it holds {' × '.join(map(str, places.shape))}"
            )
        return None

    def _size(self) -> Calibrated:
        found = self._stated_size()
        if found is None and self.points is not None:
            return self._size_of_points(self.points)
        count, name = self._count, self._dataset.name
        if found is None:
            return self._square()
        rows, columns = (int(n) for n in found.value)
        if rows * columns != count:
            source = f" ({found.source})" if found.source else ""
            remedy = f"that would be {_divisions(count)}"
            if rows > 1 and (rows - 1) * columns < count < rows * columns:
                command = import_command(name, f"--scan-size {rows},{columns}", f"scan_size=({rows}, {columns})")
                remedy = f"if the last ones are missing, {command} leaves the incomplete last row out; else {remedy}"
            raise ParameterError(
                f"scan_size: {rows} × {columns} points{source} are {rows * columns}, but {name} holds {count} patterns; "
                f"{remedy}"
            )
        check_scan_axes((rows, columns), self._dataset.scan_axes, name)
        return replace(found, value=(rows, columns))

    def _stated_size(self) -> Calibrated | None:
        """By the user, the axes or words of the file, or the preset."""
        of_file = Calibrated(self._dataset.scan_shape, "file", "the shape of the data") if self._dataset.scan_shape else None
        of_file = of_file or self._statements.of_files("scan_size")
        if self._given.scan_size is None:
            kept = self._start.scan_size
            return of_file or (None if kept is None else Calibrated(kept, "user", "the preset"))
        size = self._given.scan_size
        said = self._statements.of_files("scan_size")
        if self._dataset.scan_axes is None and said is not None and tuple(said.value) != tuple(size):
            rows, columns = said.value
            self.warnings.append(
                f"scan_size: {size[0]} × {size[1]} (as you state) is taken, but {rows} × {columns} ({said.source}); "
                "check which is right"
            )
        return Calibrated(size, "user")

    def _size_of_points(self, points: Calibrated) -> Calibrated:
        if points.tag == "file":
            for rows in (n for n in range(2, self._count // 2 + 1) if self._count % n == 0):
                size = (rows, self._count // rows)
                if lattice_of(points.value, size) is not None:
                    return Calibrated(size, "file", f"the raster of {points.source}")
        return Calibrated((1, self._count), "default", "positions are given point by point")

    def _square(self) -> Calibrated:
        count, name = self._count, self._dataset.name
        side = round(count**0.5)
        if side * side != count:
            raise ParameterError(
                f"scan_size: {name} holds {count} patterns in one row and nothing says how the scan is divided; "
                f"give scan_size as (slow, fast), for instance {_divisions(count)}"
            )
        self.warnings.append(f"scan_size: nothing states it; {count} patterns are taken for a square of {side} × {side}")
        return Calibrated((side, side), "guessed", "the patterns fill a square")

    def _step(self) -> Calibrated | None:
        step, fov = self._statements.of("scan_step_A"), self._statements.of("fov_nm")
        columns = self.size.value[1]
        if fov is not None and columns > 1:
            fov = replace(
                fov, value=10 * float(fov.value) / (columns - 1), source=f"fov_nm {fov.value:g} over {columns} points"
            )
            if step is not None and not agree(float(step.value), fov.value):
                what = f"scan_step_A is {step.value:g} Å, but {fov.source} is {fov.value:.4g} Å"
                self.warnings.extend(contradiction(what, fatal=step.tag == fov.tag == "user"))
            if step is None or (step.tag == "file" and fov.tag == "user"):
                step = fov
        if step is None and self.points is None:
            if fov is not None:
                raise ParameterError(
                    f"scan_step_A: the scan is one point wide, along which fov_nm {fov.value:g} tells no step; give it in Å"
                )
            raise ParameterError("scan_step_A: neither the file nor you say the scan step; give it in Å, or fov_nm")
        return None if step is None else replace(step, value=float(step.value))

    def _compare(self, points: Calibrated) -> None:
        """Take the step of the raster that the points of a file fill, and point out another that is stated."""
        lattice = self.lattice = lattice_of(points.value, self.size.value)
        if lattice is None:
            return
        rows, columns = lattice.steps
        if self.step is not None and not (agree(self.step.value, rows) and agree(self.step.value, columns)):
            source = self.step.source or "as you state"
            self.warnings.append(
                f"scan_step_A: {self.step.value:.5g} Å ({source}), but the file's positions ({points.source}) lie {rows:.5g} Å "
                f"from row to row and {columns:.5g} Å from column to column; they are taken. To have others, state "
                "special_positions_A"
            )
        self.step = Calibrated(lattice.step if lattice.reading else columns, "file", f"distance of {points.source}")


def _divisions(count: int) -> str:
    """Ways to divide `count` patterns into rows and columns, those nearest a square first."""
    rows = [n for n in range(int(count**0.5), 1, -1) if count % n == 0][:3]
    return " or ".join(f"{n} × {count // n}" for n in rows) or f"1 × {count}"
