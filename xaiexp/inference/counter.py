"""Counts forward and backward passes, one for each row that goes through the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Counter"]


@dataclass
class Counter:
    """Passes made so far, in rows.

    Args:
        forward, backward: rows that went forward, and scores that were differentiated.
        listener: called with the number of passes each time some are counted.
    """

    forward: int = 0
    backward: int = 0
    listener: Callable[[int], None] | None = None

    def add(self, forward: int = 0, backward: int = 0) -> None:
        """Count passes and call the listener."""
        self.forward += forward
        self.backward += backward
        if self.listener is not None:
            self.listener(forward + backward)
