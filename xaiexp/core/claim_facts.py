"""The claim of a study in its record: what it was to show, and what the tests say of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from xaiexp.core.json_parts import ONCE_KNOWN, Part

__all__ = ["ClaimFacts"]


@dataclass(frozen=True)
class ClaimFacts(Part):
    """What the study was to show, fixed before its first pass.

    Args:
        sha256: of the canonical JSON (sorted keys, no spaces) of the six fields from ``metric`` to ``level``.
        registered: date and time, ISO 8601.
        pairs: of cells; each first one is claimed to be better, or both to be equal.
        shows: ``better`` or ``equal``.
        margin: in the unit of the metric.
        level: probability of a wrong verdict.
        sequential: whether examples were read until the claim was decided.
        verdict: ``supported``, ``not supported`` or ``undecided``; None before the end.
        sentence: the verdict in words.
        examples: on which it was tested.
    """

    sha256: str = ""
    registered: str = ""
    metric: str = ""
    higher_is_better: bool = True
    pairs: tuple[tuple[str, str], ...] = ()
    shows: str = "better"
    margin: float = 0.0
    level: float = 0.05
    sequential: bool = False
    verdict: str | None = field(default=None, metadata=ONCE_KNOWN)
    sentence: str | None = field(default=None, metadata=ONCE_KNOWN)
    examples: int | None = field(default=None, metadata=ONCE_KNOWN)
