from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from builders import bind, make_batch
from torch import nn

from xaiexp.errors import CellError, Unsupported


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)).double().eval()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    return make_batch(torch.randn(4, 5, generator=generator, dtype=torch.float64), torch.tensor([0, 1, 2, 1]))


def by_hand(network, batch, x):
    return torch.stack([network(row[None])[0, t] for row, t in zip(x, batch.targets, strict=True)])


@pytest.mark.parametrize("budget", [1, 3, 4, 7, 1000])
def test_scores_of_pieces_are_those_of_single_rows_for_every_budget(network, batch, budget):
    generator = torch.Generator().manual_seed(2)
    pieces = [torch.randn(4, s, 5, generator=generator, dtype=torch.float64) for s in (2, 1, 5)]
    got = bind(network, batch, budget=budget).scores(iter(pieces))
    want = torch.stack([by_hand(network, batch, p) for p in torch.cat(pieces, 1).unbind(1)], 1)
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("budget", [1, 3, 8, 1000])
def test_gradients_come_piece_by_piece_and_in_order(network, batch, budget):
    pieces = [batch.inputs * k for k in (1.0, 2.0, 3.0)]
    handle = bind(network, batch, budget=budget)
    for piece, got in zip(pieces, handle.gradients(iter(pieces)), strict=True):
        leaf = piece.clone().requires_grad_()
        (want,) = torch.autograd.grad(by_hand(network, batch, leaf).sum(), leaf)
        torch.testing.assert_close(got, want)


def test_every_pass_is_counted_and_the_inputs_own_results_are_kept(network, batch):
    handle = bind(network, batch)
    counter = handle.counter
    handle.scores()
    handle.scores(output="probability")
    assert (counter.forward, counter.backward) == (4, 0)
    handle.gradients()
    handle.gradients(batch.inputs)
    assert (counter.forward, counter.backward) == (8, 4)
    list(handle.gradients(x for x in [batch.inputs, batch.inputs]))
    assert (counter.forward, counter.backward) == (16, 12)


def test_probability_is_the_softmax_or_the_logistic_function_of_a_single_logit(network, batch):
    want = network(batch.inputs).softmax(1).gather(1, batch.targets[:, None])[:, 0]
    torch.testing.assert_close(bind(network, batch, output="probability").scores(), want)
    single = make_batch(batch.inputs, 0)
    got = bind(lambda x: x.sum(1), single, output="probability").scores()
    torch.testing.assert_close(got, torch.sigmoid(batch.inputs.sum(1)))


def test_rows_fill_the_budget_across_pieces(network, batch):
    sizes = []

    def spy(x):
        sizes.append(len(x))
        return network(x)

    bind(spy, batch, budget=10).scores(batch.inputs * k for k in range(7))
    assert sizes == [10, 10, 8]


def test_pieces_are_consumed_chunk_by_chunk(network, batch):
    made, seen = [], []

    def pieces():
        for k in range(10):
            made.append(k)
            yield batch.inputs * k

    seen.extend(len(made) for _ in bind(network, batch, budget=4).gradients(pieces()))
    assert seen == list(range(1, 11))


def test_a_batch_that_does_not_fit_is_halved_until_it_does(network, batch):
    sizes = []

    def small(x):
        sizes.append(len(x))
        if len(x) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return network(x)

    handle = bind(small, batch, budget=16)
    x = batch.inputs.unsqueeze(1).repeat(1, 6, 1)
    torch.testing.assert_close(handle.scores(x), bind(network, batch).scores(x))
    assert handle.counter.forward == 24
    assert sizes[:3] == [16, 8, 4]
    assert handle.passes.budget(batch.shape) == 2


def test_one_example_that_does_not_fit_is_said_so(batch):
    def never(x):
        raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 1 bytes")

    with pytest.raises(Unsupported, match="one example alone does not fit"):
        bind(never, batch).scores()


def test_other_errors_of_the_model_are_not_taken_for_memory(batch):
    def broken(x):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        bind(broken, batch).scores()


def test_context_and_targets_follow_their_examples(batch):
    scale = torch.tensor([1.0, 10.0, 100.0, 1000.0], dtype=torch.float64)
    with_context = make_batch(batch.inputs, 0, context={"scale": scale})
    handle = bind(lambda x, scale: (x.sum(1) * scale)[:, None], with_context, budget=3)
    x = torch.ones(4, 3, 5, dtype=torch.float64)
    torch.testing.assert_close(handle.scores(x), (5 * scale)[:, None].expand(4, 3))


def test_a_module_that_works_in_place_changes_nothing_of_ours(batch):
    network = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(5, 3).double()).eval()
    before = batch.inputs.clone()
    handle = bind(network, batch)
    handle.scores()
    handle.gradients()
    handle.scores(batch.inputs.unsqueeze(1))
    assert torch.equal(before, batch.inputs)


def test_scores_without_a_graph_are_refused_gradients(batch):
    handle = bind(lambda x: x.detach(), batch)
    with pytest.raises(Unsupported, match="differentiable"):
        handle.gradients()


def test_inputs_of_the_wrong_shape_are_named(network, batch):
    with pytest.raises(CellError, match=r"\[3, 5\]"):
        bind(network, batch).scores(batch.inputs[:3])


def test_scores_and_penultimate_representation_come_from_the_same_passes(network, batch):
    handle = bind(network, batch, budget=3)
    rows, owners = batch.inputs[[2, 0, 2, 1, 3]] * 1.5, torch.tensor([2, 0, 2, 1, 3])
    pieces = [(rows[:4], owners[:4]), (rows[4:], owners[4:])]
    scores, hidden = (torch.cat(parts) for parts in zip(*handle.scores_and_hidden_of_rows(pieces), strict=True))
    torch.testing.assert_close(scores, network(rows).gather(1, batch.targets[owners][:, None])[:, 0])
    torch.testing.assert_close(hidden, network[:2](rows))
    assert handle.counter.forward == 5
    assert not any(module._forward_pre_hooks for module in network.modules())


class _Either(nn.Module):
    """Two convolutions, and a linear layer behind them for inputs above 0."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Conv1d(1, 2, 1), nn.Conv1d(2, 3, 1), nn.Linear(3, 2)

    def forward(self, x):
        inside = self.first(x)
        pooled = self.second(inside).mean(dim=2)
        return self.head(pooled) if bool((x > 0).all()) else pooled


def test_the_penultimate_layer_is_that_of_the_pass_whatever_other_passes_ran():
    network, x = _Either(), torch.rand(3, 1, 5)
    batch = make_batch(x)
    inside = network.first(-x).mean(dim=2)
    pooled = network.second(network.first(x)).mean(dim=2)
    handle = bind(network, batch)
    for _ in range(2):
        torch.testing.assert_close(handle.hidden(x.clone()), pooled)
        torch.testing.assert_close(handle.hidden(-x), inside)
    assert not any(layer._forward_pre_hooks for layer in network.modules())


def test_the_representation_of_the_pool_is_made_once_for_all_batches(network, batch):
    pool = batch.inputs * 2
    background = replace(batch.background, pool=pool)
    first, second = (replace(batch, background=background, inputs=batch.inputs + k) for k in (0, 1))
    handle = bind(network, first, budget=3)
    want = network[:2](pool)
    torch.testing.assert_close(handle.hidden_of_pool(), want)
    assert handle.counter.forward == 4
    torch.testing.assert_close(handle.passes.bind(second).hidden_of_pool(), want)
    assert handle.counter.forward == 4
    other = replace(batch, background=replace(background, pool=pool[:2] * 3))
    torch.testing.assert_close(handle.passes.bind(other).hidden_of_pool(), network[:2](pool[:2] * 3))
    assert handle.counter.forward == 6
    half = handle.with_module(nn.Sequential(nn.Linear(5, 3).double()))
    assert torch.equal(half.hidden_of_pool(), pool)


def test_the_representation_of_the_pool_needs_a_pool_its_context_and_a_layer(network, batch):
    with pytest.raises(Unsupported, match="background"):
        bind(network, batch).hidden_of_pool()
    known = replace(batch, background=replace(batch.background, pool=batch.inputs))
    with pytest.raises(Unsupported, match=r"not a torch\.nn\.Module"):
        bind(lambda x: x, known).hidden_of_pool()
    bare = bind(nn.Tanh(), known)
    for _ in range(2):
        with pytest.raises(Unsupported, match="no penultimate layer"):
            bare.hidden_of_pool()
    assert bare.passes.counter.forward == 4
    with pytest.raises(Unsupported, match="context"):
        bind(network, replace(known, context={"mask": torch.ones(4)})).hidden_of_pool()


def test_half_precision_stays_near_and_comes_back_in_the_inputs_dtype():
    torch.manual_seed(0)
    network = nn.Linear(5, 3)
    batch = make_batch(torch.randn(4, 5))
    full = bind(network, batch).scores()
    handle = bind(network, batch)
    handle.passes.precision = "bf16"
    half = handle.scores()
    assert half.dtype == torch.float32
    assert not torch.equal(half, full)
    torch.testing.assert_close(half, full, rtol=0.02, atol=0.02)
