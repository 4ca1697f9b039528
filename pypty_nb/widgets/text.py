"""Words and numbers as the page writes them; every string that came from elsewhere goes through `escape`."""

from __future__ import annotations

import html
import math
from pathlib import Path

MINUS, THIN = "\u2212", "\u202f"


def escape(text: object) -> str:
    """`text` safe inside HTML; HTML widgets are not sanitised."""
    return html.escape(str(text))


def number(value: float, digits: int = 3) -> str:
    """`value` with that many significant digits, a real minus and thin thousands."""
    size = abs(value)
    if size and (size < 1e-3 or size >= 1e6):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        text = f"{mantissa}e{int(exponent)}"
    elif size >= 10 ** (digits - 1):
        text = f"{value:,.0f}".replace(",", THIN) if size >= 1e4 else f"{value:.0f}"
    else:
        text = f"{value:.{digits}g}" if size < 1e-2 else f"{value:#.{digits}g}".rstrip(".")
    return text.replace("-", MINUS)


def count(things: int) -> str:
    """A whole number with thin thousands."""
    return f"{things:,}".replace(",", THIN)


def plural(things: int, what: str) -> str:
    """ "1 epoch", "2 epochs"."""
    return f"{count(things)} {what}{'' if things == 1 else 's'}"


def duration(seconds: float) -> str:
    """Time as people say it: "1 min 3 s"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def size(count: int) -> str:
    """A file's size: "13.6 MB"."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"


def shape(lengths: tuple[int, ...]) -> str:
    """An array's shape: "44 × 52 × 128"."""
    return " × ".join(map(str, lengths))


def mark(kind: str) -> str:
    """One of the 12-px marks: todo, ok, warn, err, run, pause, stop, rej."""
    return f'<span class="k {escape(kind)}"></span>'


def sentence(problem: str, name: str = "") -> str:
    """A `ParameterError`'s problem as it stands under the field `name`: without the name, with a capital and a full stop."""
    text = problem.removeprefix(f"{name}: ") if name else problem
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) else text + "."


def failure(error: Exception) -> str:
    """What went wrong, without a full stop; what nobody foresaw is named by its kind."""
    said = (str(error) or type(error).__name__).rstrip(".")
    if isinstance(error, OSError) and error.strerror:
        said = f"{Path(str(error.filename)).name}: {error.strerror.lower()}" if error.filename else error.strerror
    return said if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: {said}"


def fixed(value: float, step: float) -> str:
    """`value` with as many digits after the point as steps of `step` need."""
    digits = max(0, math.ceil(-math.log10(step))) if step > 0 else 0
    return f"{value:.{digits}f}".replace("-", MINUS)


def percent(share: float) -> str:
    """A change, with its sign and two digits that count: "−0.10 %"."""
    size = abs(100 * share)
    digits = 0 if size >= 10 else 1 if size >= 1 else 2
    return f"{100 * share:+.{digits}f} %".replace("-", MINUS)


def plain(value: float) -> str:
    """A round value as it stands at an axis."""
    return f"{value:.4g}".replace("-", MINUS)
