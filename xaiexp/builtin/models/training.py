"""Small networks, trained on first use and kept in a file: how, and on what.

The same on every machine as far as arithmetic allows: one thread, a generator of its own, no clock. The global
random state is left as it was.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from xaiexp.builtin.datasets.shapes import Shapes
from xaiexp.builtin.models.randomness import own_randomness
from xaiexp.builtin.shape_images import CLASSES, draw
from xaiexp.builtin.splits import Part, digits
from xaiexp.errors import ResourceError

__all__ = ["Data", "Recipe", "digits_cnn", "digits_mlp", "make", "shapes_cnn"]

log = logging.getLogger("xaiexp")


@dataclass(frozen=True)
class Data:
    """What a network is trained and tested on.

    Args:
        inputs, labels: to train on, in model space, float32 ``[N, *shape]`` and int64 ``[N]``.
        held_out_inputs, held_out_labels: to test on; None where the recipe tests by folds.
        extra: tensors to keep beside the weights (the normalisation).
    """

    inputs: Tensor
    labels: Tensor
    held_out_inputs: Tensor | None
    held_out_labels: Tensor | None
    extra: Mapping[str, Tensor]


@dataclass(frozen=True)
class Recipe:
    """All that decides a trained network.

    Args:
        build: the untrained network; draws its weights from torch's global generator.
        data: what to train on; only called where the network is not in the cache.
        epochs, batch, rate, decay: of :func:`fit`.
        folds, tested_folds: the parts that the examples are cut into, and how many of them test the recipe, where
            the data hold nothing out.
    """

    build: Callable[[], nn.Module]
    data: Callable[[], Data]
    epochs: int
    batch: int = 64
    rate: float = 3e-3
    decay: float = 1e-2
    folds: int = 5
    tested_folds: int = 5


@contextlib.contextmanager
def _alone(seed: int) -> Iterator[None]:
    """One thread and random numbers of its own; both as before afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums in another order are other sums
    try:
        with own_randomness(seed), torch.enable_grad():
            yield
    finally:
        torch.set_num_threads(threads)


def fit(module: nn.Module, data: Data, recipe: Recipe, seed: int) -> None:
    """Train by AdamW (Loshchilov and Hutter 2019) with a cosine schedule.

    Written out, because importing ``torch.optim`` costs more seconds than the training.
    """
    generator = torch.Generator().manual_seed(seed)
    parameters = list(module.parameters())
    first = [torch.zeros_like(p) for p in parameters]
    second = [torch.zeros_like(p) for p in parameters]
    steps = recipe.epochs * math.ceil(len(data.inputs) / recipe.batch)
    step = 0
    module.train()
    for _ in range(recipe.epochs):
        for rows in torch.split(torch.randperm(len(data.inputs), generator=generator), recipe.batch):
            loss = F.cross_entropy(module(data.inputs[rows]), data.labels[rows], label_smoothing=0.05)
            gradients = torch.autograd.grad(loss, parameters)
            rate = recipe.rate * 0.5 * (1 + math.cos(math.pi * step / steps)) * min(1.0, (step + 1) / 20)
            step += 1
            with torch.no_grad():
                for p, m, v, g in zip(parameters, first, second, gradients, strict=True):
                    m.lerp_(g, 0.1)
                    v.lerp_(g * g, 0.01)
                    p.mul_(1 - rate * recipe.decay)
                    p.addcdiv_(m / (1 - 0.9**step), (v / (1 - 0.99**step)).sqrt_().add_(1e-8), value=-rate)
    module.eval()


def accuracy(module: nn.Module, inputs: Tensor, labels: Tensor) -> float:
    """Share of ``inputs [N, *shape]`` whose largest logit is that of the label."""
    with torch.no_grad():
        guesses = torch.cat([module(rows).argmax(1) for rows in torch.split(inputs, 256)])
    return int((guesses == labels).sum()) / len(labels)


def cross_validated(data: Data, recipe: Recipe, seed: int) -> tuple[float, int]:
    """How well the recipe does on examples that it was not followed with.

    Example ``i`` of a class is in fold ``i mod folds``; a fold is tested by a network trained on all the others.

    Returns:
        The share of the tested examples whose largest logit is that of the label, and how many were tested.
    """
    number = torch.zeros_like(data.labels)  # of an example within its class
    for label in range(int(data.labels.max()) + 1):
        of_class = data.labels == label
        number[of_class] = torch.arange(int(of_class.sum()))
    right, tested = 0.0, 0
    for fold in range(recipe.tested_folds):
        out = number % recipe.folds == fold
        count = int(out.sum())
        if count in (0, len(out)):
            continue
        with own_randomness(seed):
            module = recipe.build()
        fit(module, Data(data.inputs[~out], data.labels[~out], None, None, {}), recipe, seed)
        right += accuracy(module, data.inputs[out], data.labels[out]) * count
        tested += count
    return (right / tested if tested else math.nan), tested


def make(recipe: Recipe, path: Path, seed: int = 0) -> tuple[nn.Module, dict[str, Tensor], dict[str, object]]:
    """The trained network, from the cache or into it.

    Args:
        recipe: how.
        path: the file; its name must change with everything that decides the network.
        seed: of the weights and of the order of the examples.

    Returns:
        The network in eval mode, the extra tensors of its data, and facts for the record.

    Raises:
        ResourceError: the cache cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            kept, note = _read(recipe, path)
            if kept is None:
                kept = _train(recipe, path, seed)
            module, extra, facts = kept
    except OSError as broken:
        raise ResourceError("store", f"trained weights cannot be kept in {path.parent}: {broken}") from None
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module.eval(), extra, {**facts, "weights": str(path), **({"note": note} if note else {})}


_Made = tuple[nn.Module, dict[str, Tensor], dict[str, object]]


def _read(recipe: Recipe, path: Path) -> tuple[_Made | None, str]:
    """What the file holds; None where there is none, with the reason where it is damaged."""
    if not path.exists():
        return None, ""
    with _alone(0):
        module = recipe.build()
    try:
        with safe_open(path, "pt") as file:
            told = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # no mapping, only keys()
        module.load_state_dict({k.removeprefix("module."): v for k, v in tensors.items() if k.startswith("module.")})
        facts: dict[str, object] = {
            "held_out_accuracy": float(told["held_out_accuracy"]),
            "held_out_examples": int(told["held_out_examples"]),
            "training_seconds": float(told["training_seconds"]),
        }
    except (SafetensorError, RuntimeError, KeyError, ValueError) as broken:
        note = f"{path.name} was damaged ({str(broken).splitlines()[0]}); trained again"
        log.warning(note)
        return None, note
    return (module, {k.removeprefix("extra."): v for k, v in tensors.items() if k.startswith("extra.")}, facts), ""


def _train(recipe: Recipe, path: Path, seed: int) -> _Made:
    """Train and write the file in one stroke."""
    started = time.perf_counter()
    data = recipe.data()
    with _alone(seed):
        module = recipe.build()
        fit(module, data, recipe, seed)
        if data.held_out_inputs is not None and data.held_out_labels is not None:
            share, tested = accuracy(module, data.held_out_inputs, data.held_out_labels), len(data.held_out_labels)
        else:
            share, tested = cross_validated(data, recipe, seed)
    facts: dict[str, object] = {
        "held_out_accuracy": share,
        "held_out_examples": tested,
        "training_seconds": round(time.perf_counter() - started, 2),
    }
    tensors = {f"module.{k}": v.detach().clone() for k, v in module.state_dict().items()}
    tensors |= {f"extra.{k}": v.clone() for k, v in data.extra.items()}
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    try:
        save_file(tensors, unfinished, metadata={key: repr(value) for key, value in facts.items()})
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return module, dict(data.extra), facts


def _standardised(train: tuple[Tensor, Tensor], held_out: tuple[Tensor, Tensor], axes: tuple[int, ...]) -> Data:
    """Inputs less their mean, over their standard deviation; both over ``axes`` of the inputs to train on."""
    mean, std = train[0].mean(axes, keepdim=True)[0], train[0].std(axes, keepdim=True)[0]
    return Data((train[0] - mean) / std, train[1], (held_out[0] - mean) / std, held_out[1], {"mean": mean, "std": std})


def _tensors(part: Part) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(part.inputs), torch.from_numpy(part.labels)


def _digits() -> Data:
    return Data(*_tensors(digits(held_out=False)), *_tensors(digits(held_out=True)), {})


def _shapes(size: int, train: int = 12288, held_out: int = 512) -> Data:
    """Part 1 of the generator to train on, the data set's own default pictures to test on."""
    plain = Shapes(size=size)

    def some(count: int, part: int) -> tuple[Tensor, Tensor]:
        pictures, labels = torch.empty(count, 3, size, size), torch.empty(count, dtype=torch.int64)
        for i in range(count):
            picture, _, labels[i] = draw(plain.seed, i, size, plain.noise, plain.distractors, plain.ground, part)
            pictures[i] = torch.from_numpy(picture)
        return pictures, labels

    return _standardised(some(train, 1), some(held_out, 0), (0, 2, 3))


def digits_cnn() -> Recipe:
    """Three convolutions and two linear layers over ``[1, 8, 8]``; every ReLU is a module of its own."""

    def build() -> nn.Module:
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(1, 16, 3, padding=1),
                relu1=nn.ReLU(),
                conv2=nn.Conv2d(16, 32, 3, padding=1),
                relu2=nn.ReLU(),
                pool=nn.MaxPool2d(2),
                conv3=nn.Conv2d(32, 32, 3, padding=1),
                relu3=nn.ReLU(),
                flatten=nn.Flatten(),
                linear1=nn.Linear(32 * 4 * 4, 64),
                relu4=nn.ReLU(),
                linear2=nn.Linear(64, 10),
            )
        )

    return Recipe(build, _digits, epochs=20, decay=0.1)


def digits_mlp() -> Recipe:
    """Two hidden layers over ``[1, 8, 8]``."""

    def build() -> nn.Module:
        return nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                linear1=nn.Linear(64, 128),
                relu1=nn.ReLU(),
                linear2=nn.Linear(128, 64),
                relu2=nn.ReLU(),
                linear3=nn.Linear(64, 10),
            )
        )

    return Recipe(build, _digits, epochs=30)


def shapes_cnn(size: int) -> Recipe:
    """Three convolutions and two linear layers over ``[3, size, size]``, standardised."""

    def build() -> nn.Module:
        left = (size + 1) // 2 // 2 // 2
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 24, 5, stride=2, padding=2),
                relu1=nn.ReLU(),
                conv2=nn.Conv2d(24, 32, 3, padding=1),
                relu2=nn.ReLU(),
                pool1=nn.MaxPool2d(2),
                conv3=nn.Conv2d(32, 48, 3, padding=1),
                relu3=nn.ReLU(),
                pool2=nn.MaxPool2d(2),
                flatten=nn.Flatten(),
                linear1=nn.Linear(48 * left * left, 64),
                relu4=nn.ReLU(),
                linear2=nn.Linear(64, len(CLASSES)),
            )
        )

    return Recipe(build, lambda: _shapes(size), epochs=6, rate=2e-3)
