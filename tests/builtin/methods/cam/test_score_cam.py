"""Score-CAM: comparison with loops."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from attributions import explained, same
from builders import bind, draws, normal, pixel_map
from cam_networks import at_size, convolutional_network, four_images
from reference import cam_loops

from xaiexp.builtin.methods.cam import cam_formulas as cam_formulas
from xaiexp.builtin.methods.cam.score_cam import ScoreCam

network = pytest.fixture(convolutional_network)
batch = pytest.fixture(four_images)


@pytest.mark.parametrize("at", [1, 3, 4])
@pytest.mark.parametrize("output", ["logit", "probability"])
def test_score_cam_equals_the_paper_s_algorithm_for_any_base_input(network, batch, at, output):
    def score(x, target):
        logits = network(x[None])[0].detach()
        return float((logits if output == "logit" else logits.softmax(0))[target])

    activations = network[: at + 1](batch.inputs).detach()
    maps = [
        cam_loops.score_cam(a, x, normal(2, 8, 10, seed=9), lambda v, t=t: score(v, t))
        for a, x, t in zip(activations, batch.inputs, batch.targets.tolist(), strict=True)
    ]
    same(explained(ScoreCam(layer=str(at)), network, batch, output=output), at_size(maps, batch))
    cut = ScoreCam(layer=str(at), relu_attributions=True)
    same(explained(cut, network, batch, output=output), at_size([m.clamp(min=0) for m in maps], batch))


def test_score_cam_uses_the_channels_with_the_largest_variance(network, batch):
    activations = network[:4](batch.inputs).detach()
    maps = []
    for a, x, t in zip(activations, batch.inputs, batch.targets.tolist(), strict=True):
        variances = [float(((c - c.mean()) ** 2).mean()) for c in a]
        chosen = sorted(range(6), key=lambda k: -variances[k])[:2]
        maps.append(cam_loops.score_cam(a, x, x, lambda v, t=t: float(network(v[None])[0, t].detach()), chosen))
    same(explained(ScoreCam(max_channels=2), network, batch), at_size(maps, batch))
    same(explained(ScoreCam(max_channels=60), network, batch), explained(ScoreCam(), network, batch))


@pytest.mark.parametrize(("max_channels", "channels"), [(None, 6), (4, 4), (9, 6)])
@pytest.mark.parametrize("budget", [1, 5, None])
def test_score_cam_cost_is_one_pass_plus_one_for_each_channel(network, batch, max_channels, channels, budget):
    handle = bind(network, batch, budget=budget)
    sizes = []
    network.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    ScoreCam(max_channels=max_channels).attribute(handle, batch, None, draws(batch))
    assert handle.counter.forward == 4 * (channels + 1)
    assert handle.counter.backward == 0
    assert ScoreCam(max_channels=max_channels).passes(batch.shape, 160) is None
    if budget == 5:
        assert sizes[1:] == [5] * (4 * channels // 5) + [4 * channels % 5] * bool(4 * channels % 5)


def test_score_cam_does_not_mask_elements_of_no_feature(network, batch):
    features = pixel_map((2, 8, 10))
    kept = features.index.masked_fill(torch.arange(10) < 4, -1).clone()  # the left half
    batch = replace(batch, features=replace(features, index=kept))
    masked = []
    network.register_forward_pre_hook(lambda _, args: masked.append(args[0].detach().clone()))
    explained(ScoreCam(), network, batch, budget=24)
    inputs = masked[1].view(4, 6, 2, 8, 10)
    assert torch.equal(inputs[..., :4], batch.inputs.unsqueeze(1).expand_as(inputs)[..., :4])
    assert not torch.allclose(inputs[..., 4:], batch.inputs.unsqueeze(1).expand_as(inputs)[..., 4:])


@pytest.mark.parametrize("bias", [0.0, 0.1, -7.0])
def test_score_cam_weight_of_a_constant_channel_is_zero(network, batch, bias):
    with torch.no_grad():
        network[3].weight[1] = 0
        network[3].bias[1] = bias
    activations = network[:4](batch.inputs).detach()
    others = [0, 2, 3, 4, 5]
    maps = [
        cam_loops.score_cam(a, x, x, lambda v, t=t: float(network(v[None])[0, t].detach()), others)
        for a, x, t in zip(activations, batch.inputs, batch.targets.tolist(), strict=True)
    ]
    same(explained(ScoreCam(), network, batch), at_size(maps, batch))
    with torch.no_grad():
        network[3].weight.zero_()
    assert not explained(ScoreCam(), network, batch).any()
