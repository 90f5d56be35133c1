"""A small network, the games of its features, and feature attributions, for tests of coalition methods."""

from __future__ import annotations

import torch
from builders import bind, draws
from torch import nn

from xaiexp.core.explanations import Estimate


def feature_values(method, network, batch, reference=None, **options):
    """The attributions of the features, and their standard errors if the method samples, else None."""
    got = method.attribute(bind(network, batch, **options), batch, reference, draws(batch))
    if not isinstance(got, Estimate):
        return batch.features.pool(got), None
    return batch.features.pool(got.values), got.standard_error


def same(got, want, rtol=1e-9):
    want = torch.as_tensor(want, dtype=torch.float64)
    torch.testing.assert_close(got, want, rtol=rtol, atol=rtol * float(want.abs().max()))


def small_network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 9), nn.Tanh(), nn.Linear(9, 9), nn.ReLU(), nn.Linear(9, 3)).double().eval()


def games(network, batch, reference):
    """For each example a function from a coalition of its features to the score."""
    index = batch.features.index.expand(len(batch), -1)

    def game(i):
        def value(present):
            kept = torch.tensor([int(e) in present or int(e) < 0 for e in index[i]])
            row = torch.where(kept, batch.inputs[i], reference[i])
            return float(network(row[None])[0, batch.targets[i]].detach())

        return value

    return [game(i) for i in range(len(batch))]
