"""Files that a visitor brings along: kept in the project folder, under names that harm nothing, never in place of others."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from io import BytesIO
from itertools import count
from pathlib import Path, PurePosixPath

from pypty_nb.params import ParameterError
from pypty_nb.workspace.paths import inside

#: Where they are kept, in the project folder.
UPLOADS = "uploads"
#: What comes alone: presets, ours and the original program's.
ENDINGS = (".json", ".zip", ".h5", ".pkl", ".nxs")
#: Bytes that may come at once; data go into the project folder by other ways.
MOST = 128 * 2**20
_LONGEST = 60


def keep(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write what was brought, a preset or a ``.json`` with the ``.h5`` of its arrays, into `root`; the pair as one ``.zip``.

    Parameters
    ----------
    root : Path
        The project folder, in full.
    files : mapping of str to bytes
        Contents by the names that the visitor's machine has for them.

    Returns
    -------
    Path
        The file, new, under ``root/uploads``.

    Raises
    ------
    ParameterError
        Where it is too much, no preset by its name, or the folder leads out of `root`.
    OSError
        Where the folder cannot be written.
    """
    check_size(sum(map(len, files.values())))
    named = {_last(name): bytes(content) for name, content in files.items()}
    if len(named) == len(files) == 1:
        ((name, content),) = named.items()
    elif sorted(Path(name).suffix.lower() for name in named) == [".h5", ".json"] and len(files) == 2:
        # the JSON names its .h5, which must not be given another name
        name, content = next(f"{Path(name).stem}.zip" for name in named if name.lower().endswith(".json")), _packed(named)
    else:
        raise ParameterError(f"{len(files)} files were sent; send one preset, or a .json with the .h5 of its arrays")
    stem, ending = _safe(name)
    if ending not in ENDINGS:
        raise ParameterError(f"{name[:_LONGEST]}: a preset ends in {', '.join(ENDINGS)}; copy data into the project folder")
    folder = inside(root, Path(UPLOADS))
    folder.mkdir(exist_ok=True)
    for free in _names(stem, ending):
        try:
            with (folder / free).open("xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        return folder / free
    raise AssertionError


def check_size(size: int) -> None:
    """Raise a `ParameterError` where `size` bytes are too much to be sent."""
    if size > MOST:
        raise ParameterError(
            f"{size / 2**20:.0f} MiB are more than the {MOST >> 20} MiB that can be sent; copy the file into the project folder"
        )


def _names(stem: str, ending: str) -> Iterator[str]:
    yield f"{stem}{ending}"
    yield from (f"{stem}-{number}{ending}" for number in count(2))


def _last(name: str) -> str:
    """`name` without the folders that some browsers send with it."""
    return PurePosixPath(name.replace("\\", "/")).name


def _safe(name: str) -> tuple[str, str]:
    """Stem and ending of `name`, of letters, digits and what no shell, page or file system minds."""
    ending = Path(name).suffix.lower()
    stem = re.sub(r"[^\w.-]+", "_", name[: len(name) - len(ending)])
    return stem.strip("._-")[:_LONGEST].strip("._-") or "preset", ending


def _packed(files: Mapping[str, bytes]) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()
