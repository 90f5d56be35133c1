"""The checks of models."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from xaiexp.contract.kinds import Model
from xaiexp.core.samples import Encoded, LoadContext, Network, Sample, Source
from xaiexp.errors import UserError
from xaiexp.inference.outputs import noticed_task
from xaiexp.inference.passes import Passes
from xaiexp.testing.assertions import require, require_equal
from xaiexp.testing.definition import CheckSuite, NotApplicable
from xaiexp.testing.snapshots import first_difference, random_state, seeded

__all__ = ["SUITE"]

SUITE = CheckSuite("model")

_TEXTS = ("a good film", "rather long and not at all what was hoped for", "bad", "more of the same , with less")
_ROUNDING = 1e-3
_AXES = {"image": 3, "text": 2, "table": 1, "series": 2}


@functools.cache
def _cache() -> Path:
    """A temporary folder for trained weights, removed at exit."""
    folder = tempfile.mkdtemp(prefix="xaiexp-testing-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def _load(model: Model) -> Network:
    """The loaded network.

    Raises:
        NotApplicable: the weights are not available.
    """
    try:
        return model.load(LoadContext(_cache(), training=lambda: _training(model)))
    except UserError as error:
        raise NotApplicable(f"cannot be loaded in this environment: {error}") from None


def _samples(model: Model) -> list[Sample]:
    """Four samples of the model's modality."""
    if model.modality == "text":
        return [Sample(f"toy {i}", text) for i, text in enumerate(_TEXTS)]
    data = torch.rand(4, *_shape(model), generator=torch.Generator().manual_seed(2))
    return [Sample(f"toy {i}", row) for i, row in enumerate(data)]


def _shape(model: Model) -> tuple[int, ...]:
    """The shape of one sample of a model that does not take texts."""
    return model.input_shape() or {"image": (3, 32, 32), "series": (1, 64), "table": (8,)}[model.modality]


def _training(model: Model) -> Source:
    """Training data: 24 samples of two classes that differ in their mean value."""
    if model.modality == "text":
        samples = [Sample(f"toy {i}", f"{_TEXTS[i % 4]} {i}", i % 2) for i in range(24)]
    else:
        data = torch.rand(24, *_shape(model), generator=torch.Generator().manual_seed(3))
        samples = [Sample(f"toy {i}", row / 2 + 0.5 * (i % 2), i % 2) for i, row in enumerate(data)]
    return Source(len(samples), lambda start, stop: samples[start:stop], ("low", "high"))


def _encode(model: Model, network: Network, rows: Sequence[int] = range(4)) -> Encoded:
    """The encoded test samples.

    Raises:
        NotApplicable: the model does not support them.
    """
    samples = _samples(model)
    try:
        return network.encode([samples[i] for i in rows])
    except UserError as error:
        raise NotApplicable(f"does not support the test samples: {error}") from None


def _scores(network: Network, encoded: Encoded) -> Tensor:
    """The outputs ``[N, classes]`` of encoded samples."""
    with torch.no_grad():
        return Passes(network.module, call_layout=network.call_layout).forward(encoded.inputs, encoded.context)


@SUITE.register()
def loads(model: Model) -> None:
    """`load` returns a network of the declared modality on the CPU, in float32 and in eval mode."""
    network = _load(model)
    require(network.modality == model.modality, f"declares {model.modality}, but the network has {network.modality}")
    if isinstance(network.module, nn.Module):
        training = [name or "the network" for name, module in network.module.named_modules() if module.training]
        require(not training, f"{', '.join(training[:3])} is in training mode")
        for name, weight in network.module.named_parameters():
            require(weight.device.type == "cpu", f"{name} is on {weight.device}")
            require(weight.dtype == torch.float32, f"{name} is {weight.dtype}")


@SUITE.register(after=("loads", "same_weights"))
def global_randomness(model: Model) -> None:
    """Loading neither reads nor changes the global random states of torch, numpy and Python."""
    states = []
    for seed in (1, 2):
        with seeded(seed):
            before = random_state()
            network = _load(model)
            changed = first_difference(before, random_state())
        require(not changed, f"changed {changed}")
        states.append(network.module.state_dict() if isinstance(network.module, nn.Module) else {})
    _require_same_weights(states[0], states[1], "another global random state gives other weights")


@SUITE.register(after=("loads",))
def same_weights(model: Model) -> None:
    """Loading twice gives the same weights, the same identity and the same fingerprint."""
    fingerprints, states, identities = [], [], []
    for _ in range(2):
        with seeded():
            network = _load(model)
        fingerprints.append(model.fingerprint())
        identities.append(network.identity)
        states.append(network.module.state_dict() if isinstance(network.module, nn.Module) else {})
    require(fingerprints[0] == fingerprints[1], f"two fingerprints: {fingerprints[0]!r}, {fingerprints[1]!r}")
    require(identities[0] == identities[1], f"two identities: {identities[0]!r}, {identities[1]!r}")
    _require_same_weights(states[0], states[1], "loaded twice")


def _require_same_weights(a: dict[str, Tensor], b: dict[str, Tensor], message: str) -> None:
    require(a.keys() == b.keys(), f"{message}: the names of the weights differ")
    for name in a:
        require(torch.equal(a[name], b[name]), f"{message}: {name} differs")


@SUITE.register(after=("loads",))
def encodes(model: Model) -> None:
    """`encode` returns finite floats with the axes of the modality, of the shape that `input_shape()` states."""
    network = _load(model)
    inputs = _encode(model, network).inputs
    require(
        inputs.is_floating_point() and bool(inputs.isfinite().all()),
        f"encode returned {inputs.dtype}, must be finite floating-point values",
    )
    require(
        inputs.ndim == _AXES[model.modality] + 1, f"encode returned shape {list(inputs.shape)} for {model.modality}"
    )
    require(len(inputs) == 4, f"encode returned {len(inputs)} rows for 4 samples")
    stated = model.input_shape()
    shape = tuple(inputs.shape[1:])
    require(stated is None or tuple(stated) == shape, f"input_shape() states {stated}, encode returned {shape}")


@SUITE.register(after=("loads", "encodes"))
def batch_mates(model: Model) -> None:
    """The scores [classes] of an example are finite and do not depend on the other examples in the batch."""
    network = _load(model)
    encoded = _encode(model, network)
    try:
        expected = _scores(network, encoded)
    except RuntimeError as error:
        if model.input_shape() is not None:
            raise
        shape = list(encoded.inputs.shape[1:])
        require(
            False, f"inputs {shape} are refused ({str(error).splitlines()[0]}): input_shape() has to state the size"
        )
    require(bool(expected.isfinite().all()), "returned NaN or infinite scores")
    classes = network.classes
    require(classes in (None, expected.shape[1]), f"states {classes} classes, returned {expected.shape[1]} scores")
    for rows in ([1], [2, 0], [3, 1, 2]):
        scores = _scores(network, _encode(model, network, rows))
        require_equal(
            scores, expected[list(rows)], f"examples {rows} have other scores than in the full batch", tolerance=1e-3
        )


@SUITE.register(after=("loads", "encodes", "batch_mates"))
def offers(model: Model) -> None:
    """The network has the capabilities in `offers`: modules, trees, convolutions, gradients, finite and not all 0."""
    network = _load(model)
    module = network.module
    if "modules" in model.offers:
        require(isinstance(module, nn.Module), f"offers modules, but the network is a {type(module).__name__}")
    if "convolutions" in model.offers and isinstance(module, nn.Module):
        require(
            any(isinstance(m, nn.Conv2d) for m in module.modules()), "offers convolutions, but contains no nn.Conv2d"
        )
    if "trees" in model.offers:
        require(hasattr(module, "estimator"), "offers trees, but the network has no attribute `estimator`")
    if "gradients" not in model.offers:
        return
    encoded = _encode(model, network)
    leaf = encoded.inputs.detach().clone().requires_grad_()
    scores = Passes(module).forward(leaf * 1, encoded.context)
    not_differentiable = "offers gradients, but its scores are not differentiable with respect to its inputs"
    require(scores.requires_grad, not_differentiable)
    (gradient,) = torch.autograd.grad(scores.amax(dim=1).sum(), leaf, allow_unused=True)
    require(gradient is not None, not_differentiable)
    require(bool(gradient.isfinite().all()), "returned NaN or infinite gradients")
    require(bool((gradient != 0).any()), "offers gradients, but all of them are 0")


@SUITE.register(after=("loads", "encodes", "batch_mates"))
def task(model: Model) -> None:
    """The scores are what the network says of them: numbers in 0..1 are not logits."""
    network = _load(model)
    if network.task in ("regression", "probabilities"):
        raise NotApplicable(f"its task is {network.task}")
    encoded = _encode(model, network)
    heads = [_scores(network, encoded), _scores(network, replace(encoded, inputs=30 * encoded.inputs))]
    said = "says nothing of its task" if network.task is None else f"says that its task is {network.task}"
    probable = noticed_task(heads[0]) == "probabilities" if network.task != "multilabel" else False
    inside = network.task is not None and all(bool(((head >= 0) & (head <= 1)).all()) for head in heads)
    require(
        not (probable or inside),
        f"{said}, but returns probabilities: return logits, or state Network(task='probabilities')",
    )


@SUITE.register(after=("loads", "encodes"))
def masks(model: Model) -> None:
    """`encode` keeps the ground truth of samples, in the geometry of the inputs: bool [N, H, W], [N, T] or [N, F]."""
    network = _load(model)
    samples = [replace(sample, mask=_mask(model, sample)) for sample in _samples(model)]
    try:
        encoded = network.encode(samples)
    except UserError as error:
        raise NotApplicable(f"does not support the test samples: {error}") from None
    got = encoded.masks
    require(got is not None, "encode drops the masks of samples: return them in Encoded(masks=...)")
    assert got is not None  # noqa: S101 -- required in the line before
    shape = list(encoded.inputs.shape)
    wanted = {"image": [shape[0], *shape[2:]], "series": [shape[0], shape[-1]]}.get(model.modality, shape[:2])
    require(
        got.dtype == torch.bool and list(got.shape) == wanted,
        f"encode returned masks {got.dtype} {list(got.shape)}; must be torch.bool {wanted}",
    )
    marked = got.flatten(1).any(dim=1) & ~got.flatten(1).all(dim=1)
    require(bool(marked.all()), "encode returned masks that mark nothing, or everything, of samples marked in part")


def _mask(model: Model, sample: Sample) -> Any:
    """Ground truth of a part of a sample: the first half of its positions, the first word of a text."""
    if model.modality == "text":
        return ((0, len(sample.data.split()[0])),)
    spatial = sample.data.shape[1:] if model.modality in ("image", "series") else sample.data.shape
    mask = torch.zeros(spatial, dtype=torch.bool)
    mask[..., : (spatial[-1] + 1) // 2] = True
    return mask


@SUITE.register(after=("loads", "encodes"))
def normalisation(model: Model) -> None:
    """`encode` does what `Network.mean` and `Network.std` say: inputs of one value become (value - mean) / std."""
    if model.modality == "text":
        raise NotApplicable("texts have no normalisation")
    network = _load(model)
    for value in (0.0, 1.0):
        samples = [replace(sample, data=torch.full_like(sample.data, value)) for sample in _samples(model)[:1]]
        try:
            inputs = network.encode(samples).inputs
        except UserError as error:
            raise NotApplicable(f"does not support the test samples: {error}") from None
        expected = ((torch.tensor(value) - network.mean) / network.std).expand_as(inputs)
        difference = float((inputs - expected).abs().max())
        require(
            difference <= _ROUNDING * max(1.0, float(expected.abs().max())),
            f"encode makes {float(inputs.flatten()[0]):.4g} of {value:g}; Network(mean=..., std=...) says "
            f"{float(expected.flatten()[0]):.4g}",
        )


@SUITE.register(after=("loads", "encodes"))
def pictures(model: Model) -> None:
    """`encode` of a model for images takes PIL images, too, as the tensors [C, H, W] in 0..1 that they stand for."""
    if model.modality != "image":
        raise NotApplicable("takes no images")
    from PIL import Image

    network = _load(model)
    data = _samples(model)[0].data
    mode, colour = ("L", 102) if len(data) == 1 else ("RGB", (102, 102, 102))
    picture = Image.new(mode, (data.shape[2], data.shape[1]), colour)
    try:
        tensor = network.encode([Sample("toy", torch.full_like(data, 0.4))]).inputs
    except UserError as error:
        raise NotApplicable(f"does not support the test samples: {error}") from None
    got = network.encode([Sample("toy", picture)]).inputs
    require_equal(got, tensor, "a PIL image and the tensor of its pixels are encoded differently", tolerance=1e-2)
