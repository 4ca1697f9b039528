"""The colours of the page: words and controls stand out from what they stand on, in both themes."""

from __future__ import annotations

import re

import pytest

from pypty_nb.widgets.theme import style

_TOKEN = re.compile(r"(--pn-[\w-]+): (#[0-9a-f]{6});")
#: Words, and the grounds they are written on; the Web Content Accessibility Guidelines 2.1 ask for 4.5 to 1 (1.4.3).
WORDS = [
    *((words, ground) for words in ("text", "muted", "accent", "ok", "warn", "err") for ground in ("bg", "surface")),
    ("text", "accent-soft"), ("muted", "accent-soft"), ("muted", "well"), ("on-accent", "accent"),
    ("on-accent", "accent-hover"), ("text", "warn-soft"), ("text", "err-soft"), ("muted", "warn-soft"), ("muted", "err-soft"),
]  # fmt: skip
#: Edges of controls and marks of states, for which they ask for 3 to 1 (1.4.11).
EDGES = [("line-strong", "surface"), ("line-strong", "bg"), ("accent", "accent-soft"), ("plot-2", "bg")]


def themes() -> dict[str, dict[str, str]]:
    """Each theme's tokens, in the order they stand in the style sheet."""
    blocks = [dict(_TOKEN.findall(block)) for block in re.findall(r"\{[^{}]*--pn-bg:[^{}]*\}", style())]
    light, dark, system = blocks
    assert dark == system
    return {"light": light, "dark": dark}


def luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour, as the guidelines define it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The guidelines' ratio of two colours, 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_the_ratio_of_black_and_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    # just enough, and just too little: the guidelines' own examples of grey on white
    assert contrast("#767676", "#ffffff") > 4.5 > contrast("#777777", "#ffffff")


@pytest.mark.parametrize("name", ["light", "dark"])
@pytest.mark.parametrize(("least", "pairs"), [(4.5, WORDS), (3.0, EDGES)], ids=["words", "edges"])
def test_what_is_written_can_be_read(name: str, least: float, pairs: list[tuple[str, str]]):
    tokens = themes()[name]
    found = {pair: contrast(*(tokens[f"--pn-{part}"] for part in pair)) for pair in pairs}
    assert {pair: round(ratio, 2) for pair, ratio in found.items() if ratio < least} == {}
