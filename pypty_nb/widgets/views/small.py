"""A small plot beside a picture, where there is room for one: SVG, since it costs nothing where it is hidden."""

from __future__ import annotations

from dataclasses import dataclass

import ipywidgets
import numpy as np

from pypty_nb.widgets import bare, text

#: Names at the lines' ends keep this share of the height from one another.
_APART = 0.13
_CLASSES = ("first", "second")


@dataclass(frozen=True)
class Line:
    """Values over the axis, and the name at their end; "" for none."""

    name: str
    values: np.ndarray


class SmallPlot:
    """Two lines at most, the first in colour, the second dashed; marks as dotted verticals.

    Parameters
    ----------
    title : str
    tier : str
        Class that says in which sizes of window it is shown.
    log : bool
        Whether the upward axis is logarithmic; a linear one is not written.
    """

    def __init__(self, title: str, tier: str, *, log: bool = False):
        self._title, self._log = title, log
        self._html = bare.HTML()
        self._html.add_class("pn-small")
        self._html.add_class(tier)

    def render(self) -> ipywidgets.DOMWidget:
        """The widget, empty until `draw`."""
        return self._html

    def draw(
        self, x: np.ndarray, lines: tuple[Line, ...], ticks: tuple[list[float], list[float]], marks: tuple[float, ...] = ()
    ) -> None:
        """Draw `lines` over `x`; `ticks` are the values written across and upwards."""
        found = np.concatenate([line.values for line in lines])
        found = found[np.isfinite(found) & ((found > 0) | (not self._log))]
        if not found.size:
            return
        low, high = float(found.min()), float(found.max())
        low, high = (low / 1.5, high * 1.5) if self._log else (0.0, 1.05 * high or 1.0)
        across = (x - x[0]) / (x[-1] - x[0])
        paths = [f'<path class="e" d="M{self._place(mark, x):.2f} 0V100"/>' for mark in marks]
        paths += [f'<path class="g" d="M0 {self._height(tick, low, high):.2f}H100"/>' for tick in ticks[1]]
        words = [f'<i class="x" style="left:{self._place(tick, x):.1f}%">{text.plain(tick)}</i>' for tick in ticks[0]]
        words += [f'<i class="y" style="top:{self._height(tick, low, high):.1f}%">{text.plain(tick)}</i>' for tick in ticks[1]]
        taken = 2.0
        for line, kind in zip(lines, _CLASSES, strict=False):
            heights = [self._height(value, low, high) for value in line.values]
            paths.append(f'<path class="{kind}" d="{_path(across, heights)}"/>')
            if line.name:
                end = next((height for height in reversed(heights) if height is not None), 100.0)
                end = end if abs(end / 100 - taken) > _APART else 100 * (taken + _APART)
                taken = end / 100
                words.append(f'<i class="n" style="top:{min(end, 96):.1f}%">{text.escape(line.name)}</i>')
        kind = "up" if self._log else ""
        drawn = f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{"".join(paths)}</svg>'
        name = f'<div class="lab">{text.escape(self._title)}</div>'
        self._html.value = f'{name}<div class="plot {kind}">{drawn}{"".join(words)}</div>'

    def _height(self, value: float, low: float, high: float) -> float | None:
        """Percent from the top; ``None`` where there is no place for it."""
        if not np.isfinite(value) or (self._log and value <= 0):
            return None
        share = np.log(value / low) / np.log(high / low) if self._log else (value - low) / (high - low)
        return float(100 * (1 - np.clip(share, 0, 1)))

    @staticmethod
    def _place(value: float, x: np.ndarray) -> float:
        return float(100 * (value - x[0]) / (x[-1] - x[0]))


def _path(across: np.ndarray, heights: list[float | None]) -> str:
    """The line through what has a place, broken where nothing has."""
    parts, pen = [], "M"
    for place, height in zip(across, heights, strict=True):
        if height is None:
            pen = "M"
            continue
        parts.append(f"{pen}{100 * place:.1f} {height:.1f}")
        pen = "L"
    return "".join(parts)
