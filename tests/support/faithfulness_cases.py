"""Small images and texts, networks with a penultimate layer and maps of every kind, for faithfulness metrics."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import torch
from builders import bind, draws, explain, make_batch, pixel_map
from torch import nn

from xaiexp.core.batches import Background
from xaiexp.core.feature_map import FeatureMap
from xaiexp.errors import Unsupported
from xaiexp.inference.counter import Counter


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def with_fixed_weights(module):
    """The module with fixed weights, in double precision and evaluation mode."""
    for k, parameter in enumerate(module.parameters()):
        parameter.data = normal(*parameter.shape, seed=20 + k) / parameter.shape[-1] ** 0.5
    return module.requires_grad_(False).eval()


class TextNetwork(nn.Module):
    """Two logits of a text of any length; a token of zeros adds nothing."""

    def __init__(self, width):
        super().__init__()
        self.first, self.last = nn.Linear(width, 5, bias=False), nn.Linear(5, 2)

    def forward(self, x, mask):
        return self.last((self.first(x).tanh() * mask.unsqueeze(2)).sum(1))


def images(n=3, **extra):
    """Images ``[n, 2, 3, 4]``, each pixel a feature, in a data range of 4; the first is in the pool."""
    ends = torch.full((2, 1, 1), 2.0, dtype=torch.float64)
    x = normal(n, 2, 3, 4)
    pool = torch.cat([normal(4, 2, 3, 4, seed=9), x[:1]])
    background = Background("image", pool=pool, mean=ends / 4, low=-ends, high=ends)
    return make_batch(x, torch.arange(n) % 2, features=pixel_map((2, 3, 4)), background=background, **extra)


def texts():
    """Sentences of 2, 5 and 0 tokens between special tokens, padded to 8 positions; the second is in the pool."""
    x, index = normal(3, 8, 3), torch.full((3, 8), -1)
    mask = torch.zeros(3, 8, dtype=torch.float64)
    for row, count in enumerate((2, 5, 0)):
        index[row, 1 : 1 + count] = torch.arange(count)
        x[row, count + 2 :] = 0
        mask[row, : count + 2] = 1
    features = FeatureMap(index.unsqueeze(2).expand(3, 8, 3), torch.tensor([2, 5, 0]), (5,))
    pool = torch.cat([normal(4, 9, 3, seed=9), nn.functional.pad(x[1:2], (0, 0, 0, 1))])
    pool_mask = torch.ones(5, 9, dtype=torch.float64)
    pool_mask[4, 7:] = 0
    background = Background(
        "text",
        pool=pool,
        mean=torch.zeros(3),
        low=-torch.ones(3).double(),
        high=torch.ones(3).double(),
        context={"mask": pool_mask},
    )
    return make_batch(x, torch.tensor([0, 1, 1]), features=features, background=background, context={"mask": mask})


def network(batch):
    """A network for images or texts."""
    if batch.background.modality == "text":
        return with_fixed_weights(TextNetwork(3))
    return with_fixed_weights(nn.Sequential(nn.Flatten(), nn.Linear(24, 5), nn.Tanh(), nn.Linear(5, 2)))


def explanations(batch, count=4):
    """Maps of every kind: contributions with and without reference, sensitivities, without sign."""
    reference = normal(len(batch), 2, *batch.shape, seed=5)
    reference = torch.where(batch.features.inside.unsqueeze(1), reference, batch.inputs.unsqueeze(1))
    kinds = [
        {"reference": reference},
        {"multiplied_by_inputs": False},
        {"reference": None},
        {"signed": False, "multiplied_by_inputs": False},
        {"reference": reference},
    ]
    inside = batch.features.inside
    return [
        explain(batch, (k + 1) * normal(*batch.inputs.shape, seed=k) * inside, **facts)
        for k, facts in enumerate(kinds[:count])
    ]


def score_metric(metric, module, batch, given, budget=None):
    """Values and shifts ``[M, N]``, and the number of passes besides f(x) and the pool's representations."""
    handle = bind(module, batch, budget=budget)
    handle.scores()
    with contextlib.suppress(Unsupported):
        handle.hidden_of_pool()
    handle.counter = Counter()
    scores = metric.score_all(handle, batch, given, draws(batch))
    return scores.values, scores.auxiliary["shift"], handle.counter.forward


def close(a, b, **tolerance):
    torch.testing.assert_close(a, b, equal_nan=True, **tolerance)


def single_example(batch, row, given):
    """The example in a batch of its own, without padding, and its explanations."""
    rows = torch.tensor([row])
    features, length = batch.features.rows(rows), batch.shape[0]
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
        context={k: v[rows, :length] for k, v in batch.context.items()},
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
