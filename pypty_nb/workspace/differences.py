"""How the presets of two runs differ, told from their files without the arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pypty_nb.params import FIELDS, Preset, storage
from pypty_nb.params.preset import same
from pypty_nb.params.reference import shown

#: Where a run writes says nothing of what it computes.
_PLACE = "output_folder"


@dataclass(frozen=True)
class Change:
    """One parameter that differs: its values in words."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Outline:
    """A preset without its large arrays, of which shape and digest are known."""

    preset: Preset
    arrays: dict[str, tuple[tuple[int, ...], str]]

    @classmethod
    def of(cls, path: Path) -> Outline:
        """That of the preset at `path`.

        Raises
        ------
        ParameterError
            What is wrong with the file.
        """
        values, arrays = storage.read_outline(path)
        return cls(Preset.from_dict(values), arrays)

    def words(self, name: str) -> str:
        """The value of `name` in a few characters."""
        return f"array {self.arrays[name][0]}" if name in self.arrays else shown(self.preset[name])


DEFAULTS = Outline(Preset().frozen(), {})


def changes(before: Outline, after: Outline) -> tuple[Change, ...]:
    """What `after` has otherwise than `before`, in the tables' order."""
    found = []
    for name in FIELDS:
        if name == _PLACE or _alike(before, after, name):
            continue
        old, new = before.words(name), after.words(name)
        # arrays of one shape look alike in words
        found.append(Change(name, old, new if old != new else f"another {new}"))
    return tuple(found)


def _alike(before: Outline, after: Outline, name: str) -> bool:
    if name in before.arrays or name in after.arrays:
        return before.arrays.get(name) == after.arrays.get(name)
    return same(before.preset[name], after.preset[name])
