"""Files that are either the old whole or the new whole, whenever a process dies."""

from __future__ import annotations

import errno
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import h5py

_TEMPORARY = re.compile(r"\..+-[0-9a-f]{12}(\.\w+)?")


@contextmanager
def atomic(path: str | os.PathLike[str], *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path` to write; rename it onto `path` once the block ends well.

    The temporary file is removed where the block raises. Its name keeps the suffix of `path`, which some writers need.
    What is not `durable` may be lost with the machine's power, and costs no wait for the disk.

    Raises
    ------
    OSError
        Where the folder cannot be written.
    """
    path = Path(path)
    temporary = _beside(path)
    # not tempfile's, whose files nobody else may read: the folder may be a group's
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        if durable:
            _sync(temporary)
        temporary.replace(path)
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def atomic_hdf5(path: str | os.PathLike[str]) -> Iterator[h5py.File]:
    """Give a new HDF5 file to fill; it is at `path` once the block ends well, as with `atomic`.

    Raises
    ------
    OSError
        Where it cannot be written, of a full disk too.
    """
    with atomic(path) as temporary, temporary.open("r+b", buffering=0) as raw, h5py.File(_Sink(raw), "w") as file:
        yield file
        # what is still kept back is written here, where a failure can be raised
        file.flush()


class _Sink:
    """What HDF5 writes a file through.

    Closing a file that it cannot write to its end crashes HDF5, and the process with it. So the first write that fails raises,
    and those that follow go nowhere.
    """

    def __init__(self, raw: BinaryIO):
        self._raw, self._failed = raw, False

    def write(self, data: Any) -> int:
        rest = memoryview(data).cast("B")
        length = len(rest)
        while len(rest) and not self._failed:
            rest = rest[self._kept(self._raw.write, rest) :]
        return length

    def truncate(self, size: int | None = None) -> int:
        return self._kept(self._raw.truncate, size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()

    # by this one and `seek` h5py knows a file
    def read(self, size: int = -1) -> bytes:
        return self._raw.read(size)

    def readinto(self, buffer: Any) -> int:
        return self._raw.readinto(buffer)  # pyright: ignore[reportAttributeAccessIssue]

    def flush(self) -> None:
        pass

    def _kept(self, write: Callable[[Any], int], given: Any) -> int:
        """Carry out one write, unless one has failed."""
        if self._failed:
            return 0
        try:
            return write(given)
        except OSError:
            self._failed = True
            raise


def require_writable(path: str | os.PathLike[str]) -> None:
    """Raise the `OSError` that `atomic` would meet at `path`, as far as it can be known beforehand."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    temporary = _beside(path)
    temporary.touch(exist_ok=False)
    temporary.unlink()


def write_text(path: str | os.PathLike[str], text: str, *, durable: bool = True) -> None:
    """Write `text` as UTF-8, atomically."""
    with atomic(path, durable=durable) as temporary:
        temporary.write_bytes(encoded(text))


def sweep(folder: Path, older_than_s: float = 0.0) -> None:
    """Remove the temporary files that killed processes left in `folder`. Only for who alone writes there, or for old ones."""
    for path in folder.iterdir():
        if _TEMPORARY.fullmatch(path.name):
            with suppress(OSError):
                if time.time() - path.stat().st_mtime >= older_than_s:
                    path.unlink()


def encoded(text: str) -> bytes:
    """`text` as UTF-8. Bytes of a file's name that are no UTF-8 come as JSON's own escapes, which read back as they were."""
    return text.encode("utf-8", "backslashreplace")


def _beside(path: Path) -> Path:
    """A temporary name that `sweep` knows."""
    return path.with_name(f".{path.stem}-{secrets.token_hex(6)}{path.suffix}")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
