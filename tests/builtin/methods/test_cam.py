"""Class activation maps: against loops, Captum, and what is known of them."""

from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
import torch
from builders import bind, draws, make_batch, pixel_map
from lenet_mnist import lenet
from reference import cam_loops
from torch import nn

from xaiexp.builtin.methods.backprop.guided_backprop import GuidedBackprop
from xaiexp.builtin.methods.cam import cam_formulas as cam_maps
from xaiexp.builtin.methods.cam.eigen_cam import EigenCam
from xaiexp.builtin.methods.cam.grad_cam import GradCam, GradCamPlusPlus, GuidedGradCam, LayerCam
from xaiexp.builtin.methods.cam.score_cam import ScoreCam
from xaiexp.core.explanations import Cost
from xaiexp.errors import ParameterError, Unsupported
from xaiexp.inference.layers import token_grid

CAMS = [GradCam, GradCamPlusPlus, ScoreCam, LayerCam, GuidedGradCam, EigenCam]
OF_GRADIENTS = [GradCam, GradCamPlusPlus, LayerCam]
SIGNED = [*OF_GRADIENTS, ScoreCam]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def explained(method, network, batch, **options):
    return method.attribute(bind(network, batch, **options), batch, None, draws(batch))


def same(got, want, rtol=1e-9):
    want = want.detach().to(got.dtype)
    torch.testing.assert_close(got, want, rtol=rtol, atol=rtol * float(want.abs().max()))


@pytest.fixture(scope="module")
def captum():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Captum's own imports: not ours to mend
        import captum.attr
        import captum.testing.helpers.basic_models
    return captum


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 3),
    ).double().eval()  # fmt: skip


@pytest.fixture
def batch():
    return make_batch(normal(4, 2, 8, 10, seed=1), torch.tensor([0, 2, 1, 2]))


def halves(network, batch, at):
    """Activations after module ``at`` and gradients of the targets' scores there, from the two parts of a network."""
    activations = network[: at + 1](batch.inputs).detach().requires_grad_()
    scores = network[at + 1 :](activations)[torch.arange(len(batch)), batch.targets]
    (gradients,) = torch.autograd.grad(scores.sum(), activations)
    return activations.detach(), gradients


def at_size(maps, batch):
    """Every map, in loops, at the inputs' size and in every channel."""
    large = torch.stack([cam_loops.bilinear(m, batch.shape[-2:]) for m in maps])
    return large.unsqueeze(1).expand(-1, *batch.shape)


@pytest.mark.parametrize("at", [0, 1, 3, 4])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    ("method", "slow"), [(GradCam, cam_loops.grad_cam), (LayerCam, cam_loops.layer_cam)], ids=["grad_cam", "layer_cam"]
)
def test_maps_of_gradients_are_those_of_the_loops(network, batch, method, slow, at, relu):
    maps = [slow(a, g) for a, g in zip(*halves(network, batch, at), strict=True)]
    want = at_size([m.clamp(min=0) if relu else m for m in maps], batch)
    same(explained(method(layer=str(at), relu_attributions=relu), network, batch), want)


@pytest.mark.parametrize("at", [3, 4])
@pytest.mark.parametrize("relu", [False, True])
def test_grad_cam_plus_plus_is_the_paper_s_ratio_of_derivatives(batch, at, relu):
    torch.manual_seed(3)
    front = [nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU()]
    network = nn.Sequential(*front[: at + 1], nn.Flatten(), nn.Linear(36, 3)).double().eval()
    behind = network[at + 1 :]
    activations, _ = halves(network, batch, at)
    maps = [
        cam_loops.grad_cam_plus_plus(a, lambda v, t=t: behind(v[None])[0, t])
        for a, t in zip(activations, batch.targets.tolist(), strict=True)
    ]
    want = at_size([m.clamp(min=0) if relu else m for m in maps], batch)
    same(explained(GradCamPlusPlus(layer=str(at), relu_attributions=relu), network, batch), want, 1e-8)


def test_grad_cam_plus_plus_has_no_weight_where_its_ratio_is_undefined():
    activations = torch.tensor([[[[1.0, -2.0]], [[0.0, 3.0]]]])
    gradients = torch.tensor([[[[2.0, 0.5]], [[0.0, -1.0]]]])  # 2 + 2 * (-1) = 0 at the first place
    want = 0.5 / (2 + 0.5 * -1) * activations[:, 0]
    torch.testing.assert_close(cam_maps.plus_plus_map(activations, gradients), want)


@pytest.mark.parametrize("at", [1, 3, 4])
@pytest.mark.parametrize("output", ["logit", "probability"])
def test_score_cam_is_the_paper_s_algorithm_and_its_base_input_cancels(network, batch, at, output):
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


def test_score_cam_takes_the_channels_that_vary_most(network, batch):
    activations = network[:4](batch.inputs).detach()
    maps = []
    for a, x, t in zip(activations, batch.inputs, batch.targets.tolist(), strict=True):
        variances = [float(((c - c.mean()) ** 2).mean()) for c in a]
        most = sorted(range(6), key=lambda k: -variances[k])[:2]
        maps.append(cam_loops.score_cam(a, x, x, lambda v, t=t: float(network(v[None])[0, t].detach()), most))
    same(explained(ScoreCam(max_channels=2), network, batch), at_size(maps, batch))
    same(explained(ScoreCam(max_channels=60), network, batch), explained(ScoreCam(), network, batch))


@pytest.mark.parametrize(("most", "channels"), [(None, 6), (4, 4), (9, 6)])
@pytest.mark.parametrize("budget", [1, 5, None])
def test_score_cam_costs_a_pass_for_each_channel_and_one_more(network, batch, most, channels, budget):
    handle = bind(network, batch, budget=budget)
    sizes = []
    network.register_forward_pre_hook(lambda _, args: sizes.append(len(args[0])))
    ScoreCam(max_channels=most).attribute(handle, batch, None, draws(batch))
    assert handle.counter.forward == 4 * (channels + 1)
    assert handle.counter.backward == 0
    assert ScoreCam(max_channels=most).passes(batch.shape, 160) is None
    if budget == 5:
        assert sizes[1:] == [5] * (4 * channels // 5) + [4 * channels % 5] * bool(4 * channels % 5)


def test_score_cam_hides_nothing_that_belongs_to_no_feature(network, batch):
    features = pixel_map((2, 8, 10))
    kept = features.index.masked_fill(torch.arange(10) < 4, -1).clone()  # the left half
    batch = replace(batch, features=replace(features, index=kept))
    seen = []
    network.register_forward_pre_hook(lambda _, args: seen.append(args[0].detach().clone()))
    explained(ScoreCam(), network, batch, budget=24)
    shown = seen[1].view(4, 6, 2, 8, 10)
    assert torch.equal(shown[..., :4], batch.inputs.unsqueeze(1).expand_as(shown)[..., :4])
    assert not torch.allclose(shown[..., 4:], batch.inputs.unsqueeze(1).expand_as(shown)[..., 4:])


@pytest.mark.parametrize("bias", [0.0, 0.1, -7.0])
def test_a_channel_that_is_constant_has_no_weight_in_score_cam(network, batch, bias):
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


@pytest.mark.parametrize("at", [0, 1, 3, 4])
def test_eigen_cam_is_the_first_eigenvector_with_a_positive_sum(network, batch, at):
    maps = [cam_loops.eigen_cam(a).clamp(min=0) for a in network[: at + 1](batch.inputs).detach()]
    same(explained(EigenCam(layer=str(at)), network, batch), at_size(maps, batch), 1e-7)


def test_eigen_cam_of_activations_of_one_sign_has_that_pattern():
    pattern, channels = normal(1, 3, 4, seed=2).abs(), normal(1, 5, seed=3)
    activations = torch.einsum("nhw,nk->nkhw", pattern, channels)
    same(cam_maps.eigen_map(activations), pattern * channels.norm())
    same(cam_maps.eigen_map(-activations), pattern * channels.norm())
    assert not cam_maps.eigen_map(torch.zeros(2, 3, 2, 2)).any()


def test_guided_grad_cam_is_the_product(network, batch):
    want = explained(GradCam(relu_attributions=True), network, batch) * explained(GuidedBackprop(), network, batch)
    assert float(want.abs().max()) > 0
    same(explained(GuidedGradCam(), network, batch), want)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Captum announces its hooks by a warning
class TestCaptum:
    @pytest.mark.parametrize("layer", ["0", "3", "4"])
    def test_guided_grad_cam(self, captum, network, batch, layer):
        theirs = captum.attr.GuidedGradCam(network, network[int(layer)])
        want = theirs.attribute(batch.inputs.clone().requires_grad_(), batch.targets, interpolate_mode="bilinear")
        same(explained(GuidedGradCam(layer=layer), network, batch), want)

    def check(self, captum, network, x, targets, name, rtol=1e-9):
        batch, layer = make_batch(x, targets), network.get_submodule(name)
        for relu in (False, True):
            cam = captum.attr.LayerGradCam(network, layer).attribute(x, targets, relu_attributions=relu)
            want = captum.attr.LayerAttribution.interpolate(cam, x.shape[-2:], "bilinear").expand_as(x)
            same(explained(GradCam(layer=name, relu_attributions=relu), network, batch), want, rtol)
        return batch

    @pytest.mark.parametrize("name", ["conv1", "relu1", "pool1", "conv2", "relu2"])
    def test_captums_own_network(self, captum, name):
        torch.manual_seed(0)
        network = captum.testing.helpers.basic_models.BasicModel_ConvNet().double().eval()
        batch = self.check(captum, network, normal(3, 1, 10, 10), torch.tensor([1, 0, 9]), name)
        if name == "conv2":
            same(explained(GradCam(), network, batch), explained(GradCam(layer="conv2"), network, batch))

    @pytest.mark.parametrize(
        ("arch", "auto", "others"),
        [
            ("resnet18", "layer4.1.conv2", ["layer1.0", "layer3.1.conv1", "layer4"]),
            ("mobilenet_v2", "features.18.0", ["features.3.conv.1.0", "features.7", "features.18"]),
        ],
    )
    def test_networks_of_torchvision(self, captum, arch, auto, others):
        import torchvision

        torch.manual_seed(0)
        network = torchvision.models.get_model(arch, weights=None, num_classes=7).double().eval()
        x, targets = normal(2, 3, 64, 64), torch.tensor([3, 6])
        for name in (auto, *others):
            batch = self.check(captum, network, x, targets, name)
        same(explained(GradCam(), network, batch), explained(GradCam(layer=auto), network, batch))

    def test_lenet(self, captum, kit):
        network, x = lenet(kit)
        targets = network(x).argmax(1)
        for name in ("conv_1", "conv_2"):
            batch = self.check(captum, network, x, targets, name)
        same(explained(GradCam(), network, batch), explained(GradCam(layer="conv_2"), network, batch))


@pytest.fixture
def vit():
    from torchvision.models.vision_transformer import VisionTransformer

    torch.manual_seed(0)
    network = VisionTransformer(
        image_size=24, patch_size=6, num_layers=3, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=4
    )
    nn.init.normal_(network.heads.head.weight)  # torchvision begins with zeros
    return network.double().eval()


def tokens_of(network, module, x, targets):
    """Activations and gradients ``[N, T, D]`` of a module's output, by a hook of our own."""
    seen = []
    hook = module.register_forward_hook(lambda _m, _a, out: seen.append(out))
    scores = network(x)
    hook.remove()
    scores = scores if isinstance(scores, torch.Tensor) else scores.logits
    (gradients,) = torch.autograd.grad(scores[torch.arange(len(x)), targets].sum(), seen[-1])
    return seen[-1].detach(), gradients


def as_grid(tokens, rows):
    """``[T, D]`` with a class token to ``[D, rows, columns]``, place by place."""
    columns = (len(tokens) - 1) // rows
    out = torch.zeros(tokens.shape[1], rows, columns, dtype=tokens.dtype)
    for t in range(1, len(tokens)):
        out[:, (t - 1) // columns, (t - 1) % columns] = tokens[t]
    return out


class TestVisionTransformers:
    def test_the_grid_of_torchvision_s_last_block(self, vit):
        batch = make_batch(normal(3, 3, 24, 24), torch.tensor([0, 3, 1]))
        activations, gradients = tokens_of(vit, vit.encoder.layers[2].ln_1, batch.inputs, batch.targets)
        pairs = [(as_grid(a, 4), as_grid(g, 4)) for a, g in zip(activations, gradients, strict=True)]
        for method, slow in ((GradCam, cam_loops.grad_cam), (LayerCam, cam_loops.layer_cam)):
            want = at_size([slow(*pair) for pair in pairs], batch)
            assert float(want.abs().max()) > 0
            same(explained(method(), vit, batch), want)
            same(explained(method(layer="encoder.layers.encoder_layer_2.ln_1"), vit, batch), want)
        want = at_size([cam_loops.eigen_cam(a).clamp(min=0) for a, _ in pairs], batch)
        same(explained(EigenCam(), vit, batch), want, 1e-7)

    @pytest.mark.parametrize("budget", [None, 1, 2])
    @pytest.mark.parametrize("method", [GradCam, GradCamPlusPlus, LayerCam, ScoreCam, EigenCam])
    def test_auto_is_the_input_of_the_last_self_attention_for_every_budget(self, vit, method, budget):
        batch = make_batch(normal(3, 3, 24, 24), torch.tensor([0, 3, 1]))
        named = method(layer="encoder.layers.encoder_layer_2.ln_1")
        same(explained(method(), vit, batch, budget=budget), explained(named, vit, batch))

    def test_transformers(self):
        import transformers

        torch.manual_seed(0)
        config = transformers.ViTConfig(
            hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=24,
            patch_size=4, num_channels=3, num_labels=4, attn_implementation="eager",
        )  # fmt: skip
        inner = transformers.ViTForImageClassification(config).double().eval()

        class Logits(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = inner

            def forward(self, x):
                return self.inner(pixel_values=x, interpolate_pos_encoding=True).logits

        name = next(n for n, _ in inner.named_modules() if n.endswith("1.layernorm_before"))
        for shape in ((3, 24, 24), (3, 16, 32)):  # a square, and what is none
            batch = make_batch(normal(2, *shape), torch.tensor([2, 1]))
            network = Logits()
            activations, gradients = tokens_of(network, inner.get_submodule(name), batch.inputs, batch.targets)
            rows = shape[1] // 4
            maps = [
                cam_loops.grad_cam(as_grid(a, rows), as_grid(g, rows))
                for a, g in zip(activations, gradients, strict=True)
            ]
            same(explained(GradCam(), network, batch), at_size(maps, batch))
            same(explained(GradCam(layer=f"inner.{name}"), network, batch), at_size(maps, batch))

    @pytest.mark.parametrize("method", OF_GRADIENTS)
    @pytest.mark.parametrize("layer", ["encoder.layers.encoder_layer_2", "encoder.ln", "encoder"])
    def test_what_the_class_token_alone_leaves_is_refused(self, vit, layer, method):
        batch = make_batch(normal(3, 3, 24, 24), torch.tensor([0, 3, 1]))
        with pytest.raises(Unsupported, match=rf"after layer '{layer}' the score depends on the class token alone"):
            explained(method(layer=layer), vit, batch)

    def test_an_earlier_block_and_the_patches_themselves(self, vit):
        batch = make_batch(normal(3, 3, 24, 24), torch.tensor([0, 3, 1]))
        block = vit.encoder.layers[1]
        activations, gradients = tokens_of(vit, block, batch.inputs, batch.targets)
        maps = [cam_loops.grad_cam(as_grid(a, 4), as_grid(g, 4)) for a, g in zip(activations, gradients, strict=True)]
        same(explained(GradCam(layer="encoder.layers.encoder_layer_1"), vit, batch), at_size(maps, batch))
        activations, gradients = tokens_of(vit, vit.conv_proj, batch.inputs, batch.targets)
        maps = [cam_loops.grad_cam(a, g) for a, g in zip(activations, gradients, strict=True)]
        same(explained(GradCam(layer="conv_proj"), vit, batch), at_size(maps, batch))

    @pytest.mark.parametrize("version", ["V1", "V2"])
    def test_swin_has_its_channels_last(self, version):
        from torchvision.models import swin_transformer as swin

        torch.manual_seed(0)
        options = (
            {} if version == "V1" else {"block": swin.SwinTransformerBlockV2, "downsample_layer": swin.PatchMergingV2}
        )
        network = swin.SwinTransformer(
            [4, 4], 6, [1, 2], [1, 2], [3, 3], num_classes=4, stochastic_depth_prob=0.0, **options
        )
        network = network.double().eval()
        batch = make_batch(normal(2, 3, 32, 32), torch.tensor([2, 1]))
        for name, module in (("features.3", network.features[3]), ("features.3.1.norm1", network.features[3][1].norm1)):
            activations, gradients = tokens_of(network, module, batch.inputs, batch.targets)
            maps = [
                cam_loops.grad_cam(a.permute(2, 0, 1), g.permute(2, 0, 1))
                for a, g in zip(activations, gradients, strict=True)
            ]
            same(explained(GradCam(layer=name), network, batch), at_size(maps, batch))
        if version == "V1":  # V2 normalises behind its attention
            same(explained(GradCam(), network, batch), at_size(maps, batch))

    @pytest.mark.parametrize(
        ("tokens", "width", "pictures", "want"),
        [
            (17, 8, [(4, 4)], (1, 4, 4)),
            (16, 8, [(4, 4)], (0, 4, 4)),
            (21, 8, [(4, 4)], (5, 4, 4)),  # a class token and four registers
            (9, 8, [(2, 4)], (1, 2, 4)),
            (17, 8, [(16, 16), (8, 8), (4, 4)], (1, 4, 4)),
            (65, 8, [(16, 16), (8, 8), (4, 4)], (1, 8, 8)),
            (33, 8, [(4, 4)], None),  # 17 too many
            (15, 8, [(4, 4)], None),
            (64, 49, [(7, 7)], None),  # channels first, flattened
            (49, 64, [(7, 7)], (0, 7, 7)),
            (50, 8, [], (1, 7, 7)),
            (49, 8, [], (0, 7, 7)),
            (51, 8, [], None),
            (2, 8, [], None),
            (1, 8, [], None),
            (1, 8, [(1, 1)], None),
        ],
    )
    def test_tokens_are_a_grid_where_that_is_certain(self, tokens, width, pictures, want):
        assert token_grid(tokens, width, pictures) == want

    def test_the_kit_s_transformer_sees_where_the_digit_is(self, kit):
        import numpy as np
        import transformers

        inner = transformers.AutoModelForImageClassification.from_pretrained(
            kit / "models/vit_mnist_hf", attn_implementation="eager"
        ).eval()

        class Logits(nn.Module):
            def __init__(self):
                super().__init__()
                self.inner = inner

            def forward(self, x):
                return self.inner(pixel_values=x).logits

        images = np.load(kit / "arrays/mnist500.npz")
        images = next(images[key] for key in images.files if images[key].ndim >= 3)
        pixels = torch.from_numpy(images[:32]).float().reshape(32, 1, 28, 28)
        x = (pixels / 255 - 0.1307) / 0.3081
        network = Logits()
        batch = make_batch(x, network(x).argmax(1))
        got = explained(LayerCam(relu_attributions=True), network, batch)
        inside = torch.nn.functional.max_pool2d((pixels > 127).float(), 5, 1, 2).bool()
        shares = (got * inside).sum((1, 2, 3)) / got.sum((1, 2, 3))
        assert float((shares - inside.float().mean((1, 2, 3))).mean()) > 0.1


class Reused(nn.Module):
    """A convolution that runs twice, and changes in place before and after it."""

    def __init__(self, inplace):
        super().__init__()
        self.inplace, self.conv = inplace, nn.Conv2d(2, 2, 3, padding=1)
        self.same, self.head = nn.Identity(), nn.Linear(50, 3)

    def forward(self, x):
        first = self.conv(x)
        first = first.relu_() if self.inplace else first.relu()
        second = self.conv(first)
        kept = self.same(second)
        if self.inplace:
            second += 1  # another name for what the layer gave
            kept.mul_(2)
        else:
            kept = 2 * (kept + 1)
        return self.head(kept.flatten(1))


@pytest.mark.parametrize("layer", ["conv", "auto"])
@pytest.mark.parametrize("method", [GradCam, LayerCam, GradCamPlusPlus, EigenCam, ScoreCam])
def test_what_works_in_place_changes_no_activation_and_the_last_run_counts(method, layer):
    batch = make_batch(normal(3, 2, 5, 5), torch.tensor([0, 2, 1]))
    torch.manual_seed(0)
    plain = Reused(False).double().eval()
    inplace = Reused(True).double().eval()
    inplace.load_state_dict(plain.state_dict())
    second = plain.conv(plain.conv(batch.inputs).relu()).detach().requires_grad_()
    scores = plain.head((2 * (second + 1)).flatten(1))[torch.arange(3), batch.targets]
    (gradients,) = torch.autograd.grad(scores.sum(), second)
    if method is GradCam:
        maps = [cam_loops.grad_cam(a, g) for a, g in zip(second.detach(), gradients, strict=True)]
        same(explained(method(layer=layer), plain, batch), at_size(maps, batch))
    same(explained(method(layer=layer), inplace, batch), explained(method(layer=layer), plain, batch))
    for parameter in inplace.parameters():
        parameter.requires_grad_(False)
    same(explained(method(layer=layer), inplace, batch), explained(method(layer=layer), plain, batch))


@pytest.mark.parametrize("method", [GradCam, EigenCam])
def test_another_name_of_the_same_memory_changes_no_activation(method):
    batch = make_batch(normal(3, 2, 5, 5), torch.tensor([0, 2, 1]))
    torch.manual_seed(0)
    plain, inplace = Reused(False).double().eval(), Reused(True).double().eval()
    inplace.load_state_dict(plain.state_dict())
    second = plain.conv(plain.conv(batch.inputs).relu()).detach()
    handle = bind(inplace, batch)
    got = method(layer="same").attribute(handle, batch, None, draws(batch))
    if method is EigenCam:
        same(got, at_size([cam_loops.eigen_cam(a).clamp(min=0) for a in second], batch), 1e-7)
    assert bool(got.isfinite().all())


@pytest.mark.parametrize("method", CAMS)
def test_hooks_are_gone_after_an_error_and_after_a_refusal(network, batch, method):
    def clean(module):
        return not any(m._forward_hooks or m._forward_pre_hooks or m._backward_hooks for m in module.modules())

    explained(method(), network, batch)
    assert clean(network)
    with pytest.raises(Unsupported, match=r"layer '6' gives \[4, 8\], which is no picture"):
        explained(method(layer="6"), network, batch)
    assert clean(network)
    network[8] = nn.Linear(5, 3).double()
    with pytest.raises(RuntimeError, match="shapes"):
        explained(method(), network, batch)
    assert clean(network)
    assert not batch.inputs.requires_grad


@pytest.mark.parametrize("method", CAMS)
def test_names_and_layers_that_do_not_fit_are_told(network, batch, method):
    with pytest.raises(ParameterError, match=rf"method.{method.name}.layer: the model has no submodule of this name"):
        explained(method(layer="conv"), network, batch)
    with pytest.raises(ParameterError, match="no submodule"):
        explained(method(layer=""), network, batch)
    flat = nn.Sequential(nn.Flatten(), nn.Linear(160, 5), nn.ReLU(), nn.Linear(5, 3)).double()
    with pytest.raises(Unsupported, match=r"no nn.Conv2d .* and no self-attention over a grid of tokens"):
        explained(method(), flat, batch)
    with pytest.raises(Unsupported, match=r"not a torch\.nn\.Module"):
        explained(method(), lambda x: flat(x), batch)


class Strange(nn.Module):
    """Layers that give what is no activation of an example."""

    def __init__(self, give):
        super().__init__()
        self.give = give

    def forward(self, x):
        return self.give(x)


@pytest.mark.parametrize(
    ("give", "message"),
    [
        (lambda x: x.transpose(0, 1), r"gives \[2, 4, 8, 10\], which is not one row for each of 4 examples"),
        (lambda x: x.argmax(1), r"gives torch.int64, which has no gradient"),
        (lambda x: {"nothing": "here"}, r"gives dict, which holds no tensor"),
        (lambda x: x.flatten(1).sum(1), r"gives \[4\], which is not one row"),
        (lambda x: x[:, 0], r"gives \[4, 8, 10\], which is no picture"),
    ],
)
def test_a_layer_that_gives_something_else_is_refused(batch, give, message):
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.odd, self.head = nn.Conv2d(2, 2, 1), Strange(give), nn.Linear(160, 3)

        def forward(self, x):
            self.odd(x)
            return self.head(self.conv(x).flatten(1))

    with pytest.raises(Unsupported, match=message):
        explained(GradCam(layer="odd"), Around().double(), batch)


def test_the_cost_is_what_is_counted(network, batch):
    for method, cost in (
        (GradCam(), Cost(1, 1)),
        (GradCamPlusPlus(), Cost(1, 1)),
        (LayerCam(), Cost(1, 1)),
        (GuidedGradCam(), Cost(2, 2)),
        (EigenCam(), Cost(1, 0)),
    ):
        handle = bind(network, batch)
        method.attribute(handle, batch, None, draws(batch))
        counter = handle.counter
        assert Cost(counter.forward, counter.backward) == cost * 4 == method.passes(batch.shape, 160) * 4


def test_facts_follow_the_parameters_that_decide_them():
    for method in SIGNED:
        assert method().signed
        assert not method(relu_attributions=True).signed
    assert not EigenCam.signed
    assert not EigenCam.target_specific
    assert ScoreCam.needs == EigenCam.needs == {"maps", "modules"}
    assert GradCam.needs == {"gradients", "maps", "modules"}


@pytest.mark.parametrize("precision", ["bf16"])
@pytest.mark.parametrize(
    ("method", "tolerance"),
    [
        (GradCam(), 0.03),
        (GradCamPlusPlus(layer="4"), 0.03),
        (LayerCam(), 0.05),
        (ScoreCam(), 0.03),
        (EigenCam(), 0.03),
        (GuidedGradCam(), 0.08),
    ],
)
def test_half_precision_is_near(network, batch, method, tolerance, precision):
    from xaiexp.inference.passes import Passes

    assert precision in method.precisions
    network, single = network.float(), replace(batch, inputs=batch.inputs.float())
    want = explained(method, network, single)
    handle = Passes(network, precision=precision).bind(single)
    got = method.attribute(handle, single, None, draws(single))
    assert got.dtype == torch.float32
    apart = float((got - want).norm() / want.norm())
    assert 0 < apart < tolerance
