"""Equality with the package lxt 2.1 of the authors of AttnLRP, where it is installed.

``uv pip install --no-deps lxt==2.1`` installs it without its dependencies, which these tests do not need.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("xaiexp_lxt", reason="the distribution xaiexp-lxt is not installed")
if importlib.util.find_spec("lxt") is None:
    pytest.skip("the package lxt is not installed", allow_module_level=True)

import torch
import torch.nn.functional as F
import transformers
from lxt.explicit import functional as lf
from torchvision import models as tv

from .lxt_cases import bound, close, decoder, of_handle, relevance_of
from .test_lxt_rules import drawn, linear, relevances

VIT = {
    "image_size": 16, "patch_size": 4, "num_layers": 2, "num_heads": 2, "hidden_dim": 8, "mlp_dim": 12,
    "num_classes": 3,
}  # fmt: skip


def explicit(function, x, weights):
    """Relevance of ``x`` by lxt's explicit rules, in which the gradient of a tensor is its relevance."""
    leaf = x.clone().requires_grad_()
    y = function(leaf)
    (got,) = torch.autograd.grad(y, leaf, (weights * y).detach())
    return got


RULES = {
    "linear": (lambda x, m: m(x), lambda x, m: lf.linear_epsilon(x, m.weight, m.bias, 1e-12), (3, 5)),
    "softmax": (lambda x, m: x.softmax(-1), lambda x, m: lf.softmax(x, -1), (3, 5)),
    "matmul": (
        lambda x, m: x[:, :3] @ x[:, 3:].mT,
        lambda x, m: lf.matmul(x[:, :3], x[:, 3:].mT, False, 1e-12),
        (2, 6, 3),
    ),
    "product": (lambda x, m: x[:, :3] * x[:, 3:], lambda x, m: lf.mul2(x[:, :3], x[:, 3:]), (2, 6)),
    "sum": (lambda x, m: x[:, :3] + x[:, 3:], lambda x, m: lf.add2(x[:, :3], x[:, 3:], False, 1e-12), (2, 6)),
    "layer norm": (
        lambda x, m: F.layer_norm(x, (5,), m.weight[0], m.weight[1], 1e-5),
        lambda x, m: lf.layer_norm(x, m.weight[0], m.weight[1], 1e-5),
        (3, 5),
    ),
    "rms norm": (
        lambda x, m: F.rms_norm(x, (5,), m.weight[0], 1e-5),
        lambda x, m: lf.rms_norm_identity(x, m.weight[0], 1e-5),
        (3, 5),
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rule_equals_the_explicit_rule_of_lxt(name):
    ours, theirs, shape = RULES[name]
    x, layer = drawn(*shape), linear().requires_grad_(False)
    weights = drawn(*ours(x, layer).shape, seed=2)
    got, _ = relevances(ours, x, weights, layer)
    close(got, explicit(lambda x: theirs(x, layer), x, weights), rtol=1e-5)  # RMSNorm of lxt computes in float32


def by_lxt(folder, architecture, variant, config, module, x):
    torch.save({"config": config, "state": module.state_dict(), "x": x}, folder / "in.pt")
    program = Path(__file__).with_name("lxt_peer.py")
    words = [sys.executable, "-W", "ignore", program, architecture, variant, folder / "in.pt", folder / "out.pt"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return torch.load(folder / "out.pt", weights_only=True)


@pytest.mark.parametrize("method", ["attn_lrp", "cp_lrp"])
@pytest.mark.parametrize("architecture", ["llama", "gpt2"])
def test_a_decoder_equals_lxt(tmp_path, architecture, method):
    config = {"llama": transformers.LlamaConfig, "gpt2": transformers.GPT2Config}[architecture]
    module = decoder(config).float()
    x = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(3))
    got = relevance_of(module, x, method, 1, epsilon=0.0)
    assert float(got.abs().max()) > 1e-3
    close(got, by_lxt(tmp_path, architecture, method, module.config, module, x), rtol=1e-3)


def test_a_vision_transformer_equals_lxt(tmp_path):
    torch.manual_seed(0)
    module = tv.VisionTransformer(**VIT).eval()
    for parameter in module.parameters():
        parameter.data.normal_(std=0.3)
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    got = of_handle(bound(module, x), "cp_lrp", epsilon=0.0)
    close(got, by_lxt(tmp_path, "vit", "cp_lrp", VIT, module, x), rtol=1e-3)
