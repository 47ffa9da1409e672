"""What can go wrong, in the words of who noticed."""
from __future__ import annotations

from collections.abc import Sequence


class Error(Exception):
    """A run folder that cannot be read, or a program that is not found."""


class ProgramError(Error):
    """The program failed. The text is its own message; `code` its exit code (docs/errors.md), negative for a signal
    that ended it; `command` the words it was called with."""

    def __init__(self, message: str, code: int, command: Sequence[str]):
        super().__init__(message)
        self.code = code
        self.command = list(command)
