"""Arrays in a form: what one looks like, and a line to choose another from a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np

from pypty_nb.params import Field
from pypty_nb.params.fields import Array
from pypty_nb.widgets import colour, text
from pypty_nb.widgets.views.parts import unseen

_SIDE = 48
#: Axes that a picture has, and below how many pixels it would show nothing.
_PICTURED = ({"ky", "kx"}, {"y", "x"})
_LEAST = 16


def described(field: Field, array: np.ndarray) -> str:
    """HTML: the first plane of `array` as a small picture where it has one, and its kind of number."""
    kind = text.escape(array.dtype)
    image = _thumbnail(field, array)
    if not image:
        return kind
    what = "modulus" if array.dtype.kind == "c" else "values"
    if array.ndim > 2:
        what += " of the first plane"
    return f'<span class="pn-looks"><img alt="{what}" title="{what}" src="{image}">{kind}</span>'


def _thumbnail(field: Field, array: np.ndarray) -> str:
    axes = field.axes_of(array.shape) if isinstance(field, Array) else ()
    if not any(pair <= set(axes) for pair in _PICTURED):
        return ""
    plane = array[tuple(slice(None) if axis in {"ky", "kx", "y", "x"} else 0 for axis in axes)]
    if plane.size < _LEAST:
        return ""
    small, _ = colour.shrink(np.abs(plane) if plane.dtype.kind == "c" else plane.astype(float), _SIDE)
    finite = small[np.isfinite(small)]
    limits = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return colour.data_url(colour.shades(small, limits, "gray"))


class Loader(ipywidgets.HBox):
    """A line for the name of a file of the project folder; files that could hold arrays are proposed.

    Parameters
    ----------
    label : str
        What the array is called.
    files : gives the proposals
    on_chosen : called with what was typed
    on_closed : called when no file is wanted after all
    """

    def __init__(self, label: str, files: Callable[[], Sequence[str]], on_chosen: Callable[[str], None],
                 on_closed: Callable[[], None]):  # fmt: skip
        self._files, self._on_chosen = files, on_chosen
        self._typed = unseen(
            ipywidgets.Combobox(
                placeholder="file.npy or file.h5:dataset",
                description=f"File with {label}",
                tooltip="A file of the project folder; Enter reads it",
                continuous_update=False,
                ensure_option=False,
            )
        )
        self._typed.add_class("pn-grow")
        cancel = ipywidgets.Button(description="cancel", tooltip=f"{label}: no file after all")
        cancel.add_class("pn-quiet")
        super().__init__([self._typed, cancel])
        self.add_class("pn-loader")
        self._typed.observe(self._chosen, "value")
        cancel.on_click(lambda _button: on_closed())

    def begin(self) -> None:
        """Start with an empty line and fresh proposals, and the cursor in it."""
        self._typed.options = tuple(self._files())
        self._typed.value = ""
        self._typed.focus()

    def lock(self, locked: bool) -> None:
        """Let nothing be typed."""
        self._typed.disabled = locked

    def _chosen(self, _change: object) -> None:
        if self._typed.value.strip():
            self._on_chosen(self._typed.value)
