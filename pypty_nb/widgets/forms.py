"""The forms of all steps: each made when first opened, all told the same."""

from __future__ import annotations

from dataclasses import replace

from pypty_nb.params import FIELDS, Preset
from pypty_nb.widgets.form import Form
from pypty_nb.widgets.host import Host
from pypty_nb.widgets.steps import STEPS

_TITLES = tuple(STEPS)
#: What a form is called where its step has another title above it.
_CALLED = {"Data": "Patterns", "Calibrate": "Microscope and lengths", "Check and run": "Memory and files"}


class Forms:
    """The forms of the steps, and what is wrong in them.

    Parameters
    ----------
    preset : Preset
    host : Host
    """

    def __init__(self, preset: Preset, host: Host):
        self._preset = preset
        self._on_error = host.on_error
        self._host = replace(host, on_error=self._heard)
        self._made: dict[int, Form] = {}
        self._opened: Form | None = None
        self._locked = False
        self._now: int | None = None
        self._refused: dict[str, str] = {}

    @property
    def errors(self) -> dict[str, str]:
        """Parameter and message of every field whose text was refused, or whose value does not do here."""
        return {**self._host.problems(), **self._refused}

    def of(self, index: int) -> Form | None:
        """The form of a step; ``None`` where it has no parameters."""
        title = _TITLES[index]
        if index not in self._made and STEPS[title]:
            self._made[index] = Form(self._preset, STEPS[title], _CALLED.get(title, title), self._host)
        return self._made.get(index)

    def open(self, index: int) -> Form | None:
        """The form of the step that is opened now, as things stand."""
        self._opened = self.of(index)
        self._show()
        return self._opened

    def step_of(self, name: str) -> int:
        """The step whose form holds the parameter `name`."""
        return next(index for index, tables in enumerate(STEPS.values()) if any(name in table.fields() for table in tables))

    def show_run(self, *, busy: bool, epoch: int) -> None:
        """Lock the fields while a run is going, and mark where it is; a form that is not open learns it when opened."""
        self._locked, self._now = busy, epoch if busy else None
        self._show()

    def _show(self) -> None:
        if self._opened is not None:
            self._opened.lock(self._locked)
            self._opened.show_epoch(self._now)

    def what_is_wrong(self) -> str:
        """The first refused field and why, in words; "" where there is none."""
        errors = self.errors
        if not errors:
            return ""
        name, message = next(iter(errors.items()))
        return f"{FIELDS[name].label}: {message[:1].lower()}{message[1:]}"

    def _heard(self, name: str, message: str) -> None:
        if message:
            self._refused[name] = message
        else:
            self._refused.pop(name, None)
        self._on_error(name, message)
