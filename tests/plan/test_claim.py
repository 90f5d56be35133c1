"""A claim is checked against the cells and metrics of its study, and its hash covers all of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from xaiexp.core.ids import CellId
from xaiexp.errors import MismatchError, ParameterError, UnknownName
from xaiexp.plan.claim import Claim, frozen
from xaiexp.plan.settings import Settings

OCCLUSION, BLUR, SALIENCY, RANDOM = (
    CellId("occlusion", "zero"),
    CellId("occlusion", "blur"),
    CellId("saliency"),
    CellId("random"),
)
CELLS = {OCCLUSION: "", BLUR: "", SALIENCY: "", CellId("grad_cam"): "needs convolutions", RANDOM: ""}
METRICS = {"deletion": False, "sparseness": True, "shape": None}


def checked(**parts):
    return frozen(Claim(**{"metric": "deletion", **parts}), METRICS, {"sparseness": "is for texts"}, CELLS, ["random"])


def test_cells_are_written_as_method_and_baseline():
    claim = checked(pairs=(("occlusion/zero", "saliency"), ("occlusion / blur", "saliency")))
    assert claim.pairs == ((OCCLUSION, SALIENCY), (BLUR, SALIENCY))
    assert claim.cells == (OCCLUSION, SALIENCY, BLUR)
    assert (claim.metric, claim.higher_is_better, claim.shows) == ("deletion", False, "better")


def test_better_than_claims_every_cell_that_runs_and_is_no_control():
    claim = checked(pairs=(("saliency", "random"),), better_than="random")
    assert claim.pairs == ((SALIENCY, RANDOM), (OCCLUSION, RANDOM), (BLUR, RANDOM))


def test_a_study_without_a_claim_has_none():
    assert frozen(Claim(), METRICS, {}, CELLS, []) is None


@pytest.mark.parametrize(
    ("parts", "error", "words"),
    [
        ({"metric": "delection", "pairs": (("saliency", "random"),)}, UnknownName, "nearest: deletion"),
        ({"metric": "shape", "pairs": (("saliency", "random"),)}, MismatchError, "ranks no cells"),
        ({"metric": "sparseness", "pairs": (("saliency", "random"),)}, MismatchError, "left out: is for texts"),
        ({"pairs": (("salency", "random"),)}, UnknownName, "nearest: saliency"),
        ({"pairs": (("occlusion", "random"),)}, UnknownName, "nearest: occlusion/zero, occlusion/blur"),
        ({"pairs": (("grad_cam", "random"),)}, MismatchError, "is skipped: needs convolutions"),
        ({"pairs": (("random", "random"),)}, ParameterError, "with itself"),
        ({"pairs": (("random",),)}, ParameterError, "must name two cells each"),
        ({"better_than": "randum"}, UnknownName, "claim.better_than"),
        ({}, ParameterError, "no pair of cells"),
        ({"metric": None, "better_than": "random"}, ParameterError, "claim.metric: must be given"),
        ({"pairs": (("saliency", "random"),), "shows": "equal"}, ParameterError, "claim.margin: must be more than 0"),
        ({"better_than": "random", "shows": "equal", "margin": 0.1}, ParameterError, "claim.shows=better"),
    ],
)
def test_what_the_study_does_not_have_is_refused(parts, error, words):
    with pytest.raises(error) as caught:
        checked(**parts)
    assert words in str(caught.value)


def test_better_than_without_another_cell_is_refused():
    with pytest.raises(MismatchError, match="no other cell runs"):
        frozen(Claim("deletion", better_than="random"), METRICS, {}, {RANDOM: ""}, ["random"])


def test_the_hash_is_that_of_canonical_json_and_changes_with_every_field():
    claim = checked(pairs=(("occlusion/zero", "saliency"),), margin=0.25)
    text = (
        '{"higher_is_better":false,"level":0.05,"margin":0.25,"metric":"deletion",'
        '"pairs":[["occlusion / zero","saliency"]],"shows":"better"}'
    )
    assert json.loads(text) == claim.parts()
    assert claim.digest == hashlib.sha256(text.encode()).hexdigest()
    others = {
        "metric": "insertion", "higher_is_better": True, "pairs": ((SALIENCY, OCCLUSION),), "shows": "equal",
        "margin": 0.5, "level": 0.1,
    }  # fmt: skip
    digests = {replace(claim, **{name: value}).digest for name, value in others.items()}
    assert len(digests | {claim.digest}) == 1 + len(others)
    assert f"SHA-256 {claim.digest}: better by more than 0.25 on deletion" in claim.describe()


@pytest.mark.parametrize("least", [0, -1.0, "x", True, float("inf")])
def test_a_margin_is_a_number_above_0(least):
    with pytest.raises(ParameterError, match=r"margin\.deletion: must be a number above 0"):
        Settings(margin={"deletion": least})


def test_until_decided_needs_a_claim():
    with pytest.raises(ParameterError, match="no claim to decide"):
        Settings(until="decided")
    assert Settings(until="decided", claim=Claim("deletion", better_than="random")).until == "decided"
