"""Modified backward passes: independence of examples, torchvision architectures, no side effects."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torchvision
from attributions import same
from builders import bind, draws, make_batch, normal
from torch import nn

from xaiexp.builtin.methods import COMPONENTS
from xaiexp.core.explanations import Cost
from xaiexp.errors import Unsupported

CLASSES = {c.name: c for c in COMPONENTS}
RELU_METHODS = ["guided_backprop", "deconvolution"]


def explained(name, network, batch, reference=None, **options):
    return CLASSES[name]().attribute(bind(network, batch, **options), batch, reference, draws(batch))


@pytest.fixture
def pooled():
    """Softmax over features and max-pooling, for which rules may mix examples."""
    torch.manual_seed(0)
    return (
        nn.Sequential(
            nn.Conv1d(2, 4, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Softmax(dim=1), nn.Flatten(), nn.Linear(20, 6),
            nn.Tanh(), nn.Softmax(dim=-1), nn.Linear(6, 3),
        ).double().eval()
    )  # fmt: skip


def test_deep_lift_shap_is_the_mean_of_deep_lift(pooled):
    batch = make_batch(normal(3, 2, 12), torch.tensor([0, 1, 2]))
    references = normal(3, 5, 2, 12, seed=1)
    want = torch.stack([explained("deep_lift", pooled, batch, r) for r in references.unbind(1)]).mean(0)
    for budget in (1, 4, None):
        handle = bind(pooled, batch, budget=budget)
        same(CLASSES["deep_lift_shap"]().attribute(handle, batch, references, draws(batch)), want)
        assert Cost(handle.counter.forward, handle.counter.backward) == Cost(2, 1) * (3 * 5)
    handle = bind(pooled, batch)
    same(want.flatten(1).sum(1), handle.scores() - handle.scores(references).mean(1))


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize("name", ["deep_lift", "deep_lift_shap", *RELU_METHODS])
def test_softmax_and_max_pool_do_not_mix_examples(pooled, name, output):
    """Each example alone, with other examples, and with one that equals its reference."""
    batch, references = make_batch(normal(4, 2, 12), torch.tensor([0, 1, 2, 1])), normal(4, 2, 2, 12, seed=1)
    references[0, 0] = batch.inputs[0]
    references[1, :, :, :6] = batch.inputs[1, None, :, :6]
    references_used = references if name == "deep_lift_shap" else references[:, 0]
    whole = explained(name, pooled, batch, references_used, output=output)
    for rows in ([0], [1], [2], [3], [2, 1], [3, 0, 1]):
        selection = make_batch(batch.inputs[rows], batch.targets[rows])
        same(explained(name, pooled, selection, references_used[rows], output=output), whole[rows], 1e-12)
    if name.startswith("deep_lift"):
        handle = bind(pooled, batch, output=output)
        absent = handle.scores(references).mean(1) if name == "deep_lift_shap" else handle.scores(references[:, 0])
        torch.testing.assert_close(whole.flatten(1).sum(1), handle.scores() - absent, rtol=1e-9, atol=1e-14)


def torchvision_network(arch, **options):
    """Random weights, and batch normalisation with statistics other than 0 and 1."""
    torch.manual_seed(0)
    network = getattr(torchvision.models, arch)(weights=None, **options)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.1)
    return network.double().eval()


@pytest.fixture
def images():
    return make_batch(normal(2, 3, 64, 64), torch.tensor([3, 7])), 0.3 * normal(2, 3, 64, 64, seed=1)


@pytest.mark.parametrize("arch", ["resnet18", "densenet121", "mobilenet_v2", "squeezenet1_1", "shufflenet_v2_x0_5"])
def test_deep_lift_completeness_on_torchvision_architectures(arch, images):
    """In-place, functional and reused ReLUs, ReLU6, in-place additions, concatenations, shuffled channels."""
    (batch, reference), network = images, torchvision_network(arch)
    handle = bind(network, batch)
    got = explained("deep_lift", network, batch, reference)
    same(got.flatten(1).sum(1), handle.scores() - handle.scores(reference), 1e-6)
    references = torch.stack((reference, batch.inputs.flip(-1)), 1)
    got = explained("deep_lift_shap", network, batch, references)
    same(got.flatten(1).sum(1), handle.scores() - handle.scores(references).mean(1), 1e-6)
    for rule in RELU_METHODS:
        got = explained(rule, network, batch)
        assert bool(got.isfinite().all())
        assert bool(got.flatten(1).any(1).all())


@pytest.mark.parametrize(
    ("arch", "options", "names"),
    [
        ("vit_b_16", {"image_size": 64}, ("'layer_norm' in 'encoder.layers.encoder_layer_0.ln_1'", "'gelu'")),
        (
            "efficientnet_b0",
            {},
            ("'mul' in 'features.1.0.block.1' .SqueezeExcitation", "'silu' in 'features.0.2' .SiLU"),
        ),
        ("mobilenet_v3_small", {}, ("'mul'", "'hardswish' in 'features.0.2' .Hardswish")),
        ("convnext_tiny", {}, ("'layer_norm'", "'gelu'")),
    ],
)
def test_unsupported_networks_raise_with_operation_and_module(arch, options, names, images):
    (batch, reference), network = images, torchvision_network(arch, **options)
    with pytest.raises(Unsupported, match=f"deep_lift has no rule for {names[0]}"):
        explained("deep_lift", network, batch, reference)
    with pytest.raises(Unsupported, match="deep_lift_shap has no rule"):
        explained("deep_lift_shap", network, batch, reference[:, None])
    for rule in RELU_METHODS:
        with pytest.raises(Unsupported, match=f"{rule} has no rule for {names[1]}"):
            explained(rule, network, batch)


@pytest.mark.parametrize("name", ["deep_lift", *RELU_METHODS])
def test_network_and_its_gradients_are_unchanged(name, images):
    """The plain gradient is the same before and after, and no module is replaced, hooked or renamed."""
    (batch, reference), network = images, torchvision_network("resnet18")
    before, modules = bind(network, batch).gradients(), dict(network.named_modules())
    explained(name, network, batch, reference)
    assert torch.equal(bind(network, batch).gradients(), before)
    assert dict(network.named_modules()) == modules
    assert not any(m._forward_hooks or m._backward_hooks or m._forward_pre_hooks for m in network.modules())
    assert "forward" not in vars(network)


@pytest.mark.parametrize("name", ["deep_lift", *RELU_METHODS])
def test_attributions_depend_on_output_and_target(name, images):
    """The rules also apply to the softmax of a probability."""
    (batch, reference), network = images, torchvision_network("squeezenet1_1")
    other = replace(batch, targets=batch.targets + 1)
    one, two = explained(name, network, batch, reference), explained(name, network, other, reference)
    assert not torch.allclose(one, two)
    got = explained(name, network, batch, reference, output="probability")
    assert not torch.allclose(one, got)
    if name == "deep_lift":
        handle = bind(network, batch, output="probability")
        same(got.flatten(1).sum(1), handle.scores() - handle.scores(reference), 1e-6)
