from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from builders import bind, draws, element_map, explain, make_batch, pixel_map
from metric_batches import normal, score_all, texts
from reference import localisation_loops
from sklearn.metrics import average_precision_score

from xaiexp.builtin.metrics.localisation import ground_truth, overlap_formulas
from xaiexp.builtin.metrics.localisation.overlap import (
    AveragePrecision,
    EnergyPointingGame,
    PointingGame,
    PrecisionAtK,
    RelevanceMass,
    RelevanceRank,
    TopKIntersection,
)
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported

EVERY = [
    PointingGame(),
    PointingGame(of="magnitudes"),
    RelevanceMass(),
    RelevanceMass(of="magnitudes"),
    RelevanceRank(),
    RelevanceRank(of="magnitudes"),
    TopKIntersection(k=3),
    TopKIntersection(k=3, concept_influence=True),
    PrecisionAtK(k=3),
    PrecisionAtK(k=50),
    AveragePrecision(),
    AveragePrecision(of="magnitudes"),
]


def rows(n=24, d=6):
    """Tables with ties and signs, and a mask for each row; the last three have no mask, a full mask, no evidence."""
    batch = make_batch(normal(n, d))
    masks = normal(n, d, seed=3) > 0.3
    masks[:-3, 0], masks[:-3, 1] = True, False
    masks[-3], masks[-2] = False, True
    phi = normal(n, d, seed=4).mul(2).round()
    phi[:-1, 2] = 1  # some evidence
    phi[-1] = 0
    masks[-1, :2] = torch.tensor([True, False])
    return make_batch(batch.inputs, masks=masks), phi


def images():
    """Images of two channels whose features are tiles of different size, with masks that cut through them."""
    x = normal(4, 2, 5, 6)
    index = (torch.arange(5) // 3).unsqueeze(1) * 3 + (torch.arange(6) * 3 // 6)
    features = FeatureMap.from_index(index.expand(1, 2, 5, 6).contiguous(), (2, 3))
    masks = normal(4, 5, 6, seed=8) > 0.4
    masks[:, 0] = masks[:, :, 0] = False
    return make_batch(x, features=features, masks=masks)


def score(metric, batch, phi, **facts):
    return metric.score(bind(None, batch), batch, explain(batch, phi, **facts), draws(batch))


def defined(metric, evidence, mask, share):
    inside = [s >= 0.5 for s in share]
    if isinstance(metric, PointingGame | RelevanceMass | EnergyPointingGame | TopKIntersection):
        known = any(s > 0 for s in share) and any(s < 1 for s in share)
    else:
        known = any(inside) and not all(inside)
    return known and any(e > 0 for e in evidence)


def expected(metric, evidence, share, near=None):
    """The value of the reference implementation; ``share`` is given for each feature."""
    inside = [float(s >= 0.5) for s in share]
    if not defined(metric, evidence, None, share):
        return math.nan
    if isinstance(metric, PointingGame):
        return localisation_loops.pointing(evidence, near or share)
    if isinstance(metric, RelevanceMass | EnergyPointingGame):
        return localisation_loops.mass(evidence, share)
    if isinstance(metric, RelevanceRank):
        return localisation_loops.top_share(evidence, inside, int(sum(inside)))
    if isinstance(metric, PrecisionAtK):
        return localisation_loops.top_share(evidence, inside, metric.k)
    if isinstance(metric, TopKIntersection):
        value = localisation_loops.top_share(evidence, share, metric.k)
        return value / (sum(share) / len(share)) if metric.concept_influence else value
    return localisation_loops.average_precision(evidence, inside)


def evidence_of(metric, values):
    return [max(v, 0.0) if metric.of == "positive" else abs(v) for v in values]


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_metrics_of_tables_match_their_definitions(metric):
    batch, phi = rows()
    got = score(metric, batch, phi)
    assert got.isnan().tolist() == [False] * 21 + [True] * 3
    for n in range(24):
        want = expected(metric, evidence_of(metric, phi[n].tolist()), batch.masks[n].double().tolist())
        assert float(got[n]) == pytest.approx(want, nan_ok=True)


@pytest.mark.parametrize("metric", [*EVERY, EnergyPointingGame()], ids=repr)
def test_metrics_of_image_tiles_match_their_definitions(metric):
    batch = images()
    phi = normal(4, 2, 5, 6, seed=9)
    values = batch.features.pool(phi)
    got = score(metric, batch, phi)
    for n in range(4):
        mask = batch.masks[n].tolist()
        if isinstance(metric, EnergyPointingGame):
            mask = localisation_loops.box(mask)
        elements = torch.tensor(mask).expand(2, 5, 6).flatten().tolist()
        share = localisation_loops.shares(elements, batch.features.index[0].flatten().tolist(), 6)
        want = expected(metric, evidence_of(metric, values[n].tolist()), share)
        assert float(got[n]) == pytest.approx(want, nan_ok=True)
    assert not got.isnan().all()


@pytest.mark.parametrize("metric", [*EVERY, EnergyPointingGame()], ids=repr)
def test_metrics_of_tokens_ignore_padding(metric):
    batch = texts()
    masks = torch.zeros(3, 8, dtype=torch.bool)
    masks[0, 1] = masks[1, 2] = masks[1, 4] = True
    masks[:, 0] = masks[:, 7] = True  # special tokens and padding belong to no feature
    batch = make_batch(batch.inputs, features=batch.features, background=batch.background, masks=masks)
    phi = normal(3, 8, 3, seed=5).abs()
    got = score(metric, batch, phi)
    values = batch.features.pool(phi)
    for n, inside in ((0, [1.0, 0.0]), (1, [0.0, 1.0, 0.0, 1.0, 0.0])):
        if isinstance(metric, EnergyPointingGame):
            continue  # the interval from the first to the last marked position, special tokens included, is everything
        want = expected(metric, evidence_of(metric, values[n, : len(inside)].tolist()), inside)
        assert float(got[n]) == pytest.approx(want)
    assert got[2].isnan()


def test_average_precision_equals_scikit_learn():
    batch, phi = rows(40, 12)
    got = score(AveragePrecision(of="magnitudes"), batch, phi)
    for n in range(37):
        assert float(got[n]) == pytest.approx(average_precision_score(batch.masks[n].numpy(), phi[n].abs().numpy()))


def test_evidence_is_the_positive_part_and_the_magnitude_of_unsigned_maps():
    batch, phi = rows()
    magnitudes = score(RelevanceMass(of="magnitudes"), batch, phi)
    torch.testing.assert_close(score(RelevanceMass(), batch, phi, signed=False), magnitudes, equal_nan=True)
    torch.testing.assert_close(
        score(RelevanceMass(), batch, phi), score(RelevanceMass(), batch, phi.clamp(min=0)), equal_nan=True
    )
    assert not torch.allclose(score(RelevanceMass(), batch, phi)[:-3], magnitudes[:-3])


@pytest.mark.parametrize("metric", [*EVERY, EnergyPointingGame()], ids=repr)
def test_evidence_inside_the_ground_truth_only_is_best_and_outside_only_is_worst(metric):
    if isinstance(metric, PrecisionAtK | TopKIntersection) and getattr(metric, "k", 0) == 50:
        pytest.skip("all features are the top")
    masks = torch.zeros(1, 6, 6, dtype=torch.bool)
    masks[:, 1:3, 2:4] = True
    x = torch.zeros(1, 1, 6, 6, dtype=torch.float64)
    batch = make_batch(x, features=pixel_map((1, 6, 6)), masks=masks)
    best = {True: 9.0, False: 1.0}[getattr(metric, "concept_influence", False)]
    assert float(score(metric, batch, masks.unsqueeze(1).double())) == pytest.approx(best)
    outside = (~masks).unsqueeze(1).double() * torch.arange(1, 37).view(1, 1, 6, 6)
    worst = float(score(metric, batch, outside))
    if isinstance(metric, AveragePrecision):
        want = average_precision_score(masks.flatten().numpy(), outside.flatten().numpy())
        assert worst == pytest.approx(want)
    else:
        assert worst == 0


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_a_constant_map_has_the_chance_value(metric):
    batch, phi = rows()
    got = score(metric, batch, torch.ones_like(phi))[:-3]
    chance = batch.masks[:-3].double().mean(dim=1)
    if getattr(metric, "concept_influence", False):
        chance = torch.ones_like(chance)
    torch.testing.assert_close(got, chance)


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_maps_with_nan_and_data_without_ground_truth_have_the_value_nan(metric):
    batch, phi = rows()
    broken = phi.clone()
    broken[1, 3] = math.nan
    assert score(metric, batch, broken).isnan().tolist() == [n in (1, 21, 22, 23) for n in range(24)]
    assert score(metric, make_batch(batch.inputs), phi).isnan().all()


@pytest.mark.parametrize("metric", EVERY, ids=repr)
def test_a_single_feature_has_the_value_nan(metric):
    batch = make_batch(normal(2, 1), masks=torch.tensor([[True], [False]]))
    assert score(metric, batch, torch.ones(2, 1, dtype=torch.float64)).isnan().all()


def test_metrics_make_no_passes():
    batch, phi = rows()
    assert {score_all(m, lambda x: x, batch, [explain(batch, phi)])[1] for m in EVERY} == {0}


# Tolerance and boxes


@pytest.mark.parametrize("tolerance", [0, 1, 2, 3, 20])
def test_masks_are_dilated_by_the_euclidean_distance(tolerance):
    masks = torch.zeros(3, 7, 9, dtype=torch.bool)
    masks[0, 3, 4] = masks[1, 0, 0] = masks[1, 6, 2] = True
    got = ground_truth.dilated(masks, tolerance, "image")
    for n in range(3):
        assert got[n].tolist() == localisation_loops.dilated(masks[n].tolist(), tolerance)


def test_masks_of_time_series_are_dilated_by_steps():
    masks = torch.zeros(1, 9, dtype=torch.bool)
    masks[0, 4] = masks[0, 8] = True
    assert ground_truth.dilated(masks, 2, "series")[0].nonzero().flatten().tolist() == [2, 3, 4, 5, 6, 7, 8]


def test_a_miss_by_at_most_the_tolerance_is_a_hit():
    masks = torch.zeros(1, 8, 8, dtype=torch.bool)
    masks[0, 4, 4] = True
    batch = make_batch(torch.zeros(1, 1, 8, 8), features=pixel_map((1, 8, 8)), masks=masks)
    phi = torch.zeros(1, 1, 8, 8)
    phi[0, 0, 1, 0] = 1  # 3 pixels above and 4 left of the mask: at distance 5
    assert [float(score(PointingGame(tolerance=t), batch, phi)) for t in (0, 4, 5)] == [0, 0, 1]


def test_distances_between_columns_raise_unsupported():
    batch, phi = rows()
    with pytest.raises(Unsupported, match="tolerance"):
        score(PointingGame(tolerance=1), batch, phi)
    with pytest.raises(Unsupported, match="no order"):
        score(EnergyPointingGame(), batch, phi)


def test_a_bounding_box_is_the_smallest_around_the_mask():
    masks = normal(20, 5, 6, seed=2) > 1.4
    masks[3] = False
    for mask, box in zip(masks, ground_truth.bounding_boxes(masks), strict=True):
        assert box.tolist() == localisation_loops.box(mask.tolist())
    steps = torch.tensor([[False, True, False, True, False], [False] * 5])
    assert ground_truth.bounding_boxes(steps).tolist() == [[False, True, True, True, False], [False] * 5]


@pytest.mark.parametrize("modality", ["image", "series", "table"])
def test_masks_are_shared_by_the_channels(modality):
    shape = {"image": (2, 3, 4), "series": (2, 4), "table": (4,)}[modality]
    x = normal(2, *shape)
    masks = normal(2, *(shape if modality == "table" else shape[1:]), seed=1) > 0
    batch = make_batch(x, features=element_map(shape), masks=masks)
    want = np.broadcast_to(masks.numpy() if modality == "table" else masks.numpy()[:, None], x.shape)
    np.testing.assert_array_equal(ground_truth.inside_shares(batch, masks).view(x.shape), want)


def test_the_share_of_the_top_0_features_is_nan():
    given, share = torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0]])
    valid = torch.ones(1, 2, dtype=torch.bool)
    assert overlap_formulas.top_k_share(given, share, valid, torch.tensor([0])).isnan().all()
