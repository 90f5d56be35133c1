"""Training of small networks, and the cache of the trained weights.

Training runs in one thread with its own random generator. It is reproducible up to the floating-point arithmetic of the
machine, and leaves the global random state unchanged.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from xaiexp.builtin.models.random_state import seeded_random_state
from xaiexp.errors import ResourceError

__all__ = ["Data", "Recipe", "accuracy", "cross_validated_accuracy", "fit", "load_or_train"]

log = logging.getLogger("xaiexp")

_Trained = tuple[nn.Module, dict[str, Tensor], dict[str, object]]
"""A network, the extra tensors of its data, and facts about its training."""


@dataclass(frozen=True)
class Data:
    """The data that a network is trained and tested on.

    Args:
        inputs, labels: training part, in model space, float32 ``[N, *shape]`` and int64 ``[N]``.
        held_out_inputs, held_out_labels: test part; None where the recipe is tested by cross-validation.
        extra: tensors to store with the weights (the normalisation).
    """

    inputs: Tensor
    labels: Tensor
    held_out_inputs: Tensor | None
    held_out_labels: Tensor | None
    extra: Mapping[str, Tensor]


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a trained network.

    Args:
        build: makes the untrained network; draws its weights from torch's global generator.
        data: makes the training data; called only if the network is not in the cache.
        epochs, batch, rate, decay: number of epochs, batch size, peak learning rate and weight decay of :func:`fit`.
        folds, tested_folds: number of folds of the cross-validation, and how many of them are tested; used where the
            data have no held-out part.
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
def _reproducible(seed: int) -> Iterator[None]:
    """Run in one thread with torch's generator seeded; restore both afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the number of threads changes the order of summation
    try:
        with seeded_random_state(seed), torch.enable_grad():
            yield
    finally:
        torch.set_num_threads(threads)


def fit(module: nn.Module, data: Data, recipe: Recipe, seed: int) -> None:
    """Train in place by AdamW (Loshchilov and Hutter 2019) with warm-up and a cosine schedule.

    The optimiser is written out because importing ``torch.optim`` takes longer than the training itself.
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
    """Share of the ``inputs [N, *shape]`` that are classified as their label."""
    with torch.no_grad():
        predicted = torch.cat([module(rows).argmax(1) for rows in torch.split(inputs, 256)])
    return int((predicted == labels).sum()) / len(labels)


def cross_validated_accuracy(data: Data, recipe: Recipe, seed: int) -> tuple[float, int]:
    """Accuracy of the recipe by stratified cross-validation.

    Example ``i`` of a class is in fold ``i mod folds``; a fold is tested by a network trained on all other folds.

    Returns:
        Share of the tested examples that are classified as their label (NaN for none), and number of tested examples.
    """
    rank = torch.zeros_like(data.labels)  # of an example within its class
    for label in range(int(data.labels.max()) + 1):
        of_class = data.labels == label
        rank[of_class] = torch.arange(int(of_class.sum()))
    correct, tested = 0.0, 0
    for fold in range(recipe.tested_folds):
        in_fold = rank % recipe.folds == fold
        count = int(in_fold.sum())
        if count in (0, len(in_fold)):
            continue
        with seeded_random_state(seed):
            module = recipe.build()
        fit(module, Data(data.inputs[~in_fold], data.labels[~in_fold], None, None, {}), recipe, seed)
        correct += accuracy(module, data.inputs[in_fold], data.labels[in_fold]) * count
        tested += count
    return (correct / tested if tested else math.nan), tested


def load_or_train(recipe: Recipe, path: Path, seed: int = 0) -> _Trained:
    """The trained network: read from the cache, else trained and written to it.

    Args:
        recipe: how to train.
        path: the file in the cache; its name must depend on everything that determines the network.
        seed: of the initial weights and of the order of the examples.

    Returns:
        The network in eval mode, the extra tensors of its data, and facts for ``record.json``.

    Raises:
        ResourceError: the cache cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            cached, note = _read(recipe, path)
            if cached is None:
                cached = _train(recipe, path, seed)
            module, extra, facts = cached
    except OSError as broken:
        raise ResourceError("store", f"trained weights cannot be written to {path.parent}: {broken}") from None
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module.eval(), extra, {**facts, "weights": str(path), **({"note": note} if note else {})}


def _read(recipe: Recipe, path: Path) -> tuple[_Trained | None, str]:
    """The content of the file, or None with an empty note if it is missing and with the reason if it is damaged."""
    if not path.exists():
        return None, ""
    with _reproducible(0):
        module = recipe.build()
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # safe_open is not a mapping
        module.load_state_dict({k.removeprefix("module."): v for k, v in tensors.items() if k.startswith("module.")})
        facts: dict[str, object] = {
            "held_out_accuracy": float(metadata["held_out_accuracy"]),
            "held_out_examples": int(metadata["held_out_examples"]),
            "training_seconds": float(metadata["training_seconds"]),
        }
    except (SafetensorError, RuntimeError, KeyError, ValueError) as broken:
        note = f"{path.name} was damaged ({str(broken).splitlines()[0]}); trained again"
        log.warning(note)
        return None, note
    return (module, {k.removeprefix("extra."): v for k, v in tensors.items() if k.startswith("extra.")}, facts), ""


def _train(recipe: Recipe, path: Path, seed: int) -> _Trained:
    """Train, test, and write the file atomically."""
    started = time.perf_counter()
    data = recipe.data()
    with _reproducible(seed):
        module = recipe.build()
        fit(module, data, recipe, seed)
        if data.held_out_inputs is not None and data.held_out_labels is not None:
            share, tested = accuracy(module, data.held_out_inputs, data.held_out_labels), len(data.held_out_labels)
        else:
            share, tested = cross_validated_accuracy(data, recipe, seed)
    facts: dict[str, object] = {
        "held_out_accuracy": share,
        "held_out_examples": tested,
        "training_seconds": round(time.perf_counter() - started, 2),
    }
    tensors = {f"module.{k}": v.detach().clone() for k, v in module.state_dict().items()}
    tensors |= {f"extra.{k}": v.clone() for k, v in data.extra.items()}
    partial = path.with_suffix(f".{os.getpid()}.part")
    try:
        save_file(tensors, partial, metadata={key: repr(value) for key, value in facts.items()})
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return module, dict(data.extra), facts
