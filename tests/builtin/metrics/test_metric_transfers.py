"""How often a metric makes a GPU wait for the program: as often for many examples, and many stretches, as for few."""

from __future__ import annotations

import pytest
import torch
from builders import bind, draws
from metric_batches import explanations, images
from torch import nn
from transfers import transfers

from xaiexp.builtin.metrics import COMPONENTS
from xaiexp.core import feature_map
from xaiexp.inference import pass_engine

FEW = {"n_samples": 9, "n_perturb_samples": 3, "steps": 4}


def built(kind):
    return kind(**{name: value for name, value in FEW.items() if name in kind.__dataclass_fields__})


KNOWN = {
    "faithfulness_correlation": "the size of the subsets is read once a stretch",
    "sensitivity_n": "the size of the subsets is read once a stretch",
    "prediction_gap_important": "the scale of the representation is read once a stretch",
    "prediction_gap_unimportant": "the scale of the representation is read once a stretch",
    "road": "the imputed images are checked once a stretch of images",
    "normalised_aopc": "the exact search over subsets is on the CPU",
}
"""Metrics that wait more often for more stretches or examples."""

METRICS = [
    pytest.param(
        built(kind),
        id=kind.name,
        marks=[pytest.mark.xfail(reason=KNOWN[kind.name], strict=True)] if kind.name in KNOWN else [],
    )
    for kind in COMPONENTS
]


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch):
    """Small stretches, and what is done on the CPU alone left out."""
    monkeypatch.setattr(pass_engine, "_STRETCH", 0)
    monkeypatch.setattr(feature_map, "_blendable", lambda inputs, reference: False)


def waits(metric, n, budget):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(24, 8), nn.Tanh(), nn.Linear(8, 2)).double()
    masks = torch.zeros(n, 3, 4, dtype=torch.bool)
    masks[:, 1:] = True
    batch = images(n, masks=masks)
    given = explanations(batch, 3)
    handle = bind(network, batch, budget=budget)
    handle.scores()
    with transfers() as counts:
        metric.score_all(handle, batch, given, draws(batch))
    return counts


@pytest.mark.parametrize("metric", METRICS)
def test_transfers_depend_neither_on_the_examples_nor_on_the_stretches(metric):
    few = waits(metric, 3, 64)
    assert waits(metric, 3, 7) == few
    assert waits(metric, 7, 7) == few
