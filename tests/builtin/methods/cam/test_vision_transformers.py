"""Class activation maps of vision transformers."""

from __future__ import annotations

import pytest
import torch
from attributions import explained, same
from builders import make_batch, normal
from cam_networks import as_grid, at_size, tokens_of, vision_transformer
from reference import cam_loops
from torch import nn

from xaiexp.builtin.methods.cam import cam_formulas as cam_formulas
from xaiexp.builtin.methods.cam.eigen_cam import EigenCam
from xaiexp.builtin.methods.cam.grad_cam import GradCam, GradCamPlusPlus, LayerCam
from xaiexp.builtin.methods.cam.score_cam import ScoreCam
from xaiexp.errors import Unsupported
from xaiexp.inference.token_grid import token_grid

vit = pytest.fixture(vision_transformer)


GRADIENT_CAMS = [GradCam, GradCamPlusPlus, LayerCam]


class TestVisionTransformers:
    def test_torchvision_vit_uses_the_patch_grid_of_the_last_block(self, vit):
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

    def test_transformers_vit_of_square_and_other_inputs(self):
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
        for shape in ((3, 24, 24), (3, 16, 32)):  # square and not square
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

    @pytest.mark.parametrize("method", GRADIENT_CAMS)
    @pytest.mark.parametrize("layer", ["encoder.layers.encoder_layer_2", "encoder.ln", "encoder"])
    def test_layers_after_the_last_attention_raise(self, vit, layer, method):
        batch = make_batch(normal(3, 3, 24, 24), torch.tensor([0, 3, 1]))
        with pytest.raises(Unsupported, match=rf"after layer '{layer}' the score depends on the class token alone"):
            explained(method(layer=layer), vit, batch)

    def test_earlier_block_and_patch_convolution(self, vit):
        batch = make_batch(normal(3, 3, 24, 24), torch.tensor([0, 3, 1]))
        block = vit.encoder.layers[1]
        activations, gradients = tokens_of(vit, block, batch.inputs, batch.targets)
        maps = [cam_loops.grad_cam(as_grid(a, 4), as_grid(g, 4)) for a, g in zip(activations, gradients, strict=True)]
        same(explained(GradCam(layer="encoder.layers.encoder_layer_1"), vit, batch), at_size(maps, batch))
        activations, gradients = tokens_of(vit, vit.conv_proj, batch.inputs, batch.targets)
        maps = [cam_loops.grad_cam(a, g) for a, g in zip(activations, gradients, strict=True)]
        same(explained(GradCam(layer="conv_proj"), vit, batch), at_size(maps, batch))

    @pytest.mark.parametrize("version", ["V1", "V2"])
    def test_swin_with_channels_last(self, version):
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
        if version == "V1":  # V2 normalises after its attention
            same(explained(GradCam(), network, batch), at_size(maps, batch))

    @pytest.mark.parametrize(
        ("tokens", "width", "spatial_sizes", "want"),
        [
            (17, 8, [(4, 4)], (1, 4, 4)),
            (16, 8, [(4, 4)], (0, 4, 4)),
            (21, 8, [(4, 4)], (5, 4, 4)),  # a class token and four registers
            (9, 8, [(2, 4)], (1, 2, 4)),
            (17, 8, [(16, 16), (8, 8), (4, 4)], (1, 4, 4)),
            (65, 8, [(16, 16), (8, 8), (4, 4)], (1, 8, 8)),
            (33, 8, [(4, 4)], None),  # 17 leading tokens are too many
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
    def test_token_grid_only_where_it_is_unambiguous(self, tokens, width, spatial_sizes, want):
        assert token_grid(tokens, width, spatial_sizes) == want

    def test_layer_cam_of_a_trained_vit_highlights_the_digit(self, kit):
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
