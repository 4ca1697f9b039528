"""The page's own style, scoped under its root so that nothing leaks into a notebook."""

from __future__ import annotations

from importlib.resources import files


def style() -> str:
    """The style sheet as an HTML element; it stands inside the root widget."""
    css = files("pypty_nb.widgets").joinpath("theme.css").read_text(encoding="utf-8")
    return f"<style>{css}</style>"
