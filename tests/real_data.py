"""Where the measured data lie: the environment variable PYPTY_NB_DATA, or a folder `shared/data` beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"


def measured(name: str) -> Path:
    """The measured file `name`; skips the test where it is not there."""
    path = Path(os.environ.get("PYPTY_NB_DATA", _BESIDE)) / name
    if not path.is_file():
        pytest.skip(f"measured data {name} are not here; PYPTY_NB_DATA names the folder that holds them")
    return path
