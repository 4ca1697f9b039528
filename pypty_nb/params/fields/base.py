"""The kinds of parameter. Each knows what it accepts, its unit, its level, and whether it may be scheduled.

Every kind is a Param parameter, so that watchers, defaults and documentation work as Param's do; what it accepts is
decided by `accept`, which turns a value from Python, JSON or the original program into the one that is stored.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import param

from pypty_nb.params.errors import ParameterError, describe
from pypty_nb.params.schedule import Schedule, is_text

Level = Literal["basic", "expert"]

SLOTS = ("differs", "level", "live", "schedulable", "unit", "words")
SLOT_DEFAULTS: dict[str, Any] = {
    "differs": "",
    "level": "expert",
    "live": False,
    "schedulable": False,
    "unit": "",
    "words": (),
}


if TYPE_CHECKING:
    _Base = param.Parameter
else:
    # no slots of its own, so that it can be mixed into any Param parameter
    _Base = object


class Field(_Base):
    """What all kinds share; mixed into a Param parameter.

    Parameters
    ----------
    default
        The document's default.
    label : str
        What the form calls it.
    doc : str
        Help: what it does, and what a larger value does.
    unit : str
        At the surface: Å, Å⁻¹, mrad, kV, px, counts.
    level : "basic" or "expert"
    schedulable : bool
        Takes a `Schedule` beside a constant.
    live : bool
        May change during a run; what is schedulable always may.
    differs : str
        How the original program behaves otherwise, "" where it does not.
    words : tuple
        Single values accepted beside those of the kind: ``None``, ``"auto"``, ``math.inf``, ``False``.
    """

    __slots__ = ()

    # declared for readers and type checkers; each kind holds them in its slots
    unit: str
    level: Level
    schedulable: bool
    live: bool
    differs: str
    words: tuple[Any, ...]

    def __init__(self, default: Any = None, *, unit: str = "", level: Level = "expert", schedulable: bool = False,
                 live: bool = False, differs: str = "", words: tuple[Any, ...] = (), **kwargs: Any):  # fmt: skip
        self.unit, self.level, self.differs, self.words = unit, level, differs, words
        self.schedulable, self.live = schedulable, live or schedulable
        super().__init__(default=default, **kwargs)

    def accept(self, value: Any) -> Any:
        """The value to store for `value`.

        Raises
        ------
        ParameterError
            Names the parameter, the value received and what is accepted.
        """
        value = scalar(value)
        for word in self.words:
            if _is_word(value, word):
                return word
        if self._is_schedule(value):
            return self._accept_schedule(value)
        return self._accept_constant(value)

    def check_schedule(self, schedule: Schedule, epochs: range) -> None:
        """Check type and bounds of `schedule` over `epochs`; the error names the first bad one."""
        # steps are few and hold between their epochs; those after the last epoch are checked too
        for epoch in schedule.starts or epochs:
            self.value_at(schedule, epoch)

    def value_at(self, value: Any, epoch: int) -> Any:
        """`value`, or what it is at `epoch` where it is a schedule, as this kind stores it."""
        if not isinstance(value, Schedule):
            return value
        try:
            found = value.value(epoch)
        except ParameterError as error:
            raise ParameterError(f"{self.name}: {error}") from error
        try:
            for word in self.words:
                if _is_word(scalar(found), word):
                    return word
            return self._accept_constant(found)
        except ParameterError as error:
            raise ParameterError(f"{error} (at epoch {epoch}, from {value})") from error

    def accepted(self, *, schedules: bool = True) -> str:
        """What this kind takes, in words; without `schedules` as a constant."""
        parts = [self._kind(), *(_shown(word) for word in self.words)]
        if self.schedulable and schedules:
            parts.append("a schedule such as 'lambda x: x >= 20'")
        return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " or " + parts[-1]

    def limits(self) -> str:
        """The bounds of a single number in words; "" where there are none."""
        return ""

    def refuse(self, value: Any, why: str = "") -> ParameterError:
        """The error for `value`: what it must be, what it is, and `why` where that is not plain."""
        return ParameterError(f"{self.name}: must be {self.accepted()}; got {describe(value)}{f', {why}' if why else ''}")

    def _is_schedule(self, value: Any) -> bool:
        if isinstance(value, Schedule) or is_text(value):
            return True
        if isinstance(value, dict):
            return set(value) in ({"schedule"}, {"steps"})
        return callable(value) and not isinstance(value, (type, np.generic))

    def _accept_schedule(self, value: Any) -> Schedule:
        if not self.schedulable:
            raise self.refuse(value, "it takes no schedule")
        try:
            if isinstance(value, Schedule):
                return value
            if isinstance(value, dict):
                return Schedule.parse(value["schedule"]) if "schedule" in value else Schedule.steps(value["steps"])
            return Schedule.parse(value) if isinstance(value, str) else Schedule.of_callable(value)
        except ParameterError as error:
            raise ParameterError(f"{self.name}: {error}") from error

    # what a kind says of itself; here, so that the mixin stands alone
    def _kind(self) -> str:
        raise TypeError(f"{type(self).__name__} does not say what it takes")

    def _accept_constant(self, value: Any) -> Any:
        raise TypeError(f"{type(self).__name__} does not say what it takes")

    # Param's own hooks
    def __set__(self, obj: Any, val: Any) -> None:
        super().__set__(obj, self.accept(val))

    def _validate(self, val: Any) -> None:
        if val is not None or self.default is not None:
            self.accept(val)


def _is_word(value: Any, word: Any) -> bool:
    if isinstance(value, str) and word == math.inf:
        return value == "inf"
    return value is word or (type(value) is type(word) and value == word)


def _shown(word: Any) -> str:
    return {None: "None"}.get(word, f'"{word}"' if isinstance(word, str) else str(word))


def scalar(value: Any) -> Any:
    """`value` as Python's own number where it is NumPy's."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    return value
