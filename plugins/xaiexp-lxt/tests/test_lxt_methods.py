"""The methods as components: restored networks, independence of the batch, targets, costs and imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("xaiexp_lxt", reason="the distribution xaiexp-lxt is not installed")

import torch
import transformers
from torch import nn
from torch.overrides import _get_current_function_mode_stack
from transformers.models.llama import modeling_llama

import xaiexp

from .lxt_cases import (
    METHODS,
    bound,
    close,
    component,
    context_of,
    decoder,
    encoder,
    explained,
    fingerprint,
    of_handle,
    relevance_of,
    same,
    wrapped,
)

PARAMETERS = pytest.mark.parametrize("parameters", [{}, {"gamma": 0.25}], ids=["epsilon", "gamma"])


def network():
    """A decoder with every kind of rule, and an activation that is a module."""
    return decoder(transformers.LlamaConfig, hidden_act="gelu_new")


def texts(n=3, tokens=5):
    return torch.randn(n, tokens, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def whole_state(module):
    """What a patch of transformers or torch would change, too."""
    functions = {
        name: (id(value.forward) if isinstance(value, type) and issubclass(value, nn.Module) else id(value))
        for place in (modeling_llama, nn, torch.nn.functional)
        for name, value in vars(place).items()
        if callable(value)
    }
    hooks = torch.nn.modules.module
    everywhere = [len(hooks._global_forward_hooks), len(hooks._global_forward_pre_hooks)]
    return fingerprint(module), functions, everywhere, len(_get_current_function_mode_stack())


@METHODS
@PARAMETERS
@pytest.mark.parametrize("frozen", [True, False])
def test_network_and_batch_are_unchanged_afterwards(method, parameters, frozen):
    module, x = network().requires_grad_(not frozen), texts()
    before, inputs, state = whole_state(module), x.clone(), torch.random.get_rng_state()
    relevance_of(module, x, method, 1, **parameters)
    assert same(list(before), list(whole_state(module)))
    assert torch.equal(x, inputs)
    assert x.grad is None
    assert not x.requires_grad
    assert torch.equal(state, torch.random.get_rng_state())


@METHODS
def test_frozen_and_trainable_parameters_give_the_same(method):
    x = texts()
    want = relevance_of(network().requires_grad_(False), x, method, 1)
    got = relevance_of(network().requires_grad_(True), x, method, 1)
    assert torch.equal(got, want)


class Boom(nn.Module):
    """Raises in the forward or backward pass, once enabled."""

    way = ""

    def forward(self, x):
        if self.way == "forward":
            raise ValueError("boom")
        if self.way == "unsupported":
            return x.exp()
        if self.way == "backward":
            x.register_hook(self._raise)
        return x

    @staticmethod
    def _raise(_gradient):
        raise ValueError("boom")


@METHODS
@pytest.mark.parametrize("way", ["forward", "backward", "unsupported"])
def test_the_network_is_unchanged_after_an_exception(method, way):
    module, x = network(), texts()
    booms = (Boom(), Boom())
    layer = module.model.layers[0]
    layer.mlp.down_proj = nn.Sequential(layer.mlp.down_proj, booms[0])
    layer.mlp.act_fn = nn.Sequential(layer.mlp.act_fn, booms[1])
    before = whole_state(module)
    for boom in booms if way != "backward" else booms[:1]:  # no relevance passes the gate in cp_lrp
        boom.way = way
        with pytest.raises((ValueError, xaiexp.errors.Unsupported), match=r"boom|'exp'"):
            relevance_of(module, x, method, 1)
        del boom.way
    assert same(list(before), list(whole_state(module)))


@METHODS
@PARAMETERS
def test_attributions_and_costs_do_not_depend_on_the_batch(method, parameters):
    module, x = network(), texts()
    want = relevance_of(module, x, method, 1, **parameters)
    assert float(want.abs().amin()) > 0
    close(torch.cat([relevance_of(module, row[None], method, 1, **parameters) for row in x]), want, rtol=1e-5)
    close(relevance_of(module, x.flip(0), method, 1, **parameters).flip(0), want, rtol=1e-5)
    whole, lrp = wrapped(module), component(method, **parameters)
    for budget in (1, 2):
        handle = bound(whole, x, 1, context_of(whole, x), budget=budget)
        close(lrp.attribute(handle, handle.batch, None, None), want, rtol=1e-5)
        cost, counter = lrp.passes((5, 8), 5), handle.counter
        assert (counter.forward, counter.backward) == (3 * cost.forward, 3 * cost.backward) == (3, 3)


@METHODS
def test_every_example_has_its_own_target(method):
    module, x, targets = network(), texts(), torch.tensor([2, 0, 1])
    got = relevance_of(module, x, method, targets)
    for row, target, mine in zip(x, targets.tolist(), got, strict=True):
        close(mine, relevance_of(module, row[None], method, target)[0], rtol=1e-5)
    assert float((got - relevance_of(module, x, method, 1)).abs().amax((1, 2))[:2].min()) > 0


@METHODS
def test_relevance_of_a_binary_head_speaks_for_class_1(method):
    """Without biases the relevance of cp_lrp is the logit, of both signs; that of two logits with zero is the same."""
    single = decoder(transformers.LlamaConfig, num_labels=1)
    double = decoder(transformers.LlamaConfig, num_labels=2)
    weight = single.score.weight.detach()
    double.load_state_dict({**single.state_dict(), "score.weight": torch.cat([torch.zeros_like(weight), weight])})
    x, whole = texts(), wrapped(single)
    handle = bound(whole, x, 0, context_of(whole, x), task="binary")
    got = of_handle(handle, method)
    close(got, relevance_of(double, x, method, 1), rtol=1e-5)
    if method == "cp_lrp":
        close(got.flatten(1).sum(1), explained(single, x)[:, 0], rtol=1e-4)


@METHODS
def test_the_epsilon_rule_is_continuous_in_epsilon_and_absorbs(method):
    module, x = encoder(transformers.BertConfig, biases=False), texts()
    none, tiny, large = (relevance_of(module, x, method, 1, epsilon=eps) for eps in (0.0, 1e-9, 10.0))
    close(tiny, none, rtol=1e-5)
    assert float(large.abs().sum()) < 0.01 * float(none.abs().sum())


def test_attn_lrp_and_cp_lrp_differ():
    module, x = network(), texts()
    a, b = (relevance_of(module, x, method, 1) for method in ("attn_lrp", "cp_lrp"))
    assert float((a - b).abs().max()) > 0.1 * float(b.abs().max())


@METHODS
def test_networks_on_functions_of_python_have_relevance(method):
    """``xaiexp.attribute`` on a user's own module and tensors."""
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, dropout=0.0).double().eval()
    module = nn.Sequential(layer, nn.Flatten(), nn.Linear(40, 3).double()).eval()
    x = texts()
    maps = xaiexp.attribute(module, x, method, target=1, axes="NTD")
    assert maps.shape == x.shape
    assert bool((maps != 0).all())


def test_registering_the_plugin_imports_no_heavy_package():
    code = (
        "import sys, xaiexp_lxt; xaiexp_lxt.xaiexp_components();"
        "print([m for m in ('torch', 'numpy', 'transformers', 'torchvision') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
