"""The study that compares with Captum and shap, on its small networks."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("xaiexp_captum", reason="the distribution xaiexp-captum is not installed")
pytest.importorskip("xaiexp_shap", reason="the distribution xaiexp-shap is not installed")

SPEC = importlib.util.spec_from_file_location(
    "peers_agree", Path(__file__).parents[2] / "benchmarks" / "peers_agree.py"
)
peers_agree = importlib.util.module_from_spec(SPEC)
sys.modules["peers_agree"] = peers_agree
SPEC.loader.exec_module(peers_agree)

NETWORKS = peers_agree.networks()
PAIRS = [(name, pair) for name in NETWORKS for pair in peers_agree.pairs(name)]
OF_SHAP = peers_agree.networks(overlapping=True)
SHAP_PAIRS = [(name, pair) for name in OF_SHAP for pair in peers_agree.shap_pairs(name)]
pytestmark = pytest.mark.filterwarnings("ignore:.*completeness violated")  # few steps


@pytest.mark.parametrize(
    ("network", "pair"), PAIRS, ids=[f"{name}-{pair.ours}-{i}" for i, (name, pair) in enumerate(PAIRS)]
)
def test_methods_agree_with_captum_or_differ_as_known(network, pair):
    row = peers_agree.compare(NETWORKS[network], pair)
    if pair.expected is not None:
        assert row.difference <= pair.expected
        return
    assert pair.why
    assert row.difference > 1e-2


def test_the_maps_of_a_max_pool_are_ours_once_the_hooks_of_captum_do_not_collide():
    """Both networks compute the same, and so must be the maps; both of Captum's add up, one of them is wrong."""
    pair = peers_agree.Pair("deep_lift", "captum_deep_lift")
    collided, separated = (peers_agree.compare(NETWORKS[name], pair) for name in ("max pool", "separated max pool"))
    assert separated.difference < 1e-12
    assert collided.difference > 0.1
    assert max(*collided.sums, *separated.sums) < 1e-12


@pytest.mark.parametrize(
    ("network", "pair"), SHAP_PAIRS, ids=[f"{name}-{pair.ours}-{i}" for i, (name, pair) in enumerate(SHAP_PAIRS)]
)
def test_methods_agree_with_shap_or_differ_as_known(network, pair):
    row = peers_agree.compare(OF_SHAP[network], pair)
    if pair.expected is not None:
        assert row.difference <= pair.expected
        assert max(row.sums) < 1e-12
        return
    assert pair.why
    assert row.difference > 1e-2


def test_with_more_random_points_gradients_of_both_converge():
    def compared(count):
        given = {"only_ours": {"n_samples": count}, "only_theirs": {"nsamples": count}}
        pair = peers_agree.Pair("expected_gradients", "shap_gradient", **given, references=True)
        return peers_agree.compare(NETWORKS["average pool"], pair)

    few, many = compared(50), compared(1250)  # by theory a fifth of the difference
    assert many.difference < few.difference / 2.5
    assert many.correlation > 0.998


def test_of_windows_that_overlap_only_the_map_of_shap_does_not_add_up():
    name = "overlapping max pool"
    (pair,) = peers_agree.shap_pairs(name)
    ours, theirs = peers_agree.compare(OF_SHAP[name], pair).sums
    assert ours < 1e-12
    assert theirs > 0.1
