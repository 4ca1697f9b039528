"""What a preset refuses, in words."""

from __future__ import annotations


class ParameterError(ValueError):
    """A value that cannot be used: its name, what was given, what is accepted.

    `problems` lists every fault found, one sentence each; the message joins them.
    """

    def __init__(self, *problems: str):
        self.problems = problems
        super().__init__("\n".join(problems))


class UnknownParameterError(ParameterError):
    """A name that no table has."""
