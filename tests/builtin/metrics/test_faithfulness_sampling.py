from __future__ import annotations

import math

import pytest
import torch
from builders import draws, explain, make_batch
from faithfulness_cases import close, explanations, images, network, score_metric
from reference import faithfulness_loops
from scipy import stats

from xaiexp.builtin.metrics.faithfulness import correlation_formulas, infidelity_formulas, prediction_gap_formulas
from xaiexp.builtin.metrics.faithfulness.correlation import SensitivityN
from xaiexp.builtin.metrics.faithfulness.prediction_gap import PredictionGapImportant
from xaiexp.builtin.metrics.faithfulness.removal_at_shares import Comprehensiveness
from xaiexp.builtin.metrics.faithfulness.removal_in_steps import Deletion, Irof
from xaiexp.builtin.metrics.removal_curves import feature_counts
from xaiexp.builtin.removals.masking import feature_count
from xaiexp.core.draws import Draws
from xaiexp.core.feature_map import FeatureMap


def test_ties_are_broken_at_random_and_in_the_same_way_for_all_explanations():
    n = 400
    batch = make_batch(torch.ones(n, 4, dtype=torch.float64))
    w = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    constant = [explain(batch, torch.full((n, 4), v, dtype=torch.float64)) for v in (0.0, 7.0)]
    for metric in (Comprehensiveness(shares=(0.25,)), PredictionGapImportant(share=0.25, n_samples=2)):
        first, second = score_metric(metric, lambda x: 9 * x @ w, batch, constant)[0]
        assert torch.equal(first, second)
        hit = int((first > 1e-6).sum())
        assert abs(hit - n / 4) < 4 * math.sqrt(n * 3 / 16)


def test_subsets_have_exactly_their_size_and_are_equally_likely():
    count = 6000
    features = FeatureMap(torch.tensor([[0, 1, 2, 3], [0, 1, 2, -1]]), torch.tensor([4, 3]), (4,))
    drawn = correlation_formulas.subsets_of_size(
        Draws(0, ("a", "b")), features, torch.tensor([2, 1]), range(count), "subset 0"
    )
    even = FeatureMap.from_index(torch.arange(4).view(1, 4))
    alike = correlation_formulas.subsets_of_size(Draws(0, ("a",)), even, torch.tensor([2]), range(count), "subset 0")
    assert torch.equal(alike[0], drawn[0])
    for subsets, size, kinds in ((drawn[0], 2, 6), (drawn[1], 1, 3)):
        assert (subsets.sum(1) == size).all()
        codes = (subsets.long() * torch.tensor([1, 2, 4, 8])).sum(1)
        times = codes.unique(return_counts=True)[1] / count
        assert len(times) == kinds
        assert (times - 1 / kinds).abs().max() < 4 * math.sqrt(1 / kinds / count)


def test_features_are_sampled_uniformly_without_replacement():
    many = Draws(0, tuple(f"example {i}" for i in range(3000)))
    features = FeatureMap.from_index(torch.arange(5).view(1, 5))
    sampled, inside = correlation_formulas.sample_features(many, features, 2)
    assert inside.all()
    assert (sampled[:, 0] < sampled[:, 1]).all()
    times = torch.nn.functional.one_hot(sampled, 5).sum((0, 1)) / 3000
    assert (times - 0.4).abs().max() < 4 * math.sqrt(0.24 / 3000)


def test_ties_get_their_mean_rank():
    values = torch.tensor([[3.0, 1.0, 3.0, 0.0, 3.0, 1.0], [0.0, 0.0, 0.0, 7.0, -1.0, 5.0]], dtype=torch.float64)
    valid = torch.ones(2, 6, dtype=torch.bool)
    valid[1, 4:] = False
    got = correlation_formulas.ranks(values, valid)
    assert got[0].tolist() == stats.rankdata(values[0]).tolist()
    assert got[1].tolist() == [*stats.rankdata(values[1, :4]).tolist(), 0, 0]
    assert got[0].tolist() == faithfulness_loops.mean_ranks(values[0].tolist())


def test_a_share_of_all_features_keeps_one_feature():
    batch = images()
    module, given = network(batch), explanations(batch, 1)
    whole, nearly = (
        score_metric(SensitivityN(n_samples=6, shares=(q,)), module, batch, given)[0] for q in (1.0, 11 / 12)
    )
    assert not whole.isnan().any()
    close(whole, nearly)


def test_sides_and_positions_of_squares_inside_the_image_are_uniform():
    drawn = infidelity_formulas.random_squares(Draws(0, ("a",)), (3, 6, 8), 0.5, range(6000))[0]
    sides = drawn.any(2).sum(1)
    assert torch.equal(drawn.sum((1, 2)), sides**2)
    assert torch.equal(drawn.any(1).sum(1), sides)
    times = sides.unique(return_counts=True)
    assert times[0].tolist() == [1, 2, 3]
    assert (times[1] / 6000 - 1 / 3).abs().max() < 4 * math.sqrt(2 / 9 / 6000)
    ones = drawn[sides == 1].flatten(1).double().mean(0)
    assert (ones - 1 / 48).abs().max() < 4 * math.sqrt(1 / 48 / int((sides == 1).sum()))


def test_feature_count_and_feature_counts_round_up_identically():
    for d in (1, 7, 12, 30, 49, 196, 50176):
        for share in (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0):
            want = faithfulness_loops.rounded_up(share, d) if d < 1000 else math.ceil(round(share * d, 6))
            assert feature_count(share, d) == want == int(feature_counts((share,), torch.tensor([d])))


def test_the_top_features_have_the_largest_magnitudes():
    batch = make_batch(torch.zeros(1, 4, dtype=torch.float64))
    given = [explain(batch, torch.tensor([[-5.0, 1.0, 3.0, -2.0]], dtype=torch.float64))]
    assert prediction_gap_formulas.top_features(given, batch, draws(batch), 0.5).tolist() == [
        [[True, False, True, False]]
    ]


def test_irof_orders_features_by_the_mean_and_other_metrics_by_the_sum():
    features = FeatureMap.from_index(torch.tensor([[0, 0, 0, 1]]))
    batch = make_batch(torch.ones(1, 4, dtype=torch.float64), features=features)
    given = [explain(batch, torch.tensor([[1.0, 1.0, 1.0, 2.0]], dtype=torch.float64))]
    w = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64)
    p = [torch.tensor(v).double().sigmoid().item() for v in (1.0, 0.0)]
    irof, *_ = score_metric(Irof(), lambda x: x @ w, batch, given)
    assert irof.item() == pytest.approx(1 - (p[0] / 2 + p[1] + p[1] / 2) / 2 / p[0])
    deletion, *_ = score_metric(Deletion(), lambda x: x @ w, batch, given)
    assert deletion.item() == pytest.approx((p[0] / 2 + p[0] + p[1] / 2) / 2)
