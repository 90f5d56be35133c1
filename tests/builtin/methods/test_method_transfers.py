"""How often a method makes a GPU wait for the program: as often for many examples, and many stretches, as for few."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from builders import bind, draws
from method_cases import METHODS, ImageNetwork, TextNetwork, image, table, text
from torch import nn
from transfers import transfers

from xaiexp.core import feature_map
from xaiexp.core.batches import Background
from xaiexp.errors import Unsupported
from xaiexp.inference import pass_engine

NETWORKS = {
    "image": (ImageNetwork, image),
    "table": (lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)), table),
    "text": (TextNetwork, text),
}
MOST = 13
"""The most of all methods: KernelSHAP, for examples of different lengths."""

OF_LENGTHS = ("kernel_shap", "exact_shapley")
"""Plan their coalitions once for each number of features that occurs in a batch."""


@pytest.fixture(autouse=True)
def as_on_a_gpu(monkeypatch):
    """Small stretches, and what is done on the CPU alone left out."""
    monkeypatch.setattr(pass_engine, "_STRETCH", 0)
    monkeypatch.setattr(feature_map, "_blendable", lambda inputs, reference: False)


def waits(method, network, data, n, budget):
    batch, reference = data(n)
    handle, rng = bind(network, batch, budget=budget), draws(batch)
    reference = reference.unsqueeze(1) if method.reads_distribution else reference
    with transfers() as counts:
        method.attribute(handle, batch, reference, rng)
    return counts


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("method", METHODS)
def test_transfers_depend_neither_on_the_examples_nor_on_the_stretches(method, kind):
    if method.modalities is not None and kind not in method.modalities:
        pytest.skip(f"{method.name} is not for this kind of input")
    torch.manual_seed(0)
    make, data = NETWORKS[kind]
    network = make().eval().requires_grad_(False)
    try:
        few = waits(method, network, data, 3, 64)
    except Unsupported as reason:
        pytest.skip(str(reason))
    # Whatever is found of a network at its first use is known now.
    few = waits(method, network, data, 3, 64)
    assert waits(method, network, data, 3, 9) == few
    many = waits(method, network, data, 8, 9)
    if kind == "text" and method.name in OF_LENGTHS:
        assert many.total() <= few.total() + 8 * 8
    else:
        assert many == few
    assert few.total() <= MOST


def test_every_kind_of_wait_is_counted():
    numbers = torch.arange(4.0)
    cases = [
        lambda: numbers.sum().item(),
        lambda: bool(numbers.any()),
        lambda: float(numbers[0]),
        lambda: numbers.tolist(),
        lambda: numbers.cpu(),
        lambda: numbers.numpy(),
        lambda: numbers[numbers > 1],
        lambda: numbers.nonzero(),
        lambda: torch.equal(numbers, numbers),
    ]
    for case in cases:
        with transfers() as counts:
            case()
        assert counts.total() >= 1
    with transfers() as counts:
        torch.where(numbers > 1, numbers, 0.0).sum()
    assert not counts


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")
@pytest.mark.parametrize("method", METHODS)
def test_no_stretch_waits_for_a_gpu(method):
    """With synchronisations as errors inside the passes, which are what is done once a stretch."""
    torch.manual_seed(0)
    network = NETWORKS["table"][0]().eval().requires_grad_(False).cuda()
    if method.modalities is not None and "table" not in method.modalities:
        pytest.skip(f"{method.name} is not for tables")
    batch, reference = table(8)
    known = batch.background
    assert known.pool is not None
    batch = replace(
        batch,
        inputs=batch.inputs.cuda(),
        targets=batch.targets.cuda(),
        features=batch.features.to("cuda"),
        background=Background("table", known.pool.cuda(), known.mean.cuda(), known.low.cuda(), known.high.cuda()),
    )
    reference = reference.cuda()
    reference = reference.unsqueeze(1) if method.reads_distribution else reference
    handle, rng = bind(network, batch, budget=9), draws(batch)
    original = pass_engine.PassEngine.forward

    def strict(engine, inputs, context):
        torch.cuda.set_sync_debug_mode("error")
        try:
            return original(engine, inputs, context)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pass_engine.PassEngine, "forward", strict)
        try:
            method.attribute(handle, batch, reference, rng)
        except Unsupported as reason:
            pytest.skip(str(reason))
