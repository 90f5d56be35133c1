"""What is known of a network after its first call, and what makes it unknown again."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import xaiexp
from xaiexp.engine.checks.seen_networks import seen_network
from xaiexp.errors import MismatchError


class Counted(nn.Module):
    """A network that counts the rows that go through it."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
        self.rows = [0]  # a list, which is no plain attribute

    def forward(self, x):
        self.rows[0] += len(x)
        return self.layers(x)


def rows_of(network, call):
    network.rows[0] = 0
    call()
    return network.rows[0]


X = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("method", "passes"),
    [
        ("saliency", 1),
        ("input_x_gradient", 1),
        ("guided_backprop", 1),
        ("deconvolution", 1),
        ("grad_cam", 1),
        ("layer_activation", 1),
        ("smooth_grad", 50),
        ("deep_lift", 2),  # at the input and at the reference, from which its completeness follows, too
        ("integrated_gradients", 52),
        ("permutation_shap", 2 + 2 * 10 * 63),
    ],
)
def test_the_second_call_makes_the_passes_of_the_method_alone(method, passes):
    network = Counted()
    call = lambda: xaiexp.attribute(network, X, method, target=0)  # noqa: E731 -- a one-line function
    assert rows_of(network, call) > passes * len(X)
    assert rows_of(network, call) == passes * len(X)


def test_maps_of_both_calls_are_equal():
    network = Counted()
    for method in ("saliency", "deep_lift", "grad_cam", "kernel_shap"):
        first = xaiexp.attribute(network, X, method, target=1, seed=3)
        assert torch.equal(xaiexp.attribute(network, X, method, target=1, seed=3), first)


CHANGES = {
    "a weight": lambda n: n.layers[0].weight.data_ptr() and nn.init.zeros_(n.layers[3].bias),
    "another tensor": lambda n: setattr(n.layers[3], "bias", nn.Parameter(torch.zeros(3))),
    "a plain attribute": lambda n: setattr(n, "temperature", 2.0),
    "a hook": lambda n: n.layers[0].register_forward_hook(lambda module, given, out: out * 2),
    "a replaced forward": lambda n: setattr(n, "forward", lambda x, f=n.forward: f(x) * 2),
    "another layer": lambda n: n.layers.append(nn.Softmax(1)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_network_that_changed_is_unknown(change):
    network = Counted()
    seen_network(network, "use").stable = True
    assert seen_network(network, "use").stable
    assert not seen_network(network, "another use").stable
    CHANGES[change](network)
    assert not seen_network(network, "use").stable


def test_of_a_function_nothing_is_known():
    seen_network(torch.sum, "use").stable = True
    assert not seen_network(torch.sum, "use").stable


def test_a_network_that_was_refused_is_refused_again():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3), nn.Dropout())
    network[2].eval = lambda: None  # stays in training mode
    network[2].forward = lambda x: x * torch.rand(len(x), 1)
    for _ in range(2):
        with pytest.raises(MismatchError, match="two passes give different scores"):
            xaiexp.attribute(network, X, "occlusion", target=0)


def test_targets_of_a_known_network_are_checked():
    network = Counted()
    xaiexp.attribute(network, X, "saliency", target=0)
    with pytest.raises(MismatchError, match="the model has 3 classes"):
        xaiexp.attribute(network, X, "saliency", target=3)


def test_a_detached_part_is_found_after_a_call_without_gradients():
    class Detached(Counted):
        def forward(self, x):
            return self.layers(x) + 50 * self.layers(x.detach() ** 2)

    network = Detached()
    xaiexp.attribute(network, X, "occlusion", target=0)
    with pytest.raises(MismatchError, match="cannot be explained by gradients"):
        xaiexp.attribute(network, X, "saliency", target=0)
