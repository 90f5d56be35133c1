from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from builders import bind, draws, explain, make_batch
from metric_batches import TanhNetwork, TextNetwork, explanations, images, normal, score_all, single_example, texts

from xaiexp.builtin.metrics import COMPONENTS
from xaiexp.builtin.metrics.axioms.completeness import Completeness
from xaiexp.builtin.metrics.axioms.non_sensitivity import NonSensitivity
from xaiexp.builtin.metrics.complexity.effective_complexity import EffectiveComplexity
from xaiexp.builtin.metrics.complexity.sparseness import Entropy, Sparseness
from xaiexp.builtin.metrics.faithfulness.infidelity import Infidelity
from xaiexp.builtin.metrics.faithfulness.removal_in_steps import Deletion, Insertion
from xaiexp.builtin.metrics.robustness.sensitivity import LocalLipschitz, SensitivityMax
from xaiexp.builtin.metrics.robustness.stability import RelativeInputStability, RelativeOutputStability
from xaiexp.core.batches import Background
from xaiexp.errors import Unsupported

INFIDELITIES = [
    Infidelity(n_samples=9),
    Infidelity(n_samples=9, normalize=False),
    Infidelity(n_samples=9, perturbation="noise"),
    Infidelity(n_samples=9, removal="zero"),
]
CURVES = [Deletion(steps=4), Insertion(steps=4), Deletion(steps=100, removal="zero")]
STABILITY = [kind(n_perturb_samples=3) for kind in (SensitivityMax, LocalLipschitz)]
STABILITY += [kind(n_perturb_samples=3) for kind in (RelativeInputStability, RelativeOutputStability)]
DEPENDENCE = [NonSensitivity(), EffectiveComplexity(), EffectiveComplexity(steps=3, removal="zero")]
EVERY = [*INFIDELITIES, *CURVES, *STABILITY, *DEPENDENCE, Completeness(), Sparseness(), Entropy()]


@pytest.mark.parametrize("metric", EVERY, ids=repr)
@pytest.mark.parametrize("make", [images, texts])
def test_values_do_not_depend_on_the_other_examples_or_the_batch_size(metric, make):
    batch = make()
    module = TanhNetwork(24) if make is images else TextNetwork(3)
    given = explanations(batch)
    joint, _ = score_all(metric, module, batch, given)
    for budget in (1, 7):
        torch.testing.assert_close(score_all(metric, module, batch, given, budget)[0], joint, equal_nan=True)
    for row in range(len(batch)):
        part, parts = single_example(batch, row, given)
        got, _ = score_all(metric, module, part, parts)
        torch.testing.assert_close(got[:, 0], joint[:, row], equal_nan=True)


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_values_do_not_depend_on_the_other_explanations(metric):
    batch, module = images(), TanhNetwork(24)
    given = explanations(batch, 5)
    joint, _ = score_all(metric, module, batch, given)
    for explanation, want in zip(given, joint, strict=True):
        assert torch.allclose(score_all(metric, module, batch, [explanation])[0][0], want, 1e-12, 0, equal_nan=True)
    back, _ = score_all(metric, module, batch, given[::-1])
    torch.testing.assert_close(back.flip(0), joint, rtol=1e-12, atol=0, equal_nan=True)


@pytest.mark.parametrize("metric", [m for m in EVERY if not isinstance(m, Completeness)], ids=repr)
@pytest.mark.parametrize("count", [1, 5])
def test_the_declared_number_of_passes_is_made(metric, count):
    batch = images()
    _, made = score_all(metric, TanhNetwork(24), batch, explanations(batch, count))
    assert made == len(batch) * metric.passes(batch.shape, batch.features.d, count).forward


@pytest.mark.parametrize("metric", CURVES, ids=repr)
def test_the_passes_of_ragged_examples_depend_on_their_own_features(metric):
    batch = texts()
    _, made = score_all(metric, TextNetwork(3), batch, explanations(batch, 3))
    assert made == sum(metric.passes(batch.shape, d, 3).forward for d in (2, 5))


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_values_are_scale_invariant_exactly_if_declared(metric):
    batch, module = images(), TanhNetwork(24)
    given = explanations(batch, 3)[:1]
    larger = [
        replace(e, elements=3 * e.elements, explain_perturbed=lambda points, e=e: 3 * e.explain_perturbed(points))
        for e in given
    ]
    small, large = (score_all(metric, module, batch, e)[0] for e in (given, larger))
    assert torch.allclose(small, large) is metric.scale_invariant


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_values_of_unsigned_maps_are_nan_exactly_if_signs_are_needed(metric):
    batch = images()
    unsigned = [replace(e, signed=False) for e in explanations(batch)[:1]]
    values, made = score_all(metric, TanhNetwork(24), batch, unsigned)
    assert bool(values.isnan().all()) is metric.needs_sign
    assert not (metric.needs_sign and made)


@pytest.mark.parametrize("metric", [*INFIDELITIES[:1], *CURVES[:1], Sparseness()], ids=repr)
def test_an_example_without_features_has_the_value_nan(metric):
    batch = texts()
    values, _ = score_all(metric, TextNetwork(3), batch, explanations(batch, 3))
    assert values.isnan().tolist() == [[False, False, True]] * 3


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_batch_and_maps_are_unchanged(metric):
    batch = images()
    given = explanations(batch)
    before = [batch.inputs.clone(), *(e.elements.clone() for e in given)]
    values, _ = score_all(metric, TanhNetwork(24), batch, given)
    assert all(map(torch.equal, before, [batch.inputs, *(e.elements for e in given)]))
    assert values.dtype == batch.inputs.dtype


@pytest.mark.parametrize("cls", [cls for cls in COMPONENTS if "table" in cls().modalities])
def test_values_have_the_dtype_of_the_inputs(cls):
    batch = make_batch(normal(2, 4).float())
    metric = cls()
    given = [explain(batch, normal(2, 4).float(), reference=torch.zeros(2, 1, 4), explain_perturbed=torch.sin)]
    assert score_all(metric, torch.nn.Linear(4, 4), batch, given)[0].dtype == torch.float32


@pytest.mark.parametrize("metric", [SensitivityMax(), LocalLipschitz(), Infidelity(perturbation="noise")])
def test_perturbations_relative_to_an_unknown_range_raise_unsupported(metric):
    batch = make_batch(normal(3, 6), background=Background("table"))
    with pytest.raises(Unsupported, match="range of the data"):
        metric.score_all(
            bind(TanhNetwork(6), batch),
            batch,
            [explain(batch, normal(3, 6), explain_perturbed=torch.sin)],
            draws(batch),
        )
