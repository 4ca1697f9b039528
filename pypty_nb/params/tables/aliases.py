"""Older names of parameters."""

from __future__ import annotations

#: Older name to the name that has taken its place.
ALIASES: dict[str, str] = {
    "data_is_numpy_and_flip_ky": "flip_ky",
}
