"""How one cell fares: its status, its passes, seconds and memory, and what it found in the store."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass, field

import torch
from torch import Tensor

from xaiexp.errors import CellError
from xaiexp.passes import Counter
from xaiexp.reliability import reliability
from xaiexp.study import Cell, digest
from xaiexp.types import Explanation

__all__ = ["RELIABLE", "TOLERANCE", "CellState", "peak_memory", "reason_of"]

RELIABLE = 0.5
"""Of a map that is sampled: the part of the differences between features that must not be sampling noise."""

TOLERANCE = 0.05
"""A method that claims completeness and misses it by more than this part of f(x) - f(reference) gets a warning."""


@dataclass
class CellState:
    """How one cell fares."""

    cell: Cell
    status: str = "planned"
    reason: str = ""
    counter: Counter = field(default_factory=Counter)
    examples: int = 0
    seconds: float = 0.0
    peak_memory: int = 0
    found: int = 0
    keys: list[str] = field(default_factory=list)
    explained: int = 0
    violations: int = 0
    worst: float = 0.0
    noisy: int = 0

    @property
    def alive(self) -> bool:
        """Whether it goes on with the next chunk."""
        return self.status == "planned"

    @property
    def key(self) -> str:
        """The content key of all its attributions."""
        return digest(self.keys) if self.keys else ""

    @property
    def cached(self) -> bool:
        """Whether every attribution came from the store."""
        return bool(self.keys) and self.found == len(self.keys)

    def note(self, explanation: Explanation, incompleteness: Tensor | None) -> None:
        """Take down what a person should be warned of."""
        self.explained += len(explanation.elements)
        if incompleteness is not None:
            self.violations += int((incompleteness > TOLERANCE).sum())
            self.worst = max(self.worst, float(incompleteness.max()))
        if explanation.standard_error is not None:
            told = reliability(explanation.values, explanation.standard_error, explanation.features.valid)
            self.noisy += int((told < RELIABLE).sum())

    def finish(self, count: int) -> None:
        """Close the books of a study of ``count`` examples."""
        if self.alive and self.examples < count:
            self.status, self.reason = "skipped", "stopped after a failure (on_error=stop)"
        elif self.alive:
            self.status = "done"
        warnings = []
        if self.violations:
            warnings.append(
                f"attributions miss f(x) - f(reference) by more than {TOLERANCE:.0%} of it "
                f"on {self.violations} of {self.explained} examples (worst {self.worst:.0%})"
            )
        if self.noisy:
            warnings.append(
                f"more than half of what differs between features is sampling noise on {self.noisy} of "
                f"{self.explained} examples; more samples would help"
            )
        if self.status == "done" and warnings:
            self.reason = "warning: " + "; ".join(warnings)


def reason_of(error: BaseException) -> str:
    """An error in one line."""
    text = str(error).strip().splitlines()
    told = text[0] if text else "no message"
    return told if isinstance(error, CellError) else f"{type(error).__name__}: {told}"


def peak_memory(device: torch.device) -> int:
    """The most memory that this process has held so far, in bytes: of the device, or resident."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
