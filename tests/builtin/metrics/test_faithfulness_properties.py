from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from builders import bind, draws, make_batch
from faithfulness_cases import (
    close,
    explanations,
    images,
    network,
    normal,
    score_metric,
    single_example,
    texts,
    with_fixed_weights,
)
from faithfulness_metrics import CURVES, EVERY, GAPS, IMAGES_ONLY, ORDERS, SHARED, cases
from torch import nn

from xaiexp.builtin.metrics.faithfulness.correlation import MonotonicityNguyen
from xaiexp.builtin.metrics.faithfulness.infidelity import Infidelity
from xaiexp.builtin.metrics.faithfulness.prediction_gap import PredictionGapImportant
from xaiexp.builtin.metrics.faithfulness.removal_at_shares import Road
from xaiexp.builtin.metrics.faithfulness.removal_in_steps import Aopc, Deletion
from xaiexp.core.batches import Background
from xaiexp.errors import Unsupported


@cases
def test_values_do_not_depend_on_the_other_examples_or_the_batch_size(metric, make):
    batch = make()
    module, given = network(batch), explanations(batch)
    values, shift, _ = score_metric(metric, module, batch, given)
    assert not values[0, :2].isnan().any()
    assert not shift[0, :2].isnan().any()
    for budget in (1, 7):
        again = score_metric(metric, module, batch, given, budget)
        close(again[0], values)
        close(again[1], shift)
    for row in range(len(batch)):
        part, parts = single_example(batch, row, given)
        got = score_metric(metric, module, part, parts)
        close(got[0][:, 0], values[:, row])
        close(got[1][:, 0], shift[:, row])


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_values_do_not_depend_on_the_other_explanations(metric):
    batch = images()
    module, given = network(batch), explanations(batch, 5)
    values, shift, _ = score_metric(metric, module, batch, given)
    for explanation, value, far in zip(given, values, shift, strict=True):
        got = score_metric(metric, module, batch, [explanation])
        close(got[0][0], value, rtol=1e-12, atol=1e-14)
        close(got[1][0], far, rtol=1e-12, atol=0)


@pytest.mark.parametrize("metric", EVERY, ids=repr)
@pytest.mark.parametrize("count", [1, 5])
def test_the_declared_number_of_passes_is_made(metric, count):
    batch = images()
    *_, made = score_metric(metric, network(batch), batch, explanations(batch, count))
    assert made == len(batch) * metric.passes(batch.shape, batch.features.d, count).forward


@pytest.mark.parametrize("metric", [*SHARED, *IMAGES_ONLY[3:]], ids=repr)
def test_inputs_that_depend_on_no_attribution_are_evaluated_once_for_all_explanations(metric):
    batch = images()
    passes = [score_metric(metric, network(batch), batch, explanations(batch, count))[2] for count in (1, 5)]
    assert passes[0] == passes[1] > 0


@pytest.mark.parametrize("metric", [*CURVES, *SHARED[:6], *GAPS], ids=repr)
def test_the_passes_of_ragged_examples_depend_on_their_own_features(metric):
    batch = texts()
    *_, made = score_metric(metric, network(batch), batch, explanations(batch, 3))
    assert made == sum(metric.passes(batch.shape, d, 3).forward for d in (2, 5))


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_values_are_scale_invariant_exactly_if_declared(metric):
    batch = images()
    given = explanations(batch, 1)
    larger = [replace(e, elements=3 * e.elements) for e in given]
    small, large = (score_metric(metric, network(batch), batch, e)[0] for e in (given, larger))
    assert torch.allclose(small, large) is metric.scale_invariant


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_values_of_unsigned_maps_are_nan_exactly_if_signs_are_needed(metric):
    batch = images()
    unsigned = [replace(e, signed=False) for e in explanations(batch)[:1]]
    values, shift, made = score_metric(metric, network(batch), batch, unsigned)
    assert bool(values.isnan().all()) is metric.needs_sign
    assert bool(shift.isnan().all()) is metric.needs_sign
    assert bool(made) is not metric.needs_sign


@pytest.mark.parametrize("metric", [*CURVES, *SHARED, *GAPS], ids=repr)
def test_an_example_without_features_has_the_value_nan(metric):
    batch = texts()
    values, shift, _ = score_metric(metric, network(batch), batch, explanations(batch, 3))
    assert values[:, 2].isnan().all()
    assert shift[:, 2].isnan().all()
    assert not shift[:, :2].isnan().any()


@pytest.mark.parametrize("metric", [m for m in EVERY if not isinstance(m, Infidelity)], ids=repr)
def test_a_map_with_nan_has_the_value_nan(metric):
    batch = images()
    given = explanations(batch, 1)[0]
    elements = given.elements.clone()
    elements[1] = math.nan
    values, *_ = score_metric(metric, network(batch), batch, [replace(given, elements=elements)])
    assert values.isnan().tolist() == [[False, True, False]]


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_batch_and_maps_are_unchanged_and_values_have_the_dtype_of_the_inputs(metric):
    batch = images()
    given = explanations(batch)
    before = [batch.inputs.clone(), *(e.elements.clone() for e in given)]
    values, shift, _ = score_metric(metric, network(batch), batch, given)
    assert all(map(torch.equal, before, [batch.inputs, *(e.elements for e in given)]))
    assert values.dtype == shift.dtype == batch.inputs.dtype


# Supported inputs and declared facts


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        (Road(), "is for images and time series"),
        (Infidelity(perturbation="square"), "squares"),
        (MonotonicityNguyen(removal="marginal"), "background"),
        (PredictionGapImportant(), "range of the data"),
        (Deletion(removal="black"), "black"),
    ],
    ids=repr,
)
def test_metrics_that_do_not_support_a_table_without_data_raise_unsupported(metric, words):
    batch = make_batch(normal(3, 6), background=Background("table"))
    with pytest.raises(Unsupported, match=words):
        metric.score_all(bind(with_fixed_weights(nn.Linear(6, 2)), batch), batch, explanations(batch), draws(batch))


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
def test_modalities_depend_on_the_removal(metric, modalities):
    assert set(metric.modalities) == set(modalities)


def test_the_direction_follows_from_the_order():
    assert [Aopc(order=order).higher_is_better for order in ORDERS] == [True, False, True]
    assert [Road(order=order).higher_is_better for order in ORDERS] == [False, True, True]
    assert Road(order="difference").bounds == (-1, 1)
    assert Road().bounds == (0, 1)


@pytest.mark.parametrize("metric", [*CURVES[:1], *SHARED[:1], *GAPS[:1], *IMAGES_ONLY], ids=repr)
def test_single_precision_is_kept_and_close_to_double_precision(metric):
    batch = images()
    module, given = network(batch), explanations(batch, 1)
    want, far, _ = score_metric(metric, module, batch, given)
    background = replace(
        batch.background, **{k: getattr(batch.background, k).float() for k in ("pool", "mean", "low", "high")}
    )
    half = replace(batch, inputs=batch.inputs.float(), background=background)
    maps = [replace(e, elements=e.elements.float(), reference=e.reference.float()) for e in given]
    values, shift, _ = score_metric(metric, module.float(), half, maps)
    assert values.dtype == shift.dtype == torch.float32
    close(values.double(), want, rtol=1e-3, atol=1e-4)
    close(shift.double(), far, rtol=1e-3, atol=1e-4)
