"""The model as a function and as a module for other libraries."""

from __future__ import annotations

import pytest
import torch
from builders import make_batch, normal
from torch import nn

from xaiexp.core.feature_map import FeatureMap
from xaiexp.inference.outputs import Readout
from xaiexp.inference.passes import Passes


class Masked(nn.Module):
    """Scores of the masked sum of a row, which counts the rows of its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = nn.Linear(4, 5), nn.Linear(5, 3)
        self.rows: list[int] = []

    def forward(self, x, mask):
        self.rows.append(len(x))
        return self.head(torch.tanh(self.hidden(x * mask)))


@pytest.fixture
def handle():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = Masked().double().eval()
    mask = torch.tensor([[1.0, 1, 1, 1], [1, 1, 0, 0], [1, 0, 1, 0]], dtype=torch.float64)
    batch = make_batch(normal(3, 4), torch.tensor([0, 1, 2]), context={"mask": mask})
    return Passes(module, batch_budget=2).bind(batch, Readout())


def expected(handle, rows, owners):
    out = handle.passes.module(rows, handle.batch.context["mask"][owners])
    return out.gather(1, handle.batch.targets[owners].unsqueeze(1)).squeeze(1)


def test_the_function_gives_scores_and_gradients_of_any_rows_within_the_budget(handle):
    owners = torch.tensor([2, 0, 0, 1, 2])
    rows, weights = normal(5, 4, seed=1).requires_grad_(), normal(5, seed=2)
    scores = handle.function(rows, owners)
    (gradient,) = torch.autograd.grad((scores * weights).sum(), rows)
    assert max(handle.passes.module.rows) == 2
    assert (handle.counter.forward, handle.counter.backward) == (5, 5)
    other = rows.detach().clone().requires_grad_()
    want = expected(handle, other, owners)
    torch.testing.assert_close(scores, want)
    torch.testing.assert_close(gradient, torch.autograd.grad((want * weights).sum(), other)[0])


def test_the_function_costs_no_backward_pass_without_gradients(handle):
    rows, owners = normal(5, 4, seed=1).float(), torch.tensor([2, 0, 0, 1, 2])
    scores = handle.function(rows, owners)
    assert scores.dtype == torch.float32
    assert (handle.counter.forward, handle.counter.backward) == (5, 0)
    torch.testing.assert_close(scores.double(), expected(handle, rows.double(), owners).detach())
    assert handle.function(rows[:0], owners[:0]).shape == (0,)


def test_the_function_refuses_a_second_derivative(handle):
    rows = normal(2, 4).requires_grad_()
    scores = handle.function(rows, torch.tensor([0, 1]))
    (gradient,) = torch.autograd.grad(scores.sum(), rows, create_graph=True)
    with pytest.raises(RuntimeError, match=r"once_differentiable|does not require grad"):
        gradient.sum().backward()


def test_an_example_is_the_vector_of_the_elements_that_belong_to_features():
    index = torch.tensor([[[-1, -1], [0, 0], [1, 1]], [[-1, -1], [0, 0], [-1, -1]]])
    features = FeatureMap(index, torch.tensor([2, 1]), (2,))
    module = nn.Sequential(nn.Flatten(), nn.Linear(6, 2).double()).eval()
    batch = make_batch(normal(2, 3, 2), torch.tensor([0, 1]), features=features, modality="text")
    handle = Passes(module).bind(batch)
    first, second = handle.example(0), handle.example(1)
    torch.testing.assert_close(first.inputs, batch.inputs[:1, 1:].flatten(1))
    assert (first.index.tolist(), second.index.tolist()) == ([0, 0, 1, 1], [0, 0])
    vectors = normal(3, 2, seed=4)
    rows = second.rows(vectors)
    torch.testing.assert_close(rows[:, [0, 2]], batch.inputs[1, [0, 2]].expand(3, -1, -1))
    torch.testing.assert_close(rows[:, 1], vectors)
    torch.testing.assert_close(second(vectors), module(rows)[:, 1].detach())
    torch.testing.assert_close(second.spread(vectors[0])[1], vectors[0])
    assert not second.spread(vectors[0])[[0, 2]].any()


def test_the_module_counts_passes_however_gradients_are_taken(handle):
    seen = []

    def run(block):
        module = handle.score_module(block)
        rows = block.rows.requires_grad_()
        with torch.enable_grad():
            scores = module(rows, block.owners)
            (gradient,) = torch.autograd.grad(scores.sum(), rows)
            caught = []
            hook = module.network.hidden.register_forward_hook(lambda _m, _i, out: caught.append(out))
            try:
                module(rows, block.owners[:1].expand(len(rows)))
            finally:
                hook.remove()
            torch.autograd.grad(caught[0].sum(), rows)
        seen.append(module.owners.tolist())
        return torch.cat([scores.detach().unsqueeze(1), gradient], dim=1)

    found = handle.apply(run)
    assert (handle.counter.forward, handle.counter.backward) == (6, 6)
    assert seen == [[0, 0], [2]]
    torch.testing.assert_close(found[:, 0], expected(handle, handle.batch.inputs, torch.arange(3)).detach())
    torch.testing.assert_close(found[:, 1:], handle.gradients())
