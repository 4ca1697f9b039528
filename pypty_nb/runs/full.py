"""What a quick look was a look at: the settings that it left out, kept in its folder as ``full.json``."""

from __future__ import annotations

from pypty_nb.params import Preset, storage
from pypty_nb.runs.folder import RunFolder

FULL = "full.json"


def keep_full(run: RunFolder, full: Preset) -> None:
    """Write beside the preset of `run`, a quick look at `full`, where the two differ."""
    everything = full.to_dict()
    storage.write(run.path / FULL, {name: everything[name] for name in full.diff(run.preset())})


def is_quick_look(run: RunFolder) -> bool:
    """Whether `run` is a quick look at a fuller preset, which its folder tells."""
    return (run.path / FULL).is_file()


def full_preset(run: RunFolder) -> Preset:
    """The preset that the quick look in `run` was made from.

    Raises
    ------
    ParameterError
        Where the folder does not tell, or a file of it is damaged.
    """
    preset = run.preset()
    preset.update(storage.read(run.path / FULL))
    return preset
