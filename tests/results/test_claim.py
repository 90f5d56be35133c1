"""The claim in the record, and its verdict in words."""

from __future__ import annotations

import hashlib
import json

import pytest

from xaiexp.core.ids import CellId
from xaiexp.core.record import Record
from xaiexp.engine.checks.claim_test import ClaimResult, PairResult
from xaiexp.plan.claim import FrozenClaim
from xaiexp.results.claim import registered, with_verdict

A, B, C = CellId("a", "zero"), CellId("b"), CellId("c")


def claim(*pairs, shows="better", margin=0.0):
    return FrozenClaim("deletion", False, pairs or ((A, B),), shows, margin, 0.05)


def words(asked, *verdicts, overall=None, sequential=False, looks=0, reason=""):
    pairs = tuple(
        PairResult(pair, verdict, 0.25, -0.125, 0.5) for pair, verdict in zip(asked.pairs, verdicts, strict=True)
    )
    facts = registered(asked, "2026-01-01T12:00:00+00:00", sequential)
    result = ClaimResult(overall or verdicts[0], pairs, 48, looks, reason)
    found = with_verdict(facts, asked, result, 256)
    assert found.verdict == result.verdict
    head = f"claim (registered before the run, SHA-256 {asked.digest[:12]}): "
    assert found.sentence.startswith(head)
    return found.sentence.removeprefix(head)


def test_the_hash_in_the_record_can_be_computed_again_from_the_record():
    record = Record.from_json(Record(claim=registered(claim((A, B), (C, B), margin=0.1), "now", True)).to_json())
    facts = record.claim
    names = ("higher_is_better", "level", "margin", "metric", "pairs", "shows")
    text = json.dumps({name: getattr(facts, name) for name in names}, sort_keys=True, separators=(",", ":"))
    assert facts.sha256 == hashlib.sha256(text.encode()).hexdigest() == claim((A, B), (C, B), margin=0.1).digest
    assert (facts.registered, facts.sequential, facts.verdict, facts.sentence) == ("now", True, None, None)
    assert facts.pairs == (("a / zero", "b"), ("c", "b"))
    assert Record.from_json(Record().to_json()).claim is None
    assert registered(None, "now", False) is None


@pytest.mark.parametrize(
    ("asked", "verdict", "want"),
    [
        (claim(), "supported", "supported: a / zero is better than b (difference 0.25 [-0.125, 0.5])"),
        (claim(), "undecided", "undecided: that a / zero is better than b (difference 0.25 [-0.125, 0.5])"),
        (claim(margin=0.1), "not supported", "not supported: that a / zero is better than b by more than 0.1 (diff"),
        (claim(shows="equal", margin=0.1), "supported", "supported: a / zero and b are equal within 0.1 (difference"),
    ],
)
def test_one_pair_is_one_sentence(asked, verdict, want):
    got = words(asked, verdict)
    assert got.startswith(want)
    assert got.endswith("; metric deletion, 95 % family-wise for the pair of the claim, 48 examples")


def test_several_pairs_are_listed_by_their_verdicts():
    asked = claim((A, B), (C, B), (A, C))
    got = words(asked, "supported", "undecided", "supported", overall="undecided")
    assert got.startswith(
        "undecided; 2 of 3 pairs supported: a / zero is better than b (difference 0.25 [-0.125, 0.5]); "
    )
    assert "; 1 of 3 pairs undecided: that c is better than b (" in got
    assert "95 % family-wise for the 3 pairs of the claim" in got


def test_a_sequence_says_after_how_many_examples_it_was_decided():
    got = words(claim(), "supported", sequential=True, looks=3)
    assert got.endswith("for the pair of the claim over 3 looks, decided after 48 of at most 256 examples")
    got = words(claim(), "undecided", sequential=True, looks=5)
    assert got.endswith("over 5 looks, not decided after all 256 examples")


def test_a_claim_without_a_test_says_why():
    assert words(claim(), "undecided", reason="no scores of b").startswith("undecided, since no scores of b; metric")
