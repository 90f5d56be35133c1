from __future__ import annotations

import builders
import pytest
import torch
from torch import nn

from xaiexp.inference.row_cache import RowCache, row_keys


def network(classes=4):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, classes)).double()


def test_keys_tell_rows_and_examples_apart():
    rows = torch.randn(200, 7)
    keys = row_keys(rows, torch.zeros(200, dtype=torch.int64))
    assert len(set(keys.tolist())) == 200
    assert torch.equal(keys, row_keys(rows.clone(), torch.zeros(200, dtype=torch.int64)))
    assert len(set(row_keys(rows[:1].expand(9, 7), torch.arange(9)).tolist())) == 9


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keys_tell_apart_what_differs_in_few_high_bits(dtype):
    # Corners of a cube: all that differs are exponents, the highest bits of a number.
    number = torch.arange(1 << 16)
    corners = ((number.unsqueeze(1) >> torch.arange(16)) & 1).to(dtype)
    for scale in (1.0, 2.0, 2.0**20):
        assert len(set(row_keys(corners * scale, torch.zeros_like(number)).tolist())) == 1 << 16
    swapped = corners[:, torch.randperm(16, generator=torch.Generator().manual_seed(1))]
    both = torch.cat([corners, swapped]).unique(dim=0)
    assert len(both) == 1 << 16


@pytest.mark.parametrize("output", ["logit", "probability"])
def test_rows_that_were_seen_for_one_target_cost_no_pass_for_another(output):
    module, inputs = network(), torch.randn(3, 5, dtype=torch.float64)
    moved = inputs.unsqueeze(1) + torch.randn(3, 6, 5, dtype=torch.float64)
    table = torch.tensor([[0, 2], [1, 3], [3, 0]])
    first = builders.make_batch(inputs, table[:, 0])
    handle = builders.bind(module, first, budget=4, output=output)
    cache = RowCache(first.ids, table)
    with cache.scope("cell") as rows:
        handle.counted_by(handle.counter, rows).scores(moved)
    assert handle.counter.forward == 18
    later = handle.passes.bind(builders.make_batch(inputs, table[:, 1]), builders.readout(output))
    with cache.scope("cell") as rows:
        got = later.counted_by(handle.counter, rows).scores(torch.cat([moved[:, 3:], moved[:, :2] + 1], dim=1))
    assert handle.counter.forward == 18 + 6
    alone = builders.bind(module, builders.make_batch(inputs, table[:, 1]), output=output)
    torch.testing.assert_close(got, alone.scores(torch.cat([moved[:, 3:], moved[:, :2] + 1], dim=1)))


def test_another_cell_and_another_target_remember_nothing():
    module, inputs = network(), torch.randn(2, 5, dtype=torch.float64)
    table = torch.tensor([[0, 1], [1, 0]])
    handle = builders.bind(module, builders.make_batch(inputs, table[:, 0]))
    cache = RowCache(handle.batch.ids, table)
    moved = inputs.unsqueeze(1) + 1
    for scope in ("one", "two"):
        with cache.scope(scope) as rows:
            handle.counted_by(handle.counter, rows).scores(moved)
    assert handle.counter.forward == 4
    stranger = handle.passes.bind(builders.make_batch(inputs, torch.tensor([3, 3])))
    want = builders.bind(module, stranger.batch).scores(moved)
    with cache.scope("one") as rows:
        torch.testing.assert_close(stranger.counted_by(handle.counter, rows).scores(moved), want)
    assert handle.counter.forward == 6


def test_another_network_on_the_same_batch_is_asked_itself():
    module, inputs = network(), torch.randn(2, 5, dtype=torch.float64)
    other = network()
    with torch.no_grad():
        other[0].weight.mul_(3)
    table = torch.tensor([[0, 1], [1, 0]])
    handle = builders.bind(module, builders.make_batch(inputs, table[:, 0]))
    cache = RowCache(handle.batch.ids, table)
    moved = inputs.unsqueeze(1) + 1
    for target in (0, 1):
        with cache.scope("metric") as rows:
            here = handle.passes.bind(builders.make_batch(inputs, table[:, target]), rows=rows)
            here.scores(moved)
            there = here.with_module(other).scores(moved)
        torch.testing.assert_close(there, builders.bind(other, here.batch).scores(moved))
