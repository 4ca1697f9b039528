"""From an experiment to a preset."""

from pypty_nb.initialize.demo import demo_preset

__all__ = ["demo_preset"]
