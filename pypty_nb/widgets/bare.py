"""Widgets whose looks are the style sheet's alone: without the layout and style of their own that others bring.

Those are models too, and views in the browser; a page has hundreds of words and boxes. What is hidden and shown by its
layout is an ordinary widget.
"""

from __future__ import annotations

from typing import Any

import ipywidgets
import traitlets


def _nothing() -> Any:
    # the browser's side takes none as nothing to lay out
    return traitlets.Any(None, allow_none=True, read_only=True).tag(sync=True)


class HTML(ipywidgets.HTML):
    """Words."""

    layout = _nothing()
    style = _nothing()


class Button(ipywidgets.Button):
    """A button."""

    layout = _nothing()
    style = _nothing()


class Box(ipywidgets.Box):
    """A box."""

    layout = _nothing()


class HBox(ipywidgets.HBox):
    """Things side by side."""

    layout = _nothing()


class VBox(ipywidgets.VBox):
    """Things below each other."""

    layout = _nothing()
