"""The state of one cell over a study: its status, passes, seconds, memory and warnings, folded from its outcomes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor

from xaiexp.core.explanations import Explanation
from xaiexp.core.ids import CellId
from xaiexp.core.keys import digest
from xaiexp.engine.examples.left_out import ALLOWED, LeftOut, listed
from xaiexp.engine.failure import Failure
from xaiexp.engine.outcome import CellOutcome
from xaiexp.statistics.reliability import reliability

__all__ = ["RELIABLE", "TOLERANCE", "CellState"]

RELIABLE = 0.5
"""Of a sampled map, the share of the variance between features that must not be sampling noise."""

TOLERANCE = 0.05
"""The completeness error, relative to f(x) - f(reference), above which a method that claims it gets a warning."""


@dataclass
class CellState:
    """The state of one cell.

    Args:
        id: method and baseline.
        status: ``planned``, ``done``, ``skipped`` or ``failed``.
        reason: of a skip or failure; warnings where it is done.
        failure: of a cell that failed, with its traceback.
        forward, backward: passes; attributions from the store cost none.
        examples: explained so far.
        seconds, peak_memory: of the attributions.
        cached: chunks that came from the store.
        keys: of the attributions in the store, chunk by chunk.
        explained: attributions so far, one for each example and target.
        violations: how many of them violate completeness by more than :data:`TOLERANCE`; ``worst``, by how much.
        noisy: how many of them are less than :data:`RELIABLE`.
        undefined: examples whose attributions are undefined, with the reasons, one for each target.
        most: attributions of the whole study at most.
    """

    id: CellId
    status: str = "planned"
    reason: str = ""
    failure: Failure | None = None
    forward: int = 0
    backward: int = 0
    examples: int = 0
    seconds: float = 0.0
    peak_memory: int = 0
    cached: int = 0
    keys: list[str] = field(default_factory=list)
    explained: int = 0
    violations: int = 0
    worst: float = 0.0
    noisy: int = 0
    undefined: list[LeftOut] = field(default_factory=list)
    most: int = 0

    @property
    def active(self) -> bool:
        """Whether it continues with the next chunk."""
        return self.status == "planned"

    @property
    def allowed(self) -> int:
        """How many more attributions may be undefined before it is certain that the cell fails."""
        return math.floor(ALLOWED * self.most) - len(self.undefined)

    @property
    def key(self) -> str:
        """The content key of all its attributions."""
        return digest(self.keys) if self.keys else ""

    @property
    def all_cached(self) -> bool:
        """Whether every attribution came from the store."""
        return bool(self.keys) and self.cached == len(self.keys)

    def fold(self, outcome: CellOutcome, examples: int) -> None:
        """Add the outcome of one chunk.

        Args:
            outcome: of the chunk.
            examples: how many the chunk adds; 0 where they were counted for an earlier target.
        """
        self.forward += outcome.forward
        self.backward += outcome.backward
        self.seconds += outcome.seconds
        self.peak_memory = max(self.peak_memory, outcome.peak_memory)
        if outcome.explanation is None:
            self.status, self.reason, self.failure = outcome.status, outcome.reason, outcome.failure
            self.keys.clear()
            return
        self.undefined += outcome.undefined
        self.cached += outcome.cached
        self.keys.append(outcome.key)
        self.examples += examples
        self._warn_of(outcome.explanation, outcome.incompleteness)
        if self.allowed < 0:
            self._fail_undefined()

    def _fail_undefined(self) -> None:
        """Fail, since too many attributions are undefined."""
        first = self.undefined[0]
        self.status = "failed"
        self.reason = f"{first.reason} for {len(self.undefined)} of {self.explained} examples (first: {first.example})"
        self.failure = Failure(self.reason)
        self.keys.clear()

    def _warn_of(self, explanation: Explanation, incompleteness: Tensor | None) -> None:
        self.explained += len(explanation.elements)
        if incompleteness is not None:
            self.violations += int((incompleteness > TOLERANCE).sum())
            self.worst = max(self.worst, float(incompleteness.nan_to_num().max()))
        if explanation.standard_error is not None:
            signal = reliability(explanation.values, explanation.standard_error, explanation.features.valid)
            self.noisy += int((signal < RELIABLE).sum())

    def finalize(self, count: int) -> None:
        """Set the final status and the warnings, after a study that explained ``count`` examples."""
        if self.active and self.examples < count:
            self.status, self.reason = "skipped", "stopped after a failure (on_error=stop)"
        elif self.active and len(self.undefined) > ALLOWED * self.explained:
            self._fail_undefined()
        elif self.active:
            self.status = "done"
        warnings = []
        if self.undefined:
            warnings.append(
                f"undefined for {len(self.undefined)} of {self.explained} examples: {listed(self.undefined)}"
            )
        if self.violations:
            warnings.append(
                f"completeness violated by more than {TOLERANCE:.0%} on {self.violations} of {self.explained} examples "
                f"(worst {self.worst:.0%})"
            )
        if self.noisy:
            warnings.append(
                f"sampling noise exceeds half of the variance between features on {self.noisy} of {self.explained} "
                "examples; increase the number of samples"
            )
        if self.status == "done" and warnings:
            self.reason = "warning: " + "; ".join(warnings)
