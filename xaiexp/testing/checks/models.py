"""The laws of models."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from xaiexp.contract.kinds import Model
from xaiexp.core.samples import Encoded, LoadContext, Network, Sample, Source
from xaiexp.errors import UserError
from xaiexp.inference.passes import Passes
from xaiexp.testing.check_types import Chapter, NotApplicable, demand
from xaiexp.testing.comparing import same
from xaiexp.testing.watching import difference, randomness, seeded

__all__ = ["LAWS"]

LAWS = Chapter("model")

_TEXTS = ("a good film", "rather long and not at all what was hoped for", "bad", "more of the same , with less")
_AXES = {"image": 3, "text": 2, "table": 1, "series": 2}


@functools.cache
def _cache() -> Path:
    """A folder for what models make once, until the program ends."""
    folder = tempfile.mkdtemp(prefix="xaiexp-testing-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _loaded(model: Model) -> Network:
    """The network, as it loads."""
    try:
        return model.load(LoadContext(_cache(), training=lambda: _training(model)))
    except UserError as refused:
        raise NotApplicable(f"it cannot be loaded here: {refused}") from None


def _samples(model: Model) -> list[Sample]:
    """Four samples that the model may take."""
    if model.modality == "text":
        return [Sample(f"toy {i}", text) for i, text in enumerate(_TEXTS)]
    data = torch.rand(4, *_shape(model), generator=torch.Generator().manual_seed(2))
    return [Sample(f"toy {i}", each) for i, each in enumerate(data)]


def _shape(model: Model) -> tuple[int, ...]:
    """Of an input that the model may take; not of texts."""
    return model.input_shape() or {"image": (3, 32, 32), "series": (1, 64), "table": (8,)}[model.modality]


def _training(model: Model) -> Source:
    """A training part for a model that asks for one: 24 samples of two classes, told apart by their level."""
    if model.modality == "text":
        samples = [Sample(f"toy {i}", f"{_TEXTS[i % 4]} {i}", i % 2) for i in range(24)]
    else:
        data = torch.rand(24, *_shape(model), generator=torch.Generator().manual_seed(3))
        samples = [Sample(f"toy {i}", each / 2 + 0.5 * (i % 2), i % 2) for i, each in enumerate(data)]
    return Source(len(samples), lambda start, stop: samples[start:stop], ("low", "high"))


def _encoded(model: Model, network: Network, rows: Sequence[int] = range(4)) -> Encoded:
    samples = _samples(model)
    try:
        return network.encode([samples[i] for i in rows])
    except UserError as refused:
        raise NotApplicable(f"it does not take the kit's samples: {refused}") from None


def _scores(network: Network, encoded: Encoded) -> Tensor:
    with torch.no_grad():
        return Passes(network.module).forward(encoded.inputs, encoded.context)


@LAWS.law()
def loads(model: Model) -> None:
    """It loads a network of the declared modality, on the CPU, in float32 and in eval mode."""
    network = _loaded(model)
    demand(network.modality == model.modality, f"declares {model.modality} and loads {network.modality}")
    if isinstance(network.module, nn.Module):
        training = [name or "the network" for name, part in network.module.named_modules() if part.training]
        demand(not training, f"{', '.join(training[:3])} is in training mode")
        for name, weight in network.module.named_parameters():
            demand(weight.device.type == "cpu", f"{name} lies on {weight.device}")
            demand(weight.dtype == torch.float32, f"{name} is {weight.dtype}")


@LAWS.law(after=("loads", "same_weights"))
def global_randomness(model: Model) -> None:
    """Loading neither reads nor changes the global random state of torch, numpy and Python."""
    states = []
    for seed in (1, 2):
        with seeded(seed):
            before = randomness()
            network = _loaded(model)
            changed = difference(before, randomness())
        demand(not changed, f"{changed} has changed")
        states.append(network.module.state_dict() if isinstance(network.module, nn.Module) else {})
    _same_weights(states[0], states[1], "another global random state gives other weights")


@LAWS.law(after=("loads",))
def same_weights(model: Model) -> None:
    """Loading it twice gives the same weights, the same identity and the same fingerprint."""
    told, states, identities = [], [], []
    for _ in range(2):
        with seeded():
            network = _loaded(model)
        told.append(model.fingerprint())
        identities.append(network.identity)
        states.append(network.module.state_dict() if isinstance(network.module, nn.Module) else {})
    demand(told[0] == told[1], f"two fingerprints: {told[0]!r}, {told[1]!r}")
    demand(identities[0] == identities[1], f"two identities: {identities[0]!r}, {identities[1]!r}")
    _same_weights(states[0], states[1], "loaded twice")


def _same_weights(a: dict[str, Tensor], b: dict[str, Tensor], what: str) -> None:
    demand(a.keys() == b.keys(), f"{what}: other names of weights")
    for name in a:
        demand(torch.equal(a[name], b[name]), f"{what}: {name} differs")


@LAWS.law(after=("loads",))
def encodes(model: Model) -> None:
    """`encode` gives finite floats with the axes of the modality, of the shape that `input_shape()` foretells."""
    network = _loaded(model)
    inputs = _encoded(model, network).inputs
    demand(inputs.is_floating_point() and bool(inputs.isfinite().all()), f"encodes to {inputs.dtype}, or not finite")
    demand(inputs.ndim == _AXES[model.modality] + 1, f"encodes {model.modality} to {list(inputs.shape)}")
    demand(len(inputs) == 4, f"encodes 4 samples to {len(inputs)}")
    told = model.input_shape()
    got = tuple(inputs.shape[1:])
    demand(told is None or tuple(told) == got, f"foretold inputs of {told} and encodes to {got}")


@LAWS.law(after=("loads", "encodes"))
def batch_mates(model: Model) -> None:
    """An example has the same finite scores [classes] alone, in a batch and in other company."""
    network = _loaded(model)
    whole = _scores(network, _encoded(model, network))
    demand(bool(whole.isfinite().all()), "gave NaN or infinite scores")
    classes = network.classes
    demand(classes in (None, whole.shape[1]), f"says {classes} classes and gives {whole.shape[1]} scores")
    for rows in ([1], [2, 0], [3, 1, 2]):
        got = _scores(network, _encoded(model, network, rows))
        same(got, whole[list(rows)], f"examples {rows} alone and in the batch differ", tolerance=1e-3)


@LAWS.law(after=("loads", "encodes"))
def offers(model: Model) -> None:
    """What it offers is there: gradients that are finite and not all 0, modules, convolutions."""
    network = _loaded(model)
    module = network.module
    if "modules" in model.offers:
        demand(isinstance(module, nn.Module), f"offers modules, and is {type(module).__name__}")
    if "convolutions" in model.offers and isinstance(module, nn.Module):
        demand(any(isinstance(m, nn.Conv2d) for m in module.modules()), "offers convolutions, and has no nn.Conv2d")
    if "gradients" not in model.offers:
        return
    encoded = _encoded(model, network)
    leaf = encoded.inputs.detach().clone().requires_grad_()
    scores = Passes(module).forward(leaf * 1, encoded.context)
    demand(scores.requires_grad, "offers gradients, and its scores do not depend on its inputs differentiably")
    (gradient,) = torch.autograd.grad(scores.amax(dim=1).sum(), leaf, allow_unused=True)
    demand(gradient is not None, "offers gradients, and its scores do not depend on its inputs differentiably")
    demand(bool(gradient.isfinite().all()), "gave NaN or infinite gradients")
    demand(bool((gradient != 0).any()), "offers gradients, and they are all 0")
