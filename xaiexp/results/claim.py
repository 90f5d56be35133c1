"""The claim of a study in its record, and its verdict in words."""

from __future__ import annotations

from dataclasses import replace

from xaiexp.core.claim_facts import ClaimFacts
from xaiexp.engine.checks.claim_test import ClaimResult, PairResult
from xaiexp.plan.claim import FrozenClaim
from xaiexp.results.sentences import first_three

__all__ = ["registered", "with_verdict"]


def registered(claim: FrozenClaim | None, time: str, sequential: bool) -> ClaimFacts | None:
    """The claim as it goes into the record before the first pass.

    Args:
        claim: of the plan; None where there is none.
        time: ISO 8601.
        sequential: whether examples are read until it is decided.
    """
    if claim is None:
        return None
    return ClaimFacts(
        sha256=claim.digest,
        registered=time,
        metric=claim.metric,
        higher_is_better=claim.higher_is_better,
        pairs=tuple((str(first), str(second)) for first, second in claim.pairs),
        shows=claim.shows,
        margin=claim.margin,
        level=claim.level,
        sequential=sequential,
    )


def with_verdict(facts: ClaimFacts, claim: FrozenClaim, result: ClaimResult, most: int) -> ClaimFacts:
    """The claim with its verdict.

    Args:
        facts: as registered.
        claim: of the plan.
        result: of its test.
        most: examples that could have been read.
    """
    words = f"claim (registered before the run, SHA-256 {facts.sha256[:12]}): {result.verdict}"
    if result.reason:
        words += f", since {result.reason}"
    elif len(result.pairs) == 1:
        words += f": {_pair(claim, result.pairs[0])}"
    else:
        for verdict in ("supported", "not supported", "undecided"):
            if chosen := [_pair(claim, each) for each in result.pairs if each.verdict == verdict]:
                words += f"; {len(chosen)} of {len(result.pairs)} pairs {verdict}: {first_three(chosen)}"
    words += f"; metric {claim.metric}, {_percent(1 - claim.level)} {_family(result)}, {_examples(facts, result, most)}"
    return replace(facts, verdict=result.verdict, sentence=words, examples=result.examples)


def _pair(claim: FrozenClaim, result: PairResult) -> str:
    """One pair with its interval; what is shown, or what is claimed where nothing is."""
    first, second = result.pair
    size = f"{result.gain:.3g} [{result.low:.3g}, {result.high:.3g}]"
    if claim.shows == "equal":
        wanted = f"{first} and {second} are equal within {claim.margin:g}"
    else:
        wanted = f"{first} is better than {second}" + (f" by more than {claim.margin:g}" if claim.margin else "")
    if result.verdict != "supported":
        wanted = f"that {wanted}"
    return f"{wanted} (difference {size})"


def _family(result: ClaimResult) -> str:
    pairs = len(result.pairs)
    family = f"for the {pairs} pairs of the claim" if pairs > 1 else "for the pair of the claim"
    return f"family-wise {family}" + (f" over {result.looks} look{'s' * (result.looks > 1)}" * (result.looks > 0))


def _examples(facts: ClaimFacts, result: ClaimResult, most: int) -> str:
    if not facts.sequential:
        return f"{result.examples} examples"
    if result.verdict == "undecided":
        return f"not decided after all {most} examples"
    return f"decided after {result.examples} of at most {most} examples"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
