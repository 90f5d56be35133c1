"""The exit codes of the program."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["DONE", "FAILED", "INTERRUPTED", "UNDECIDED", "WRONG", "combined"]

DONE = 0
"""All cells are done or skipped."""

FAILED = 1
"""A cell, metric or agreement failed and the rest is there, or the study ended by an error."""

WRONG = 2
"""The request is wrong, or every cell is skipped."""

UNDECIDED = 3
"""``xaiexp gate``: no rule fails, and the examples are too few to decide one."""

INTERRUPTED = 130
"""By Ctrl-C or SIGTERM; what was finished is kept. The code that a shell gives to an interrupted program."""


def combined(codes: Sequence[int]) -> int:
    """The exit code of several jobs: theirs if they agree; :data:`FAILED` if some were not done.

    >>> combined([2, 2]), combined([2, 0]), combined([])
    (2, 1, 0)
    """
    if not codes or all(code == codes[0] for code in codes):
        return codes[0] if codes else DONE
    return FAILED if any(codes) else DONE
