"""Files that are either the old whole or the new whole, whenever a process dies."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path` to write; rename it onto `path` once the block ends well.

    The temporary file is removed where the block raises. Its name keeps the suffix of `path`, which some writers need.

    Raises
    ------
    OSError
        Where the folder cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}-{secrets.token_hex(6)}{path.suffix}")
    # not tempfile's, whose files nobody else may read: the folder may be a group's
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(encoded(text))


def encoded(text: str) -> bytes:
    """`text` as UTF-8. Bytes of a file's name that are no UTF-8 come as JSON's own escapes, which read back as they were."""
    return text.encode("utf-8", "backslashreplace")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
