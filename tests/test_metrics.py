from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import bind, draws, explain, make_batch, pixel_map
from captum import metrics as captum
from reference import metrics_loops as loops
from torch import nn

from xaiexp.builtin.metrics import COMPONENTS, infidelity, removal, sensitivity
from xaiexp.builtin.metrics.components import (
    Completeness,
    Deletion,
    Infidelity,
    Insertion,
    SensitivityMax,
    Sparseness,
)
from xaiexp.draws import Draws
from xaiexp.errors import Unsupported
from xaiexp.feature_map import FeatureMap
from xaiexp.types import Background

FAITHFULNESS = [
    Infidelity(n_samples=9),
    Infidelity(n_samples=9, normalize=False),
    Infidelity(n_samples=9, perturbation="noise"),
    Infidelity(n_samples=9, removal="zero"),
]
CURVES = [Deletion(steps=4), Insertion(steps=4), Deletion(steps=100, removal="zero")]
EVERY = [*FAITHFULNESS, *CURVES, SensitivityMax(n_perturb_samples=3), Completeness(), Sparseness()]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Tanh(nn.Module):
    """Two logits of a picture, smooth and not linear."""

    def __init__(self, elements):
        super().__init__()
        self.first, self.second = normal(elements, 5, seed=7), normal(5, 2, seed=8)

    def forward(self, x):
        return (x.flatten(1) @ self.first).tanh() @ self.second


class Words(nn.Module):
    """Two logits of a text of any length; a token of zeros adds nothing."""

    def __init__(self, width):
        super().__init__()
        self.first, self.second = normal(width, 5, seed=7), normal(5, 2, seed=8)

    def forward(self, x):
        return (x @ self.first).tanh().sum(1) @ self.second


def pictures(n=3, **extra):
    """Pictures ``[n, 2, 3, 4]``, each pixel a feature, in a data range of 4."""
    ends = torch.full((2, 1, 1), 2.0, dtype=torch.float64)
    background = Background("image", mean=ends / 4, low=-ends, high=ends)
    x = normal(n, 2, 3, 4)
    return make_batch(x, torch.arange(n) % 2, features=pixel_map((2, 3, 4)), background=background, **extra)


def texts():
    """Sentences of 2, 5 and 0 tokens between special tokens, padded to 8 positions."""
    x = normal(3, 8, 3)
    index = torch.full((3, 8), -1)
    for row, count in enumerate((2, 5, 0)):
        index[row, 1 : 1 + count] = torch.arange(count)
        x[row, count + 2 :] = 0
    features = FeatureMap(index.unsqueeze(2).expand(3, 8, 3), torch.tensor([2, 5, 0]), (5,))
    background = Background("text", mean=torch.zeros(3), low=-torch.ones(3).double(), high=torch.ones(3).double())
    return make_batch(x, torch.tensor([0, 1, 1]), features=features, background=background)


def explanations(batch, count=4):
    """Maps of every kind: contributions with and without reference, sensitivities, without sign."""

    def again(scale):
        return lambda points: scale * points.sin()

    reference = normal(len(batch), 2, *batch.shape, seed=5)
    reference = torch.where(batch.features.inside.unsqueeze(1), reference, batch.inputs.unsqueeze(1))
    kinds = [
        {"reference": reference},
        {"multiplied_by_inputs": False},
        {"reference": None},
        {"signed": False, "multiplied_by_inputs": False},
        {"reference": reference},
    ]
    return [
        explain(batch, (k + 1) * normal(*batch.inputs.shape, seed=k), again=again(k + 1), **facts)
        for k, facts in enumerate(kinds[:count])
    ]


def score_all(metric, module, batch, given, budget=None):
    handle = bind(module, batch, budget=budget)
    handle.scores()
    before = handle.passes.counter.forward
    values = metric.score_all(handle, batch, given, draws(batch))
    return values, handle.passes.counter.forward - before


def alone(batch, row, given):
    """The example in a batch of its own, without padding, and what is said of it."""
    rows = torch.tensor([row])
    features = batch.features.rows(rows)
    length = batch.shape[0]
    if features.ragged:
        d = int(features.counts[0])
        length = d + 2
        features = FeatureMap(features.index[:, :length], features.counts, (d,))
    part = replace(
        batch,
        ids=(batch.ids[row],),
        inputs=batch.inputs[rows, :length],
        targets=batch.targets[rows],
        features=features,
    )
    return part, [
        replace(
            e,
            elements=e.elements[rows, :length],
            features=features,
            reference=None if e.reference is None else e.reference[rows, :, :length],
        )
        for e in given
    ]


# What holds for every metric


@pytest.mark.parametrize("metric", EVERY, ids=repr)
@pytest.mark.parametrize("make", [pictures, texts])
def test_an_example_scores_alone_what_it_scores_in_company_in_any_batch_size(metric, make):
    batch = make()
    module = Tanh(24) if make is pictures else Words(3)
    given = explanations(batch)
    together, _ = score_all(metric, module, batch, given)
    for budget in (1, 7):
        torch.testing.assert_close(score_all(metric, module, batch, given, budget)[0], together, equal_nan=True)
    for row in range(len(batch)):
        part, parts = alone(batch, row, given)
        got, _ = score_all(metric, module, part, parts)
        torch.testing.assert_close(got[:, 0], together[:, row], equal_nan=True)


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_the_value_of_an_explanation_does_not_depend_on_which_others_are_there(metric):
    batch, module = pictures(), Tanh(24)
    given = explanations(batch, 5)
    together, _ = score_all(metric, module, batch, given)
    for explanation, want in zip(given, together, strict=True):
        assert torch.allclose(score_all(metric, module, batch, [explanation])[0][0], want, 1e-12, 0, equal_nan=True)
    back, _ = score_all(metric, module, batch, given[::-1])
    torch.testing.assert_close(back.flip(0), together, rtol=1e-12, atol=0, equal_nan=True)


@pytest.mark.parametrize("metric", [m for m in EVERY if not isinstance(m, Completeness)], ids=repr)
@pytest.mark.parametrize("count", [1, 5])
def test_the_promised_passes_are_made(metric, count):
    batch = pictures()
    _, made = score_all(metric, Tanh(24), batch, explanations(batch, count))
    assert made == len(batch) * metric.passes(batch.shape, batch.features.d, count).forward


@pytest.mark.parametrize("metric", CURVES, ids=repr)
def test_ragged_examples_cost_the_passes_of_their_own_features(metric):
    batch = texts()
    _, made = score_all(metric, Words(3), batch, explanations(batch, 3))
    assert made == sum(metric.passes(batch.shape, d, 3).forward for d in (2, 5)) + 1


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_declared_scale_invariance_holds_and_only_there(metric):
    batch, module = pictures(), Tanh(24)
    given = explanations(batch, 3)[:1]
    larger = [replace(e, elements=3 * e.elements, again=lambda points, e=e: 3 * e.again(points)) for e in given]
    small, large = (score_all(metric, module, batch, e)[0] for e in (given, larger))
    assert torch.allclose(small, large) is metric.scale_invariant


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_measures_of_signs_and_no_others_are_undefined_without_them(metric):
    batch = pictures()
    unsigned = [replace(e, signed=False) for e in explanations(batch)[:1]]
    values, made = score_all(metric, Tanh(24), batch, unsigned)
    assert bool(values.isnan().all()) is metric.needs_sign
    assert not (metric.needs_sign and made)


@pytest.mark.parametrize("metric", [*FAITHFULNESS[:1], *CURVES[:1], Sparseness()], ids=repr)
def test_an_example_without_features_has_no_value(metric):
    batch = texts()
    values, _ = score_all(metric, Words(3), batch, explanations(batch, 3))
    assert values.isnan().tolist() == [[False, False, True]] * 3


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_batch_and_maps_are_left_as_they_were(metric):
    batch = pictures()
    given = explanations(batch)
    before = [batch.inputs.clone(), *(e.elements.clone() for e in given)]
    values, _ = score_all(metric, Tanh(24), batch, given)
    assert all(map(torch.equal, before, [batch.inputs, *(e.elements for e in given)]))
    assert values.dtype == batch.inputs.dtype


@pytest.mark.parametrize("cls", COMPONENTS)
def test_values_come_in_the_dtype_of_the_inputs(cls):
    batch = make_batch(normal(2, 4).float())
    metric = cls()
    given = [explain(batch, normal(2, 4).float(), reference=torch.zeros(2, 1, 4), again=torch.sin)]
    assert score_all(metric, lambda x: x.cumsum(1), batch, given)[0].dtype == torch.float32


# Infidelity


def perturbed_inputs(metric, batch, rng, count):
    samples = range(count)
    if metric.perturbation == "noise":
        return batch.inputs.unsqueeze(1) - infidelity.noise(rng, batch, metric.noise_level, samples)
    gone = infidelity.subsets(rng, batch.features, samples)
    return batch.features.keep(batch.inputs, removal.removed(metric.removal, batch, rng), ~gone)


@pytest.mark.parametrize("metric", FAITHFULNESS, ids=repr)
@pytest.mark.parametrize("make", [pictures, texts])
def test_infidelity_is_its_definition(metric, make):
    batch = make()
    module = Tanh(24) if make is pictures else Words(3)
    given = explanations(batch, 3)
    got, _ = score_all(metric, module, batch, given)
    points = perturbed_inputs(metric, batch, draws(batch), metric.n_samples)
    index = batch.features.index.expand(batch.inputs.shape)
    for n in range(2):

        def f(x, n=n):
            return float(module(torch.tensor(x, dtype=torch.float64).view(1, *batch.shape))[0, batch.targets[n]])

        for e, value in zip(given, got, strict=True):
            x0 = None
            if e.multiplied_by_inputs:
                x0 = torch.zeros_like(batch.inputs[n]) if e.reference is None else e.reference[n].mean(0)
            want = loops.infidelity(
                f,
                batch.inputs[n].flatten().tolist(),
                e.elements[n].flatten().tolist(),
                index[n].flatten().tolist(),
                points[n].flatten(1).tolist(),
                metric.normalize,
                None if x0 is None else x0.flatten().tolist(),
            )
            assert float(value[n]) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("metric", FAITHFULNESS, ids=repr)
@pytest.mark.parametrize("references", [0, 1, 3])
def test_exact_attributions_of_a_linear_model_have_no_infidelity(metric, references):
    batch = make_batch(normal(3, 6))
    w = normal(6, seed=1)
    reference = normal(3, references, 6, seed=2) if references else None
    x0 = reference.mean(1) if references else 0
    given = [
        explain(batch, w.expand(3, 6), multiplied_by_inputs=False),
        explain(batch, w * (batch.inputs - x0), reference=reference),
    ]
    values, _ = score_all(metric, lambda x: x @ w + 3, batch, given)
    torch.testing.assert_close(values, torch.zeros(2, 3, dtype=torch.float64), rtol=0, atol=1e-24)
    wrong = [replace(e, elements=e.elements.flip(1)) for e in given]
    assert (score_all(metric, lambda x: x @ w + 3, batch, wrong)[0] > 1e-3).all()


@pytest.mark.parametrize("contributions", [True, False])
@pytest.mark.parametrize("metric", FAITHFULNESS, ids=repr)
def test_infidelity_equals_captum_on_the_same_perturbations(metric, contributions):
    batch, module = make_batch(normal(3, 24).abs() + 0.1, torch.tensor([0, 1, 1])), Tanh(24)
    phi, x0 = normal(3, 24, seed=4), -normal(3, 24, seed=5).abs()
    facts = {"multiplied_by_inputs": contributions, "reference": x0.unsqueeze(1) if contributions else None}
    got, _ = score_all(metric, module, batch, [explain(batch, phi, **facts)])
    points = perturbed_inputs(metric, batch, draws(batch), metric.n_samples).flatten(0, 1)

    @captum.infidelity_perturb_func_decorator(multiply_by_inputs=contributions)
    def perturb(inputs, baselines=None):
        return points

    want = captum.infidelity(
        module,
        perturb,
        batch.inputs,
        phi,
        baselines=x0 if contributions else None,
        target=batch.targets,
        n_perturb_samples=metric.n_samples,
        normalize=metric.normalize,
    )
    torch.testing.assert_close(got[0], want)


def test_beta_undoes_any_factor_and_a_map_of_zeros_foretells_nothing():
    batch, module = pictures(), Tanh(24)
    given = [explain(batch, s * batch.inputs) for s in (1.0, -5.0, 0.0)]
    values, _ = score_all(FAITHFULNESS[0], module, batch, given)
    torch.testing.assert_close(values[1], values[0])
    points = perturbed_inputs(FAITHFULNESS[0], batch, draws(batch), 9)
    seen = bind(module, batch).scores().unsqueeze(1) - bind(module, batch).scores(points)
    torch.testing.assert_close(values[2], seen.square().mean(1))
    assert (values[0] < values[2]).all()


def test_all_sizes_of_subsets_are_equally_likely_and_all_subsets_of_a_size():
    count = 18000
    features = FeatureMap(torch.tensor([[0, 1, 2], [0, 1, -1]]), torch.tensor([3, 2]), (3,))
    three, two = infidelity.subsets(Draws(0, ("a", "b")), features, range(count))
    for drawn, want in (
        (three, {1: 1 / 9, 2: 1 / 9, 4: 1 / 9, 3: 1 / 9, 5: 1 / 9, 6: 1 / 9, 7: 1 / 3}),
        (two, {1: 1 / 4, 2: 1 / 4, 3: 1 / 2}),
    ):
        codes = (drawn.long() * torch.tensor([1, 2, 4])).sum(1)
        times = {code: int((codes == code).sum()) / count for code in codes.unique().tolist()}
        assert times == {code: pytest.approx(p, abs=4 * (p * (1 - p) / count) ** 0.5) for code, p in want.items()}


def test_perturbations_leave_alone_what_belongs_to_no_feature():
    batch = texts()
    outside = ~batch.features.inside.unsqueeze(1).expand(3, 4, 8, 3)
    original = batch.inputs.unsqueeze(1).expand(3, 4, 8, 3)
    rng = draws(batch)
    pieces = [perturbed_inputs(m, batch, rng, 4) for m in FAITHFULNESS]
    pieces += sensitivity.nearby(bind(Words(3), batch), batch, rng, 0.1, 4)
    for piece in pieces:
        assert torch.equal(piece[outside], original[outside])
        assert not torch.equal(piece[~outside], original[~outside])


# Maximum sensitivity


def test_sensitivity_is_its_definition():
    batch = pictures()
    given = explanations(batch)
    metric = SensitivityMax(perturb_radius=0.05, n_perturb_samples=4)
    got, _ = score_all(metric, Tanh(24), batch, given)
    (points,) = sensitivity.nearby(bind(Tanh(24), batch, budget=12), batch, draws(batch), 0.05, 4)
    for e, values in zip(given, got, strict=True):
        moved = batch.features.pool(e.again(points))
        for n in range(3):
            want = loops.sensitivity_max(e.values[n].tolist(), moved[n].tolist())
            assert float(values[n]) == pytest.approx(want)


def test_the_ball_has_the_declared_radius_and_is_filled_evenly():
    batch = pictures()
    points = torch.cat(list(sensitivity.nearby(bind(Tanh(24), batch), batch, draws(batch), 0.05, 400)), 1)
    moves = (points - batch.inputs.unsqueeze(1)) / (0.05 * 4)
    assert moves.abs().max() <= 1
    assert moves.abs().max() > 0.999
    assert abs(float(moves.mean())) < 0.01
    assert float(moves.square().mean()) == pytest.approx(1 / 3, abs=0.01)


def test_sensitivity_of_a_method_that_ignores_the_input_is_zero_and_of_a_linear_one_in_closed_form():
    batch = make_batch(normal(3, 6))
    w = normal(6, seed=1)
    given = [
        explain(batch, w.expand(3, 6), again=lambda points: w.expand(points.shape)),
        explain(batch, w * batch.inputs, again=lambda points: w * points),
    ]
    metric = SensitivityMax(n_perturb_samples=5)
    values, _ = score_all(metric, lambda x: x @ w, batch, given)
    assert torch.equal(values[0], torch.zeros(3, dtype=torch.float64))
    points = torch.cat(list(sensitivity.nearby(bind(None, batch), batch, draws(batch), 0.02, 5)), 1)
    moved = (w * (points - batch.inputs.unsqueeze(1))).norm(dim=2).amax(1)
    torch.testing.assert_close(values[1], moved / (w * batch.inputs).norm(dim=1))


def test_sensitivity_equals_captum_on_the_same_points():
    batch = make_batch(normal(3, 6))
    metric = SensitivityMax(n_perturb_samples=5)
    given = [explain(batch, batch.inputs.sin(), again=torch.sin)]
    got = metric.score_all(bind(None, batch), batch, given, draws(batch))
    points = torch.cat(list(sensitivity.nearby(bind(None, batch), batch, draws(batch), 0.02, 5)), 1)
    want = captum.sensitivity_max(
        lambda inputs: ((inputs[0] if isinstance(inputs, tuple) else inputs).sin(),),
        batch.inputs,
        perturb_func=lambda inputs: points.flatten(0, 1),
        n_perturb_samples=5,
    )
    torch.testing.assert_close(got[0], want)


def test_sensitivity_is_undefined_for_zero_maps_and_without_the_method():
    batch = make_batch(normal(3, 6))
    zero = torch.cat([normal(2, 6), torch.zeros(1, 6, dtype=torch.float64)])
    given = [explain(batch, normal(3, 6)), explain(batch, zero, again=torch.sin)]
    values = SensitivityMax().score_all(bind(None, batch), batch, given, draws(batch))
    assert values.isnan().tolist() == [[True, True, True], [False, False, True]]


@pytest.mark.parametrize("metric", [SensitivityMax(), Infidelity(perturbation="noise")])
def test_perturbations_relative_to_an_unknown_range_are_refused(metric):
    batch = make_batch(normal(3, 6), background=Background("table"))
    with pytest.raises(Unsupported, match="range of the data"):
        metric.score_all(bind(Tanh(6), batch), batch, [explain(batch, normal(3, 6), again=torch.sin)], draws(batch))


# Completeness


def test_completeness_is_the_gap_to_the_mean_over_references():
    batch, module = pictures(), Tanh(24)
    reference = normal(3, 4, *batch.shape, seed=3)
    phi = normal(*batch.inputs.shape, seed=4)
    got, _ = score_all(Completeness(), module, batch, [explain(batch, phi, reference=reference)])
    for n, t in enumerate(batch.targets.tolist()):
        difference = float(module(batch.inputs[n : n + 1])[0, t] - module(reference[n])[:, t].mean())
        assert float(got[0, n]) == pytest.approx(abs(float(phi[n].sum()) - difference))


def test_exact_attributions_are_complete():
    batch, w, x0 = make_batch(normal(3, 6)), normal(6, seed=1), normal(3, 1, 6, seed=2)
    values, _ = score_all(
        Completeness(), lambda x: x @ w, batch, [explain(batch, w * (batch.inputs - x0[:, 0]), reference=x0)]
    )
    torch.testing.assert_close(values, torch.zeros(1, 3, dtype=torch.float64), rtol=0, atol=1e-12)


def test_completeness_is_of_the_output_that_the_study_explains():
    batch, module = pictures(), Tanh(24)
    zero = explain(batch, torch.zeros_like(batch.inputs), reference=torch.zeros_like(batch.inputs).unsqueeze(1))
    got = Completeness().score_all(bind(module, batch, output="probability"), batch, [zero], draws(batch))
    want = module(batch.inputs).softmax(1).gather(1, batch.targets[:, None])[:, 0] - 0.5
    torch.testing.assert_close(got[0], want.abs())


def test_completeness_is_undefined_without_sign_reference_or_units():
    batch = pictures()
    reference = torch.zeros_like(batch.inputs).unsqueeze(1)
    base = explain(batch, batch.inputs, reference=reference)
    given = [replace(base, signed=False), replace(base, reference=None), replace(base, multiplied_by_inputs=False)]
    values, made = score_all(Completeness(), Tanh(24), batch, given)
    assert values.isnan().all()
    assert made == 0
    assert not score_all(Completeness(), Tanh(24), batch, [base])[0].isnan().any()


def test_a_shared_reference_is_evaluated_once():
    batch = pictures()
    reference, other = normal(3, 2, *batch.shape, seed=1), normal(3, 1, *batch.shape, seed=2)
    given = [explain(batch, k * batch.inputs, reference=r) for k, r in enumerate((reference, other, reference))]
    assert score_all(Completeness(), Tanh(24), batch, given)[1] == len(batch) * 3


# Deletion and insertion


@pytest.mark.parametrize("metric", [*CURVES, Insertion(steps=5, removal="mean"), Deletion(steps=1)], ids=repr)
@pytest.mark.parametrize("make", [pictures, texts])
def test_curves_are_their_definition(metric, make):
    batch = make()
    module = Tanh(24) if make is pictures else Words(3)
    given = explanations(batch)
    got, _ = score_all(metric, module, batch, given)
    gone = removal.removed(metric.removal, batch, draws(batch))
    index = batch.features.index.expand(batch.inputs.shape)
    for n in range(2):

        def probability(x, n=n):
            logits = module(torch.tensor(x, dtype=torch.float64).view(1, *batch.shape))[0]
            return float(logits.softmax(0)[batch.targets[n]])

        d = int(batch.features.counts.expand(3)[n])
        for e, values in zip(given, got, strict=True):
            want = loops.curve_area(
                probability,
                batch.inputs[n].flatten().tolist(),
                gone[n].flatten().tolist(),
                index[n].flatten().tolist(),
                sorted(range(d), key=lambda j, e=e: -float(e.values[n, j])),
                metric.steps,
                isinstance(metric, Insertion),
            )
            assert float(values[n]) == pytest.approx(want)


def test_the_best_order_has_the_least_deletion_and_the_most_insertion():
    w = torch.tensor([4.0, 2.0, 1.0, 0.5], dtype=torch.float64)
    batch = make_batch(torch.ones(1, 4, dtype=torch.float64))
    best, worst = (explain(batch, phi.expand(1, 4)) for phi in (w, -w))
    probabilities = torch.tensor([7.5, 3.5, 1.5, 0.5, 0.0], dtype=torch.float64).sigmoid()
    deletion, _ = score_all(Deletion(), lambda x: x @ w, batch, [best, worst])
    assert float(deletion[0]) == pytest.approx(float(torch.trapezoid(probabilities, dx=0.25)))
    insertion, _ = score_all(Insertion(), lambda x: x @ w, batch, [best, worst])
    assert deletion[0] < deletion[1]
    assert insertion[0] > insertion[1]
    # Deleting in the reverse order is inserting backwards.
    torch.testing.assert_close(deletion[1], insertion[0])


def test_curves_are_probabilities_whatever_the_study_explains():
    batch = pictures()
    given = explanations(batch, 1)
    module = Tanh(24)
    both = [
        Deletion().score_all(bind(module, batch, output=output), batch, given, draws(batch))
        for output in ("logit", "probability")
    ]
    assert torch.equal(*both)


def test_ties_are_broken_at_random_and_alike_for_all_explanations():
    n = 400
    batch = make_batch(torch.ones(n, 4, dtype=torch.float64))
    w = torch.tensor([1.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    constant = [explain(batch, torch.full((n, 4), v, dtype=torch.float64)) for v in (0.0, 7.0)]
    first, second = score_all(Deletion(), lambda x: 9 * x @ w, batch, constant)[0]
    assert torch.equal(first, second)
    # The one feature that counts is removed first, second, third or last, equally often.
    high, low = float(torch.tensor(9.0).sigmoid()), 0.5
    areas = [(high * (k + 0.5) + low * (3.5 - k)) / 4 for k in range(4)]
    times = [int(torch.isclose(first, torch.tensor(a).double(), atol=1e-6).sum()) for a in areas]
    assert sum(times) == n
    assert min(times) > n / 4 - 4 * math.sqrt(n * 3 / 16)


def test_a_map_that_is_not_a_number_has_no_curve():
    batch = pictures()
    broken = batch.inputs.clone()
    broken[1, 0, 0, 0] = math.nan
    values, _ = score_all(Deletion(), Tanh(24), batch, [explain(batch, broken)])
    assert values.isnan().tolist() == [[False, True, False]]


# Sparseness


def test_sparseness_is_half_the_relative_mean_difference_of_magnitudes():
    for batch in (pictures(), texts()):
        given = explanations(batch)
        values = Sparseness().score_all(bind(None, batch), batch, given, draws(batch))
        for e, row in zip(given, values, strict=True):
            for n in range(2):
                d = int(batch.features.counts.expand(3)[n])
                assert float(row[n]) == pytest.approx(loops.gini(e.values[n, :d].tolist()))


def test_sparseness_of_equal_single_and_missing_attributions():
    batch = make_batch(torch.zeros(4, 5, dtype=torch.float64))
    phi = torch.tensor([[2.0, -2, 2, 2, -2], [0, 0, -9, 0, 0], [0, 0, 0, 0, 0], [1, 2, 3, 4, 5]]).double()
    got = Sparseness().score(bind(None, batch), batch, explain(batch, phi), draws(batch))
    np.testing.assert_allclose(got, [0, 0.8, math.nan, 4 / 15], atol=1e-15)


# Removal


@pytest.mark.parametrize(
    ("modality", "shape", "name"), [("image", (2, 4, 4), "blur"), ("table", (4,), "mean"), ("series", (2, 4), "mean")]
)
def test_removal_is_chosen_by_modality(modality, shape, name):
    background = Background(modality, mean=torch.tensor(0.25).double(), shift=0.5, scale=2.0)
    batch = make_batch(normal(2, *shape), background=background)
    rng = draws(batch)
    assert torch.equal(removal.removed("auto", batch, rng), removal.removed(name, batch, rng))
    want = {"zero": -0.25, "mean": 0.25}
    for removed, value in want.items():
        assert torch.equal(removal.removed(removed, batch, rng), torch.full_like(batch.inputs, value))


def test_what_belongs_to_no_feature_is_not_removed():
    batch = texts()
    gone = removal.removed("auto", batch, draws(batch))
    inside = batch.features.inside
    assert torch.equal(gone[~inside], batch.inputs[~inside])
    assert not gone[inside].any()


def test_blur_of_a_table_is_refused():
    batch = make_batch(normal(2, 4))
    with pytest.raises(Unsupported, match="blur"):
        Deletion(removal="blur").score_all(bind(Tanh(4), batch), batch, [explain(batch, batch.inputs)], draws(batch))
