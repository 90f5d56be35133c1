from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from builders import bind, draws, explain, make_batch
from faithfulness_cases import close, explanations, images, network, normal, score_metric, with_fixed_weights
from faithfulness_metrics import SHARED
from torch import nn

from xaiexp.builtin.metrics.faithfulness import infidelity_formulas
from xaiexp.builtin.metrics.faithfulness.correlation import (
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    MonotonicityNguyen,
    SensitivityN,
)
from xaiexp.builtin.metrics.faithfulness.infidelity import Infidelity
from xaiexp.builtin.metrics.faithfulness.prediction_gap import PredictionGapImportant, PredictionGapUnimportant
from xaiexp.builtin.metrics.faithfulness.removal_at_shares import Comprehensiveness, Road, Sufficiency
from xaiexp.builtin.metrics.faithfulness.removal_in_steps import Aopc, Irof, MonotonicityArya, PixelFlipping
from xaiexp.builtin.removals.fill import removed_inputs
from xaiexp.core.batches import Background
from xaiexp.core.feature_map import FeatureMap

# Linear and additive models


@pytest.mark.parametrize("removed", ["zero", "mean"])
@pytest.mark.parametrize(
    "metric",
    [
        lambda r: FaithfulnessCorrelation(n_samples=9, removal=r),
        lambda r: SensitivityN(n_samples=9, removal=r),
        lambda r: FaithfulnessEstimate(removal=r),
        lambda r: MonotonicityNguyen(removal=r),
    ],
)
def test_exact_attributions_of_a_linear_model_have_correlation_1(metric, removed):
    batch = make_batch(normal(3, 6), background=Background("table", mean=normal(6, seed=3)))
    w = normal(6, seed=1)
    replacement = removed_inputs(removed, batch, draws(batch))
    given = [explain(batch, w * (batch.inputs - replacement), reference=replacement.unsqueeze(1))]
    if not isinstance(metric("zero"), MonotonicityNguyen):  # which reads magnitudes without multiplying by the step
        given.append(explain(batch, w.expand(3, 6), multiplied_by_inputs=False))
    values, *_ = score_metric(metric(removed), lambda x: x @ w + 3, batch, given)
    close(values, torch.ones(len(given), 3, dtype=torch.float64))
    wrong = [replace(e, elements=e.elements.flip(1)) for e in given]
    assert (score_metric(metric(removed), lambda x: x @ w + 3, batch, wrong)[0] < 0.999).all()
    if metric("zero").needs_sign:
        opposite = [replace(e, elements=-e.elements) for e in given]
        close(score_metric(metric(removed), lambda x: x @ w + 3, batch, opposite)[0], -values)


@pytest.mark.parametrize("kind", ["removal", "noise", "square", "baseline_difference"])
@pytest.mark.parametrize("removed", ["zero", "noisy_linear"])
def test_exact_attributions_of_a_linear_model_have_infidelity_0(kind, removed):
    x = normal(3, 2, 3, 4)
    features = FeatureMap.from_index(torch.arange(24).view(1, 2, 3, 4), (2, 3, 4))
    batch = replace(images(), inputs=x, features=features, targets=torch.zeros(3, dtype=torch.int64))
    w, x0 = normal(2, 3, 4, seed=1), normal(3, 1, 2, 3, 4, seed=2)
    given = [
        explain(batch, w.expand(3, 2, 3, 4), multiplied_by_inputs=False),
        explain(batch, w * (x - x0[:, 0]), reference=x0),
    ]
    metric = Infidelity(n_samples=9, perturbation=kind, removal=removed)
    linear = lambda x: (x * w).flatten(1).sum(1) + 3  # noqa: E731
    values, *_ = score_metric(metric, linear, batch, given)
    close(values, torch.zeros(2, 3, dtype=torch.float64), rtol=0, atol=1e-24)
    wrong = [replace(e, elements=e.elements.flip(3)) for e in given]
    assert (score_metric(metric, linear, batch, wrong)[0] > 1e-3).all()


def test_curves_of_a_linear_model_in_closed_form():
    w = torch.tensor([4.0, 2.0, 1.0, 1.0], dtype=torch.float64)
    batch = make_batch(torch.ones(1, 4, dtype=torch.float64))
    exact, negated = (explain(batch, phi.expand(1, 4)) for phi in (w + torch.tensor([0, 0, 1e-3, 0]), -w))
    linear = lambda x: x @ w  # noqa: E731

    def value(metric):
        return score_metric(metric, linear, batch, [exact])[0].item()

    f = [8.0, 4.0, 2.0, 1.0, 0.0]
    assert value(PixelFlipping()) == pytest.approx((8 / 2 + 4 + 2 + 1) / 4)
    assert value(Aopc()) == pytest.approx((0 + 4 + 6 + 7 + 8) / 5)
    assert value(Aopc(order="lerf")) == pytest.approx((0 + 1 + 2 + 4 + 8) / 5)
    assert value(Aopc(order="difference")) == pytest.approx((25 - 15) / 5)
    p = [1 / (1 + math.exp(-v)) for v in f]
    assert value(Irof()) == pytest.approx(1 - (p[0] / 2 + p[1] + p[2] + p[3] + p[4] / 2) / 4 / p[0])
    assert value(Comprehensiveness(shares=(0.25, 0.75))) == pytest.approx(p[0] - (p[1] + p[3]) / 2)
    top = [1 / (1 + math.exp(-v)) for v in (4.0, 7.0)]
    assert value(Sufficiency(shares=(0.25, 0.75))) == pytest.approx(p[0] - sum(top) / 2)
    assert value(Road(removal="zero", shares=(0.5,))) == pytest.approx(p[2])
    assert value(Road(removal="zero", shares=(0.5,), order="lerf")) == pytest.approx(1 / (1 + math.exp(-6)))
    assert value(MonotonicityArya()) == 1
    for metric in (Aopc(), Aopc(order="lerf"), Irof(), Comprehensiveness(), Sufficiency(), Road(removal="zero")):
        good, bad = score_metric(metric, linear, batch, [exact, negated])[0][:, 0]
        assert bool(good > bad) is metric.higher_is_better


def test_monotonicity_arya_of_an_additive_model_does_not_depend_on_the_order():
    w = normal(6, seed=1)
    batch = make_batch(normal(40, 6))
    maps = [explain(batch, normal(40, 6, seed=s)) for s in range(3)]
    values, *_ = score_metric(MonotonicityArya(share=True), lambda x: x @ w, batch, maps)
    falls = (w * batch.inputs < 0).sum(1)
    close(values, (1 - falls.double() / 6).expand(3, 40))
    whole, *_ = score_metric(MonotonicityArya(), lambda x: x @ w, batch, maps)
    close(whole, (falls == 0).double().expand(3, 40))


def test_prediction_gaps_of_a_linear_model_in_closed_form():
    w = torch.tensor([3.0, 0, 0, 2.0, 0, 0, 0, 0, 0, 0], dtype=torch.float64)
    batch = make_batch(normal(3, 10))
    exact = explain(batch, w * batch.inputs)
    unimportant, *_ = score_metric(PredictionGapUnimportant(share=0.2), lambda x: x @ w, batch, [exact])
    assert torch.equal(unimportant, torch.zeros(1, 3, dtype=torch.float64))
    important, *_ = score_metric(PredictionGapImportant(share=0.2), lambda x: x @ w, batch, [exact])
    noise = infidelity_formulas.noise(draws(batch), batch, 0.1, range(16))
    p = torch.sigmoid
    want = (p(batch.inputs @ w)[:, None] - p((batch.inputs.unsqueeze(1) + noise) @ w)).abs().mean(1)
    close(important[0], want)


# Undefined values are NaN


@pytest.mark.parametrize("metric", SHARED[:6], ids=repr)
def test_the_correlation_of_a_constant_map_is_nan(metric):
    batch = images()
    even = torch.full_like(batch.inputs, 0.1)  # its sums differ by rounding errors
    values, *_ = score_metric(metric, network(batch), batch, [explain(batch, even), explain(batch, 0 * even)])
    assert values.isnan().all()


@pytest.mark.parametrize("metric", SHARED[:6], ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_correlation_with_an_output_that_changes_by_rounding_only_is_nan(metric, dtype):
    batch = images()
    batch = replace(batch, inputs=batch.inputs.to(dtype))
    # The remaining elements are added up with rounding errors, but have no weight.
    still = lambda x: torch.stack([7.0 + 0 * x.flatten(1).sum(1), (x - x).flatten(1).sum(1) + 7.1], 1)  # noqa: E731
    values, *_ = score_metric(metric, still, batch, [explain(batch, normal(3, 2, 3, 4).to(dtype))])
    assert values.isnan().all()
    wobble = torch.finfo(dtype).eps

    def rounding(x):
        return torch.stack([7.0 * (1 + wobble * (x.flatten(1).sum(1) > 0))] * 2, 1).to(dtype)

    values, *_ = score_metric(metric, rounding, batch, [explain(batch, normal(3, 2, 3, 4).to(dtype))])
    assert values.isnan().all()


def test_metrics_of_a_single_feature():
    features = FeatureMap.from_index(torch.zeros(1, 2, dtype=torch.int64))
    batch = make_batch(normal(2, 2), features=features)
    given = [explain(batch, normal(2, 2, seed=1))]
    linear = with_fixed_weights(nn.Linear(2, 2))
    for metric in SHARED[:6]:
        values, _, made = score_metric(metric, linear, batch, given)
        assert values.isnan().all()
        assert made == 2 * metric.passes((2,), 1, 1).forward
    p = bind(linear, batch, output="probability")
    whole, empty = p.scores(), p.scores(torch.zeros_like(batch.inputs))
    for metric, want in (
        (Comprehensiveness(), whole - empty),
        (Sufficiency(), torch.zeros(2, dtype=torch.float64)),
        (Irof(), 1 - (1 + empty / whole) / 2),
        (Road(removal="zero"), empty),
    ):
        values, _, made = score_metric(metric, linear, batch, given)
        close(values[0], want)
        assert made == 2 * metric.passes((2,), 1, 1).forward
    assert score_metric(PredictionGapUnimportant(), linear, batch, given)[0].isnan().all()
    assert score_metric(PredictionGapUnimportant(), linear, batch, given)[2] == 0
    assert not score_metric(PredictionGapImportant(), linear, batch, given)[0].isnan().any()


def test_n_features_is_limited_to_the_number_of_features():
    batch = images()
    given, module = explanations(batch), network(batch)
    many = score_metric(FaithfulnessEstimate(n_features=500), module, batch, given)
    close(many[0], score_metric(FaithfulnessEstimate(n_features=12), module, batch, given)[0])
    assert many[2] == 3 * 12


def test_irof_is_nan_where_the_class_has_probability_0():
    batch = make_batch(torch.ones(1, 4, dtype=torch.float64))
    never = lambda x: torch.stack([x.sum(1) - 1e4, x.sum(1)], 1)  # noqa: E731
    assert score_metric(Irof(), never, batch, [explain(batch, normal(1, 4))])[0].isnan().all()
