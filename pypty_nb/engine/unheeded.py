"""Settings that do nothing beside others, in words: a run goes on without them, and says so at its start."""

from __future__ import annotations

from typing import Any

import numpy as np

from pypty_nb.params import Preset, Schedule


def unheeded(preset: Preset) -> tuple[str, ...]:
    """A sentence for every setting of `preset` that has no effect."""
    made = not isinstance(preset.probe, np.ndarray) or preset.probe.ndim == 3
    said = {
        "update_static_background: does nothing where static_background is 0, since there its gradient is 0 too; "
        "start from a small number": _on(preset.update_static_background) and not np.any(preset.static_background),
        "n_hermite_probe_modes: does nothing where mc_n_modes is given, which makes all modes; give one of the two": (
            preset.n_hermite_probe_modes is not None and bool(preset.mc_n_modes) and made and not preset.skip_preprocessing
        ),
        "wedge_mu: does nothing where beta_wedge is 0; give beta_wedge the steepness of the wedge": (
            _on(preset.wedge_mu) and not _on(preset.beta_wedge)
        ),
        "stop_on_validation: does nothing where validation_fraction is 0, since no pixels are held out": (
            bool(preset.stop_on_validation) and not preset.validation_fraction
        ),
        f"epoch_max: {preset.epoch_max} is not above epoch_prev, {preset.epoch_prev}; no epoch is run": (
            preset.epoch_max <= preset.epoch_prev
        ),
    }
    return tuple(sentence for sentence, applies in said.items() if applies)


def _on(value: Any) -> bool:
    """Whether a value is other than 0, or may come to be."""
    return True if isinstance(value, Schedule) else bool(value)
