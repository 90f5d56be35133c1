"""The declared half precisions of gradient methods, on a trained network."""

from __future__ import annotations

import pytest
import torch
from builders import draws, make_batch, readout
from torch import nn
from trained_networks import trained_networks

from xaiexp.builtin.datasets.scikit_learn import Digits
from xaiexp.builtin.methods import COMPONENTS
from xaiexp.builtin.models.trained.digits_and_shapes import DigitsCnn
from xaiexp.core.explanations import Estimate
from xaiexp.core.samples import LoadContext
from xaiexp.inference.passes import Passes

CLASSES = {c.name: c for c in COMPONENTS}
METHODS = [
    "saliency", "input_x_gradient", "integrated_gradients", "expected_gradients", "gradient_shap", "smooth_grad",
    "smooth_grad_squared", "var_grad", "blur_ig", "guided_ig", "deep_lift", "deep_lift_shap", "guided_backprop",
    "deconvolution",
]  # fmt: skip

# Tolerances of the relative distance from the map in fp32: the mean over examples, and the largest.
MEAN, LARGEST = 0.03, 0.25  # of a network that is trained on this machine


@pytest.fixture(scope="module")
def digits():
    """The trained network that the studies of the tests use, and 32 digits."""
    network = DigitsCnn().load(LoadContext(trained_networks()))
    return network.module, network.encode(Digits().open().read(0, 32)).inputs


def explained(name, module, inputs, precision, output):
    with torch.no_grad():
        batch = make_batch(inputs, module(inputs).argmax(1))
    method, reference = CLASSES[name](), torch.zeros_like(inputs)
    if method.reads_distribution:
        reference = torch.stack((reference, inputs.flip(0)), dim=1)
    handle = Passes(module, precision=precision).bind(batch, readout(output))
    got = method.attribute(handle, batch, reference if method.reads_baseline else None, draws(batch))
    got = got.values if isinstance(got, Estimate) else got
    assert got.dtype == torch.float32
    return got


def relative_distance(got, want):
    return (got - want).flatten(1).norm(dim=1) / want.flatten(1).norm(dim=1)


@pytest.mark.parametrize("output", ["logit", "probability"])
@pytest.mark.parametrize("name", METHODS)
def test_half_precision_differs_within_tolerance(digits, name, output):
    want = explained(name, *digits, "fp32", output)
    for precision in CLASSES[name].precisions:
        distance = relative_distance(explained(name, *digits, precision, output), want)
        assert float(distance.mean()) < MEAN, precision
        assert float(distance.max()) < LARGEST, precision


def test_declared_precisions():
    assert CLASSES["guided_ig"].precisions == ("fp32",)
    assert {CLASSES[name].precisions for name in METHODS if name != "guided_ig"} == {("fp32", "bf16")}


class Saturated(nn.Module):
    """The same network with larger logits."""

    def __init__(self, network) -> None:
        super().__init__()
        self.network = network

    def forward(self, x):
        return 3 * self.network(x)


def test_gradient_of_a_saturated_probability_is_zero_in_fp16(digits):
    """Why fp16 is not declared: maps are 0 everywhere, whereas bf16 has the exponent range of fp32."""
    module, inputs = digits
    want = explained("saliency", Saturated(module), inputs, "fp32", "probability")
    empty = {
        p: ~explained("saliency", Saturated(module), inputs, p, "probability").flatten(1).any(1)
        for p in ("bf16", "fp16")
    }
    assert bool(want.flatten(1).any(1).all())
    assert not bool(empty["bf16"].any())
    assert bool(empty["fp16"].any())
