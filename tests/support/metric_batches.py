"""Batches, networks and explanations for the tests of metrics."""

from __future__ import annotations

from dataclasses import replace

import torch
from builders import bind, draws, explain, make_batch, pixel_map
from torch import nn

from xaiexp.core.batches import Background
from xaiexp.core.explanations import Scores
from xaiexp.core.feature_map import FeatureMap


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class TanhNetwork(nn.Module):
    """Two logits of an image, smooth and not linear."""

    def __init__(self, elements):
        super().__init__()
        self.first, self.second = normal(elements, 5, seed=7), normal(5, 2, seed=8)

    def forward(self, x):
        return (x.flatten(1) @ self.first).tanh() @ self.second


class TextNetwork(nn.Module):
    """Two logits of a text of any length; a token of zeros adds nothing."""

    def __init__(self, width):
        super().__init__()
        self.first, self.second = normal(width, 5, seed=7), normal(5, 2, seed=8)

    def forward(self, x):
        return (x @ self.first).tanh().sum(1) @ self.second


def images(n=3, **extra):
    """Images ``[n, 2, 3, 4]``, each pixel a feature, in a data range of 4."""
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

    def scaled_sine(scale):
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
        explain(batch, (k + 1) * normal(*batch.inputs.shape, seed=k), explain_perturbed=scaled_sine(k + 1), **facts)
        for k, facts in enumerate(kinds[:count])
    ]


def score_all(metric, module, batch, given, budget=None):
    handle = bind(module, batch, budget=budget)
    handle.scores()
    before = handle.counter.forward
    values = metric.score_all(handle, batch, given, draws(batch))
    if isinstance(values, Scores):
        values = values.values
    return values, handle.counter.forward - before


def single_example(batch, row, given):
    """The example in a batch of its own, without padding, and its explanations."""
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
