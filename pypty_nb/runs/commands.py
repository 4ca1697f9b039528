"""What a run is told while it works: small files in its folder, written as a whole, taken in order between epochs."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pypty_nb.files import sweep, write_text
from pypty_nb.params import FIELDS, ParameterError, Schedule, known_name, storage
from pypty_nb.runs.errors import RunFolderError

COMMANDS = "commands"
WORDS = ("pause", "resume", "stop", "abort", "change", "undo")
_OLD_S = 60.0


@dataclass(frozen=True)
class Command:
    """One command.

    Attributes
    ----------
    path : Path
        Its file; the name without its end is the command's `id`.
    word : str
        One of `WORDS`.
    values : mapping of str to value
        What a change sets.
    number : int or None
        The change that an undo means; ``None`` for whichever is the last.
    sent : float
        s since 1970.
    problem : str
        Why it cannot be read, "" where it can.
    """

    path: Path
    word: str
    values: Mapping[str, Any] = field(default_factory=dict)
    number: int | None = None
    sent: float = 0.0
    problem: str = ""

    @property
    def id(self) -> str:
        """What the journal's answer names it by."""
        return self.path.stem

    def remove(self) -> None:
        """Take it out of the inbox."""
        for path in (self.path, _values(self.path), _values(self.path).with_suffix(".h5")):
            with suppress(OSError):
                path.unlink()


def send(folder: Path, word: str, values: Mapping[str, Any] | None = None, *, number: int | None = None) -> str:
    """Tell the run in `folder` something; gives the command's id, under which the journal answers.

    `values` are what a change sets; `number` is the change that an undo means, so that of two that undo the same only one does.

    Raises
    ------
    ParameterError
        Where there is no such command, or a value is none that its parameter takes at any time of a run.
    RunFolderError
        Where the folder cannot be written.
    """
    if word not in WORDS:
        raise ParameterError(f"there is no command {word!r:.40}; there are {', '.join(WORDS)}")
    if word == "change" and not values:
        raise ParameterError("change: say what, as name=value")
    plain = as_plain(values or {})
    meant = {"number": number} if number is not None else {}
    inbox = folder / COMMANDS
    path = inbox / f"{time.time_ns():020d}-{secrets.token_hex(3)}.json"
    try:
        inbox.mkdir(exist_ok=True)
        if plain:
            storage.write(_values(path), plain)
        # last, so that what is seen is complete
        write_text(path, json.dumps({"command": word, "sent": time.time()} | meant))
    except OSError as error:
        raise RunFolderError(f"{folder} cannot be written: {error.strerror or error}") from error
    return path.stem


def waiting(folder: Path) -> list[Command]:
    """The commands that nobody has taken yet, in order."""
    inbox = folder / COMMANDS
    try:
        paths = sorted(path for path in inbox.iterdir() if path.suffix == ".json" and path.name[0].isdigit())
    except OSError:
        return []
    found = (_read(path) for path in paths if not path.name.endswith("-values.json"))
    return [command for command in found if command is not None]


def withdraw(folder: Path, id: str) -> bool:
    """Take back the command `id`; whether it still waited. One that the run is about to take may be obeyed all the same."""
    path = folder / COMMANDS / f"{id}.json"
    waits = path.exists()
    Command(path, "").remove()
    return waits


def tidy(folder: Path) -> None:
    """Remove what killed senders left half written."""
    with suppress(OSError):
        sweep(folder / COMMANDS, _OLD_S)


def as_plain(values: Mapping[str, Any], first: int = 0, last: int = 1000) -> dict[str, Any]:
    """`values` as a preset's file holds them, under the tables' names.

    Raises
    ------
    ParameterError
        With one sentence on each that is unknown, not accepted, or fixed while a run is under way.
    """
    plain: dict[str, Any] = {}
    problems: list[str] = []
    for given, value in values.items():
        try:
            name = known_name(given)
            accepted = FIELDS[name].accept(value)
            if not FIELDS[name].live:
                raise ParameterError(f"{name}: cannot be changed during a run; start a new run with it")
            plain[name] = accepted.to_plain(first, last) if isinstance(accepted, Schedule) else accepted
        except ParameterError as error:
            problems.extend(error.problems)
    if problems:
        raise ParameterError(*problems)
    return plain


def _values(path: Path) -> Path:
    return path.with_name(f"{path.stem}-values.json")


def _read(path: Path) -> Command | None:
    """The command in a file; ``None`` where it was taken back meanwhile."""
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        word, sent = str(plain["command"]), float(plain["sent"])
        number = int(plain["number"]) if "number" in plain else None
        values = storage.read(_values(path)) if _values(path).exists() else {}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Command(path, "", problem=f"it cannot be read: {error}")
    problem = "" if word in WORDS else f"there is no command {word!r:.40}"
    return Command(path, word, values, number, sent, problem)
