from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from builders import bind, draws
from faithfulness_cases import close, explanations, images, network, score_metric, texts
from faithfulness_metrics import CURVES, GAPS, MODALITY_CASES, ORDERS, SHARED
from reference import faithfulness_loops, metrics_loops

from xaiexp.builtin.metrics.faithfulness import correlation_formulas, infidelity_formulas
from xaiexp.builtin.metrics.faithfulness.correlation import (
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    MonotonicityNguyen,
    SensitivityN,
)
from xaiexp.builtin.metrics.faithfulness.infidelity import Infidelity
from xaiexp.builtin.metrics.faithfulness.prediction_gap import PredictionGapImportant, PredictionGapUnimportant
from xaiexp.builtin.metrics.faithfulness.removal_at_shares import Comprehensiveness, Road, Sufficiency
from xaiexp.builtin.metrics.faithfulness.removal_in_steps import (
    Aopc,
    Deletion,
    Insertion,
    Irof,
    MonotonicityArya,
    PixelFlipping,
)
from xaiexp.builtin.metrics.removal_curves import feature_counts
from xaiexp.builtin.removals.fill import fill_for, removed_inputs


class Example:
    """One example as plain lists and functions, the arguments of the reference implementations."""

    def __init__(self, metric, module, batch, e, n):
        self.x = batch.inputs[n].flatten().tolist()
        self.index = batch.features.index.expand(batch.inputs.shape)[n].flatten().tolist()
        self.d = int(batch.features.counts.expand(len(batch))[n])
        self.phi = e.values[n, : self.d].tolist()
        self.batch, self.n, self.e, self.module = batch, n, e, module
        self.rng = draws(batch)
        removal = getattr(metric, "removal", "auto")
        replacement = None if removal == "marginal" else removed_inputs(removal, batch, self.rng)[n]
        self.replacement = None if replacement is None else replacement.flatten().tolist()

    def _logits(self, x):
        context = {k: v[self.n : self.n + 1] for k, v in self.batch.context.items()}
        return self.module(torch.tensor(x, dtype=torch.float64).view(1, *self.batch.shape), **context)[0]

    def f(self, x):
        return float(self._logits(x)[self.batch.targets[self.n]])

    def p(self, x):
        return float(self._logits(x).softmax(0)[self.batch.targets[self.n]])

    def mask(self, removed):
        return faithfulness_loops.without(self.x, self.replacement, self.index, removed)

    def means(self):
        return [v / self.index.count(j) for j, v in enumerate(self.phi)]

    def predicted(self, removed):
        """The predicted change: contributions add up; sensitivities are multiplied by the step."""
        if self.e.multiplied_by_inputs:
            return sum(self.phi[j] for j in removed)
        elements = self.e.elements[self.n].flatten().tolist()
        steps = [a - b for a, b in zip(self.x, self.mask(removed), strict=True)]
        return sum(s * v for s, v in zip(steps, elements, strict=True))

    def features(self, most):
        sampled, inside = correlation_formulas.sample_features(self.rng, self.batch.features, most)
        return sampled[self.n][inside[self.n]].tolist()

    def subsets(self, share, k, count):
        counts = self.batch.features.counts.expand(len(self.batch))
        sizes = (feature_counts((share,), counts)[:, 0]).minimum(counts - 1).clamp(min=1)
        drawn = correlation_formulas.subsets_of_size(self.rng, self.batch.features, sizes, range(count), f"subset {k}")[
            self.n
        ]
        return [set(row.nonzero().flatten().tolist()) for row in drawn]


def expected_value(metric, one):
    match metric:
        case PixelFlipping():
            return faithfulness_loops.pixel_flipping(one.f, one.mask, one.phi, metric.steps)
        case Aopc():
            return faithfulness_loops.aopc(one.f, one.mask, one.phi, metric.steps, metric.order)
        case Irof():
            return faithfulness_loops.irof(one.p, one.mask, one.means(), metric.steps)
        case MonotonicityArya():
            return faithfulness_loops.monotonicity_arya(one.p, one.mask, one.phi, metric.steps)[metric.share]
        case Comprehensiveness():
            return faithfulness_loops.comprehensiveness(one.p, one.mask, one.phi, metric.shares)
        case Sufficiency():
            return faithfulness_loops.sufficiency(one.p, one.mask, one.phi, metric.shares)
        case Road():
            return faithfulness_loops.road(one.p, one.mask, one.phi, metric.shares, metric.order)
        case FaithfulnessCorrelation():
            return faithfulness_loops.of_subsets(
                one.f, one.mask, one.predicted, one.subsets(metric.share, 0, metric.n_samples)
            )
        case SensitivityN():
            correlations = [
                faithfulness_loops.of_subsets(one.f, one.mask, one.predicted, one.subsets(share, k, metric.n_samples))
                for k, share in enumerate(metric.shares)
            ]
            correlations = [value for value in correlations if not math.isnan(value)]
            return sum(correlations) / len(correlations) if correlations else math.nan
        case FaithfulnessEstimate():
            return faithfulness_loops.of_features(one.f, one.mask, one.predicted, one.features(metric.n_features))
        case MonotonicityNguyen():
            masks = [one.mask]
            if metric.removal == "marginal":
                pool = one.batch.background.pool
                rows = one.rng.integers("marginal", len(pool), (), range(metric.n_samples))[one.n]
                others = [pool[r].flatten().tolist() for r in rows]
                masks = [lambda removed, o=o: faithfulness_loops.without(one.x, o, one.index, removed) for o in others]
            return faithfulness_loops.monotonicity_nguyen(one.f, masks, one.phi, one.features(metric.n_features))
        case PredictionGapImportant() | PredictionGapUnimportant():
            drawn = infidelity_formulas.noise(one.rng, one.batch, metric.noise_level, range(metric.n_samples))[one.n]
            noises = drawn.flatten(1).tolist()
            return faithfulness_loops.prediction_gap(
                one.p, one.x, noises, one.index, one.phi, metric.share, metric.important
            )


DEFINED = [
    (metric, make)
    for metric, make in MODALITY_CASES
    if not isinstance(metric, Deletion | Insertion | Infidelity) and getattr(metric, "removal", "") != "noisy_linear"
]


@pytest.mark.parametrize(("metric", "make"), DEFINED, ids=lambda v: getattr(v, "__name__", repr(v)))
@pytest.mark.parametrize("output", ["logit", "probability"])
def test_values_match_their_definitions(metric, make, output):
    batch = make()
    module, given = network(batch), explanations(batch)
    handle = bind(module, batch, output=output)
    got = metric.score_all(handle, batch, given, draws(batch)).values
    n_defined = 0
    for e, row in zip(given, got, strict=True):
        for n in range(2):
            one = Example(metric, module, batch, e, n)
            if output == "probability":
                one.f = one.p
            want = expected_value(metric, one) if e.signed or not metric.needs_sign else math.nan
            assert float(row[n]) == pytest.approx(want, rel=1e-9, abs=1e-12, nan_ok=True)
            n_defined += not math.isnan(want)
    assert n_defined >= 4


def test_road_matches_its_definition_with_imputed_pixels():
    batch = images()
    module, given = network(batch), explanations(batch, 2)
    fill = fill_for("noisy_linear", batch, draws(batch))
    for order in ORDERS:
        got, *_ = score_metric(Road(order=order), module, batch, given)
        for e, row in zip(given, got, strict=True):
            for n in range(3):
                one = Example(Road(removal="zero"), module, batch, e, n)

                def mask(removed, n=n):
                    present = torch.tensor([[j not in removed for j in range(12)]])
                    return fill(torch.tensor([n]), present)[0].flatten().tolist()

                want = faithfulness_loops.road(one.p, mask, one.phi, Road().shares, order)
                assert float(row[n]) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("kind", ["square", "baseline_difference"])
def test_infidelity_of_other_perturbations_matches_its_definition(kind):
    batch = images()
    module, given = network(batch), explanations(batch, 3)
    metric = Infidelity(n_samples=9, perturbation=kind, normalize=False)
    got, *_ = score_metric(metric, module, batch, given)
    rng = draws(batch)
    replacement = removed_inputs("auto", batch, rng)
    for n in range(3):
        if kind == "square":
            squares = infidelity_formulas.random_squares(rng, batch.shape, 0.3, range(9))[n].unsqueeze(1)
            points = torch.where(squares, replacement[n], batch.inputs[n]).flatten(1).tolist()
        else:
            noise = infidelity_formulas.noise(rng, batch, 0.2, range(9))[n]
            points = (replacement[n] + noise).flatten(1).tolist()
        one = Example(metric, module, batch, given[0], n)
        for e, row in zip(given, got, strict=True):
            x0 = None
            if e.multiplied_by_inputs:
                x0 = (torch.zeros_like(batch.inputs[n]) if e.reference is None else e.reference[n].mean(0)).flatten()
            elements = e.elements[n].flatten().tolist()
            x0 = None if x0 is None else x0.tolist()
            want = metrics_loops.infidelity(one.f, one.x, elements, one.index, points, False, x0)
            assert float(row[n]) == pytest.approx(want, rel=1e-9)


def test_shift_is_the_mean_distance_to_the_nearest_other_example_in_the_penultimate_layer():
    for make in (images, texts):
        batch = make()
        module, given = network(batch), explanations(batch, 1)
        _, shift, _ = score_metric(FaithfulnessEstimate(), module, batch, given)
        hidden_inputs = []
        last = module.last if make is texts else module[3]
        hook = last.register_forward_pre_hook(
            lambda _, arguments, hidden_inputs=hidden_inputs: hidden_inputs.append(arguments[0].tolist())
        )
        module(batch.background.pool, **batch.background.context)
        pool = hidden_inputs.pop()
        for n in range(2):
            one = Example(FaithfulnessEstimate(), module, batch, given[0], n)
            copy = 4 if (make, n) in ((images, 0), (texts, 1)) else None
            unit = [faithfulness_loops.nearest(row, pool[:i] + pool[i + 1 :]) for i, row in enumerate(pool)]
            others = [row for i, row in enumerate(pool) if i != copy]
            far = []
            for j in range(one.d):
                one.f(one.mask({j}))
                far.append(faithfulness_loops.nearest(hidden_inputs.pop()[0], others) / (sum(unit) / len(unit)))
            assert float(shift[0, n]) == pytest.approx(sum(far) / len(far))
        hook.remove()


def test_shift_of_curves_is_the_mean_over_the_distinct_masked_inputs():
    batch = images(1)
    module, given = network(batch), explanations(batch, 1)
    metric = Comprehensiveness(shares=(0.05, 0.08, 0.5, 1.0))  # removes 1, 1, 6 and 12 of 12 features
    _, shift, made = score_metric(metric, module, batch, given)
    assert made == 3
    single = [score_metric(Comprehensiveness(shares=(q,)), module, batch, given)[1] for q in (0.05, 0.5, 1.0)]
    torch.testing.assert_close(shift, sum(single) / 3)


@pytest.mark.parametrize("metric", [CURVES[0], SHARED[0], SHARED[2], GAPS[0], SHARED[6]], ids=repr)
def test_shift_is_nan_without_a_penultimate_layer_or_data_and_values_are_unchanged(metric):
    batch = images()
    module, given = network(batch), explanations(batch)
    values, *_ = score_metric(metric, module, batch, given)
    for other, part in (
        (lambda x: module(x), batch),
        (module, replace(batch, background=replace(batch.background, pool=None))),
        (module, replace(batch, background=replace(batch.background, pool=batch.background.pool[:1]))),
    ):
        got, shift, _ = score_metric(metric, other, part, given)
        close(got, values)
        assert shift.isnan().all()
