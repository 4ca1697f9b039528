"""A preset: every parameter of every table, checked, compared, copied, and taken home as JSON."""

from __future__ import annotations

import copy
import difflib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pypty_nb.params import consistency
from pypty_nb.params.errors import ParameterError, UnknownParameterError, describe
from pypty_nb.params.fields import Field
from pypty_nb.params.schedule import CHECKED_EPOCHS, Schedule
from pypty_nb.params.tables import TABLES
from pypty_nb.params.tables.aliases import ALIASES
from pypty_nb.params.tables.base import Table

FIELDS: dict[str, Field] = {name: field for table in TABLES for name, field in table.fields().items()}
_TABLE_OF: dict[str, type[Table]] = {name: table for table in TABLES for name in table.fields()}


class Preset:
    """All parameters of a reconstruction, flat by name.

    ``Preset()`` holds the defaults. Values are read and set as attributes or items; a set value is checked, alone and
    against the others, before anything changes. `update` sets several, all or none.

    Raises
    ------
    ParameterError
        A `ValueError`: a value of the wrong kind, shape or range, or values that contradict each other. Its
        ``problems`` list every fault.
    UnknownParameterError
        A `ParameterError`: a name that no table has; the message gives the nearest one.
    """

    _tables: dict[type[Table], Table]
    _watchers: list[Callable[[frozenset[str]], None]]
    _frozen: bool

    def __init__(self, **values: Any):
        object.__setattr__(self, "_tables", {table: table() for table in TABLES})
        object.__setattr__(self, "_watchers", [])
        object.__setattr__(self, "_frozen", False)
        if values:
            self.update(values)

    # ---- making and taking home
    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preset:
        """Make a preset from a flat mapping of the tables' names; names not given keep their defaults."""
        if not isinstance(values, Mapping):
            raise ParameterError(f"a preset is a mapping of parameter names to values, got {type(values).__name__}")
        preset = cls()
        preset.update(values)
        return preset

    def to_dict(self, *, changed_only: bool = False) -> dict[str, Any]:
        """Every name with its value: constants as plain values, arrays as arrays, schedules as ``{"schedule": text}``."""
        first, last = self.epoch_prev, self.epoch_max
        return {
            name: value.to_plain(first, last) if isinstance(value, Schedule) else value
            for name, value in self.items()
            if not changed_only or not same(value, FIELDS[name].default)
        }

    @classmethod
    def from_json(cls, path: str | os.PathLike[str]) -> Preset:
        """Read a preset and the arrays it refers to.

        Raises
        ------
        ParameterError
            Where the file is no preset, or its arrays are missing or not those it was written with.
        """
        from pypty_nb.params import storage

        return cls.from_dict(storage.read(Path(path)))

    def to_json(self, path: str | os.PathLike[str], *, changed_only: bool = False, about: str = "") -> Path:
        """Write the preset, and beside it an ``.h5`` with the arrays over 64 numbers. Gives the path back.

        `about` is a sentence on the preset for people, kept in its file only.
        """
        from pypty_nb.params import storage

        return storage.write(Path(path), self.to_dict(changed_only=changed_only), about=about)

    @classmethod
    def named(cls, name: str) -> Preset:
        """One of the recommended starts that come with the program; `starts.available` lists them with when to use them.

        Raises
        ------
        ParameterError
            Where there is none of that name; the message lists them.
        """
        from pypty_nb.params import starts

        return cls.from_dict(starts.values_of(name))

    # ---- reading
    def items(self) -> Iterator[tuple[str, Any]]:
        """Names and values, in the order of the tables."""
        for table_class, table in self._tables.items():
            for name in table_class.fields():
                yield name, getattr(table, name)

    def __getitem__(self, name: str) -> Any:
        name = known_name(name)
        return getattr(self._tables[_TABLE_OF[name]], name)

    def __getattr__(self, name: str) -> Any:
        if name in FIELDS or name in ALIASES:
            return self[name]
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            known_name(name)
        except UnknownParameterError as error:
            raise AttributeError(str(error)) from None
        return self[name]

    def table(self, table: type[Table]) -> Table:
        """The instance of one table. Set values through the preset, which checks them against each other."""
        return self._tables[table]

    def value_at(self, name: str, epoch: int) -> Any:
        """The value of `name` at `epoch`, whether it is scheduled or not."""
        return FIELDS[name].value_at(self[name], epoch)

    def is_changed(self, name: str) -> bool:
        """Whether `name` differs from its default."""
        return not same(self[name], FIELDS[known_name(name)].default)

    def diff(self, other: Preset | None = None) -> dict[str, tuple[Any, Any]]:
        """What differs from `other` (or from the defaults): name to (value there, value here)."""
        other = other or Preset()
        return {name: (other[name], value) for name, value in self.items() if not same(other[name], value)}

    def describe(self, other: Preset | None = None) -> str:
        """What differs from `other` (or from the defaults) as a table of text, a line a parameter, with units."""
        from pypty_nb.params import reference

        return reference.described(self, other)

    # ---- changing
    def update(self, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Set several values, all or none."""
        if values is not None and not isinstance(values, Mapping):
            raise ParameterError(f"a preset takes a mapping of parameter names to values, got {describe(values)}")
        if self._frozen:
            raise ParameterError("this preset drives a run and cannot be changed; change a copy of it")
        accepted, unknown, problems = self._examined({**(values or {}), **more})
        problems = problems or consistency.problems({**dict(self.items()), **accepted})
        if problems:
            raise (UnknownParameterError if unknown else ParameterError)(*problems)
        changed = frozenset(name for name, value in accepted.items() if not same(self[name], value))
        for name, value in accepted.items():
            setattr(self._tables[_TABLE_OF[name]], name, value)
        if changed:
            for watcher in tuple(self._watchers):
                watcher(changed)

    def reset(self, *names: str) -> None:
        """Give `names` their defaults again; all parameters where none is named."""
        chosen = [known_name(name) for name in names] or list(FIELDS)
        self.update({name: copy.deepcopy(FIELDS[name].default) for name in chosen})

    def __setitem__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def __setattr__(self, name: str, value: Any) -> None:
        self.update({name: value})

    def watch(self, watcher: Callable[[frozenset[str]], None]) -> Callable[[], None]:
        """Call `watcher` with the names after every change; gives back a function that ends this."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher) if watcher in self._watchers else None

    # ---- copying and comparing
    def copy(self) -> Preset:
        """A preset of its own with the same values; large arrays are shared, since nothing changes them in place."""
        new = Preset()
        for name, value in self.items():
            setattr(new._tables[_TABLE_OF[name]], name, value)
        return new

    __copy__ = copy

    def frozen(self) -> Preset:
        """A copy that refuses changes, to drive a run."""
        new = self.copy()
        object.__setattr__(new, "_frozen", True)
        return new

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Preset):
            return NotImplemented
        return all(same(value, other[name]) for name, value in self.items())

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *FIELDS]

    def __repr__(self) -> str:
        changed = ", ".join(f"{name}={_short(value)}" for name, (_, value) in self.diff().items())
        return f"Preset({changed})"

    def problems_of(self, values: Mapping[str, Any]) -> list[str]:
        """Every reason why `values` cannot be set, one sentence each; those that can be are checked against each other too."""
        accepted, _, problems = self._examined(values)
        return [*problems, *consistency.problems({**dict(self.items()), **accepted})]

    def _examined(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], bool, list[str]]:
        """What can be accepted of `values`, whether a name is unknown, and all problems."""
        accepted: dict[str, Any] = {}
        problems: list[str] = []
        unknown = False
        for given, value in values.items():
            try:
                name = known_name(given)
                if name in accepted:
                    raise ParameterError(f"{name}: given twice, also under its older name")
                accepted[name] = FIELDS[name].accept(value)
            except ParameterError as error:
                unknown = unknown or isinstance(error, UnknownParameterError)
                problems.extend(error.problems)
        problems.extend(self._schedule_problems(accepted))
        return accepted, unknown, problems

    def _schedule_problems(self, accepted: Mapping[str, Any]) -> list[str]:
        first = accepted.get("epoch_prev", self.epoch_prev)
        last = accepted.get("epoch_max", self.epoch_max)
        epochs = range(first, min(max(last, first + 1), first + CHECKED_EPOCHS))
        problems = []
        # other epochs, and every schedule must be looked at again
        values = {**dict(self.items()), **accepted} if accepted.keys() & {"epoch_prev", "epoch_max"} else accepted
        for name, value in values.items():
            if isinstance(value, Schedule):
                try:
                    FIELDS[name].check_schedule(value, epochs)
                except ParameterError as error:
                    problems.extend(error.problems)
        return problems


def as_preset(pypty_params: Preset | Mapping[str, Any] | str | os.PathLike[str]) -> Preset:
    """A preset from a preset, a flat mapping, or the path of a preset's JSON."""
    if isinstance(pypty_params, Preset):
        return pypty_params
    if isinstance(pypty_params, (str, os.PathLike)):
        return Preset.from_json(pypty_params)
    return Preset.from_dict(pypty_params)


def known_name(name: object) -> str:
    """The table's name for `name`, which may be an older one.

    Raises
    ------
    UnknownParameterError
        Gives the nearest known name.
    """
    if not isinstance(name, str):
        raise UnknownParameterError(f"a parameter's name is text, got {describe(name)}")
    name = ALIASES.get(name, name)
    if name in FIELDS:
        return name
    near = difflib.get_close_matches(name[:100], [*FIELDS, *ALIASES], n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise UnknownParameterError(f"there is no parameter {name[:80]!r}{hint}")


def same(a: Any, b: Any) -> bool:
    """Whether two stored values are equal; arrays by shape, kind of number and every element."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if not (isinstance(a, np.ndarray) and isinstance(b, np.ndarray)):
            return False
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        # copies of a preset share their arrays, which may be too large to compare at every look
        return _start(a) == _start(b) or np.array_equal(a, b, equal_nan=a.dtype.kind in "fc")
    return type(a) is type(b) and a == b


def _start(array: np.ndarray) -> tuple[Any, ...]:
    """Where an array lies in memory, and how."""
    return array.__array_interface__["data"][0], array.strides


def _short(value: Any) -> str:
    return f"array{value.shape}" if isinstance(value, np.ndarray) else str(value)
