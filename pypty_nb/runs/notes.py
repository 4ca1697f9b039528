"""What is said of a run: a name, a note, the run it makes a pair with; in its folder as ``meta.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pypty_nb.files import write_text
from pypty_nb.params import ParameterError
from pypty_nb.runs.folder import RunFolderError

NOTES = "meta.json"
_MOST = {"name": 200, "note": 20_000, "twin": 200}


@dataclass(frozen=True)
class Notes:
    """A display name and a note, "" where there is none; the folder's name of the run on the other half of the patterns."""

    name: str = ""
    note: str = ""
    twin: str = ""


def read_notes(folder: Path) -> Notes:
    """The notes in the run's `folder`; none where nobody wrote any.

    Raises
    ------
    RunFolderError
        Where the file is there and cannot be understood.
    """
    path = folder / NOTES
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
        # earlier versions knew no pairs
        return Notes(_text(plain["name"]), _text(plain["note"]), _text(plain.get("twin", "")))
    except FileNotFoundError:
        return Notes()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RunFolderError(f"{path} cannot be read: {error}; writing a name or note replaces it") from error


def write_notes(folder: Path, notes: Notes) -> None:
    """Replace the notes in the run's `folder`, as a whole.

    Raises
    ------
    ParameterError
        Where one is too long.
    RunFolderError
        Where the folder cannot be written.
    """
    for what, most in _MOST.items():
        length = len(getattr(notes, what))
        if length > most:
            raise ParameterError(f"the {what} has {length} characters; it may have {most}")
    try:
        write_text(folder / NOTES, json.dumps(asdict(notes), ensure_ascii=False, indent=1) + "\n")
    except OSError as error:
        raise RunFolderError(f"{folder / NOTES} cannot be written: {error.strerror or error}") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value
