"""Soft normalised sufficiency and comprehensiveness, and the normalised AOPC, from their definitions."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from builders import bind, draws, explain
from metric_batches import TextNetwork, normal, texts
from torch.testing import assert_close

from xaiexp.builtin.metrics.faithfulness.normalised_aopc import NormalisedAopc
from xaiexp.builtin.metrics.faithfulness.normalised_aopc_formulas import aopc_limits
from xaiexp.builtin.metrics.faithfulness.soft_masks import SoftComprehensiveness, SoftSufficiency
from xaiexp.builtin.metrics.faithfulness.soft_masks_formulas import importance, soft_comprehensiveness, soft_sufficiency
from xaiexp.core.explanations import Scores


def measured(metric, batch, *values):
    model = bind(TextNetwork(3), batch)
    scored = metric.score_all(model, batch, [explain(batch, each) for each in values], draws(batch))
    return scored.values if isinstance(scored, Scores) else scored


def probability(batch, row, kept):
    """The probability of the target of an example of which the features ``kept`` stay, the others zero."""
    inputs = batch.inputs[row].clone()
    index = batch.features.index[row, :, 0]
    for feature in range(int(batch.features.counts[row])):
        if feature not in kept:
            inputs[index == feature] = 0
    return float(TextNetwork(3)(inputs.unsqueeze(0)).softmax(1)[0, batch.targets[row]])


def test_importance_is_the_attribution_between_the_smallest_and_the_largest():
    valid = torch.tensor([[True, True, True, False]])
    assert_close(importance(torch.tensor([[1.0, 3.0, 2.0, 9.0]]), valid), torch.tensor([[0.0, 1.0, 0.5, 0.0]]))
    assert bool(importance(torch.ones(1, 4), valid)[0, :3].isnan().all())


@pytest.mark.parametrize(
    ("soft", "sufficiency", "comprehensiveness"), [(0.9, 1.0, 0.0), (0.1, 0.0, 1.0), (0.5, 0.5, 0.5), (1.0, 1.0, 0.0)]
)
def test_soft_values_are_shares_of_what_can_be_lost(soft, sufficiency, comprehensiveness):
    whole, none, given = torch.tensor([0.9]), torch.tensor([0.1]), torch.tensor([[soft]])
    assert float(soft_sufficiency(whole, none, given)) == pytest.approx(sufficiency, abs=1e-6)
    assert float(soft_comprehensiveness(whole, none, given)) == pytest.approx(comprehensiveness, abs=1e-6)
    assert math.isnan(float(soft_sufficiency(none, whole, given)))


def test_certain_masks_remove_whole_features():
    """With importances 0 and 1 nothing is random: the values follow from probabilities of whole inputs."""
    batch = texts()
    values = torch.zeros_like(batch.inputs)
    values[0][batch.features.index[0] == 1] = 1.0  # the second of two features
    for row in (1, 2):
        values[row] = values[row] + batch.features.index[row].clamp(min=0)
    whole, none = probability(batch, 0, {0, 1}), probability(batch, 0, set())
    sufficient, comprehensive = probability(batch, 0, {1}), probability(batch, 0, {0})
    lost = max(0.0, whole - none)
    expected = (
        (1 - max(0, whole - sufficient) / lost, max(0, whole - comprehensive) / lost) if lost else (math.nan,) * 2
    )
    for metric, value in zip((SoftSufficiency, SoftComprehensiveness), expected, strict=True):
        got = measured(metric(removal="zero", n_samples=2), batch, values)[0]
        assert float(got[0]) == pytest.approx(value, abs=1e-9, nan_ok=True)
        assert math.isnan(float(got[2]))  # it has no features


def orders(batch, row):
    """The AOPC of every order of the features of an example."""
    count = int(batch.features.counts[row])
    whole = probability(batch, row, set(range(count)))
    found = {}
    for order in itertools.permutations(range(count)):
        left = [whole - probability(batch, row, set(order[k:])) for k in range(1, count + 1)]
        found[order] = sum(left) / count
    return found


def test_the_normalised_aopc_lies_between_the_worst_and_the_best_order():
    batch = texts()
    values = normal(*batch.inputs.shape, seed=3)
    got = measured(NormalisedAopc(removal="zero"), batch, values)[0]
    for row in (0, 1):
        every = orders(batch, row)
        own = batch.features.pool(values)[row, : int(batch.features.counts[row])]
        order = tuple(own.argsort(descending=True).tolist())
        low, high = min(every.values()), max(every.values())
        assert float(got[row]) == pytest.approx((every[order] - low) / (high - low), abs=1e-6)
    assert math.isnan(float(got[2]))


def test_a_wide_beam_finds_what_all_subsets_give():
    scores = normal(1 << 5, seed=4)

    def change(present):
        return scores[(~present * 2 ** torch.arange(present.shape[1])).sum(1)]

    exact = aopc_limits(change, 5, exact=5, beam=1)
    assert aopc_limits(change, 5, exact=1, beam=1000) == pytest.approx(exact)
    narrow = aopc_limits(change, 5, exact=1, beam=1)
    assert exact[0] <= narrow[0] <= narrow[1] <= exact[1]
