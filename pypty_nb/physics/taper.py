"""Windows that fall smoothly to nothing at their ends."""

from __future__ import annotations

import numpy as np


def tukey(length: int, share: float) -> np.ndarray:
    """Tukey's window of `length` points, the two cosine edges taking `share` of it together."""
    # here, since scipy.signal brings scipy.stats and takes longer to import than all else of a page
    from scipy.signal.windows import tukey as window

    return window(length, share)
