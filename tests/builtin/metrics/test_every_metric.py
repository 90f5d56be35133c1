from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from builders import bind, draws, explain, make_batch
from captum import metrics as captum
from metric_batches import Tanh, Words, alone, explanations, normal, pictures, score_all, texts
from reference import metrics_loops as loops

from xaiexp.builtin.metrics import COMPONENTS
from xaiexp.builtin.metrics.axioms.completeness import Completeness, NonSensitivity
from xaiexp.builtin.metrics.complexity.sparseness import EffectiveComplexity, Entropy, Sparseness
from xaiexp.builtin.metrics.faithfulness import infidelity_formulas as infidelity
from xaiexp.builtin.metrics.faithfulness.deletion import Deletion, Insertion
from xaiexp.builtin.metrics.faithfulness.infidelity import Infidelity
from xaiexp.builtin.metrics.robustness import sensitivity_formulas as sensitivity
from xaiexp.builtin.metrics.robustness.sensitivity_max import (
    LocalLipschitz,
    RelativeInputStability,
    RelativeOutputStability,
    SensitivityMax,
)
from xaiexp.builtin.removals import fill as removal
from xaiexp.core.batches import Background
from xaiexp.core.draws import Draws
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported

FAITHFULNESS = [
    Infidelity(n_samples=9),
    Infidelity(n_samples=9, normalize=False),
    Infidelity(n_samples=9, perturbation="noise"),
    Infidelity(n_samples=9, removal="zero"),
]
CURVES = [Deletion(steps=4), Insertion(steps=4), Deletion(steps=100, removal="zero")]
STABILITY = [kind(n_perturb_samples=3) for kind in (SensitivityMax, LocalLipschitz)]
STABILITY += [kind(n_perturb_samples=3) for kind in (RelativeInputStability, RelativeOutputStability)]
DEPENDENCE = [NonSensitivity(), EffectiveComplexity(), EffectiveComplexity(steps=3, removal="zero")]
EVERY = [*FAITHFULNESS, *CURVES, *STABILITY, *DEPENDENCE, Completeness(), Sparseness(), Entropy()]


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
    assert made == sum(metric.passes(batch.shape, d, 3).forward for d in (2, 5))


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_declared_scale_invariance_holds_and_only_there(metric):
    batch, module = pictures(), Tanh(24)
    given = explanations(batch, 3)[:1]
    larger = [
        replace(e, elements=3 * e.elements, explain_perturbed=lambda points, e=e: 3 * e.explain_perturbed(points))
        for e in given
    ]
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


@pytest.mark.parametrize("cls", [cls for cls in COMPONENTS if "table" in cls().modalities])
def test_values_come_in_the_dtype_of_the_inputs(cls):
    batch = make_batch(normal(2, 4).float())
    metric = cls()
    given = [explain(batch, normal(2, 4).float(), reference=torch.zeros(2, 1, 4), explain_perturbed=torch.sin)]
    assert score_all(metric, torch.nn.Linear(4, 4), batch, given)[0].dtype == torch.float32


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
        Deletion().score_all(bind(module, batch, output=output), batch, given, draws(batch)).values
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


@pytest.mark.parametrize("metric", [SensitivityMax(), LocalLipschitz(), Infidelity(perturbation="noise")])
def test_perturbations_relative_to_an_unknown_range_are_refused(metric):
    batch = make_batch(normal(3, 6), background=Background("table"))
    with pytest.raises(Unsupported, match="range of the data"):
        metric.score_all(
            bind(Tanh(6), batch), batch, [explain(batch, normal(3, 6), explain_perturbed=torch.sin)], draws(batch)
        )
