from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from builders import bind, draws, explain, make_batch
from metric_batches import TanhNetwork, TextNetwork, explanations, images, normal, score_all, texts
from reference import complexity_loops

from xaiexp.builtin.metrics.axioms import non_sensitivity_formulas
from xaiexp.builtin.metrics.axioms.completeness import Completeness
from xaiexp.builtin.metrics.axioms.non_sensitivity import NonSensitivity
from xaiexp.builtin.removals.fill import removed_inputs
from xaiexp.core.feature_map import FeatureMap

# Completeness


def test_completeness_is_the_gap_to_the_mean_over_references():
    batch, module = images(), TanhNetwork(24)
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


def test_completeness_uses_the_output_that_the_study_explains():
    batch, module = images(), TanhNetwork(24)
    zero = explain(batch, torch.zeros_like(batch.inputs), reference=torch.zeros_like(batch.inputs).unsqueeze(1))
    got = Completeness().score_all(bind(module, batch, output="probability"), batch, [zero], draws(batch))
    want = module(batch.inputs).softmax(1).gather(1, batch.targets[:, None])[:, 0] - 0.5
    torch.testing.assert_close(got[0], want.abs())


def test_completeness_is_undefined_without_sign_reference_or_units():
    batch = images()
    reference = torch.zeros_like(batch.inputs).unsqueeze(1)
    base = explain(batch, batch.inputs, reference=reference)
    given = [replace(base, signed=False), replace(base, reference=None), replace(base, multiplied_by_inputs=False)]
    values, made = score_all(Completeness(), TanhNetwork(24), batch, given)
    assert values.isnan().all()
    assert made == 0
    assert not score_all(Completeness(), TanhNetwork(24), batch, [base])[0].isnan().any()


def test_a_shared_reference_is_evaluated_once():
    batch = images()
    reference, other = normal(3, 2, *batch.shape, seed=1), normal(3, 1, *batch.shape, seed=2)
    given = [explain(batch, k * batch.inputs, reference=r) for k, r in enumerate((reference, other, reference))]
    assert score_all(Completeness(), TanhNetwork(24), batch, given)[1] == len(batch) * 3


def layer_of(batch, units, **facts):
    """An explanation of a layer with ``units`` units."""
    features = FeatureMap.from_index(torch.arange(units).view(1, units))
    return replace(explain(batch, normal(len(batch), units), **facts), features=features, space="layer")


def test_completeness_of_layer_attributions_is_defined_if_the_method_declares_it():
    batch, module = images(), TanhNetwork(24)
    reference = torch.zeros_like(batch.inputs).unsqueeze(1)
    claims, other = (layer_of(batch, 5, reference=reference, complete=c) for c in (True, False))
    neuron = replace(explain(batch, batch.inputs, reference=reference), space="neuron")
    values, _ = score_all(Completeness(), module, batch, [claims, other, neuron])
    for n, t in enumerate(batch.targets.tolist()):
        want = float(claims.elements[n].sum()) - float(module(batch.inputs[n : n + 1])[0, t])
        assert float(values[0, n]) == pytest.approx(abs(want))
    assert values[1:].isnan().all()


# Non-sensitivity


@pytest.mark.parametrize("metric", [NonSensitivity(), NonSensitivity(epsilon=0.3, removal="zero")], ids=repr)
@pytest.mark.parametrize("make", [images, texts])
def test_non_sensitivity_matches_its_definition(metric, make):
    batch = make()
    module = TanhNetwork(24) if make is images else TextNetwork(3)
    given = explanations(batch)
    # Some attributions and some effects are 0.
    given[0].elements.mul_(torch.rand(given[0].elements.shape, generator=torch.Generator().manual_seed(0)) > 0.7)
    got, _ = score_all(metric, module, batch, given)
    replacement = removed_inputs(metric.removal, batch, draws(batch))
    index = batch.features.index.expand(batch.inputs.shape)
    distinct_values = set()
    for n in range(2):

        def f(x, n=n):
            return float(module(torch.tensor(x, dtype=torch.float64).view(1, *batch.shape))[0, batch.targets[n]])

        d = int(batch.features.counts.expand(3)[n])
        for e, values in zip(given, got, strict=True):
            want = complexity_loops.non_sensitivity(
                f,
                batch.inputs[n].flatten().tolist(),
                replacement[n].flatten().tolist(),
                index[n].flatten().tolist(),
                e.values[n, :d].tolist(),
                metric.epsilon,
            )
            assert float(values[n]) == pytest.approx(want)
            distinct_values.add(want)
    assert len(distinct_values) > 2


def test_non_sensitivity_of_maps_of_a_linear_model_in_closed_form():
    w = torch.tensor([2.0, 0.0, -1.0, 0.0], dtype=torch.float64)
    batch = make_batch(normal(2, 4).float().double())
    maps = [w * batch.inputs, 0 * batch.inputs, batch.inputs, (w == 0) * batch.inputs]
    values, made = score_all(NonSensitivity(), lambda x: x @ w + 1, batch, [explain(batch, phi) for phi in maps])
    assert values[:, 0].tolist() == [0.0, 0.5, 0.5, 1.0]
    assert made == 2 * 4


def test_effects_within_the_rounding_error_are_0():
    """Adding a small number to a large one and subtracting the large one again changes the small one by rounding."""
    batch = make_batch(torch.rand(4, 64, generator=torch.Generator().manual_seed(0)) + 1)

    def module(x):
        return (1e4 * x[:, :32].sum(1, keepdim=True) + x[:, 32:]).sum(1) - x[:, 32:].sum(1)

    changes, _ = non_sensitivity_formulas.removal_effects(bind(module, batch), batch, draws(batch), "zero")
    assert (changes[:, :32].abs() > 1e5).all()
    assert not changes[:, 32:].any()
    # The scores do contain rounding errors:
    without = batch.inputs.clone()
    without[:, 40] = 0
    assert (module(without) != module(batch.inputs)).any()


def test_epsilon_is_relative_to_the_largest_magnitude_and_inclusive():
    valid = torch.ones(1, 3, dtype=torch.bool)
    changes, values = torch.tensor([[10.0, 1.0, 0.0]]), torch.tensor([[100.0, 10.0, 10.1]])
    shares = [float(non_sensitivity_formulas.mismatched_shares(changes, values, valid, e)) for e in (0.05, 0.1, 0.101)]
    assert shares == pytest.approx([1 / 3, 1 / 3, 0.0])


def test_a_map_with_nan_has_the_value_nan():
    batch = images()
    broken = batch.inputs.clone()
    broken[1, 0, 0, 0] = math.nan
    values, _ = score_all(NonSensitivity(), TanhNetwork(24), batch, [explain(batch, broken)])
    assert values.isnan().tolist() == [[False, True, False]]
