"""After memory ran out, fewer rows go through at once, for inputs of this shape, until it is there again."""

from __future__ import annotations

import itertools

import torch
from builders import make_batch, normal
from torch import nn

from xaiexp.inference.memory_limit import MemoryLimit
from xaiexp.inference.outputs import Readout
from xaiexp.inference.passes import Passes


class Crowded(nn.Module):
    """Runs out of memory with more than ``most`` rows, and records the sizes that went through."""

    def __init__(self, most):
        super().__init__()
        self.most, self.sizes = most, []

    def forward(self, x):
        if len(x) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.sizes.append(len(x))
        return x.flatten(1)[:, :3]


def test_a_limit_halves_and_doubles_again_after_enough_passes_at_it():
    limit = MemoryLimit()
    assert limit.bounded(64) == 64
    limit.failed(64)
    assert (limit.bounded(64), limit.patience) == (32, 8)
    limit.succeeded(5, 64)  # the end of a generator says nothing about the limit
    for _ in range(7):
        limit.succeeded(32, 64)
    assert limit.bounded(64) == 32
    limit.succeeded(32, 64)
    assert limit.rows is None
    limit.failed(64)
    assert (limit.rows, limit.patience) == (32, 16)
    for _ in range(4):
        limit.failed(limit.rows)
    assert (limit.rows, limit.bounded(64)) == (2, 2)
    limit.failed(1)
    assert limit.bounded(64) == 1


def test_memory_that_comes_back_is_used_again():
    module, batch = Crowded(most=8), make_batch(normal(4, 5))
    passes = Passes(module, batch_budget=32)
    many = batch.inputs.unsqueeze(1).expand(4, 16, 5)
    want = passes.bind(batch).scores(many)
    assert max(module.sizes) == 8
    module.most, module.sizes = 10**9, []
    for _ in range(12):
        torch.testing.assert_close(passes.bind(batch).scores(many), want)
    assert module.sizes[0] == 8
    assert max(module.sizes) == 32
    assert passes.budget((5,)) == 32


def test_a_limit_that_stays_costs_ever_fewer_retries():
    module, batch = Crowded(most=8), make_batch(normal(4, 5))
    passes = Passes(module, batch_budget=16)
    refused = []
    for _ in range(200):
        before = len(module.sizes)
        passes.bind(batch).scores(batch.inputs.unsqueeze(1).expand(4, 16, 5))
        assert sum(module.sizes[before:]) == 64
        refused.append(passes.budget((5,)) == 16)
    # Rare, and rarer: 8, 16, 32, ... passes at the limit before the next attempt.
    attempts = [i for i, (a, b) in enumerate(itertools.pairwise(refused)) if b and not a]
    assert len(attempts) <= 8
    gaps = [b - a for a, b in itertools.pairwise(attempts)]
    assert gaps == sorted(gaps)


def test_inputs_of_another_shape_keep_their_own_budget():
    passes = Passes(Crowded(most=8), batch_budget=32)
    passes.bind(make_batch(normal(16, 5))).scores()
    assert passes.budget((5,)) == 8
    assert passes.budget((6,)) == 32


def test_rows_that_weigh_several_count_as_many():
    module, batch = Crowded(most=8), make_batch(normal(16, 5))
    passes = Passes(module, batch_budget=32)

    def repeated(block):
        return block.scores(torch.cat([block.rows] * 4), Readout()).view(4, -1)[0]

    passes.bind(batch).apply(repeated, weight=4)
    assert passes.budget((5,)) == 8
    assert max(module.sizes) == 8
