from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from builders import bind, draws, explain, make_batch
from faithfulness_cases import alone, explanations, filled, network, normal, pictures, scored, texts
from reference import faithfulness_loops as loops
from scipy import stats
from torch import nn

from xaiexp.builtin.metrics.faithfulness import correlation_formulas as correlations
from xaiexp.builtin.metrics.faithfulness import infidelity_formulas as infidelity
from xaiexp.builtin.metrics.faithfulness import prediction_gap_formulas as gaps
from xaiexp.builtin.metrics.faithfulness.comprehensiveness import Comprehensiveness, Road, Sufficiency
from xaiexp.builtin.metrics.faithfulness.deletion import (
    Aopc,
    Deletion,
    Insertion,
    Irof,
    MonotonicityArya,
    PixelFlipping,
)
from xaiexp.builtin.metrics.faithfulness.faithfulness_correlation import (
    FaithfulnessCorrelation,
    FaithfulnessEstimate,
    MonotonicityNguyen,
    SensitivityN,
)
from xaiexp.builtin.metrics.faithfulness.infidelity import Infidelity, PredictionGapImportant, PredictionGapUnimportant
from xaiexp.builtin.metrics.removal_curves import numbers
from xaiexp.builtin.removals import fill as removal
from xaiexp.builtin.removals.masking import number
from xaiexp.core.batches import Background
from xaiexp.core.draws import Draws
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported

ORDERS = ("morf", "lerf", "difference")
CURVES = [
    Deletion(steps=4),
    Insertion(steps=4),
    PixelFlipping(steps=4),
    *(Aopc(steps=4, order=order) for order in ORDERS),
    Aopc(steps=100),
    Irof(steps=4),
    MonotonicityArya(steps=4),
    MonotonicityArya(steps=3, share=True),
    Comprehensiveness(),
    Sufficiency(),
    *(Road(removal="mean", order=order) for order in ORDERS),
]
SHARED = [
    FaithfulnessCorrelation(n_samples=9, share=0.4),
    SensitivityN(n_samples=5, shares=(0.1, 0.5)),
    FaithfulnessEstimate(),
    FaithfulnessEstimate(n_features=7),
    MonotonicityNguyen(),
    MonotonicityNguyen(n_features=7, removal="zero"),
    Infidelity(n_samples=9),
    Infidelity(n_samples=9, perturbation="noise"),
    Infidelity(n_samples=9, perturbation="baseline_difference"),
]
GAPS = [PredictionGapImportant(n_samples=5), PredictionGapUnimportant(n_samples=5)]
PICTURES = [
    Road(),
    Road(order="difference"),
    Deletion(removal="noisy_linear", steps=4),
    FaithfulnessCorrelation(n_samples=9, removal="noisy_linear"),
    FaithfulnessEstimate(n_features=7, removal="noisy_linear"),
    MonotonicityNguyen(n_features=7, n_samples=3, removal="marginal"),
    Infidelity(n_samples=9, removal="noisy_linear"),
    Infidelity(n_samples=9, perturbation="square"),
    Infidelity(n_samples=9, perturbation="baseline_difference", removal="noisy_linear"),
]
ANYWHERE = [(metric, make) for metric in [*CURVES, *SHARED, *GAPS] for make in (pictures, texts)]
EVERYWHERE = ANYWHERE + [(metric, pictures) for metric in PICTURES]
EVERY = [*CURVES, *SHARED, *GAPS, *PICTURES]
cases = pytest.mark.parametrize(("metric", "make"), EVERYWHERE, ids=lambda v: getattr(v, "__name__", repr(v)))


def close(a, b, **tolerance):
    torch.testing.assert_close(a, b, equal_nan=True, **tolerance)


# What holds for all of them


@cases
def test_an_example_scores_alone_what_it_scores_in_company_in_any_batch_size(metric, make):
    batch = make()
    module, given = network(batch), explanations(batch)
    values, shift, _ = scored(metric, module, batch, given)
    assert not values[0, :2].isnan().any()
    assert not shift[0, :2].isnan().any()
    for budget in (1, 7):
        again = scored(metric, module, batch, given, budget)
        close(again[0], values)
        close(again[1], shift)
    for row in range(len(batch)):
        part, parts = alone(batch, row, given)
        got = scored(metric, module, part, parts)
        close(got[0][:, 0], values[:, row])
        close(got[1][:, 0], shift[:, row])


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_the_value_of_an_explanation_does_not_depend_on_which_others_are_there(metric):
    batch = pictures()
    module, given = network(batch), explanations(batch, 5)
    values, shift, _ = scored(metric, module, batch, given)
    for explanation, value, far in zip(given, values, shift, strict=True):
        got = scored(metric, module, batch, [explanation])
        close(got[0][0], value, rtol=1e-12, atol=1e-14)
        close(got[1][0], far, rtol=1e-12, atol=0)


@pytest.mark.parametrize("metric", EVERY, ids=repr)
@pytest.mark.parametrize("count", [1, 5])
def test_the_promised_passes_are_made(metric, count):
    batch = pictures()
    *_, made = scored(metric, network(batch), batch, explanations(batch, count))
    assert made == len(batch) * metric.passes(batch.shape, batch.features.d, count).forward


@pytest.mark.parametrize("metric", [*SHARED, *PICTURES[3:]], ids=repr)
def test_what_depends_on_no_attribution_is_evaluated_once_for_all(metric):
    batch = pictures()
    passes = [scored(metric, network(batch), batch, explanations(batch, count))[2] for count in (1, 5)]
    assert passes[0] == passes[1] > 0


@pytest.mark.parametrize("metric", [*CURVES, *SHARED[:6], *GAPS], ids=repr)
def test_ragged_examples_cost_the_passes_of_their_own_features(metric):
    batch = texts()
    *_, made = scored(metric, network(batch), batch, explanations(batch, 3))
    assert made == sum(metric.passes(batch.shape, d, 3).forward for d in (2, 5))


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_declared_scale_invariance_holds(metric):
    batch = pictures()
    given = explanations(batch, 1)
    larger = [replace(e, elements=3 * e.elements) for e in given]
    small, large = (scored(metric, network(batch), batch, e)[0] for e in (given, larger))
    assert torch.allclose(small, large) is metric.scale_invariant


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_measures_of_signs_and_no_others_are_undefined_without_them(metric):
    batch = pictures()
    unsigned = [replace(e, signed=False) for e in explanations(batch)[:1]]
    values, shift, made = scored(metric, network(batch), batch, unsigned)
    assert bool(values.isnan().all()) is metric.needs_sign
    assert bool(shift.isnan().all()) is metric.needs_sign
    assert bool(made) is not metric.needs_sign


@pytest.mark.parametrize("metric", [*CURVES, *SHARED, *GAPS], ids=repr)
def test_an_example_without_features_has_no_value(metric):
    batch = texts()
    values, shift, _ = scored(metric, network(batch), batch, explanations(batch, 3))
    assert values[:, 2].isnan().all()
    assert shift[:, 2].isnan().all()
    assert not shift[:, :2].isnan().any()


@pytest.mark.parametrize("metric", [m for m in EVERY if not isinstance(m, Infidelity)], ids=repr)
def test_a_map_that_is_not_a_number_has_no_value(metric):
    batch = pictures()
    given = explanations(batch, 1)[0]
    elements = given.elements.clone()
    elements[1] = math.nan
    values, *_ = scored(metric, network(batch), batch, [replace(given, elements=elements)])
    assert values.isnan().tolist() == [[False, True, False]]


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_batch_and_maps_are_left_as_they_were_and_values_keep_the_dtype(metric):
    batch = pictures()
    given = explanations(batch)
    before = [batch.inputs.clone(), *(e.elements.clone() for e in given)]
    values, shift, _ = scored(metric, network(batch), batch, given)
    assert all(map(torch.equal, before, [batch.inputs, *(e.elements for e in given)]))
    assert values.dtype == shift.dtype == batch.inputs.dtype


# Against the definitions


class One:
    """Everything that a slow definition asks about one example."""

    def __init__(self, metric, module, batch, e, n):
        self.x = batch.inputs[n].flatten().tolist()
        self.index = batch.features.index.expand(batch.inputs.shape)[n].flatten().tolist()
        self.d = int(batch.features.counts.expand(len(batch))[n])
        self.phi = e.values[n, : self.d].tolist()
        self.batch, self.n, self.e, self.module = batch, n, e, module
        self.rng = draws(batch)
        how = getattr(metric, "removal", "auto")
        self.gone = None if how == "marginal" else removal.removed(how, batch, self.rng)[n].flatten().tolist()

    def _logits(self, x):
        context = {k: v[self.n : self.n + 1] for k, v in self.batch.context.items()}
        return self.module(torch.tensor(x, dtype=torch.float64).view(1, *self.batch.shape), **context)[0]

    def f(self, x):
        return float(self._logits(x)[self.batch.targets[self.n]])

    def p(self, x):
        return float(self._logits(x).softmax(0)[self.batch.targets[self.n]])

    def mask(self, gone):
        return loops.without(self.x, self.gone, self.index, gone)

    def means(self):
        return [v / self.index.count(j) for j, v in enumerate(self.phi)]

    def said(self, gone):
        """Contributions add up; sensitivities are multiplied with the step."""
        if self.e.multiplied_by_inputs:
            return sum(self.phi[j] for j in gone)
        elements = self.e.elements[self.n].flatten().tolist()
        steps = [a - b for a, b in zip(self.x, self.mask(gone), strict=True)]
        return sum(s * v for s, v in zip(steps, elements, strict=True))

    def features(self, most):
        found, inside = correlations.chosen(self.rng, self.batch.features, most)
        return found[self.n][inside[self.n]].tolist()

    def subsets(self, share, k, count):
        counts = self.batch.features.counts.expand(len(self.batch))
        sizes = (numbers((share,), counts)[:, 0]).minimum(counts - 1).clamp(min=1)
        drawn = correlations.fixed_size(self.rng, self.batch.features, sizes, range(count), f"subset {k}")[self.n]
        return [set(row.nonzero().flatten().tolist()) for row in drawn]


def by_hand(metric, one):
    match metric:
        case PixelFlipping():
            return loops.pixel_flipping(one.f, one.mask, one.phi, metric.steps)
        case Aopc():
            return loops.aopc(one.f, one.mask, one.phi, metric.steps, metric.order)
        case Irof():
            return loops.irof(one.p, one.mask, one.means(), metric.steps)
        case MonotonicityArya():
            return loops.monotonicity_arya(one.p, one.mask, one.phi, metric.steps)[metric.share]
        case Comprehensiveness():
            return loops.comprehensiveness(one.p, one.mask, one.phi, metric.shares)
        case Sufficiency():
            return loops.sufficiency(one.p, one.mask, one.phi, metric.shares)
        case Road():
            return loops.road(one.p, one.mask, one.phi, metric.shares, metric.order)
        case FaithfulnessCorrelation():
            return loops.of_subsets(one.f, one.mask, one.said, one.subsets(metric.share, 0, metric.n_samples))
        case SensitivityN():
            found = [
                loops.of_subsets(one.f, one.mask, one.said, one.subsets(share, k, metric.n_samples))
                for k, share in enumerate(metric.shares)
            ]
            found = [value for value in found if not math.isnan(value)]
            return sum(found) / len(found) if found else math.nan
        case FaithfulnessEstimate():
            return loops.of_features(one.f, one.mask, one.said, one.features(metric.n_features))
        case MonotonicityNguyen():
            masks = [one.mask]
            if metric.removal == "marginal":
                pool = one.batch.background.pool
                rows = one.rng.integers("marginal", len(pool), (), range(metric.n_samples))[one.n]
                others = [pool[r].flatten().tolist() for r in rows]
                masks = [lambda gone, o=o: loops.without(one.x, o, one.index, gone) for o in others]
            return loops.monotonicity_nguyen(one.f, masks, one.phi, one.features(metric.n_features))
        case PredictionGapImportant() | PredictionGapUnimportant():
            drawn = infidelity.noise(one.rng, one.batch, metric.noise_level, range(metric.n_samples))[one.n]
            noises = drawn.flatten(1).tolist()
            return loops.prediction_gap(one.p, one.x, noises, one.index, one.phi, metric.share, metric.important)


DEFINED = [
    (metric, make)
    for metric, make in EVERYWHERE
    if not isinstance(metric, Deletion | Insertion | Infidelity) and getattr(metric, "removal", "") != "noisy_linear"
]


@pytest.mark.parametrize(("metric", "make"), DEFINED, ids=lambda v: getattr(v, "__name__", repr(v)))
@pytest.mark.parametrize("output", ["logit", "probability"])
def test_values_are_their_definitions(metric, make, output):
    batch = make()
    module, given = network(batch), explanations(batch)
    handle = bind(module, batch, output=output)
    got = metric.score_all(handle, batch, given, draws(batch)).values
    told = 0
    for e, row in zip(given, got, strict=True):
        for n in range(2):
            one = One(metric, module, batch, e, n)
            if output == "probability":
                one.f = one.p
            want = by_hand(metric, one) if e.signed or not metric.needs_sign else math.nan
            assert float(row[n]) == pytest.approx(want, rel=1e-9, abs=1e-12, nan_ok=True)
            told += not math.isnan(want)
    assert told >= 4


def test_road_is_its_definition_with_imputed_pixels():
    batch = pictures()
    module, given = network(batch), explanations(batch, 2)
    fill = removal.filling("noisy_linear", batch, draws(batch))
    for order in ORDERS:
        got, *_ = scored(Road(order=order), module, batch, given)
        for e, row in zip(given, got, strict=True):
            for n in range(3):
                one = One(Road(removal="zero"), module, batch, e, n)

                def mask(gone, n=n):
                    present = torch.tensor([[j not in gone for j in range(12)]])
                    return fill(torch.tensor([n]), present)[0].flatten().tolist()

                want = loops.road(one.p, mask, one.phi, Road().shares, order)
                assert float(row[n]) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("kind", ["square", "baseline_difference"])
def test_infidelity_of_other_perturbations_is_its_definition(kind):
    from reference import metrics_loops

    batch = pictures()
    module, given = network(batch), explanations(batch, 3)
    metric = Infidelity(n_samples=9, perturbation=kind, normalize=False)
    got, *_ = scored(metric, module, batch, given)
    rng = draws(batch)
    gone = removal.removed("auto", batch, rng)
    for n in range(3):
        if kind == "square":
            found = infidelity.squares(rng, batch.shape, 0.3, range(9))[n].unsqueeze(1)
            points = torch.where(found, gone[n], batch.inputs[n]).flatten(1).tolist()
        else:
            noise = infidelity.noise(rng, batch, 0.2, range(9))[n]
            points = (gone[n] + noise).flatten(1).tolist()
        one = One(metric, module, batch, given[0], n)
        for e, row in zip(given, got, strict=True):
            x0 = None
            if e.multiplied_by_inputs:
                x0 = (torch.zeros_like(batch.inputs[n]) if e.reference is None else e.reference[n].mean(0)).flatten()
            elements = e.elements[n].flatten().tolist()
            x0 = None if x0 is None else x0.tolist()
            want = metrics_loops.infidelity(one.f, one.x, elements, one.index, points, False, x0)
            assert float(row[n]) == pytest.approx(want, rel=1e-9)


def test_shift_is_the_mean_distance_to_the_nearest_other_example_in_the_penultimate_layer():
    for make in (pictures, texts):
        batch = make()
        module, given = network(batch), explanations(batch, 1)
        _, shift, _ = scored(FaithfulnessEstimate(), module, batch, given)
        seen = []
        last = module.last if make is texts else module[3]
        hook = last.register_forward_pre_hook(lambda _, given, seen=seen: seen.append(given[0].tolist()))
        module(batch.background.pool, **batch.background.context)
        pool = seen.pop()
        for n in range(2):
            one = One(FaithfulnessEstimate(), module, batch, given[0], n)
            own = 4 if (make, n) in ((pictures, 0), (texts, 1)) else None
            unit = [loops.nearest(row, pool[:i] + pool[i + 1 :]) for i, row in enumerate(pool)]
            others = [row for i, row in enumerate(pool) if i != own]
            far = []
            for j in range(one.d):
                one.f(one.mask({j}))
                far.append(loops.nearest(seen.pop()[0], others) / (sum(unit) / len(unit)))
            assert float(shift[0, n]) == pytest.approx(sum(far) / len(far))
        hook.remove()


def test_shift_of_curves_is_the_mean_over_the_distinct_masked_inputs():
    batch = pictures(1)
    module, given = network(batch), explanations(batch, 1)
    metric = Comprehensiveness(shares=(0.05, 0.08, 0.5, 1.0))  # 1, 1, 6 and 12 of 12 features
    _, shift, made = scored(metric, module, batch, given)
    assert made == 3
    single = [scored(Comprehensiveness(shares=(q,)), module, batch, given)[1] for q in (0.05, 0.5, 1.0)]
    torch.testing.assert_close(shift, sum(single) / 3)


@pytest.mark.parametrize("metric", [CURVES[0], SHARED[0], SHARED[2], GAPS[0], SHARED[6]], ids=repr)
def test_shift_is_undefined_without_a_penultimate_layer_or_data_and_values_are_the_same(metric):
    batch = pictures()
    module, given = network(batch), explanations(batch)
    values, *_ = scored(metric, module, batch, given)
    for other, part in (
        (lambda x: module(x), batch),
        (module, replace(batch, background=replace(batch.background, pool=None))),
        (module, replace(batch, background=replace(batch.background, pool=batch.background.pool[:1]))),
    ):
        got, shift, _ = scored(metric, other, part, given)
        close(got, values)
        assert shift.isnan().all()


# Closed forms


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
def test_the_exact_attribution_of_a_linear_model_correlates_perfectly(metric, removed):
    batch = make_batch(normal(3, 6), background=Background("table", mean=normal(6, seed=3)))
    w = normal(6, seed=1)
    gone = removal.removed(removed, batch, draws(batch))
    given = [explain(batch, w * (batch.inputs - gone), reference=gone.unsqueeze(1))]
    if not isinstance(metric("zero"), MonotonicityNguyen):  # reads magnitudes as they are
        given.append(explain(batch, w.expand(3, 6), multiplied_by_inputs=False))
    values, *_ = scored(metric(removed), lambda x: x @ w + 3, batch, given)
    close(values, torch.ones(len(given), 3, dtype=torch.float64))
    wrong = [replace(e, elements=e.elements.flip(1)) for e in given]
    assert (scored(metric(removed), lambda x: x @ w + 3, batch, wrong)[0] < 0.999).all()
    if metric("zero").needs_sign:
        opposite = [replace(e, elements=-e.elements) for e in given]
        close(scored(metric(removed), lambda x: x @ w + 3, batch, opposite)[0], -values)


@pytest.mark.parametrize("kind", ["removal", "noise", "square", "baseline_difference"])
@pytest.mark.parametrize("removed", ["zero", "noisy_linear"])
def test_the_exact_attribution_of_a_linear_model_has_no_infidelity(kind, removed):
    x = normal(3, 2, 3, 4)
    features = FeatureMap.from_index(torch.arange(24).view(1, 2, 3, 4), (2, 3, 4))
    batch = replace(pictures(), inputs=x, features=features, targets=torch.zeros(3, dtype=torch.int64))
    w, x0 = normal(2, 3, 4, seed=1), normal(3, 1, 2, 3, 4, seed=2)
    given = [
        explain(batch, w.expand(3, 2, 3, 4), multiplied_by_inputs=False),
        explain(batch, w * (x - x0[:, 0]), reference=x0),
    ]
    metric = Infidelity(n_samples=9, perturbation=kind, removal=removed)
    linear = lambda x: (x * w).flatten(1).sum(1) + 3  # noqa: E731
    values, *_ = scored(metric, linear, batch, given)
    close(values, torch.zeros(2, 3, dtype=torch.float64), rtol=0, atol=1e-24)
    wrong = [replace(e, elements=e.elements.flip(3)) for e in given]
    assert (scored(metric, linear, batch, wrong)[0] > 1e-3).all()


def test_curves_of_a_linear_model_in_closed_form():
    w = torch.tensor([4.0, 2.0, 1.0, 1.0], dtype=torch.float64)
    batch = make_batch(torch.ones(1, 4, dtype=torch.float64))
    exact, negated = (explain(batch, phi.expand(1, 4)) for phi in (w + torch.tensor([0, 0, 1e-3, 0]), -w))
    linear = lambda x: x @ w  # noqa: E731

    def value(metric):
        return scored(metric, linear, batch, [exact])[0].item()

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
        good, bad = scored(metric, linear, batch, [exact, negated])[0][:, 0]
        assert bool(good > bad) is metric.higher_is_better


def test_one_at_a_time_no_order_of_an_additive_model_is_more_monotone_than_another():
    w = normal(6, seed=1)
    batch = make_batch(normal(40, 6))
    maps = [explain(batch, normal(40, 6, seed=s)) for s in range(3)]
    values, *_ = scored(MonotonicityArya(share=True), lambda x: x @ w, batch, maps)
    falls = (w * batch.inputs < 0).sum(1)
    close(values, (1 - falls.double() / 6).expand(3, 40))
    whole, *_ = scored(MonotonicityArya(), lambda x: x @ w, batch, maps)
    close(whole, (falls == 0).double().expand(3, 40))


def test_noise_on_features_that_do_nothing_moves_nothing():
    w = torch.tensor([3.0, 0, 0, 2.0, 0, 0, 0, 0, 0, 0], dtype=torch.float64)
    batch = make_batch(normal(3, 10))
    exact = explain(batch, w * batch.inputs)
    unimportant, *_ = scored(PredictionGapUnimportant(share=0.2), lambda x: x @ w, batch, [exact])
    assert torch.equal(unimportant, torch.zeros(1, 3, dtype=torch.float64))
    important, *_ = scored(PredictionGapImportant(share=0.2), lambda x: x @ w, batch, [exact])
    noise = infidelity.noise(draws(batch), batch, 0.1, range(16))
    p = torch.sigmoid
    want = (p(batch.inputs @ w)[:, None] - p((batch.inputs.unsqueeze(1) + noise) @ w)).abs().mean(1)
    close(important[0], want)


# Undefined, never a silent 0


@pytest.mark.parametrize("metric", SHARED[:6], ids=repr)
def test_a_constant_map_correlates_with_nothing(metric):
    batch = pictures()
    even = torch.full_like(batch.inputs, 0.1)  # whose sums differ by rounding
    values, *_ = scored(metric, network(batch), batch, [explain(batch, even), explain(batch, 0 * even)])
    assert values.isnan().all()


@pytest.mark.parametrize("metric", SHARED[:6], ids=repr)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_output_that_moves_by_rounding_only_correlates_with_nothing(metric, dtype):
    batch = pictures()
    batch = replace(batch, inputs=batch.inputs.to(dtype))
    # What is not removed is added up in an order that rounds, and has no weight.
    still = lambda x: torch.stack([7.0 + 0 * x.flatten(1).sum(1), (x - x).flatten(1).sum(1) + 7.1], 1)  # noqa: E731
    values, *_ = scored(metric, still, batch, [explain(batch, normal(3, 2, 3, 4).to(dtype))])
    assert values.isnan().all()
    wobble = torch.finfo(dtype).eps

    def rounding(x):
        return torch.stack([7.0 * (1 + wobble * (x.flatten(1).sum(1) > 0))] * 2, 1).to(dtype)

    values, *_ = scored(metric, rounding, batch, [explain(batch, normal(3, 2, 3, 4).to(dtype))])
    assert values.isnan().all()


def test_one_feature_has_no_correlation_and_an_all_or_nothing_curve():
    features = FeatureMap.from_index(torch.zeros(1, 2, dtype=torch.int64))
    batch = make_batch(normal(2, 2), features=features)
    given = [explain(batch, normal(2, 2, seed=1))]
    linear = filled(nn.Linear(2, 2))
    for metric in SHARED[:6]:
        values, _, made = scored(metric, linear, batch, given)
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
        values, _, made = scored(metric, linear, batch, given)
        close(values[0], want)
        assert made == 2 * metric.passes((2,), 1, 1).forward
    assert scored(PredictionGapUnimportant(), linear, batch, given)[0].isnan().all()
    assert scored(PredictionGapUnimportant(), linear, batch, given)[2] == 0
    assert not scored(PredictionGapImportant(), linear, batch, given)[0].isnan().any()


def test_more_features_asked_for_than_there_are_means_all_of_them():
    batch = pictures()
    given, module = explanations(batch), network(batch)
    many = scored(FaithfulnessEstimate(n_features=500), module, batch, given)
    close(many[0], scored(FaithfulnessEstimate(n_features=12), module, batch, given)[0])
    assert many[2] == 3 * 12


def test_irof_is_undefined_where_the_class_has_no_probability():
    batch = make_batch(torch.ones(1, 4, dtype=torch.float64))
    never = lambda x: torch.stack([x.sum(1) - 1e4, x.sum(1)], 1)  # noqa: E731
    assert scored(Irof(), never, batch, [explain(batch, normal(1, 4))])[0].isnan().all()


def test_ties_are_broken_at_random_and_alike_for_all_explanations():
    n = 400
    batch = make_batch(torch.ones(n, 4, dtype=torch.float64))
    w = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    constant = [explain(batch, torch.full((n, 4), v, dtype=torch.float64)) for v in (0.0, 7.0)]
    for metric in (Comprehensiveness(shares=(0.25,)), PredictionGapImportant(share=0.25, n_samples=2)):
        first, second = scored(metric, lambda x: 9 * x @ w, batch, constant)[0]
        assert torch.equal(first, second)
        hit = int((first > 1e-6).sum())
        assert abs(hit - n / 4) < 4 * math.sqrt(n * 3 / 16)


# How features are drawn


def test_subsets_have_exactly_their_size_and_are_equally_likely():
    count = 6000
    features = FeatureMap(torch.tensor([[0, 1, 2, 3], [0, 1, 2, -1]]), torch.tensor([4, 3]), (4,))
    drawn = correlations.fixed_size(Draws(0, ("a", "b")), features, torch.tensor([2, 1]), range(count), "subset 0")
    even = FeatureMap.from_index(torch.arange(4).view(1, 4))
    alike = correlations.fixed_size(Draws(0, ("a",)), even, torch.tensor([2]), range(count), "subset 0")
    assert torch.equal(alike[0], drawn[0])
    for subsets, size, kinds in ((drawn[0], 2, 6), (drawn[1], 1, 3)):
        assert (subsets.sum(1) == size).all()
        codes = (subsets.long() * torch.tensor([1, 2, 4, 8])).sum(1)
        times = codes.unique(return_counts=True)[1] / count
        assert len(times) == kinds
        assert (times - 1 / kinds).abs().max() < 4 * math.sqrt(1 / kinds / count)


def test_features_are_drawn_without_repetition_and_evenly():
    many = Draws(0, tuple(f"example {i}" for i in range(3000)))
    features = FeatureMap.from_index(torch.arange(5).view(1, 5))
    found, inside = correlations.chosen(many, features, 2)
    assert inside.all()
    assert (found[:, 0] < found[:, 1]).all()
    times = torch.nn.functional.one_hot(found, 5).sum((0, 1)) / 3000
    assert (times - 0.4).abs().max() < 4 * math.sqrt(0.24 / 3000)


def test_equal_values_share_their_mean_rank():
    values = torch.tensor([[3.0, 1.0, 3.0, 0.0, 3.0, 1.0], [0.0, 0.0, 0.0, 7.0, -1.0, 5.0]], dtype=torch.float64)
    valid = torch.ones(2, 6, dtype=torch.bool)
    valid[1, 4:] = False
    got = correlations.ranks(values, valid)
    assert got[0].tolist() == stats.rankdata(values[0]).tolist()
    assert got[1].tolist() == [*stats.rankdata(values[1, :4]).tolist(), 0, 0]
    assert got[0].tolist() == loops.mean_ranks(values[0].tolist())


def test_a_share_that_is_all_leaves_one_feature():
    batch = pictures()
    module, given = network(batch), explanations(batch, 1)
    whole, nearly = (scored(SensitivityN(n_samples=6, shares=(q,)), module, batch, given)[0] for q in (1.0, 11 / 12))
    assert not whole.isnan().any()
    close(whole, nearly)


def test_squares_lie_inside_and_have_every_side_and_place_equally_often():
    drawn = infidelity.squares(Draws(0, ("a",)), (3, 6, 8), 0.5, range(6000))[0]
    sides = drawn.any(2).sum(1)
    assert torch.equal(drawn.sum((1, 2)), sides**2)
    assert torch.equal(drawn.any(1).sum(1), sides)
    times = sides.unique(return_counts=True)
    assert times[0].tolist() == [1, 2, 3]
    assert (times[1] / 6000 - 1 / 3).abs().max() < 4 * math.sqrt(2 / 9 / 6000)
    ones = drawn[sides == 1].flatten(1).double().mean(0)
    assert (ones - 1 / 48).abs().max() < 4 * math.sqrt(1 / 48 / int((sides == 1).sum()))


def test_shares_of_features_are_rounded_up_alike_before_and_in_a_run():
    for d in (1, 7, 12, 30, 49, 196, 50176):
        for share in (0.0, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0):
            want = loops.rounded_up(share, d) if d < 1000 else math.ceil(round(share * d, 6))
            assert number(share, d) == want == int(numbers((share,), torch.tensor([d])))


def test_the_top_features_are_those_of_largest_magnitude():
    batch = make_batch(torch.zeros(1, 4, dtype=torch.float64))
    given = [explain(batch, torch.tensor([[-5.0, 1.0, 3.0, -2.0]], dtype=torch.float64))]
    assert gaps.top(given, batch, draws(batch), 0.5).tolist() == [[[True, False, True, False]]]


def test_the_order_of_irof_is_by_the_mean_and_of_others_by_the_sum():
    features = FeatureMap.from_index(torch.tensor([[0, 0, 0, 1]]))
    batch = make_batch(torch.ones(1, 4, dtype=torch.float64), features=features)
    given = [explain(batch, torch.tensor([[1.0, 1.0, 1.0, 2.0]], dtype=torch.float64))]
    w = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64)
    p = [torch.tensor(v).double().sigmoid().item() for v in (1.0, 0.0)]
    irof, *_ = scored(Irof(), lambda x: x @ w, batch, given)
    assert irof.item() == pytest.approx(1 - (p[0] / 2 + p[1] + p[1] / 2) / 2 / p[0])
    deletion, *_ = scored(Deletion(), lambda x: x @ w, batch, given)
    assert deletion.item() == pytest.approx((p[0] / 2 + p[0] + p[1] / 2) / 2)


# What is refused


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (Road(), "neighbours"),
        (Infidelity(perturbation="square"), "squares"),
        (MonotonicityNguyen(removal="marginal"), "background"),
        (PredictionGapImportant(), "range of the data"),
        (Deletion(removal="black"), "black"),
    ],
    ids=repr,
)
def test_what_a_table_without_data_cannot_be_asked_is_refused(metric, words):
    batch = make_batch(normal(3, 6), background=Background("table"))
    with pytest.raises(Unsupported, match=words):
        metric.score_all(bind(filled(nn.Linear(6, 2)), batch), batch, explanations(batch), draws(batch))


@pytest.mark.parametrize(
    ("metric", "modalities"),
    [
        (Road(), ("image", "series")),
        (Road(removal="mean"), ("image", "text", "table", "series")),
        (Infidelity(perturbation="square"), ("image",)),
        (Infidelity(perturbation="noise", removal="noisy_linear"), ("image", "text", "table", "series")),
        (MonotonicityNguyen(removal="marginal"), ("image", "table", "series")),
    ],
    ids=repr,
)
def test_the_plan_knows_which_inputs_a_removal_is_for(metric, modalities):
    assert set(metric.modalities) == set(modalities)


def test_the_direction_follows_from_the_order():
    assert [Aopc(order=order).higher_is_better for order in ORDERS] == [True, False, True]
    assert [Road(order=order).higher_is_better for order in ORDERS] == [False, True, True]
    assert Road(order="difference").bounds == (-1, 1)
    assert Road().bounds == (0, 1)


@pytest.mark.parametrize("metric", [*CURVES[:1], *SHARED[:1], *GAPS[:1], *PICTURES], ids=repr)
def test_single_precision_stays_single_and_near(metric):
    batch = pictures()
    module, given = network(batch), explanations(batch, 1)
    want, far, _ = scored(metric, module, batch, given)
    background = replace(
        batch.background, **{k: getattr(batch.background, k).float() for k in ("pool", "mean", "low", "high")}
    )
    half = replace(batch, inputs=batch.inputs.float(), background=background)
    maps = [replace(e, elements=e.elements.float(), reference=e.reference.float()) for e in given]
    values, shift, _ = scored(metric, module.float(), half, maps)
    assert values.dtype == shift.dtype == torch.float32
    close(values.double(), want, rtol=1e-3, atol=1e-4)
    close(shift.double(), far, rtol=1e-3, atol=1e-4)
