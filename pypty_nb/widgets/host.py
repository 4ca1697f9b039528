"""What a form asks of the page around it. Alone in a notebook it asks nothing."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pypty_nb.workspace import History, Steering


def _at_once(call: Callable[..., object], *args: Any) -> object:
    return call(*args)


def _unheard(_name: str, _message: str) -> None:
    """Nobody asks."""


@dataclass(frozen=True)
class Host:
    """The page as a form sees it.

    Attributes
    ----------
    on_error : called with a parameter's name and the message, "" once it is gone
    soon : runs a call in the event loop's thread; a preset may be changed in another
    history : History or None
        Of the form's preset; the form makes one of its own where there is none.
    start : runs a coroutine, or None
    load : gives a parameter the array in a file, or None
        Called with the parameter's name and what was typed, in a thread of its own.
    files : names of the files that arrays could be read from
    steering : Steering or None
        Takes what is typed while a run is going.
    problems : what is wrong with values that the preset itself takes, by parameter
    """

    on_error: Callable[[str, str], None] = _unheard
    soon: Callable[..., object] = _at_once
    history: History | None = None
    start: Callable[[Callable[[], Coroutine[Any, Any, None]]], None] | None = None
    load: Callable[[str, str], None] | None = None
    files: Callable[[], Sequence[str]] = tuple
    steering: Steering | None = None
    problems: Callable[[], Mapping[str, str]] = dict
