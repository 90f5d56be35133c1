"""`Handle.layer`: activations of a layer, gradients with respect to them, and no hooks afterwards."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from xaiexp.errors import ParameterError, Unsupported
from xaiexp.testing.studies import modality_study


class Network(nn.Module):
    """Two halves, of which the first one runs twice."""

    def __init__(self, shape):
        super().__init__()
        size = torch.Size(shape).numel()
        generator = torch.Generator().manual_seed(0)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(size, 6), nn.ReLU(inplace=True))
        self.again = nn.Linear(6, 6)
        self.unused = nn.Linear(2, 2)
        self.head = nn.Linear(6, 3)
        for weight in self.parameters():
            weight.data = torch.randn(weight.shape, generator=generator)

    def tail(self, hidden):
        return self.head(torch.tanh(hidden))

    def forward(self, inputs, **context):
        return self.tail(self.again(torch.sin(self.again(self.body(inputs)))))


@pytest.fixture
def handle():
    study = modality_study("series")
    return study.handle(budget=3).with_module(Network(study.batch.shape).eval())


def hooks(network):
    return [
        hook
        for module in network.modules()
        for hook in (*module._forward_hooks.values(), *module._forward_pre_hooks.values())
    ]


def gradient_times_activation(model, name):
    with model.layer(name) as activations:

        def run(block):
            scores = block.scores(block.rows, model.output)
            return activations.values.detach() * block.gradients(scores, activations.values)

        return model.apply(run)


@pytest.mark.parametrize("frozen", [False, True])
def test_values_and_gradients_are_those_of_a_network_in_two_halves(handle, frozen):
    network = handle.module.requires_grad_(not frozen)
    hidden = network.again(torch.sin(network.again(network.body(handle.batch.inputs)))).detach().requires_grad_()
    chosen = network.tail(hidden).gather(1, handle.batch.targets.unsqueeze(1)).sum()
    (gradient,) = torch.autograd.grad(chosen, hidden)
    found = gradient_times_activation(handle, "again")
    torch.testing.assert_close(found, gradient * hidden.detach())
    assert hooks(network) == []
    assert handle.counter.forward == handle.counter.backward == len(handle.batch)


def test_hooks_on_values_see_their_gradients(handle):
    seen = []
    with handle.layer("body") as activations:

        def run(block):
            scores = block.scores(block.rows.requires_grad_() * 1, handle.output)
            activations.values.register_hook(seen.append)
            return block.gradients(scores, block.rows)

        handle.apply(run)
    with handle.layer("body") as activations:
        expected = handle.apply(
            lambda block: block.gradients(block.scores(block.rows, handle.output), activations.values)
        )
    torch.testing.assert_close(torch.cat(seen), expected)


def test_the_network_has_no_hooks_after_an_error(handle):
    def run(block):
        assert hooks(handle.module)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), handle.layer("again"):
        handle.apply(run)
    assert hooks(handle.module) == []


def test_an_unknown_layer_is_refused_with_the_nearest(handle):
    with pytest.raises(ParameterError, match=r"no submodule of this name \(got 'agian'\)\n  nearest: again"):
        handle.layer("agian").__enter__()
    assert hooks(handle.module) == []


def test_a_layer_that_does_not_run_has_no_values(handle):
    with handle.layer("unused") as activations:
        handle.apply(lambda block: block.scores(block.rows, handle.output))
        with pytest.raises(Unsupported, match="'unused' does not run"):
            _ = activations.values


def test_values_are_those_of_the_last_pass(handle):
    other = handle.batch.inputs + 1
    with torch.no_grad(), handle.layer("body") as activations:
        handle.passes.forward(handle.batch.inputs, {})
        handle.passes.forward(other[:2], {})
        torch.testing.assert_close(activations.values, handle.module.body(other[:2]))
