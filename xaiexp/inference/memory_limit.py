"""How many rows fit into memory: a limit that falls when memory runs out and grows again."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MemoryLimit"]

_PATIENCE = 8
"""Passes at the limit that must succeed before a larger one is tried, the first time."""


@dataclass
class MemoryLimit:
    """The limit for inputs of one shape.

    Memory often runs out because of something else on the device, so the limit does not stay: after ``patience`` passes
    at the limit it doubles. Every failure doubles the patience, so that a limit that is real costs few retries.

    Args:
        rows: that may go through the model at once; None where memory has not run out.
        patience: passes at the limit before it grows.
        successes: passes at the limit since it last changed.
    """

    rows: int | None = None
    patience: int = _PATIENCE // 2
    successes: int = 0

    def bounded(self, rows: int) -> int:
        """``rows``, or the limit where it is lower."""
        return rows if self.rows is None else max(1, min(rows, self.rows))

    def failed(self, rows: int) -> None:
        """Memory ran out with so many rows."""
        if self.rows is not None and rows > self.rows:
            return  # the rest of a block that failed already
        self.rows = max(1, rows // 2)
        self.patience *= 2
        self.successes = 0

    def succeeded(self, rows: int, wanted: int) -> None:
        """So many rows went through; ``wanted`` would have been the number without a limit."""
        if self.rows is None or rows < self.rows:
            return
        self.successes += 1
        if self.successes >= self.patience:
            self.rows, self.successes = self.rows * 2, 0
            if self.rows >= wanted:
                self.rows = None
