"""The words of the key ``target`` for language models."""

from __future__ import annotations

import pytest

from xaiexp.builtin.models.causal.spans import Aim, read_target
from xaiexp.errors import UserError

TOKENS = ((" New", " York", "."),)


@pytest.mark.parametrize(
    ("target", "weights"),
    [
        ("predicted", [1, 1, 1]),
        ("sequence", [1, 1, 1]),
        ("next", [1, 0, 0]),
        ("span(1,3)", [0, 1, 1]),
        ("York", [0, 1, 0]),
        ("'w Yo'", [1, 1, 0]),
        (2, [0, 0, 1]),
    ],
)
def test_a_span_weighs_its_tokens_with_one(target, weights):
    aim, explained = read_target(target, per_token=False)
    assert (aim.weights(TOKENS, "a"), explained, aim.task) == ([[weights]], "predicted", "log_probabilities")


def test_each_token_of_a_span_may_be_a_score():
    aim, explained = read_target("span(1,3)", per_token=True)
    assert (aim.weights(TOKENS, "a"), explained) == ([[[0, 1, 0]], [[0, 0, 1]]], "all")


def test_candidates_are_classes_and_a_list_says_which_is_explained():
    aim, explained = read_target(('candidates([" bad", " good"])', "label"), per_token=False)
    assert (aim.texts, aim.names, aim.columns, aim.task) == ((" bad", " good"), ("bad", "good"), 2, "multiclass")
    assert explained == "label"
    assert aim.weights(((" bad",), (" go", "od")), "a") == [[[1], [0, 0]], [[0], [1, 1]]]


def test_a_contrast_has_one_score_of_both_texts():
    aim, _ = read_target("contrast(Paris, 'New York, USA')", per_token=False)
    assert aim == Aim("contrast", ("Paris", "New York, USA"))
    assert aim.weights(((" Paris",), (" New", " York")), "a") == [[[1], [-1, -1]]]


@pytest.mark.parametrize(
    ("target", "per_token", "message"),
    [
        ("spam(0,1)", False, "no such form.*\n.*nearest: span"),
        ("span(2,1)", False, r"must be span\(A,B\) with A below B"),
        ("contrast(a)", False, "needs two different texts"),
        ("candidates([a,a])", False, "different texts, at least two"),
        ("label", False, "is the label, which is one of candidates"),
        (("next", "sequence"), False, "a list starts with candidates"),
        ("candidates([a,b])", True, "is for spans, and target are candidates"),
        ("contrast(a,b)", True, "is for spans, and target is a contrast"),
    ],
)
def test_other_forms_are_refused(target, per_token, message):
    with pytest.raises(UserError, match=message):
        read_target(target, per_token)


@pytest.mark.parametrize(("target", "message"), [("London", "does not contain this text"), ("span(1,9)", "has 3 tok")])
def test_a_span_that_the_continuation_does_not_have_is_refused(target, message):
    with pytest.raises(UserError, match=message):
        read_target(target, per_token=False)[0].weights(TOKENS, "a")
