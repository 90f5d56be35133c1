from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from builders import bind, draws, explain, make_batch
from captum import metrics as captum
from metric_batches import TanhNetwork, TextNetwork, explanations, images, normal, score_all, texts
from reference import metrics_loops

from xaiexp.builtin.metrics.faithfulness import infidelity_formulas
from xaiexp.builtin.metrics.faithfulness.infidelity import Infidelity
from xaiexp.builtin.metrics.robustness import sensitivity_formulas
from xaiexp.builtin.removals.fill import removed_inputs
from xaiexp.core.draws import Draws
from xaiexp.core.feature_map import FeatureMap

INFIDELITIES = [
    Infidelity(n_samples=9),
    Infidelity(n_samples=9, normalize=False),
    Infidelity(n_samples=9, perturbation="noise"),
    Infidelity(n_samples=9, removal="zero"),
]


def perturbed_inputs(metric, batch, rng, count):
    samples = range(count)
    if metric.perturbation == "noise":
        return batch.inputs.unsqueeze(1) - infidelity_formulas.noise(rng, batch, metric.noise_level, samples)
    removed = infidelity_formulas.subsets_of_any_size(rng, batch.features, samples)
    return batch.features.keep(batch.inputs, removed_inputs(metric.removal, batch, rng), ~removed)


@pytest.mark.parametrize("metric", INFIDELITIES, ids=repr)
@pytest.mark.parametrize("make", [images, texts])
def test_infidelity_matches_its_definition(metric, make):
    batch = make()
    module = TanhNetwork(24) if make is images else TextNetwork(3)
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
            want = metrics_loops.infidelity(
                f,
                batch.inputs[n].flatten().tolist(),
                e.elements[n].flatten().tolist(),
                index[n].flatten().tolist(),
                points[n].flatten(1).tolist(),
                metric.normalize,
                None if x0 is None else x0.flatten().tolist(),
            )
            assert float(value[n]) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("metric", INFIDELITIES, ids=repr)
@pytest.mark.parametrize("references", [0, 1, 3])
def test_exact_attributions_of_a_linear_model_have_infidelity_0(metric, references):
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
@pytest.mark.parametrize("metric", INFIDELITIES, ids=repr)
def test_infidelity_equals_captum_on_the_same_perturbations(metric, contributions):
    batch, module = make_batch(normal(3, 24).abs() + 0.1, torch.tensor([0, 1, 1])), TanhNetwork(24)
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


def test_beta_cancels_any_factor_and_a_map_of_zeros_predicts_no_change():
    batch, module = images(), TanhNetwork(24)
    given = [explain(batch, s * batch.inputs) for s in (1.0, -5.0, 0.0)]
    values, _ = score_all(INFIDELITIES[0], module, batch, given)
    torch.testing.assert_close(values[1], values[0])
    points = perturbed_inputs(INFIDELITIES[0], batch, draws(batch), 9)
    observed = bind(module, batch).scores().unsqueeze(1) - bind(module, batch).scores(points)
    torch.testing.assert_close(values[2], observed.square().mean(1))
    assert (values[0] < values[2]).all()


def test_sizes_of_subsets_and_subsets_of_a_size_are_equally_likely():
    count = 18000
    features = FeatureMap(torch.tensor([[0, 1, 2], [0, 1, -1]]), torch.tensor([3, 2]), (3,))
    three, two = infidelity_formulas.subsets_of_any_size(Draws(0, ("a", "b")), features, range(count))
    for drawn, want in (
        (three, {1: 1 / 9, 2: 1 / 9, 4: 1 / 9, 3: 1 / 9, 5: 1 / 9, 6: 1 / 9, 7: 1 / 3}),
        (two, {1: 1 / 4, 2: 1 / 4, 3: 1 / 2}),
    ):
        codes = (drawn.long() * torch.tensor([1, 2, 4])).sum(1)
        times = {code: int((codes == code).sum()) / count for code in codes.unique().tolist()}
        assert times == {code: pytest.approx(p, abs=4 * (p * (1 - p) / count) ** 0.5) for code, p in want.items()}


def test_perturbations_keep_elements_of_no_feature():
    batch = texts()
    outside = ~batch.features.inside.unsqueeze(1).expand(3, 4, 8, 3)
    original = batch.inputs.unsqueeze(1).expand(3, 4, 8, 3)
    rng = draws(batch)
    pieces = [perturbed_inputs(m, batch, rng, 4) for m in INFIDELITIES]
    pieces += sensitivity_formulas.nearby_points(bind(TextNetwork(3), batch), batch, rng, 0.1, 4)
    for piece in pieces:
        assert torch.equal(piece[outside], original[outside])
        assert not torch.equal(piece[~outside], original[~outside])
