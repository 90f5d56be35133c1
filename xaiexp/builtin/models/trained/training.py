"""Training of small networks, and the cache of the trained weights.

Training runs in one thread with its own random generator. It is reproducible up to the floating-point arithmetic of the
machine, and leaves the global random state unchanged.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock
from torch import Tensor, nn

from xaiexp.builtin.models.random_state import seeded_random_state
from xaiexp.builtin.models.trained.objectives import fold_units, held_out_figures, loss_of, trained_targets
from xaiexp.core.vocabulary import Task
from xaiexp.errors import ResourceError
from xaiexp.store.tensor_files import Damaged, read_tensors, write_tensors

__all__ = ["Data", "Recipe", "cross_validated", "fit", "load_or_train", "load_shipped", "outputs_of"]

log = logging.getLogger("xaiexp")

# The results of matrix products can depend on the alignment of their operands: 64 bytes, as torch allocates.
_ALIGNED_FLOATS = 16

_Trained = tuple[nn.Module, dict[str, Tensor], dict[str, object]]
"""A network, the extra tensors of its data, and facts about its training."""


@dataclass(frozen=True)
class Data:
    """The data that a network is trained and tested on.

    Args:
        inputs, labels: training part, in model space: float32 ``[N, *shape]``, and by the task of the recipe class
            indices int64 ``[N]``, values float32 ``[N]`` in their own unit, or 0 and 1 float32 ``[N, K]``.
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
        task: what the network is trained for: ``multiclass``, ``regression`` or ``multilabel``.
        names: of the labels of a multi-label task.
    """

    build: Callable[[], nn.Module]
    data: Callable[[], Data]
    epochs: int
    batch: int = 64
    rate: float = 3e-3
    decay: float = 1e-2
    folds: int = 5
    tested_folds: int = 5
    task: Task = "multiclass"
    names: tuple[str, ...] = ()


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

    The optimiser is written out because importing ``torch.optim`` takes longer than the training itself. Values are
    standardised for the training; the trained network returns them in their own unit.
    """
    targets = trained_targets(recipe.task, data.labels)
    generator = torch.Generator().manual_seed(seed)
    parameters = list(module.parameters())
    # The optimiser works on all parameters at once: they and their gradients are views of one buffer each.
    weights, of_parameters = _flat_buffer(parameters)
    slopes, of_gradients = _flat_buffer(parameters)
    first, second = torch.zeros_like(weights), torch.zeros_like(weights)
    for parameter, view in zip(parameters, of_parameters, strict=True):
        view.copy_(parameter.detach())
        parameter.data = view
    steps = recipe.epochs * math.ceil(len(data.inputs) / recipe.batch)
    step = 0
    module.train()
    for _ in range(recipe.epochs):
        for rows in torch.split(torch.randperm(len(data.inputs), generator=generator), recipe.batch):
            loss = loss_of(recipe.task, module(data.inputs[rows]), targets[rows])
            for view, gradient in zip(of_gradients, torch.autograd.grad(loss, parameters), strict=True):
                view.copy_(gradient)
            rate = recipe.rate * 0.5 * (1 + math.cos(math.pi * step / steps)) * min(1.0, (step + 1) / 20)
            step += 1
            first.lerp_(slopes, 0.1)
            second.lerp_(slopes * slopes, 0.01)
            weights.mul_(1 - rate * recipe.decay)
            denominator = (second / (1 - 0.99**step)).sqrt_().add_(1e-8)
            weights.addcdiv_(first / (1 - 0.9**step), denominator, value=-rate)
    for parameter in parameters:
        parameter.data = parameter.detach().clone()
    if recipe.task == "regression":
        fold_units(module, data.labels)
    module.eval()


def _flat_buffer(parameters: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Zeros, and a view of them for each parameter. Each begins where a tensor of its own would be aligned to."""
    starts = [0]
    for parameter in parameters:
        starts.append(starts[-1] + math.ceil(parameter.numel() / _ALIGNED_FLOATS) * _ALIGNED_FLOATS)
    buffer = torch.zeros(starts[-1])
    views = [buffer[i : i + p.numel()].view(p.shape) for i, p in zip(starts[:-1], parameters, strict=True)]
    return buffer, views


def outputs_of(module: nn.Module, inputs: Tensor) -> Tensor:
    """The outputs ``[N, K]`` for ``inputs [N, *shape]``."""
    with torch.no_grad():
        return torch.cat([module(rows) for rows in torch.split(inputs, 256)])


def cross_validated(data: Data, recipe: Recipe, seed: int) -> tuple[Tensor, Tensor]:
    """Outputs for examples that the network was not trained on, by cross-validation, and their labels.

    Example ``i`` of a class (of all examples, unless there is one class each) is in fold ``i mod folds``; a fold is
    tested by a network trained on all other folds.

    Returns:
        Outputs float32 ``[M, K]`` and labels ``[M, ...]`` of the M tested examples; none if there are too few.
    """
    rank = torch.arange(len(data.labels))  # of an example, within its class if it has one
    if recipe.task == "multiclass":
        for label in range(int(data.labels.max()) + 1):
            of_class = data.labels == label
            rank[of_class] = torch.arange(int(of_class.sum()))
    outputs, labels = [], []
    for fold in range(recipe.tested_folds):
        in_fold = rank % recipe.folds == fold
        if int(in_fold.sum()) in (0, len(in_fold)):
            continue
        with seeded_random_state(seed):
            module = recipe.build()
        fit(module, Data(data.inputs[~in_fold], data.labels[~in_fold], None, None, {}), recipe, seed)
        outputs.append(outputs_of(module, data.inputs[in_fold]))
        labels.append(data.labels[in_fold])
    if not outputs:
        return data.inputs.new_zeros((0, max(1, len(recipe.names)))), data.labels[:0]
    return torch.cat(outputs), torch.cat(labels)


def load_shipped(recipe: Recipe, path: Path) -> _Trained:
    """The network with weights that are part of the package, as :func:`load_or_train` gives it.

    Raises:
        ResourceError: the file is not as it was shipped.
    """
    found, reason = _read(recipe, path)
    if found is None:
        raise ResourceError("model", f"{path} {reason or 'is missing'}", hint="install xaiexp again")
    module, extra, facts = found
    return module.requires_grad_(False).eval(), extra, {**facts, "weights": f"shipped with xaiexp ({path.name})"}


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
            cached, wrong = _read(recipe, path)
            note = _trained_again(path, wrong) if wrong else ""
            if cached is None:
                cached = _train(recipe, path, seed)
            module, extra, facts = cached
    except OSError as broken:
        raise ResourceError("store", f"trained weights cannot be written to {path.parent}: {broken}") from None
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return module.eval(), extra, {**facts, "weights": str(path), **({"note": note} if note else {})}


def _read(recipe: Recipe, path: Path) -> tuple[_Trained | None, str]:
    """The content of the file, or None: with an empty text if it is missing, with the reason if it is damaged."""
    try:
        tensors, metadata = read_tensors(path)
    except FileNotFoundError:
        return None, ""
    except Damaged as damaged:
        return None, str(damaged)
    with _reproducible(0):
        module = recipe.build()
    try:
        module.load_state_dict({k.removeprefix("module."): v for k, v in tensors.items() if k.startswith("module.")})
        facts: dict[str, object] = {key: json.loads(metadata[key]) for key in sorted({*metadata, "held_out_examples"})}
    except (RuntimeError, KeyError, ValueError) as other:
        return None, f"holds another network ({str(other).splitlines()[0]})"
    return (module, {k.removeprefix("extra."): v for k, v in tensors.items() if k.startswith("extra.")}, facts), ""


def _trained_again(path: Path, reason: str) -> str:
    """Say that a file of the cache is of no use."""
    note = f"{path.name} {reason}; trained again"
    log.warning(note)
    return note


def _train(recipe: Recipe, path: Path, seed: int) -> _Trained:
    """Train, test, and write the file atomically."""
    started = time.perf_counter()
    data = recipe.data()
    with _reproducible(seed):
        module = recipe.build()
        fit(module, data, recipe, seed)
        if data.held_out_inputs is not None and data.held_out_labels is not None:
            outputs, labels = outputs_of(module, data.held_out_inputs), data.held_out_labels
        else:
            outputs, labels = cross_validated(data, recipe, seed)
    facts: dict[str, object] = {
        **held_out_figures(recipe.task, outputs, labels, recipe.names),
        "held_out_examples": len(labels),
        "training_seconds": round(time.perf_counter() - started, 2),
    }
    tensors = {f"module.{k}": v for k, v in module.state_dict().items()}
    tensors |= {f"extra.{k}": v for k, v in data.extra.items()}
    write_tensors(path, tensors, {key: json.dumps(value) for key, value in facts.items()})
    return module, dict(data.extra), dict(sorted(facts.items()))
