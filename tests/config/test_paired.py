"""Paired sweeps: lists that are walked side by side."""

from __future__ import annotations

import pytest

from xaiexp.config.compose import composed, expand, shared
from xaiexp.errors import UnknownName, UserError

NETWORKS = "zip={model.arch: [resnet18,resnet50], model.weights: [a.pth,'b, c.pth']}"


def test_lists_are_walked_side_by_side_within_the_product_of_the_others():
    jobs = expand(["model=torchvision", NETWORKS, "seed=0,1", "zip.data={target: [label,3], examples: [null,8]}"])
    pairs = [["model.arch=resnet18", "model.weights=a.pth"], ["model.arch=resnet50", "model.weights=b\\,\\ c.pth"]]
    data = [["target=label", "examples=null"], ["target=3", "examples=8"]]
    expected = [["model=torchvision", f"seed={s}", *p, *d] for s in (0, 1) for p in pairs for d in data]
    assert jobs == expected
    cfg = composed(jobs[-1])
    assert (cfg.model.arch, cfg.model.weights, cfg.examples) == ("resnet50", "b, c.pth", 8)
    assert shared(["model=torchvision", NETWORKS, "seed=0,1"]) == ["model=torchvision"]


def test_names_of_components_and_nested_values_may_be_paired():
    jobs = expand(["zip={model: [digits_cnn,digits_mlp], method: [[saliency],[occlusion,random]]}"])
    assert jobs == [["model=digits_cnn", "method=[saliency]"], ["model=digits_mlp", "method=[occlusion,random]"]]
    with pytest.raises(UnknownName, match="nearest: digits_mlp"):
        expand(["zip={model: [digits_cnn,digits_mpl], seed: [0,1]}"])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        (
            "zip={seed: [0,1], examples: [1]}",
            r"zip: lists have different lengths \(got 'seed: 2, examples: 1'\)\n  they",
        ),
        ("zip.a={seed: 1}", r"zip\.a: must give each key a list"),
        ("zip=[[seed],[0]]", "zip: must give each key a list"),
        ("zip={}", "zip: must give each key a list"),
    ],
)
def test_what_is_no_pairing_is_refused_in_two_lines(word, message):
    with pytest.raises(UserError, match=message) as said:
        expand([word])
    assert len(str(said.value).splitlines()) == 2


def test_a_sweeper_that_chooses_the_jobs_takes_no_pairs():
    with pytest.raises(UserError, match="zip: goes with Hydra's basic sweeper only"):
        expand(["hydra/sweeper=optuna", NETWORKS])


def test_a_single_study_cannot_be_paired():
    with pytest.raises(UserError, match=r"zip: makes several studies\n  a sweep"):
        composed([NETWORKS])
