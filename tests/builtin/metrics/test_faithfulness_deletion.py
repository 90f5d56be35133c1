from __future__ import annotations

import math

import pytest
import torch
from builders import bind, draws, explain, make_batch
from metric_batches import TanhNetwork, TextNetwork, explanations, images, normal, score_all, texts
from reference import metrics_loops

from xaiexp.builtin.metrics.faithfulness.removal_in_steps import Deletion, Insertion
from xaiexp.builtin.removals.fill import removed_inputs
from xaiexp.errors import Unsupported

CURVES = [Deletion(steps=4), Insertion(steps=4), Deletion(steps=100, removal="zero")]


@pytest.mark.parametrize("metric", [*CURVES, Insertion(steps=5, removal="mean"), Deletion(steps=1)], ids=repr)
@pytest.mark.parametrize("make", [images, texts])
def test_deletion_and_insertion_match_their_definitions(metric, make):
    batch = make()
    module = TanhNetwork(24) if make is images else TextNetwork(3)
    given = explanations(batch)
    got, _ = score_all(metric, module, batch, given)
    replacement = removed_inputs(metric.removal, batch, draws(batch))
    index = batch.features.index.expand(batch.inputs.shape)
    for n in range(2):

        def probability(x, n=n):
            logits = module(torch.tensor(x, dtype=torch.float64).view(1, *batch.shape))[0]
            return float(logits.softmax(0)[batch.targets[n]])

        d = int(batch.features.counts.expand(3)[n])
        for e, values in zip(given, got, strict=True):
            want = metrics_loops.curve_area(
                probability,
                batch.inputs[n].flatten().tolist(),
                replacement[n].flatten().tolist(),
                index[n].flatten().tolist(),
                sorted(range(d), key=lambda j, e=e: -float(e.values[n, j])),
                metric.steps,
                isinstance(metric, Insertion),
            )
            assert float(values[n]) == pytest.approx(want)


def test_the_best_order_has_the_lowest_deletion_and_the_highest_insertion():
    w = torch.tensor([4.0, 2.0, 1.0, 0.5], dtype=torch.float64)
    batch = make_batch(torch.ones(1, 4, dtype=torch.float64))
    best, worst = (explain(batch, phi.expand(1, 4)) for phi in (w, -w))
    probabilities = torch.tensor([7.5, 3.5, 1.5, 0.5, 0.0], dtype=torch.float64).sigmoid()
    deletion, _ = score_all(Deletion(), lambda x: x @ w, batch, [best, worst])
    assert float(deletion[0]) == pytest.approx(float(torch.trapezoid(probabilities, dx=0.25)))
    insertion, _ = score_all(Insertion(), lambda x: x @ w, batch, [best, worst])
    assert deletion[0] < deletion[1]
    assert insertion[0] > insertion[1]
    # Deletion in the reverse order equals insertion from the other end.
    torch.testing.assert_close(deletion[1], insertion[0])


def test_curves_are_of_the_probability_for_every_explained_output():
    batch = images()
    given = explanations(batch, 1)
    module = TanhNetwork(24)
    both = [
        Deletion().score_all(bind(module, batch, output=output), batch, given, draws(batch)).values
        for output in ("logit", "probability")
    ]
    assert torch.equal(*both)


def test_ties_are_broken_at_random_and_in_the_same_way_for_all_explanations():
    n = 400
    batch = make_batch(torch.ones(n, 4, dtype=torch.float64))
    w = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    constant = [explain(batch, torch.full((n, 4), v, dtype=torch.float64)) for v in (0.0, 7.0)]
    first, second = score_all(Deletion(), lambda x: 9 * x @ w, batch, constant)[0]
    assert torch.equal(first, second)
    # The one feature that matters is removed first, second, third or last with the same frequency.
    high, low = float(torch.tensor(9.0).sigmoid()), 0.5
    areas = [(high * (k + 0.5) + low * (3.5 - k)) / 4 for k in range(4)]
    times = [int(torch.isclose(first, torch.tensor(a).double(), atol=1e-6).sum()) for a in areas]
    assert sum(times) == n
    assert min(times) > n / 4 - 4 * math.sqrt(n * 3 / 16)


def test_the_curve_of_a_map_with_nan_is_nan():
    batch = images()
    broken = batch.inputs.clone()
    broken[1, 0, 0, 0] = math.nan
    values, _ = score_all(Deletion(), TanhNetwork(24), batch, [explain(batch, broken)])
    assert values.isnan().tolist() == [[False, True, False]]


def test_blur_of_a_table_raises_unsupported():
    batch = make_batch(normal(2, 4))
    with pytest.raises(Unsupported, match="blur"):
        Deletion(removal="blur").score_all(
            bind(TanhNetwork(4), batch), batch, [explain(batch, batch.inputs)], draws(batch)
        )
