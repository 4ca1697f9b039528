"""Groups and fields of HDF5 files as NeXus wants them: classes, units, words."""

from __future__ import annotations

from typing import Any

import h5py


def group(parent: h5py.Group, name: str, kind: str, **attributes: Any) -> h5py.Group:
    """A new group of the NeXus class `kind`."""
    made = parent.create_group(name)
    made.attrs.update({"NX_class": kind, **attributes})
    return made


def field(parent: h5py.Group, name: str, value: Any, units: str = "", **attributes: str) -> None:
    """A new dataset; `units` as NeXus writes them, "" where there are none."""
    made = parent.create_dataset(name, data=value)
    made.attrs.update({"units": units, **attributes} if units else attributes)
