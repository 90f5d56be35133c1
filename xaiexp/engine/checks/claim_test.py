"""Tests the claim of a study on the scores of its cells, at its end or after every chunk until it is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from xaiexp.core.ids import CellId, MetricId
from xaiexp.plan.claim import FrozenClaim
from xaiexp.plan.settings import Settings
from xaiexp.statistics.multiple_comparisons.comparison import MIN_DEFINED
from xaiexp.statistics.sequence import ConfidenceSequence, fixed_intervals
from xaiexp.statistics.significance import MIN_EXAMPLES
from xaiexp.statistics.tolerance import difference

__all__ = ["SEQUENTIAL", "ClaimResult", "ClaimTest", "PairResult"]

FloatArray = NDArray[np.float64]
Verdict = Literal["supported", "not supported", "undecided"]

SEQUENTIAL = (
    "until=decided: the claim decided how many examples were read. Its own verdict allows for that; all other tests "
    "and intervals take the number of examples as fixed, and err more often than they say"
)


@dataclass(frozen=True)
class PairResult:
    """One pair of a claim.

    Args:
        gain: mean difference, positive where the first cell is better; NaN where there is none.
        low, high: its simultaneous interval.
    """

    pair: tuple[CellId, CellId]
    verdict: Verdict
    gain: float
    low: float
    high: float


@dataclass(frozen=True)
class ClaimResult:
    """The verdict of a claim.

    Args:
        verdict: ``supported`` where every pair is, ``not supported`` where the opposite is shown of some pair.
        pairs: in the order of the claim.
        examples: on which all its cells are defined.
        looks: of the confidence sequence; 0 where the number of examples was fixed.
        reason: why there is no test; or empty.
    """

    verdict: Verdict
    pairs: tuple[PairResult, ...]
    examples: int
    looks: int = 0
    reason: str = ""


@dataclass
class ClaimTest:
    """Collects the scores of a claim, chunk by chunk.

    Args:
        claim: of the study.
        sequential: whether the claim is tested after every chunk.
        seed: of the resampling.
    """

    claim: FrozenClaim
    sequential: bool
    seed: int
    _examples: list[str] = field(default_factory=list)
    _values: list[FloatArray] = field(default_factory=list)
    _sequence: ConfidenceSequence | None = None

    @classmethod
    def of(cls, claim: FrozenClaim | None, settings: Settings) -> ClaimTest | None:
        """The test of the claim of a study; None where there is none."""
        return None if claim is None else cls(claim, settings.until == "decided", settings.seed)

    def add(self, examples: Sequence[str], scores: Mapping[tuple[MetricId, CellId], Tensor]) -> None:
        """Add the scores of one chunk."""
        found = [scores.get((MetricId(self.claim.metric), cell)) for cell in self.claim.cells]
        rows = [np.full(len(examples), np.nan) if x is None else x.double().cpu().numpy() for x in found]
        self._examples += examples
        self._values.append(np.stack(rows))

    def decided(self) -> bool:
        """Whether a sequential claim is decided by the examples so far."""
        if not self.sequential:
            return False
        gains, reason = self._gains()
        if reason:
            return False
        sequence = self._looked(gains, last=False)
        return self._result(gains, sequence).verdict != "undecided"

    def result(self) -> ClaimResult:
        """The verdict, for all examples."""
        gains, reason = self._gains()
        if reason:
            nothing = (np.nan, np.nan, np.nan)
            pairs = tuple(PairResult(pair, "undecided", *nothing) for pair in self.claim.pairs)
            return ClaimResult("undecided", pairs, gains.shape[1], reason=reason)
        return self._result(gains, self._looked(gains, last=True) if self.sequential else None)

    def _looked(self, gains: FloatArray, last: bool) -> ConfidenceSequence:
        """The sequence, after a look at these examples where one is due, or where they are the last ones."""
        sequence = self._sequence = self._sequence or ConfidenceSequence(len(gains), self.claim.level, self.seed)
        if sequence.due(gains.shape[1]) or (last and sequence.examples < gains.shape[1]):
            sequence.look(gains)
        return sequence

    def _result(self, gains: FloatArray, sequence: ConfidenceSequence | None) -> ClaimResult:
        if sequence is None:
            low, high = fixed_intervals(gains, self.claim.level, self.seed)
        else:
            low, high = sequence.low, sequence.high
        means = gains.mean(axis=1)
        pairs = tuple(
            PairResult(pair, self._verdict(*ends), float(mean), *ends)
            for pair, mean, *ends in zip(self.claim.pairs, means, low.tolist(), high.tolist(), strict=True)
        )
        verdicts = {each.verdict for each in pairs}
        verdict: Verdict = "undecided"
        if "not supported" in verdicts:
            verdict = "not supported"
        elif verdicts == {"supported"}:
            verdict = "supported"
        return ClaimResult(verdict, pairs, gains.shape[1], 0 if sequence is None else sequence.looks)

    def _verdict(self, low: float, high: float) -> Verdict:
        """What an interval of the gain shows of the claim."""
        margin = self.claim.margin
        if self.claim.shows == "better":
            supported, opposite = low > margin, high < margin
        else:
            supported, opposite = -margin < low and high < margin, low > margin or high < -margin
        return "supported" if supported else "not supported" if opposite else "undecided"

    def _gains(self) -> tuple[FloatArray, str]:
        """The gains ``[pairs, N]`` of the examples where all cells are defined, and why these are not tested."""
        values = self._by_example()
        known = np.isfinite(values)
        common, some = known.all(axis=0), known.any(axis=0)
        cells = {cell: i for i, cell in enumerate(self.claim.cells)}
        rows = np.array([[cells[a], cells[b]] for a, b in self.claim.pairs])
        chosen = values[:, common]
        gains = difference(chosen[rows[:, 0]], chosen[rows[:, 1]])
        gains = gains if self.claim.higher_is_better else -gains
        if absent := [str(cell) for cell, i in cells.items() if not known[i].any()]:
            return gains, f"no scores of {', '.join(absent)}"
        if common.sum() < MIN_DEFINED * some.sum():
            return gains, f"its cells are defined together on {common.sum()} of {some.sum()} examples"
        if common.sum() < MIN_EXAMPLES:
            return gains, f"fewer than {MIN_EXAMPLES} examples"
        return gains, ""

    def _by_example(self) -> FloatArray:
        """The scores ``[cells, N]``; several of one example, for several targets, are averaged."""
        values = np.concatenate(self._values, axis=1) if self._values else np.empty((len(self.claim.cells), 0))
        examples, index = np.unique(np.array(self._examples, dtype=object).astype(str), return_inverse=True)
        known = np.isfinite(values)
        counts = np.array([np.bincount(index[row], minlength=len(examples)) for row in known])
        totals = np.array(
            [np.bincount(index[k], weights=v[k], minlength=len(examples)) for k, v in zip(known, values, strict=True)]
        )
        with np.errstate(invalid="ignore"):
            return np.asarray(totals / counts, dtype=np.float64)
